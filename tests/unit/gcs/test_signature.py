"""`SignatureAuth` signs as the vendor does: its published vectors, and its SDK compared with ours."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.gcs.auth import SignatureAuth, canonical_request, signed_names
from bot.gcs.http import HEADERS

HOST = "gcs.cn-north-4.myhuaweicloud.com"
AK = "AKEXAMPLE0000000TEST"
SK = "SkExampleSecretKeyForDocsOnly00000000001"
PROJECT = "0123456789abcdef0123456789abcdef"
AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
EXECUTION = "/v1/executions/e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
VECTORS = [
    (
        *("GET", EXECUTION, b""),
        "076181b65986ec2cb8345f109c11dafada210a3f3c522664d6cd20915421f44f",
        "96d45fc5ccc34d70d88b85536e7fb40995d9b9aa00c5cb2c9e4d0686fa2f870a",
    ),
    (
        *("GET", "/v1/executions?limit=50&name=a%20b%2F%C3%BC&offset=0&status=Running", b""),
        "5471d4cfa43a0af0b1db45e2d11b6daccc09f41b6e70fa49e7202f5f503265de",
        "61e7e046df251f115a4fb7b98fd977c01676c5c7a08b5fe0ff7ac2d8529b3538",
    ),
    (
        *("PUT", EXECUTION, b'{"action": "cancel"}'),
        "842f92eb33deffa88e08899181e80d62247566fd5c3ccc30f1b15a49e9efb204",
        "0cfa2a338ab3b7a76d36d957c95e588f4dbf59992553e3dd2d7de98512f0b1de",
    ),
]
SIGNED = ["content-type", "host", "x-project-id", "x-sdk-date"]


def signer(token: str | None = None) -> SignatureAuth:
    """Our signer with the documented keys at the documented time."""
    secret = SecretStr(token) if token else None
    return SignatureAuth(AK, SecretStr(SK), project_id=PROJECT, security_token=secret, clock=AT.timestamp)


def signed(auth: SignatureAuth, method: str, target: str, body: bytes, **headers: str) -> httpx.Request:
    """A request as the client builds it, headers included that are not signed, and signed."""
    all_headers = HEADERS.copy()
    all_headers.update(headers)
    request = httpx.Request(method, f"https://{HOST}{target}", headers=all_headers, content=body)
    return next(auth.auth_flow(request))


@pytest.mark.parametrize(("method", "target", "body", "digest", "signature"), VECTORS)
def test_published_vectors(method: str, target: str, body: bytes, digest: str, signature: str) -> None:
    """Canonical request and signature are those of the published vectors."""
    request = signed(signer(), method, target, body)
    assert signed_names(request.headers) == SIGNED
    assert hashlib.sha256(canonical_request(request, request.headers, SIGNED).encode()).hexdigest() == digest
    assert request.headers["Authorization"] == (
        f"SDK-HMAC-SHA256 Access={AK}, SignedHeaders={';'.join(SIGNED)}, Signature={signature}"
    )


def test_sends_the_signed_query() -> None:
    """However a query was written, it leaves sorted and encoded as it was signed."""
    written = "/v1/executions?status=Running&offset=0&limit=50&name=a+b/%c3%bc"
    target = b"/v1/executions?limit=50&name=a%20b%2F%C3%BC&offset=0&status=Running"
    assert signed(signer(), "GET", written, b"").url.raw_path == target


def test_signs_the_date_of_each_request() -> None:
    """The same request a second later has another date and another signature; other headers change it too."""
    now = AT.timestamp()
    auth = SignatureAuth(AK, SecretStr(SK), project_id=PROJECT, clock=lambda: now)
    found = [signed(auth, "GET", EXECUTION, b"", **extra).headers for extra in ({}, {"X-Other": "1"}, {})]
    now += 1
    later = signed(auth, "GET", EXECUTION, b"").headers
    signatures = [headers["Authorization"] for headers in found]
    assert signatures[0] == signatures[2] != signatures[1]
    assert later["X-Sdk-Date"] == "20240102T030406Z"
    assert later["Authorization"] not in signatures


def test_secrets_are_not_shown() -> None:
    """The representation of the signer holds neither key nor token."""
    shown = repr(signer(token="temporary-token-value"))
    assert AK not in shown
    assert SK not in shown
    assert "temporary-token-value" not in shown


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12)
HEADER_VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20).filter(str.strip)
HEADER_NAME = st.from_regex(r"X-[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH"]),
    parts=st.lists(TEXT.filter(lambda part: part not in {".", ".."}), max_size=4),
    query=st.lists(st.tuples(TEXT, TEXT), max_size=4),
    body=st.binary(max_size=64),
    extra=st.dictionaries(HEADER_NAME, HEADER_VALUE, max_size=3).filter(
        lambda found: len({name.lower() for name in found}) == len(found)
    ),
    kind=st.sampled_from(["application/json", "application/json;charset=utf8", "application/bson", "text/plain"]),
    token=st.sampled_from([None, "temporary-token-value"]),
)
def test_signs_as_the_vendors_sdk(
    method: str,
    parts: list[str],
    query: list[tuple[str, str]],
    body: bytes,
    extra: dict[str, str],
    kind: str,
    token: str | None,
) -> None:
    """For any request, the vendor's SDK computes the same `Authorization` and sends the same query."""
    path = "/v1/" + "/".join(quote(part, safe="") for part in parts)
    typed = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query)
    ours = signed(signer(token), method, f"{path}?{typed}", body, **extra, **{"Content-Type": kind})
    headers = {**extra, "Content-Type": kind, "X-Project-Id": PROJECT, "X-Sdk-Date": "20240102T030405Z"}
    if token:
        headers["X-Security-Token"] = token
    theirs = Signer(BasicCredentials(AK, SK, PROJECT)).sign(
        SdkRequest(method, "https", HOST, path, "", query, headers, body)
    )
    assert ours.headers["Authorization"] == theirs.header_params["Authorization"]
    assert ours.url.query.decode() == theirs.uri.partition("?")[2]
