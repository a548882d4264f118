"""The signature check agrees with known answers and the vendor's signer, and refuses everything else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st

from sandbox.signing import Raw, Refused, canonical, verify

KEY = "AKEXAMPLE0000000TEST"
SECRET = "SkExampleSecretKeyForDocsOnly00000000001"
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
SIGNED = "content-type;host;x-project-id;x-sdk-date"
PATH = "/v1/executions/e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
VECTORS = [
    (
        "GET",
        PATH,
        b"",
        "076181b65986ec2cb8345f109c11dafada210a3f3c522664d6cd20915421f44f",
        "96d45fc5ccc34d70d88b85536e7fb40995d9b9aa00c5cb2c9e4d0686fa2f870a",
    ),
    (
        "GET",
        "/v1/executions?limit=50&name=a%20b%2F%C3%BC&offset=0&status=Running",
        b"",
        "5471d4cfa43a0af0b1db45e2d11b6daccc09f41b6e70fa49e7202f5f503265de",
        "61e7e046df251f115a4fb7b98fd977c01676c5c7a08b5fe0ff7ac2d8529b3538",
    ),
    (
        "PUT",
        PATH,
        b'{"action": "cancel"}',
        "842f92eb33deffa88e08899181e80d62247566fd5c3ccc30f1b15a49e9efb204",
        "0cfa2a338ab3b7a76d36d957c95e588f4dbf59992553e3dd2d7de98512f0b1de",
    ),
]


def request_of(method: str, target: str, body: bytes, signature: str) -> Raw:
    """One of the known answers as it arrives."""
    headers = {
        "authorization": f"SDK-HMAC-SHA256 Access={KEY}, SignedHeaders={SIGNED}, Signature={signature}",
        "content-type": "application/json",
        "host": "gcs.cn-north-4.myhuaweicloud.com",
        "x-project-id": "0123456789abcdef0123456789abcdef",
        "x-sdk-date": "20240102T030405Z",
    }
    return Raw(method=method, target=target, headers=headers, body=body)


GOOD = request_of(*VECTORS[1][:3], VECTORS[1][4])


def changed(**headers: str) -> Raw:
    """The good request with other headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(GOOD, headers={**GOOD.headers, **named})


@pytest.mark.parametrize(("method", "target", "body", "digest", "signature"), VECTORS)
def test_known_answers(method: str, target: str, body: bytes, digest: str, signature: str) -> None:
    """Canonical request and signature are those of the reference."""
    raw = request_of(method, target, body, signature)
    assert hashlib.sha256(canonical(raw, SIGNED.split(";")).encode()).hexdigest() == digest
    assert verify(raw, secrets={KEY: SECRET}, now=NOW) == KEY


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (replace(GOOD, method="PUT"), "verify aksk signature fail"),
        (replace(GOOD, target=PATH), "verify aksk signature fail"),
        (replace(GOOD, target=GOOD.target.replace("limit=50", "limit=51")), "verify aksk signature fail"),
        (replace(GOOD, target=GOOD.target.replace("%20", "%2B")), "verify aksk signature fail"),
        (replace(GOOD, body=b"{}"), "verify aksk signature fail"),
        (changed(x_project_id="f" * 32), "verify aksk signature fail"),
        (changed(host="elsewhere"), "verify aksk signature fail"),
        (changed(x_sdk_date="20240102T030406Z"), "verify aksk signature fail"),
        (changed(x_sdk_date="yesterday"), "x-sdk-date is malformed"),
        (changed(authorization=GOOD.headers["authorization"].replace(KEY, "OTHER")), "ak not exist"),
        (changed(authorization=GOOD.headers["authorization"].replace("host;", "")), "host is not signed"),
        (changed(authorization=GOOD.headers["authorization"].replace(";host", ";Host")), "lower-case"),
        (changed(authorization=GOOD.headers["authorization"].replace("=content", "=accept;content")), "is missing"),
        (changed(authorization="Basic c2VjcmV0"), "Authorization header is malformed"),
    ],
)
def test_tampered_is_refused(raw: Raw, why: str) -> None:
    """A request that was changed after signing is refused, with the reason."""
    with pytest.raises(Refused, match=why):
        verify(raw, secrets={KEY: SECRET}, now=NOW)


def test_plus_in_a_query_is_a_space() -> None:
    """The gateway decodes a query like a form, so a client must encode a plus."""
    assert verify(replace(GOOD, target=GOOD.target.replace("%20", "+")), secrets={KEY: SECRET}, now=NOW) == KEY


def test_wrong_secret_is_refused() -> None:
    """Knowing the access key alone is not enough."""
    with pytest.raises(Refused, match="verify aksk"):
        verify(GOOD, secrets={KEY: SECRET.swapcase()}, now=NOW)


@pytest.mark.parametrize("skew", [timedelta(minutes=15, seconds=1), timedelta(minutes=-15, seconds=-1)])
def test_clock_off_is_refused(skew: timedelta) -> None:
    """A clock that differs by more than 15 minutes is refused."""
    with pytest.raises(Refused, match="signature expired"):
        verify(GOOD, secrets={KEY: SECRET}, now=NOW + skew)


def test_clock_a_little_off_is_accepted() -> None:
    """A difference of 15 minutes is accepted."""
    assert verify(GOOD, secrets={KEY: SECRET}, now=NOW + timedelta(minutes=15)) == KEY


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@given(
    segments=st.lists(TEXT, max_size=4),
    query=st.lists(st.tuples(TEXT, TEXT), max_size=4),
    body=st.binary(max_size=20),
    content_type=st.sampled_from(["application/json", "text/plain", "application/bson"]),
)
def test_agrees_with_the_vendors_signer(
    segments: list[str], query: list[tuple[str, str]], body: bytes, content_type: str
) -> None:
    """Requests signed by the vendor's own code are accepted."""
    request = SdkRequest(
        method="POST",
        host="gcs",
        resource_path="/" + "/".join(quote(segment, safe="") for segment in segments),
        query_params=query,
        header_params={"Content-Type": content_type, "X-Sdk-Date": "20240102T030405Z"},
        body=body,
    )
    sent = Signer(BasicCredentials(ak=KEY, sk=SECRET)).sign(request)
    headers = {name.lower(): value for name, value in sent.header_params.items()}
    raw = Raw(method="POST", target=sent.uri, headers=headers, body=body)
    assert verify(raw, secrets={KEY: SECRET}, now=NOW) == KEY
