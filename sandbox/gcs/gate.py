"""The API gateway in front of GCS: who may call, and how often (reference 1.2 to 1.4).

Lives here: `Gate`, `Quota`. Does not live here: how a signature is computed (`sandbox.signing`), how tokens are issued
(`iam`). Called by `server` for each request to GCS.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from sandbox.gcs.answers import Refusal, bad_credentials, throttled
from sandbox.gcs.iam import Tokens
from sandbox.signing import Raw, Refused, verify


class Quota:
    """At most `per_minute` calls in any minute. A refused call does not count."""

    def __init__(self, per_minute: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._monotonic = monotonic
        self._calls: deque[float] = deque()

    def take(self) -> None:
        """Count one call, or raise `Refusal` with the seconds until the next call is allowed."""
        now = self._monotonic()
        while self._calls and now - self._calls[0] >= 60:
            self._calls.popleft()
        if len(self._calls) >= self.per_minute:
            wait = 60 - (now - self._calls[0]) if self._calls else 60
            raise Refusal(throttled(self.per_minute, str(math.ceil(wait))))
        self._calls.append(now)


class Gate:
    """Identifies the sandbox's one user by signature or token."""

    def __init__(
        self,
        *,
        access_key: str,
        secret_key: str,
        security_token: str | None,
        tokens: Tokens,
        now: Callable[[], datetime],
    ) -> None:
        self._secrets = {access_key: secret_key}
        self._security_token = security_token
        self._tokens = tokens
        self._now = now

    def identify(self, raw: Raw) -> str:
        """The name of the calling user; raises `Refusal`."""
        if "authorization" in raw.headers:
            self._check_signature(raw)
        elif "x-auth-token" in raw.headers:
            self._tokens.check(raw.headers["x-auth-token"])
        else:
            raise Refusal(bad_credentials("x-auth-token not found"))
        if raw.headers.get("x-project-id", self._tokens.user.project_id) != self._tokens.user.project_id:
            raise Refusal(bad_credentials("project_id not match"))
        return self._tokens.user.username

    def _check_signature(self, raw: Raw) -> None:
        try:
            verify(raw, secrets=self._secrets, now=self._now())
        except Refused as refused:
            raise Refusal(bad_credentials(str(refused))) from None
        is_token_signed = "x-security-token" in raw.headers["authorization"].lower()
        sent = raw.headers.get("x-security-token")
        if sent != self._security_token or (sent is not None and not is_token_signed):
            raise Refusal(bad_credentials("security token is invalid"))
