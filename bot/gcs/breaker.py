"""The hold: no calls for a while once GCS has refused the credentials, since repeated failures get a key blocked.

Lives here: `CredentialHold`, a small memory of refusals. Does not live here: what a refusal is (`bot.gcs.errors`).
Asked and told by `bot.gcs.client` with every call.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.errors import ExecutionNotFound, GCSBadCredentials, GCSError, GCSForbidden

FIRST_HOLD = timedelta(minutes=1)
LONGEST_HOLD = timedelta(minutes=15)


class CredentialsHeld(GCSBadCredentials):
    """Refused by ourselves: GCS refused the credentials a short while ago."""


class CredentialHold:
    """Stops calls once the credentials are refused.

    The pause grows from `FIRST_HOLD` to `LONGEST_HOLD`; after each one call goes through as a probe, and the first
    answer that knew us ends the hold.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refusals = 0
        self._until = 0.0
        self._probing = False

    def admit(self) -> bool:
        """Let a call through; whether it is the probe, whose end must be told (`probed`), however it ends.

        Raises:
            CredentialsHeld: not now.
        """
        if not self._refusals:
            return False
        left = self._until - self._clock()
        if left > 0 or self._probing:
            raise CredentialsHeld(f"credentials were refused; no calls for another {max(left, 0):.0f} s")
        self._probing = True
        return True

    def heard(self, error: GCSError | None) -> None:
        """Learn from how a call ended; None: well."""
        if error is None or isinstance(error, ExecutionNotFound | GCSForbidden):  # it knew us
            self._refusals = 0
        elif isinstance(error, GCSBadCredentials) and not isinstance(error, CredentialsHeld):
            self._refused()

    def probed(self) -> None:
        """Another call may be the probe."""
        self._probing = False

    def _refused(self) -> None:
        now = self._clock()
        if self._refusals and now < self._until:
            return  # one of many calls that were under way together
        hold = min(FIRST_HOLD * 2 ** min(self._refusals, 10), LONGEST_HOLD)
        self._refusals += 1
        self._until = now + hold.total_seconds()
