"""A wake-up for a loop that sleeps until the store has something due.

Lives here: `Wakeup`. Does not live here: who sets it (`schedule`, `outbox`, `subscriptions`), who sleeps
(`bot.workers.pool`). Called by these.

A wake-up reaches one loop of this process. Other loops, and other copies of the bot, find what is due when they next
ask the store, within `bot.workers.pool.IDLE_SECONDS`.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from time import monotonic

GATHER_SECONDS = 0.01
"""How long a wake-up waits for more: one claim for many costs less than many claims."""


class Wakeup:
    """Set by whatever makes work; waited for by the loop that does it."""

    def __init__(self) -> None:
        self._at = math.inf
        self._changed = asyncio.Event()

    def set(self, *, after: float = 0.0) -> None:
        """Wake the loop in `after` seconds, unless it wakes sooner anyway."""
        at = monotonic() + after
        if at < self._at:
            self._at = at
            self._changed.set()

    def clear(self) -> None:
        """Forget what was set: the loop is about to ask the store."""
        self._at = math.inf

    async def wait(self, seconds: float) -> None:
        """Sleep for `seconds`, or until it is set; what was set since `clear` counts."""
        ends = monotonic() + seconds
        while (left := min(ends, self._at) - monotonic()) > 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):  # `wait_for` would make a task each time
                    await self._changed.wait()
        if self._at < ends:
            await asyncio.sleep(GATHER_SECONDS)
