"""Every error answer becomes one of our errors, with what support asks for and without secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import (
    ExecutionGone,
    ExecutionNotFound,
    GCSAbsent,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMisdirected,
    GCSRequestRefused,
    GCSThrottled,
    GCSUnavailable,
)
from bot.gcs.errors import ErrorBody, error_body, gcs_error, iam_error, retry_after
from bot.gcs.http import Response

from .conftest import body_of


def response(status: int, body: bytes = b"", **headers: str) -> Response:
    """An answer; underscores in header names stand for dashes."""
    return Response(status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), body)


def coded(code: str) -> bytes:
    """An error body in the gateway's shape."""
    return f'{{"error_msg": "said so", "error_code": "{code}", "request_id": "r1"}}'.encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, coded("APIGW.0201"), GCSRequestRefused),
        (401, coded("APIGW.0301"), GCSBadCredentials),
        (401, coded("APIGW.0303"), GCSBadCredentials),
        (401, b"The token must be updated", GCSBadCredentials),
        (403, coded("APIGW.0302"), GCSForbidden),
        (404, coded("APIGW.0101"), GCSMisdirected),
        (404, coded("APIG.0101"), GCSMisdirected),
        (404, coded("apigw.0101"), GCSMisdirected),
        (404, coded("apigw.0201"), GCSAbsent),
        (404, coded("GCS.0404"), ExecutionNotFound),
        (404, b'{"errors": [{"error_code": "GCS.0404", "error_msg": "no such execution"}]}', ExecutionNotFound),
        (404, b'{"error": {"details": {"code": 404.0, "message": {"en": "no such execution"}}}}', ExecutionNotFound),
        (404, b'{"error": {"code": 404, "message": "no such execution"}}', ExecutionNotFound),
        (404, b'{"message": "no such execution"}', ExecutionNotFound),
        (404, b'{"error_msg": "no such \xe4\xb8", "error_code": "GCS.0404"}', ExecutionNotFound),
        (404, b'{"error_msg": "no such \\u4f", "error_code": "GCS.0404"}', ExecutionNotFound),
        (404, coded("APIGW.0201"), GCSAbsent),
        (404, b"", GCSAbsent),
        (404, b"<html>404 Not Found</html>", GCSAbsent),
        (404, b"default backend - 404", GCSAbsent),
        (404, b'"no such execution"', GCSAbsent),
        (404, b'{"status": 404}', GCSAbsent),
        (404, b'{"error_code": "", "error_msg": ""}', GCSAbsent),
        (405, b"", GCSMisdirected),
        (408, b"", GCSUnavailable),
        (410, coded("GCS.0410"), ExecutionGone),
        (410, b"", GCSAbsent),
        (413, coded("APIGW.0201"), GCSRequestRefused),
        (414, coded("APIGW.0201"), GCSRequestRefused),
        (494, coded("APIGW.0201"), GCSRequestRefused),
        (429, coded("APIG.0308"), GCSThrottled),
        (429, b"<html>slow down</html>", GCSThrottled),
        (403, coded("APIGW.0308"), GCSThrottled),
        (301, b"", GCSMisdirected),
        (307, b"", GCSMisdirected),
        (500, coded("APIGW.0201"), GCSUnavailable),
        (502, coded("APIGW.0201"), GCSUnavailable),
        (503, b"<html>", GCSUnavailable),
        (504, coded("APIGW.0201"), GCSUnavailable),
    ],
)
def test_kinds(status: int, body: bytes, kind: type[GCSError]) -> None:
    """Status and code select the error class."""
    assert type(gcs_error(response(status, body))) is kind


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"error_msg": "m", "error_code": "APIGW.0301", "request_id": "r"}', ErrorBody("APIGW.0301", "m", "r", True)),
        (b'{"errorCode": "C.1", "errorMsg": "m"}', ErrorBody("C.1", "m", "from-header", True)),
        (b'{"code": "C.1", "message": "m"}', ErrorBody("C.1", "m", "from-header", True)),
        (b'{"error": {"code": 401, "message": "m", "title": "t"}}', ErrorBody("401", "m", "from-header", True)),
        (b'{"errors": [{"error_code": "C.1", "error_msg": "m"}]}', ErrorBody("C.1", "m", "from-header", True)),
        (b'[{"error_code": "C.1", "error_msg": "m"}]', ErrorBody("C.1", "m", "from-header", True)),
        (b'{"a": {"b": {"code": "C.1", "message": ["m", "n"]}}}', ErrorBody("C.1", "m; n", "from-header", True)),
        (b'{"error_code": "", "code": 404.0, "message": {"en": "m"}}', ErrorBody("404", "m", "from-header", True)),
        (b'{"error_code": " apigw.0101 ", "error_msg": null}', ErrorBody("APIGW.0101", "", "from-header", True)),
        (b'{"error_code": [], "error_msg": {}}', ErrorBody("", "an error of unknown shape", "from-header")),
        (b'{"error_msg": "m"}', ErrorBody("", "m", "from-header", True)),
        (b"<html>\n bad   gateway </html>", ErrorBody("", "<html> bad gateway </html>", "from-header")),
        (b'"text"', ErrorBody("", '"text"', "from-header")),
        (b"\xff\x00", ErrorBody("", "\ufffd", "from-header")),
        (b"", ErrorBody("", "", "from-header")),
        (b'{"odd": "shape"}', ErrorBody("", "an error of unknown shape", "from-header")),
        (b"[" * 100_000, ErrorBody("", "[" * 199 + "…", "from-header")),
    ],
)
def test_shapes(body: bytes, found: ErrorBody) -> None:
    """Every documented shape of an error body is read, and any other text."""
    assert error_body(response(400, body, X_Request_Id="from-header")) == found


