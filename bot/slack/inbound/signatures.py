"""Whether a request over HTTP comes from Slack.

Lives here: `refusal`, which looks at the headers and the body. Does not live here: answering (`http_mode`). Called by
`http_mode`; pure.

The signature is checked before the age, so that only Slack's own requests can be "too old": then this machine's clock
is wrong, or somebody replays a captured request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Protocol

MAX_AGE_SECONDS = 300
"""How far the time of a request may be from now, in both directions, as Slack recommends."""

_SIGNATURE, _TIMESTAMP = "X-Slack-Signature", "X-Slack-Request-Timestamp"
_SIGNATURE_FORM = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
_TIMESTAMP_FORM = re.compile(r"[0-9]{1,12}", re.ASCII)


class Refusal(StrEnum):
    """Why a request from outside is not served; the label of a metric."""

    UNSIGNED = "unsigned"
    """A header is missing."""
    AMBIGUOUS = "ambiguous"
    """A header is there several times."""
    MALFORMED_HEADER = "malformed_header"
    """A header does not have the form of a timestamp or a signature."""
    WRONG_SIGNATURE = "wrong_signature"
    """Not made with our signing secret."""
    STALE = "stale"
    """Signed by Slack, but too long ago, or in the future."""
    MALFORMED_BODY = "malformed_body"
    """Signed by Slack, but nothing that Slack sends."""


class Headers(Protocol):
    """Headers of a request, each of which may be there several times."""

    def getall(self, key: str, default: list[str]) -> list[str]:
        """All values of a header."""


def refusal(secret: str, headers: Headers, body: bytes, *, now: float) -> Refusal | None:
    """Why a request is not taken for Slack's, or None. `now` in seconds since 1970."""
    signatures, timestamps = headers.getall(_SIGNATURE, []), headers.getall(_TIMESTAMP, [])
    if not signatures or not timestamps:
        return Refusal.UNSIGNED
    if len(signatures) > 1 or len(timestamps) > 1:
        return Refusal.AMBIGUOUS
    signature, timestamp = signatures[0], timestamps[0]
    if not _SIGNATURE_FORM.fullmatch(signature) or not _TIMESTAMP_FORM.fullmatch(timestamp):
        return Refusal.MALFORMED_HEADER
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"v0={digest}", signature):
        return Refusal.WRONG_SIGNATURE
    return Refusal.STALE if abs(now - int(timestamp)) > MAX_AGE_SECONDS else None
