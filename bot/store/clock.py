"""The store's clock: what happens when it is set back.

Lives here: `StoreClock`. Does not live here: when it is checked (`bot.app.store_probe`), how far this machine's clock
is off (`bot.clock`).

All that waits in the store waits for a moment of its clock: a poll, a message, a place within Slack's limits. If that
clock is set back by an hour, because it was wrong or because a replica with another clock has taken over, all of it
would wait for an hour more, and nothing would look wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from bot.errors import StoreUnavailable
from bot.store.engine.connection import Connection
from bot.store.rows import at, milliseconds

LEAST = timedelta(seconds=10)
"""From which on it counts as set back: less is waited for."""

BATCH = 500

log = structlog.get_logger()


class Checked(NamedTuple):
    """What a check has found."""

    now: tuple[datetime, ...]
    """What the clock shows; of a cluster one for each partition."""
    back: timedelta
    """By how much it was set back since a copy of the bot checked it; zero if it was not."""


class StoreClock:
    """The clock by which all copies of the bot wait."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def check(self) -> Checked:
        """Have nothing wait longer if it was set back since a copy of the bot checked.

        Raises:
            StoreUnavailable: a part of the store does not answer.
        """
        checked = await self._check()
        if checked.back:
            log.warning("store.clock_set_back", seconds=round(checked.back.total_seconds()))
            await self._forget_limits()  # first: what is done already is not found again after a crash
            await self._check(is_mending=True)
        return checked

    async def _check(self, *, is_mending: bool = False) -> Checked:
        answers = await self._connection.run_everywhere("engine/clock", milliseconds(LEAST), int(is_mending))
        for answer in answers:
            if isinstance(answer, StoreUnavailable):
                raise answer
        now, back = zip(*answers, strict=True)
        return Checked(tuple(map(at, now)), timedelta(milliseconds=max(back)))

    async def _forget_limits(self) -> None:
        """Delete what means something for minutes at most and would now for longer: counts of calls, pauses, turns.

        At worst Slack or GCS refuses a call that comes too early, and says for how long to pause.
        """
        async with self._connection.guarded() as redis:
            for begin in self._connection.keys.passing:
                async for key in redis.scan_iter(match=begin, count=BATCH):
                    await redis.delete(key)
