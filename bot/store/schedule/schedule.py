"""The schedule: which executions are due, which worker polls them, the results, and what lists show of them.

Lives here: `Schedule`. Does not live here: when to poll next (`bot.domain`), what GCS shows (`bot.gcs`). Called by the
watcher and the sweeper. Claims have a lease in server time; settling is one script (`settle.lua`), refused when the
claim was lost before.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from typing import NamedTuple

import msgspec

from bot.domain.change import Change
from bot.domain.following import Level
from bot.domain.snapshot import Snapshot
from bot.errors import StoreUnavailable
from bot.store.engine.connection import Connection, Ready
from bot.store.engine.wakeup import Wakeup
from bot.store.keys import PARTITIONS, execution_key, partition_of
from bot.store.log.rows import change_row
from bot.store.owner import Ownership
from bot.store.rows import EPOCH, at, change_entry, milliseconds, packed
from bot.store.schedule.unchanged import Unchanged
from bot.store.snapshots import Fingerprint, Header, header_for, header_of, snapshot_of
from bot.store.unreadable import ASIDE, Unreadable

LEASE = timedelta(seconds=5)
"""How long a claim lasts: what a dead worker had claimed is polled so much later at most. A poll that takes longer
renews its claim."""

OVERDUE_EVERY = 3
"""How many claims until one where the overdue go ahead of the expedited: with few calls, neither starves."""

NEVER = timedelta(days=36_500)

SOONEST_ALARM_MS = 1000
"""How soon an alarm may ring again."""

_AHEAD = {True: "1", False: "", None: "as before"}
"""What `is_expedited` is in the script."""

AT_ONCE_RANK = 2
"""From which rank on the script delivers changes at once; others wait for more."""

PUT_BACK_SECONDS = 0.2
"""How long until this process asks again for an execution that it put back."""


class Due(msgspec.Struct, frozen=True, dict=True):
    """An execution to poll, claimed."""

    execution: str
    """Its execution key."""
    header: Header
    """All that a poll needs that sees nothing new."""
    text: str
    """Header and snapshot as they are stored."""
    now: datetime
    """Server time of the claim; the watcher goes by this clock."""
    late: timedelta
    token: str
    is_alarm: bool = False
    """Whether time alone may be news now: then the whole answer is needed, though it shows nothing new."""

    @property
    def team_id(self) -> str:
        """The workspace it is watched for."""
        return self.execution.split("/")[1]

    @property
    def execution_id(self) -> str:
        """GCS's name for it."""
        return self.execution.rpartition("/")[2]

    @cached_property
    def snapshot(self) -> Snapshot:
        """The execution as last seen.

        Raises:
            Unreadable: another version of the bot wrote it.
        """
        return snapshot_of(self.text)


