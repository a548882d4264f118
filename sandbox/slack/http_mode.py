"""HTTP mode: each parcel is a signed request to the app, the response is the acknowledgement.

Does not live here: what is sent (`interactions`). Used when the server has a `request_url`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from sandbox.slack.delivery import Ack, NotDelivered, Parcel, too_late

_FORM: Final = "application/x-www-form-urlencoded"


class HTTPMode:
    """Sends requests to one app."""

    def __init__(self, secret: str, ack_seconds: float, now: Callable[[], float]) -> None:
        self._secret = secret
        self._now = now
        self._timeout = aiohttp.ClientTimeout(total=ack_seconds)

    async def deliver(self, url: str, parcel: Parcel) -> Ack:
        """Send a parcel. Raises `NotDelivered` for any status but 2xx."""
        body, content_type = _body(parcel)
        headers = {"Content-Type": content_type, **self.signature(body), **_retry(parcel)}
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.post(url, data=body.encode(), headers=headers) as response,
            ):
                text = await response.text()
                if not 200 <= response.status < 300:
                    raise NotDelivered("http_error", "dispatch_failed")
                return Ack(_parsed(text))
        except TimeoutError:
            raise too_late() from None
        except aiohttp.ClientError:
            raise NotDelivered("connection_failed", "dispatch_failed") from None

    def signature(self, body: str) -> dict[str, str]:
        """The headers that prove that a body comes from Slack."""
        moment = str(int(self._now()))
        digest = hmac.new(self._secret.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={digest}"}


def _body(parcel: Parcel) -> tuple[str, str]:
    if parcel.kind == "slash_commands":
        return urlencode(parcel.payload), _FORM
    if parcel.kind == "interactive":
        return urlencode({"payload": json.dumps(parcel.payload)}), _FORM
    return json.dumps(parcel.payload), "application/json"


def _retry(parcel: Parcel) -> dict[str, str]:
    if not parcel.attempt:
        return {}
    reason = "http_timeout" if parcel.reason == "timeout" else parcel.reason
    return {"X-Slack-Retry-Num": str(parcel.attempt), "X-Slack-Retry-Reason": reason}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return {"text": text}
