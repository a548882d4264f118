"""Story time: seconds since the clock was created. It may run faster than wall time, stand still, or jump.

Lives here: `Clock`. Does not live here: what happens when (`sandbox.story`); wall time, which signatures, tokens and
quotas use (`sandbox.gcs`). Called by the simulated GCS, and by the demo, tests and benchmarks that control it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Story seconds. With `rate=60` an hour of sequencing takes a minute, and dates run ahead of wall time.

    To show dates in the past instead of the future, pass a `begin` that is long enough ago.
    """

    def __init__(
        self,
        *,
        rate: float = 1.0,
        begin: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.begin = (begin or datetime.now(UTC)).replace(microsecond=0)
        self._monotonic = monotonic
        self._rate = rate
        self._elapsed = 0.0
        self._since = monotonic()
        self._is_paused = False

    @property
    def rate(self) -> float:
        """Story seconds per wall second while the clock runs."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._keep()
        self._rate = rate

    @property
    def is_paused(self) -> bool:
        """Whether story time is stopped."""
        return self._is_paused

    def now(self) -> float:
        """Story seconds since the clock was created."""
        if self._is_paused:
            return self._elapsed
        return self._elapsed + (self._monotonic() - self._since) * self._rate

    def date(self, seconds: float | None = None) -> datetime:
        """The story's date and time at `seconds`, by default now; aware, in UTC."""
        return self.begin + timedelta(seconds=self.now() if seconds is None else seconds)

    def pause(self) -> None:
        """Stop story time; `advance` still moves it."""
        self._keep()
        self._is_paused = True

    def resume(self) -> None:
        """Continue story time from where it stopped."""
        self._keep()
        self._is_paused = False

    def advance(self, seconds: float) -> None:
        """Move story time forward by `seconds`. ValueError if negative."""
        if seconds < 0:
            message = f"story time does not run backwards ({seconds:g} s)"
            raise ValueError(message)
        self._keep()
        self._elapsed += seconds

    def _keep(self) -> None:
        self._elapsed = self.now()
        self._since = self._monotonic()
