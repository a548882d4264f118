"""How soon the watcher sees what happens in GCS.

Lives here: `Detection`, which measures it by GCS's own times, and says when it takes too long. Does not live here:
polling (`watcher`). Called by the watcher; `bot.app.workspace` reads what it says.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from time import monotonic

from bot.domain.execution import Execution
from bot.metrics import WATCHER_DETECTION_SECONDS

WINDOW_SECONDS = 600.0
"""How far back changes count."""

FEWEST, MOST = 20, 1000
"""How many changes there must be to say something about them, and how many are kept at most."""

INTERVALS = 5
"""How many intervals between polls a change may take until it is seen."""

LEAST = timedelta(seconds=30)
"""What is never too long, however short the interval is: calls are limited, and GCS's times are whole seconds."""


class Detection:
    """The delays of the last changes."""

    def __init__(self, poll: timedelta) -> None:
        """`poll`: the interval between two polls of an execution."""
        self._limit = max(INTERVALS * poll, LEAST).total_seconds()
        self._delays: deque[tuple[float, float]] = deque(maxlen=MOST)

    def note(self, before: Execution, seen: Execution, *, now: datetime) -> None:
        """A poll has seen a change. GCS does not always update its time with one; then it says nothing."""
        updated, known = seen.updated_at, before.updated_at
        if updated is None or (known is not None and updated <= known):
            return
        delay = max(0.0, (now - updated).total_seconds())
        WATCHER_DETECTION_SECONDS.observe(delay)
        self._delays.append((monotonic(), delay))

    @property
    def problem(self) -> str | None:
        """By how much changes are seen too late, in words; None while they are not."""
        since = monotonic() - WINDOW_SECONDS
        delays = sorted(delay for at, delay in self._delays if at > since)
        if len(delays) < FEWEST:
            return None
        p99 = delays[min(len(delays) - 1, len(delays) * 99 // 100)]
        if p99 <= self._limit:
            return None
        return f"changes are seen late: 1 of 100 after {p99:.0f} s or more, instead of {self._limit:.0f} s"
