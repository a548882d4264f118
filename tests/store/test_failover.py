"""Promises of the store when its master dies: nothing forgotten, and nothing told twice that was not in doubt.

A small bot without Slack and GCS: it looks, settles, claims and tells by the store's own rules, and what it told stands
in a list that plays Slack, to be read back when a lane is in doubt.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.errors import StoreUnavailable
from bot.metrics import STORE_ALONE
from bot.model import ChangeKind, Receipt
from bot.store import PARTITIONS, Store
from bot.store.connection import REPLICA_MS
from bot.store.outbox import Claim
from bot.store.schedule import Due
from tests.store.conftest import redis_server
from tests.store.test_store import ALICE, LAB, change, follow, snapshot_of
from tests.topologies import RedisCluster, SentinelTrio

LEASE = timedelta(seconds=2)
"""Instead of half a minute, so that what a dead connection held comes back within the test."""

EXECUTIONS, CHANGES = 24, 40


@pytest_asyncio.fixture(params=[SentinelTrio, RedisCluster])
async def servers(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SentinelTrio | RedisCluster]:
    """Servers of which one may die, and leases that are short."""
    redis_server()
    monkeypatch.setattr("bot.store.outbox.LEASE", LEASE)
    monkeypatch.setattr("bot.store.schedule.LEASE", LEASE)
    servers: SentinelTrio | RedisCluster = request.param(tmp_path)
    try:
        await servers.start()
        yield servers
    finally:
        await servers.stop()


class Bot:
    """The store's rules, played: a watcher, a notifier, and a Slack that remembers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.told: dict[str, list[int]] = defaultdict(list)
        """Lane → the revisions that were told, in order."""
        self.doubts = 0

    async def works(self, until: Callable[[], bool]) -> None:
        """Look and tell, several at once, until that is so."""
        await asyncio.gather(*(self._loop(until, room) for room in (self._looks, self._tells) * 3))

    async def _loop(self, until: Callable[[], bool], room: Callable[[int], Awaitable[None]]) -> None:
        while not until():
            for number in range(PARTITIONS):
                with contextlib.suppress(StoreUnavailable):  # as a crew does: it comes again
                    await room(number)
            await asyncio.sleep(0.01)

    async def _looks(self, number: int) -> None:
        for item in await self._store.schedule.claim(number, 4):
            await self._settles(item)

    async def _settles(self, item: Due) -> None:
        revision = item.snapshot.revision + 1
        is_over = revision == CHANGES
        await self._store.schedule.settle(
            item,
            snapshot_of(item.snapshot.execution.id, revision),
            [change(revision, ChangeKind.OUTCOME if is_over else ChangeKind.PROGRESS)],
            next_look=None if is_over else timedelta(milliseconds=20),
            is_visible=True,
        )

    async def _tells(self, number: int) -> None:
        for claim in await self._store.outbox.claim(number, 4):
            await self._tell(claim)

    async def _tell(self, claim: Claim) -> None:
        told = self.told[str(claim.lane)]
        self.doubts += claim.in_doubt_since is not None
        read_back = told[-1] if told and claim.in_doubt_since else 0
        news = [item.revision for item in claim.notification.changes if item.revision > read_back]
        told += news
        last = max((item.revision for item in claim.notification.changes), default=0)
        if not await self._store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=last, told=last)):
            return
        if not claim.notification.subscription.is_ending or not await self._store.outbox.forget(claim):
            await self._store.outbox.release(claim)

    @property
    def words(self) -> int:
        """How much was told so far."""
        return sum(map(len, self.told.values()))


@dataclass
class Life:
    """The whole traffic of one test, from its first word to its last."""

    servers: SentinelTrio | RedisCluster
    bot: Bot
    store: Store

    async def lived(self, *, deaf_for: float) -> dict[str, list[int]]:
        """Let a master die in the middle, whose replicas were deaf for so many seconds; what each lane was told."""
        for number in range(EXECUTIONS):
            await follow(self.store, ALICE, f"e{number}")
            await follow(self.store, LAB, f"e{number}")
        async with asyncio.timeout(60):
            work = asyncio.create_task(self.bot.works(self._is_over))
            while self.bot.words < EXECUTIONS * CHANGES // 2:  # noqa: ASYNC110  # the bot's doing
                await asyncio.sleep(0.01)
            await self.servers.deafen()
            await asyncio.sleep(deaf_for)
            await self.servers.kill_master()
            self.servers.wake()
            await self.servers.failed_over()
            await work
        return self.bot.told

    def _is_over(self) -> bool:
        told = self.bot.told.values()
        return len(told) == 2 * EXECUTIONS and all(each[-1:] == [CHANGES] for each in told)


@pytest.fixture
async def life(servers: SentinelTrio | RedisCluster) -> AsyncIterator[Life]:
    """A life that begins."""
    store = Store(servers.url, coalesce=timedelta(0))
    yield Life(servers, Bot(store), store)
    await store.aclose()


def alone() -> float:
    """How often a claim waited for a replica in vain."""
    return sum(sample.value for metric in STORE_ALONE.collect() for sample in metric.samples if "total" in sample.name)


async def test_a_master_that_dies_with_its_last_writes_repeats_no_word(life: Life) -> None:
    """What it had acknowledged in its last moments is lost; each change is read once, in order, all the same.

    For no claim that the replica had not heard of was told on.
    """
    told = await life.lived(deaf_for=REPLICA_MS / 1000 / 2)
    assert {lane: each for lane, each in told.items() if each != list(range(2, CHANGES + 1))} == {}


async def test_without_replicas_a_master_that_dies_may_repeat_but_forgets_nothing(life: Life) -> None:
    """The bot goes on alone, and counts that: what it told then may be told again, but every change is read."""
    before = alone()
    told = await life.lived(deaf_for=REPLICA_MS / 1000 * 4)
    assert alone() > before
    assert {lane: each for lane, each in told.items() if set(each) != set(range(2, CHANGES + 1))} == {}