class Coverage(NamedTuple):
    """What a list, or a part of one, said about the executions that are watched."""

    watched: int = 0
    same: int = 0
    """As the last polls saw them."""
    changed: int = 0
    """To be polled now."""
    waiting: int = 0
    """Not as the last polls saw them, and not polled since."""

    def __add__(self, other: tuple[int, ...]) -> Coverage:  # type: ignore[override]  # a sum, not a longer tuple
        return Coverage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Schedule:
    """The due times of all watched executions."""

    def __init__(
        self,
        connection: Connection,
        ownership: Ownership,
        *,
        coalesce: timedelta,
        staleness: timedelta,
        polls: Wakeup,
        deliveries: Wakeup,
    ) -> None:
        """`staleness`: the longest between two polls of an execution, while the quota allows."""
        self._connection, self._keys, self._ownership = connection, connection.keys, ownership
        self._coalesce, self._staleness = coalesce, staleness
        self.polls, self._deliveries = polls, deliveries
        self._overdue_after = staleness / 4
        """How long something is due until it goes ahead of the expedited in every third claim. Lists defer nothing for
        longer than the other three quarters."""
        self._rounds = count(1)
        self._first_after = self._overdue_after
        """The same for the claims that follow now."""
        self._unchanged = Unchanged(connection)

    async def ready(self) -> Ready:
        """Where something is due; the next claims are in the same order."""
        self._first_after = self._overdue_after if next(self._rounds) % OVERDUE_EVERY == 0 else NEVER
        return await self._connection.ready("schedule/ready", milliseconds(self._first_after))

    async def size(self) -> int:
        """How many executions are watched."""
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.zcard(f"{self._keys.partition(number)}due")
            return sum(await pipeline.execute())

    async def watched(self, team_id: str) -> set[str]:
        """The ids of all executions that are watched for a workspace."""
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.zrange(f"{self._keys.partition(number)}due", 0, -1)
            keys = [key.split("/") for found in await pipeline.execute() for key in found]
        return {execution_id for *owner, execution_id in keys if owner == [self._ownership.owner.account, team_id]}

    async def claim(self, number: int, limit: int) -> list[Due]:
        """Claim at most `limit` executions of partition `number` that are due."""
        token, rows = await self._connection.claim(
            "schedule/claim",
            number,
            limit,
            milliseconds(LEASE),
            milliseconds(self._first_after),
            self._ownership.owner.scope,
            milliseconds(ASIDE),
        )
        now, claimed = at(rows[0]), []
        for execution, late, text, rings in zip(*(rows[place::4] for place in range(1, 5)), strict=True):
            try:
                header = header_of(text)
            except Unreadable as error:
                await self.set_aside(execution, token, error)
                continue
            claimed.append(Due(execution, header, text, now, timedelta(milliseconds=late), token, bool(rings)))
        return claimed

    async def renew(self, polls: Iterable[Due]) -> None:
        """Keep the claims of polls that are in progress for another `LEASE`.

        Claims that were lost are not kept, nor those of executions about which a list shows something newer. While the
        store is down, none is kept.
        """
        by_home: defaultdict[str, list[str]] = defaultdict(list)
        for due in polls:
            by_home[self._keys.home_of(due.execution)] += [due.execution, due.token, due.header.listed]
        lease = milliseconds(LEASE)
        await self._connection.run_many([("schedule/renew", home, (lease, *rows)) for home, rows in by_home.items()])

    async def settle(  # noqa: PLR0913  # one poll, all of its result
        self,
        due: Due,
        snapshot: Snapshot,
        changes: Sequence[Change],
        *,
        next_poll: timedelta | None,
        is_visible: bool,
        is_expedited: bool | None = False,
        fingerprint: Fingerprint | None = None,
        expected_at: datetime | None = None,
        alarm_at: datetime | None = None,
    ) -> bool:
        """Write the result of a poll, all or nothing; `fingerprint` is None where GCS gave no answer.

        With `is_expedited` the next poll goes ahead of all that is merely due; None: if this one did. At `alarm_at` it
        is polled in any case; without an answer of GCS that stays as it was, but comes no sooner than the next poll.

        Returns:
            False when the claim was lost to another worker, and nothing was written.
        """
        alarm = "" if alarm_at is None else max(milliseconds(alarm_at - snapshot.seen_at), SOONEST_ALARM_MS)
        ranks = [rank_of(change) for change in changes]
        entries = [
            field
            for rank, change in zip(ranks, changes, strict=True)
            for field in (rank, change_entry(change), change_row(change, rank))
        ]
        settled = await self._connection.run(
            "schedule/settle",
            self._keys.home_of(due.execution),
            due.execution,
            due.token,
            header_for(snapshot, fingerprint, expected_at).row(),
            packed(snapshot),
            due.header.listed,
            "" if next_poll is None else milliseconds(next_poll),
            "1" if is_visible else "",
            milliseconds(self._coalesce),
            _AHEAD[is_expedited],
            alarm if fingerprint else "as before",
            *entries,
            patient=True,
        )
        if next_poll is None or max(ranks, default=0) >= AT_ONCE_RANK:
            self._deliveries.set()
        elif is_visible:
            self._deliveries.set(after=self._coalesce.total_seconds())
        if next_poll is not None:
            self.polls.set(after=next_poll.total_seconds())
        if alarm:
            self.polls.set(after=int(alarm) / 1000)
        return bool(settled)

    def settle_unchanged(self, due: Due, *, seen_at: datetime, next_poll: timedelta) -> asyncio.Future[bool]:
        """Write that a poll saw the same as the one before; False when the claim was lost.

        That happens soon, together with others; nobody needs to wait for it but a caller that closes (`settled`).
        """
        self.polls.set(after=next_poll.total_seconds())
        return self._leave(due, seen_at, due.header.listed, next_poll)

    def put_back(self, due: Due) -> asyncio.Future[bool]:
        """Give a claim back without a poll: it keeps its place, behind what has been due for longer only."""
        self.polls.set(after=PUT_BACK_SECONDS)
        return self._leave(due, due.header.seen_at, "", -due.late)

    async def set_aside(self, execution: str, token: str, error: Unreadable) -> None:
        """Leave a claimed execution alone for a while whose rows cannot be read."""
        error.report(execution)
        with suppress(StoreUnavailable):  # then it comes again when the lease ends
            await self._connection.run(
                "schedule/set_aside", self._keys.home_of(execution), execution, token, milliseconds(ASIDE)
            )

    async def settled(self) -> None:
        """Write at once what waits for others, and wait until it is written."""
        await self._unchanged.settled()

    def _leave(self, due: Due, seen_at: datetime, listed_then: str, next_poll: timedelta) -> asyncio.Future[bool]:
        seen, wait = milliseconds(seen_at - EPOCH), milliseconds(next_poll)
        row = f"{due.execution}|{due.token}|{seen:013d}|{listed_then}|{wait}\n"
        return self._unchanged.add(self._keys.home_of(due.execution), row)

    async def listed(
        self,
        team_id: str,
        shown: Iterable[tuple[str, str]],
        *,
        defer_for: timedelta,
    ) -> Coverage:
        """Compare what a list shows (execution id, fingerprint) with what the last polls saw; what is new is due now.

        What is unchanged is polled again after `defer_for`, unless a list shows it again by then; before `staleness` is
        over in any case. Executions that nobody watches are ignored.
        """
        by_partition: defaultdict[int, list[str]] = defaultdict(list)
        for execution_id, fingerprint in shown:
            execution = execution_key(self._ownership.owner.account, team_id, execution_id)
            by_partition[partition_of(execution)].append(f"{fingerprint}{execution}\n")
        spans = (milliseconds(defer_for), milliseconds(self._staleness))
        texts = {self._keys.partition(number): "".join(rows) for number, rows in by_partition.items()}
        answers = await self._connection.run_many(  # in one text: each argument costs as much as a comparison
            [("schedule/listed", home, (*spans, text)) for home, text in texts.items()]
        )
        found = Coverage()
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            found += answer
        if found.changed:
            self.polls.set()
        return found


def rank_of(change: Change) -> int:
    """How many levels beside the widest include `change`: the script keeps it from subscriptions of a narrower one."""
    return sum(level.includes(change) for level in Level) - 1
