"""The budget: GCS's quota of calls, shared by everything that calls, in every copy of the bot.

Lives here: taking a call, asking how many are left, slowing everybody down after a refusal. Does not live here: who
calls (`bot.gcs` through the service's wiring; the watcher asks before it claims). A sliding window in server time, so
no minute ever holds more calls than the quota, whichever way it is laid.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import Literal
from uuid import uuid4

from bot.store.engine.connection import Connection
from bot.store.keys import quota_of
from bot.store.rows import milliseconds

WINDOW = timedelta(seconds=62)
"""GCS counts when calls arrive, we when they leave: a minute, and some for the way."""

READER_LEASE = timedelta(seconds=5)
"""After so long a silence, another process reads the lists."""

MOMENT_SECONDS = 0.05
"""For so long a number of calls is as good as a new one: other processes take some of them either way."""

SLOW_START = timedelta(seconds=30)
"""After a refusal, so long until the watch uses its whole share again: others may be using the same account."""


class GCSQuota:
    """The calls that one GCS user may make."""

    def __init__(self, connection: Connection, *, user: str, per_minute: int, reserve: int, process: str) -> None:
        """`process` is whose turn it is to read lists: a successor of the same name takes it over at once."""
        self._connection, self._per_minute, self._reserve = connection, per_minute, reserve
        self._window = quota_of(user)
        self._process = process
        self._left, self._left_until = 0, 0.0
        """Calls for looks by the last answer, and for how long that is taken for true."""
        self.defer_for = timedelta(0)
        """How long executions that lists show may be left to them, by the last answer; zero while none are read."""

    async def take(self, *, is_person: bool) -> timedelta:
        """Take one call: zero when it may go out now, else how long until there is one. People's calls go first."""
        _, wait, *_ = await self._ask(1, "people" if is_person else "looks")
        return timedelta(milliseconds=wait)

    async def take_up_to(self, most: int, *, for_lists: bool = False) -> int:
        """Take at most so many calls for looks, or for pages of lists; how many there were."""
        return (await self._ask(most, "lists" if for_lists else "looks"))[2]

    async def left(self, *, enough: int | None = None) -> int:
        """How many calls there are now for looks; what is kept for others is not among them.

        Where `enough` were left a moment ago, it is not asked again: a call that is gone meanwhile cannot be taken.
        """
        if enough is not None and enough <= self._left and monotonic() < self._left_until:
            return self._left
        return (await self._ask(0, "looks"))[0]

    async def left_for_lists(self) -> int:
        """How many calls the window has for lists, were they all made now."""
        return (await self._ask(0, "lists"))[3]

    @property
    def per_second(self) -> float:
        """Calls that the watch may make on the average."""
        return (self._per_minute - self._reserve) / WINDOW.total_seconds()

    async def hold_reader_lease(self, team_id: str, *, reading: tuple[timedelta, int] | None) -> bool:
        """Whether it is this process that reads a workspace's lists: one does at a time, another when it is silent.

        It has the turn for `READER_LEASE` from now on, and no longer: it may be dead by then. `reading` says for how
        long executions may be left to lists while these are being read, and how many calls of a window that can use.
        So many are left to it by looks, a third at most: else whatever is overdue would use up all of them, and
        nobody would find out what is new.
        """
        says = f"{milliseconds(reading[0])}|{reading[1]}" if reading else ""
        return bool(
            await self._connection.run(
                "gcs_quota/reader_lease", self._window, team_id, self._process, milliseconds(READER_LEASE), says
            )
        )

    async def refused(self, retry_after: timedelta) -> None:
        """GCS said that the quota is used up, by us or by others: everybody stays away for so long."""
        self._left = 0
        spans = milliseconds(retry_after), milliseconds(SLOW_START)
        await self._connection.run("gcs_quota/refused", self._window, *spans, patient=True)  # nobody calls meanwhile

    async def _ask(self, calls: int, whom: Literal["people", "looks", "lists"]) -> tuple[int, int, int, int]:
        quota, slow_start = (self._per_minute, milliseconds(WINDOW)), milliseconds(SLOW_START)
        left, wait, taken, whole, reading = await self._connection.run(
            "gcs_quota/take", self._window, *quota, uuid4().hex, calls, whom, slow_start, self._reserve
        )
        self.defer_for = timedelta(milliseconds=int(reading))
        if whom == "looks":
            self._left, self._left_until = left, monotonic() + MOMENT_SECONDS
        return left, wait, taken, whole