def test_text() -> None:
    """The error's text holds status, code, message and request id."""
    error = gcs_error(response(401, body_of("refused")))
    assert str(error) == (
        "HTTP 401 APIGW.0301: Incorrect IAM authentication information: verify aksk signature fail "
        "(request 0123456789abcdef0123456789abcdef)"
    )


@pytest.mark.parametrize(
    "secret",
    [
        "SkExampleSecretKeyForDocsOnly00000000001",
        "AKEXAMPLE0000000TEST",
        "MIIFtoken" * 40,
        "SDK-HMAC-SHA256 Access=shortkey, SignedHeaders=host, Signature=" + "0a" * 32,
    ],
)
def test_no_secrets(secret: str) -> None:
    """A secret that a server echoes does not reach our logs; ids stay readable."""
    body = f'{{"error_code": "C", "error_msg": "refused {secret} for e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"}}'
    text = str(gcs_error(response(401, body.encode())))
    assert "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd" in text
    assert not any(part in text for part in (secret, "shortkey", "0a0a", "MIIF"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, GCSBadCredentials), (404, GCSMisdirected), (410, GCSAbsent), (418, GCSRequestRefused), (429, GCSThrottled)],
)
def test_iam_errors_have_their_own_kinds(status: int, kind: type[GCSError]) -> None:
    """IAM's statuses concern the account or the address; its message may quote what was sent, so none is kept."""
    error = iam_error(response(status, coded("IAM.1")))
    assert type(error) is kind
    assert str(error) == f"IAM: HTTP {status} IAM.1 (request r1)"


def test_encoded_authorization_message_is_dropped() -> None:
    """The encoded reason of a denial is not repeated, alone or beside a message."""
    for extra in ("", '"error_msg": "denied", '):
        body = f'{{{extra}"encoded_authorization_message": "secret reason"}}'
        assert "secret reason" not in str(gcs_error(response(403, body.encode())))


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("0", 1), ("99999999999", 3600), ("soon", 5), ("-3", 5), ("", 5), ("1.5", 5)]
)
def test_retry_after_seconds(text: str, seconds: int) -> None:
    """Seconds are taken within bounds; nonsense and silence mean five."""
    answer = response(429, Retry_After=text) if text else response(429)
    assert retry_after(answer) == timedelta(seconds=seconds)


def test_retry_after_date() -> None:
    """A date is taken as the time until then."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    wait = retry_after(response(429, Retry_After=date))
    assert timedelta(seconds=50) < wait <= timedelta(seconds=60)


@given(st.integers(300, 599), st.binary(), st.text(st.characters(max_codepoint=126, min_codepoint=32)))
def test_any_error_answer(status: int, body: bytes, header: str) -> None:
    """Any error answer becomes one of our errors with a short text on one line."""
    error = gcs_error(response(status, body, Retry_After=header, X_Request_Id=header))
    assert isinstance(error, GCSError)
    assert len(str(error)) < 400
    assert "\n" not in str(error)
