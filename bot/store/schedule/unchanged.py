"""Polls that saw nothing new: those of a moment are settled together.

Lives here: `Unchanged`. Does not live here: what a poll means (`bot.domain`), polls that saw something (`schedule`).
Called by `schedule`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import structlog

from bot.store.engine.connection import Connection

TOGETHER_SECONDS = 0.01
"""How long polls wait for each other: one round trip for many costs less than many round trips."""

Row = str
"""What `unchanged.lua` takes of one poll: a line."""

log = structlog.get_logger()


class Unchanged:
    """Collects polls by partition and settles them soon."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: defaultdict[str, list[tuple[Row, asyncio.Future[bool]]]] = defaultdict(list)
        self._settling: set[asyncio.Task[None]] = set()

    def add(self, home: str, row: Row) -> asyncio.Future[bool]:
        """Settle a poll of an execution in partition `home` soon; False when its claim was lost."""
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[bool] = loop.create_future()
        if not self._waiting:
            loop.call_later(TOGETHER_SECONDS, self._settle_together)
        self._waiting[home].append((row, settled))
        return settled

    async def settled(self) -> None:
        """Write at once what waits for others, and wait until it is written."""
        self._settle_together()
        while self._settling:
            await asyncio.wait(self._settling)

    def _settle_together(self) -> None:
        polls, self._waiting = self._waiting, defaultdict(list)
        for home, rows in polls.items():
            task = asyncio.create_task(self._settle_rows(home, rows))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle_rows(self, home: str, rows: Sequence[tuple[Row, asyncio.Future[bool]]]) -> None:
        polls = "".join(row for row, _ in rows)  # in one text, since each argument costs
        try:
            answers = await self._connection.run("schedule/unchanged", home, polls, patient=True)
        except Exception as error:  # noqa: BLE001  # each poll that waits must see it
            log.warning("schedule.not_settled", polls=len(rows), error=str(error))
            for _, settled in rows:
                if not settled.done():
                    settled.set_exception(error)
                    settled.exception()  # or the loop complains where nobody waits
        else:
            for (_, settled), answer in zip(rows, answers, strict=True):
                if not settled.done():  # its caller may have given up
                    settled.set_result(bool(answer))
