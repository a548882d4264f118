"""Story time: seconds since the clock was made, which may run faster than the wall's, stand still, or jump.

Lives here: `Clock`. Does not live here: what happens when (`sandbox.story`), and wall time, which signatures, tokens
and quotas go by (`sandbox.gcs`). Called by the GCS double and by whoever tells it a story: demo, tests, benchmarks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Story seconds. With `rate=60` an hour of sequencing takes a minute; dates run ahead of the wall's with it.

    A demo that would rather show dates in the past than in the future gives a `begin` that lies back far enough.
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
        self._told = 0.0
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
        """Whether story time stands still."""
        return self._is_paused

    def now(self) -> float:
        """Story seconds since the clock was made."""
        if self._is_paused:
            return self._told
        return self._told + (self._monotonic() - self._since) * self._rate

    def date(self, seconds: float | None = None) -> datetime:
        """The story's date and time at `seconds`, else now; aware, in UTC."""
        return self.begin + timedelta(seconds=self.now() if seconds is None else seconds)

    def pause(self) -> None:
        """Stop story time; `advance` still moves it."""
        self._keep()
        self._is_paused = True

    def resume(self) -> None:
        """Let story time run on from where it stands."""
        self._keep()
        self._is_paused = False

    def advance(self, seconds: float) -> None:
        """Jump ahead."""
        if seconds < 0:
            message = f"story time does not run backwards ({seconds:g} s)"
            raise ValueError(message)
        self._keep()
        self._told += seconds

    def _keep(self) -> None:
        self._told = self.now()
        self._since = self._monotonic()
