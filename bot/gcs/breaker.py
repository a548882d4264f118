"""The circuit breaker: no calls for a while after GCS refused the credentials, since repeated failures block a key.

Lives here: `CredentialBreaker`, a small memory of refusals. Does not live here: what a refusal is (`bot.gcs.errors`).
Called by `bot.gcs.client` before and after every call.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.errors import ExecutionNotFound, GCSBadCredentials, GCSError, GCSForbidden

FIRST_PAUSE = timedelta(minutes=1)
"""How long calls stop after the first refusal; each further one doubles it."""
LONGEST_PAUSE = timedelta(minutes=15)
"""How long calls stop at most."""


class BreakerOpen(GCSBadCredentials):
    """Not sent: GCS refused the credentials a short while ago."""


class CredentialBreaker:
    """Stops calls once the credentials are refused.

    The pause grows from `FIRST_PAUSE` to `LONGEST_PAUSE`. After each pause one call goes through as a probe; the first
    answer that accepts the credentials closes the breaker.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: monotonic time in seconds."""
        self._clock = clock
        self._refusals = 0
        self._until = 0.0
        self._is_probing = False

    def admit(self) -> bool:
        """Let a call through; True for a probe, whose end the caller reports with `probed`, however it ends.

        Raises:
            BreakerOpen: no calls now.
        """
        if not self._refusals:
            return False
        left = self._until - self._clock()
        if left > 0 or self._is_probing:
            raise BreakerOpen(f"credentials were refused; no calls for another {max(left, 0):.0f} s")
        self._is_probing = True
        return True

    def record(self, error: GCSError | None) -> None:
        """Learn how a call ended: with `error`, or successfully if that is None."""
        if error is None or isinstance(error, ExecutionNotFound | GCSForbidden):  # GCS accepted the credentials
            self._refusals = 0
        elif isinstance(error, GCSBadCredentials) and not isinstance(error, BreakerOpen):
            self._refused()

    def probed(self) -> None:
        """The probe has ended, so another call may be the next one."""
        self._is_probing = False

    def _refused(self) -> None:
        now = self._clock()
        if self._refusals and now < self._until:
            return  # one of many calls that were in flight together
        pause = min(FIRST_PAUSE * 2 ** min(self._refusals, 10), LONGEST_PAUSE)
        self._refusals += 1
        self._until = now + pause.total_seconds()
