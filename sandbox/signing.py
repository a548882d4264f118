"""Checks `SDK-HMAC-SHA256` signatures as the API gateway does (reference 1.4), on the request as it arrived.

Lives here: `Raw` (a request on the wire), `verify`, and its steps. Does not live here: tokens and quotas
(`sandbox.gcs.gate`); any code of the bot, whose signatures are checked here. Called by `sandbox.gcs.gate`.

In one point this is stricter than the gateway: `host` and `x-sdk-date` must be among the signed headers.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote, unquote_plus

ALGORITHM = "SDK-HMAC-SHA256"
CLOCK_SKEW = timedelta(minutes=15)
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
UNSIGNED = "UNSIGNED-PAYLOAD"

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Access=(?P<key>[^\s,]+), ?SignedHeaders=(?P<headers>[^\s,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class Refused(Exception):
    """The signature is invalid. `str()` is the gateway's wording."""


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A request as it arrived."""

    method: str
    target: str
    """Path and query, still percent-encoded."""
    headers: Mapping[str, str]
    """Keys are lower-case names."""
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without the query, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query, still percent-encoded."""
        return self.target.partition("?")[2]


def verify(raw: Raw, *, secrets: Mapping[str, str], now: datetime) -> str:
    """The access key that signed `raw`; `secrets` maps access keys to secret keys. Raises `Refused`."""
    found = _AUTHORIZATION.fullmatch(raw.headers.get("authorization", ""))
    if found is None:
        raise Refused("Authorization header is malformed")
    signed = found["headers"].split(";")
    _check_signed_headers(raw, signed)
    _check_date(raw.headers["x-sdk-date"], now)
    if found["key"] not in secrets:
        raise Refused(f"Get secretKey failed,ak:{found['key']},err:ak not exist")
    expected = signature(secrets[found["key"]], string_to_sign(raw.headers["x-sdk-date"], canonical(raw, signed)))
    if not hmac.compare_digest(expected, found["signature"]):
        raise Refused("verify aksk signature fail")
    return found["key"]


def canonical(raw: Raw, signed: list[str]) -> str:
    """Steps 2 to 7: the text that is signed."""
    headers = "".join(f"{name}:{raw.headers[name].strip()}\n" for name in signed)
    return "\n".join(
        [raw.method.upper(), _uri(raw.path), _query(raw.query), headers, ";".join(signed), _payload_hash(raw, signed)]
    )


def string_to_sign(date: str, canonical_request: str) -> str:
    """Step 8."""
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical_request.encode('utf-8', 'surrogateescape')).hexdigest()}"


def signature(secret: str, text: str) -> str:
    """Step 9."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _check_signed_headers(raw: Raw, signed: list[str]) -> None:
    if signed != sorted(set(signed)) or any(name != name.lower() or "_" in name for name in signed):
        raise Refused("SignedHeaders must be lower-case, sorted and without underscores")
    for name in ("host", "x-sdk-date"):
        if name not in signed:
            raise Refused(f"{name} is not signed")
    for name in signed:
        if name not in raw.headers:
            raise Refused(f"signed header {name} is missing")


def _check_date(text: str, now: datetime) -> None:
    try:
        date = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise Refused("x-sdk-date is malformed") from None
    if abs(now - date) > CLOCK_SKEW:
        raise Refused(f"signature expired, signature timestamp:{text}, server time:{now:{DATE_FORMAT}}")


def _uri(path: str) -> str:
    encoded = "/".join(_encode(segment) for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _query(query: str) -> str:
    """Keys and values as the gateway decodes them (a plus is a space), in canonical order and encoding."""
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    decoded = sorted((unquote_plus(key), unquote_plus(value)) for key, value in pairs)
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in decoded)


def _encode(text: str) -> str:
    return quote(text, safe="~")


def _payload_hash(raw: Raw, signed: list[str]) -> str:
    """The body's hash. A body that is neither JSON nor BSON may be unsigned if a signed header says so."""
    is_signed_type = raw.headers.get("content-type", "").startswith(("application/json", "application/bson"))
    declared = raw.headers.get("x-sdk-content-sha256") if "x-sdk-content-sha256" in signed else None
    if raw.body and declared == UNSIGNED and not is_signed_type:
        return UNSIGNED
    return hashlib.sha256(raw.body).hexdigest()
