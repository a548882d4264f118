"""GCS's quota of calls, shared by everything that calls GCS, in every copy of the bot.

Lives here: taking a call, asking how many are left, the pause and the slow start after a refusal. Does not live here:
the callers (`bot.gcs` through the service's wiring; the watcher asks before it claims). It is a sliding window in
server time, so that no minute holds more calls than the quota, wherever it begins.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import Literal
from uuid import uuid4

from bot.store.engine.connection import Connection
from bot.store.rows import milliseconds

WINDOW = timedelta(seconds=62)
"""GCS counts when calls arrive, we count when they leave: a minute, and some for the way."""

READER_LEASE = timedelta(seconds=5)
"""How long a process is silent until another one reads the lists."""

MOMENT_SECONDS = 0.05
"""How long the number of calls that are left is used before the store is asked again: others take some in any case."""

SLOW_START = timedelta(seconds=30)
"""How long after a refusal until the bot uses its whole share again: others may be using the same account."""


class GCSQuota:
    """The calls that one GCS user may make."""

    def __init__(self, connection: Connection, *, user: str, per_minute: int, reserve: int, process: str) -> None:
        """`process` holds the lease on reading lists: a successor of the same name takes it over at once."""
        self._connection, self._per_minute, self._reserve = connection, per_minute, reserve
        self._window = connection.keys.quota_of(user)
        self._process = process
        self._left, self._left_until = 0, 0.0
        """Calls for polls by the last answer, and until when that is used."""
        self.defer_for = timedelta(0)
        """For how long executions that lists show may be left to them, by the last answer; zero while none are read."""

    async def take(self, *, is_person: bool) -> timedelta:
        """Take one call: zero when it may go out now, else how long until there is one. People's calls go first."""
        _, wait, *_ = await self._ask(1, "people" if is_person else "polls")
        return timedelta(milliseconds=wait)

    async def take_up_to(self, most: int, *, for_lists: bool = False) -> int:
        """Take at most so many calls for polls, or for pages of lists; returns how many there were."""
        return (await self._ask(most, "lists" if for_lists else "polls"))[2]

    async def left(self, *, enough: int | None = None) -> int:
        """How many calls there are now for polls, without those that are kept for others.

        Where `enough` or none were left a moment ago, the store is not asked again: a call that is gone since then
        cannot be taken.
        """
        if enough is not None and (enough <= self._left or not self._left) and monotonic() < self._left_until:
            return self._left
        return (await self._ask(0, "polls"))[0]

    async def left_for_lists(self) -> int:
        """How many calls the window has for lists, were they all made now."""
        return (await self._ask(0, "lists"))[3]

    async def usage(self) -> tuple[int, int, timedelta]:
        """Calls in the window, calls left in it, and for how long nobody calls; nothing is taken."""
        used, pause = await self._connection.run("gcs_quota/usage", self._window, milliseconds(WINDOW))
        return used, max(0, self._per_minute - used), timedelta(milliseconds=pause)

    @property
    def per_second(self) -> float:
        """Calls that polls and lists may make on the average."""
        return (self._per_minute - self._reserve) / WINDOW.total_seconds()

    async def hold_reader_lease(self, team_id: str, *, reading: tuple[timedelta, int] | None) -> bool:
        """Whether this process reads a workspace's lists: one does at a time, another one once it is silent.

        The lease lasts for `READER_LEASE` from now on. `reading` says for how long executions may be left to lists
        while these are read, and how many calls of a window that can use. Polls leave so many calls to it, a third at
        most: otherwise what is overdue would use up all of them, and nothing would find out what is new.
        """
        defer_for, useful = (milliseconds(reading[0]), reading[1]) if reading else ("", "")
        args = team_id, self._process, milliseconds(READER_LEASE), defer_for, useful
        return bool(await self._connection.run("gcs_quota/reader_lease", self._window, *args))

    async def refused(self, retry_after: timedelta) -> None:
        """GCS said that the quota is used up, by us or by others: nobody calls until `retry_after` is over."""
        self._left = 0
        spans = milliseconds(retry_after), milliseconds(SLOW_START)
        await self._connection.run(
            "gcs_quota/refused", self._window, *spans, patient=True
        )  # nobody calls until it is written

    async def _ask(self, calls: int, purpose: Literal["people", "polls", "lists"]) -> tuple[int, int, int, int]:
        quota, slow_start = (self._per_minute, milliseconds(WINDOW)), milliseconds(SLOW_START)
        left, wait, taken, whole, defer_for = await self._connection.run(
            "gcs_quota/take", self._window, *quota, uuid4().hex, calls, purpose, slow_start, self._reserve
        )
        self.defer_for = timedelta(milliseconds=defer_for)
        if purpose == "polls":
            self._left, self._left_until = left, monotonic() + MOMENT_SECONDS
        return left, wait, taken, whole
