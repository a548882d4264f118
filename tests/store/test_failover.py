"""Promises of the store when its master dies: nothing forgotten, and nothing delivered twice that was not in doubt.

A small bot without Slack and GCS: it polls, settles, claims and delivers by the store's own rules, and keeps
what it delivered in a list that plays Slack, to be read back when a lane is in doubt.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from redis import Redis

from bot.domain.change import ChangeKind
from bot.domain.snapshot import Receipt
from bot.errors import StoreUnavailable
from bot.metrics import STORE_WITHOUT_REPLICAS
from bot.store import PARTITIONS, Store
from bot.store.engine.connection import Connection
from bot.store.engine.replicas import REPLICA_MS
from bot.store.engine.topology import Address
from bot.store.keys import lane_of
from bot.store.outbox import Claim
from bot.store.schedule import Due
from tests.servers import ACCOUNT, KEYS, OWNER, served
from tests.store.conftest import redis_server
from tests.store.following import ALICE, LAB, NOW, change, follow, snapshot_of
from tests.topologies import WITHIN, RedisCluster, SentinelTrio, running, until

LEASE = timedelta(seconds=1)
"""Instead of half a minute, so that what a dead connection had claimed comes back within the test."""

EXECUTIONS = 16
ALL = list(range(2, 25))
"""The revisions of every execution, each with a change."""


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that end within the test."""
    monkeypatch.setattr("bot.store.outbox.outbox.LEASE", LEASE)
    monkeypatch.setattr("bot.store.schedule.schedule.LEASE", LEASE)


class Bot:
    """The store's rules, played: a watcher, a notifier, and a Slack that remembers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.delivered: dict[str, list[int]] = defaultdict(list)
        """Lane → the revisions that were delivered, in order."""
        self._has_ended = False
        self.was_deaf_for = 0.0
        """How long no replica heard the master before it died, seconds."""

    async def works(self) -> None:
        """Poll and deliver, several at once, until all is delivered."""
        async with asyncio.TaskGroup() as group:
            for work in (self._polls, self._deliveries) * 3:
                group.create_task(self._loop(work))

    async def is_half_way(self) -> bool:
        """Whether half of all changes are delivered."""
        return 2 * sum(map(len, self.delivered.values())) > 2 * EXECUTIONS * len(ALL)

    def _is_over(self) -> bool:
        return len(self.delivered) == 2 * EXECUTIONS and all(
            revisions[-1:] == ALL[-1:] for revisions in self.delivered.values()
        )

    async def _loop(self, work: Callable[[int], Awaitable[None]]) -> None:
        while not self._has_ended:
            for number in range(PARTITIONS):
                try:
                    await work(number)
                except StoreUnavailable:
                    await asyncio.sleep(0.02)  # as a pool does: it comes again
            await asyncio.sleep(0.05)
            self._has_ended |= self._is_over()  # for all loops: what is sent again needs polls and deliveries

    async def _polls(self, number: int) -> None:
        for item in await self._store.schedule.claim(number, 4):
            await self._settles(item)

    async def _settles(self, item: Due) -> None:
        revision = item.snapshot.revision + 1
        is_over = revision == ALL[-1]
        await self._store.schedule.settle(
            item,
            snapshot_of(item.snapshot.execution.id, revision),
            [change(revision, ChangeKind.OUTCOME if is_over else ChangeKind.PROGRESS)],
            next_poll=None if is_over else timedelta(milliseconds=50),
            is_visible=True,
        )

    async def _deliveries(self, number: int) -> None:
        for claim in await self._store.outbox.claim(number, 4):
            await self._deliver(claim)

    async def _deliver(self, claim: Claim) -> None:
        delivered = self.delivered[str(claim.lane)]
        read_back = delivered[-1] if delivered and claim.in_doubt_since else 0
        delivered += [item.revision for item in claim.notification.changes if item.revision > read_back]
        last = max((item.revision for item in claim.notification.changes), default=0)
        if not await self._store.outbox.record(
            claim, Receipt(channel="D1", ts="1.2", revision=last, delivered_through=last)
        ):
            return
        if not claim.notification.subscription.is_ending or not await self._store.outbox.forget(claim):
            await self._store.outbox.release(claim)


async def lives(folder: Path, *, deaf_for: float) -> list[Bot]:
    """A bot on Sentinels and one on a cluster, side by side, since most of it is waiting."""
    redis_server()
    servers = (SentinelTrio(folder / "trio"), RedisCluster(folder / "cluster"))
    return list(await asyncio.gather(*(lived(each, deaf_for) for each in servers)))


async def lived(servers: SentinelTrio | RedisCluster, deaf_for: float) -> Bot:
    """Follow everything to its end; in the middle a master dies, whose replicas were deaf for so many seconds."""
    async with running(servers), opened(servers.url) as store:
        bot = Bot(store)
        for number in range(EXECUTIONS):
            await follow(store, ALICE, f"e{number}")
            await follow(store, LAB, f"e{number}")
        async with asyncio.timeout(5 * WITHIN):
            work = asyncio.create_task(bot.works())
            await until(bot.is_half_way, "half of the words")
            began = monotonic()
            await servers.deafen()
            await asyncio.sleep(deaf_for)
            await servers.kill_master()
            bot.was_deaf_for = monotonic() - began
            servers.wake()
            await servers.failed_over()
            await work
    return bot


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """A store in which changes wait for nothing."""
    store = Store(url, owner=OWNER, coalesce=timedelta(0), staleness=timedelta(hours=2))
    yield store
    await store.aclose()


def alone() -> float:
    """How often a claim waited for a replica in vain."""
    return sum(
        sample.value
        for metric in STORE_WITHOUT_REPLICAS.collect()
        for sample in metric.samples
        if "total" in sample.name
    )


async def test_a_dead_masters_unreplicated_writes_repeat_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had acknowledged in its last moments is lost; each change is read once, in order, all the same.

    For nothing is delivered on a claim that no replica holds.
    """
    # Longer than usual, since on a busy machine a master takes its time to die; leases outlast that as usual.
    monkeypatch.setattr("bot.store.engine.replicas.REPLICA_MS", 3000)
    monkeypatch.setattr("bot.store.outbox.outbox.LEASE", 12 * LEASE)
    for number in range(5):
        bots = await lives(tmp_path / str(number), deaf_for=0.1)
        if all(bot.was_deaf_for < 3 for bot in bots):  # else even that was too short, and the bots went on
            break
    for bot in bots:
        assert {lane: found for lane, found in bot.delivered.items() if found != ALL} == {}


async def test_a_dead_master_without_replicas_forgets_nothing(tmp_path: Path) -> None:
    """The bot goes on without replicas, and counts that: a delivery may be repeated, but every change is read."""
    before = alone()
    for bot in await lives(tmp_path, deaf_for=REPLICA_MS / 1000 * 4):
        assert {lane: found for lane, found in bot.delivered.items() if set(found) != set(ALL)} == {}
    assert alone() > before


async def test_a_hanging_master_is_left_for_its_successor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections and answers nothing; once there is another master, everything goes there by itself."""
    redis_server()
    monkeypatch.setattr("bot.store.engine.topology.TIMEOUT_SECONDS", 0.3)

    async def answers(store: Store) -> bool:
        return await store.problem() is None

    async def left(servers: SentinelTrio | RedisCluster) -> None:
        async with running(servers), opened(servers.url) as store:
            assert await store.problem() is None
            await servers.hang_master()
            assert "does not answer" in str(await store.problem())
            await servers.failed_over()
            await until(lambda: answers(store), "a store that answers")

    await asyncio.gather(left(SentinelTrio(tmp_path / "trio")), left(RedisCluster(tmp_path / "cluster")))


async def test_a_resumed_master_is_not_believed(tmp_path: Path) -> None:
    """It learns of its successor seconds later: what people are promised is written at the successor."""
    redis_server()
    servers = SentinelTrio(tmp_path / "trio")
    async with running(servers), opened(servers.url) as store:
        await follow(store, ALICE, "e1")
        await servers.hang_master()
        successor = await servers.failed_over()
        servers.wake()
        await follow(store, ALICE, "e2")
        assert await successor.says("EXISTS", f"{KEYS.home_of('gcs1/T1/e2')}subs:gcs1/T1/e2") == 1
        assert await store.subscribers.find(ALICE, "e2") is not None


async def test_waiting_callers_do_not_believe_resumed_masters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other connections have found its successor; the reply over the old one does not count."""
    redis_server()
    monkeypatch.setattr("bot.store.engine.topology.TIMEOUT_SECONDS", 20.0)  # a busy machine fails over late
    servers = SentinelTrio(tmp_path / "trio")
    async with running(servers), opened(servers.url) as store:
        await follow(store, ALICE, "e1")
        await servers.hang_master()
        waiting = asyncio.create_task(follow(store, ALICE, "e2"))
        successor = await servers.failed_over()
        assert await store.subscribers.find(ALICE, "e1") is not None
        servers.wake()
        await waiting
        assert await successor.says("EXISTS", f"{KEYS.home_of('gcs1/T1/e2')}subs:gcs1/T1/e2") == 1


async def test_a_master_demoted_during_wait_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster's master that hung takes a last write before it hears of its successor, and then throws it away."""
    monkeypatch.setattr("bot.store.engine.replicas.REPLICA_MS", 120_000)
    with contextmanager(served)(redis_server(), tmp_path) as url, Redis.from_url(url) as redis:
        connection = Connection(url, replicas=1)
        await connection.run("engine/probe", KEYS.partition(0))
        writing = asyncio.create_task(connection.keep("engine/probe", KEYS.partition(0)))
        async with asyncio.timeout(60):
            while not redis.info("clients")["blocked_clients"]:  # noqa: ASYNC110  # a server's doing
                await asyncio.sleep(0.01)
        redis.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreUnavailable, match="it is a replica"):
            await writing
        await connection.aclose()


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[SentinelTrio]:
    """A master with its replica, and Sentinels."""
    redis_server()
    servers = SentinelTrio(tmp_path / "trio")
    async with running(servers):
        yield servers


async def test_promised_writes_always_wait_for_replicas(trio: SentinelTrio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims go on without replicas for a while; a subscription asks each time, and learns that one is back."""
    monkeypatch.setattr("bot.store.engine.replicas.WITHOUT_REPLICAS_SECONDS", 3600)
    async with aclosing(Connection(trio.url)) as connection:
        await trio.deafen()
        await connection.claim("outbox/claim", 0, 1, 1000, 10, durable=True)
        assert await connection.keep("engine/probe", KEYS.partition(0)) == ([1], False)
        trio.wake()
        await until(trio.is_whole, "a Sentinel trio that is whole again")
        before = alone()
        assert await connection.keep("engine/probe", KEYS.partition(0)) == ([1], True)
        assert alone() == before
        await trio.deafen()
        await connection.claim("outbox/claim", 0, 1, 1000, 10, durable=True)  # waits again, now that there was one
        assert alone() == before + 1


async def test_what_is_asked_twice_is_waited_for_twice(trio: SentinelTrio) -> None:
    """The second time changes nothing; WAIT waits for all that the master wrote, so a replica that hangs is noticed."""
    async with opened(trio.url) as store:
        await follow(store, ALICE, "e1")
        assert await store.subscribers.unsubscribe(ALICE, "e1") == (True, True)
        master = await trio.failed_over()
        next(node for node in trio.servers if node is not master).stop()
        assert await store.subscribers.unsubscribe(ALICE, "e1") == (False, False)
        assert not await store.subscribers._index.enter(lane_of(ACCOUNT, ALICE, "e1"), NOW)


async def test_claims_without_replicas_ask_the_sentinels_rarely(
    trio: SentinelTrio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is gone is waited for; what is promised is worth that, each time."""
    monkeypatch.setattr("bot.store.engine.connection.MASTER_SECONDS", 3600)
    async with aclosing(Connection(trio.url)) as connection:
        asked, has_moved = [], connection._endpoint.has_moved

        async def noted(answered: Address) -> bool:
            asked.append(answered)
            return await has_moved(answered)

        monkeypatch.setattr(connection._endpoint, "has_moved", noted)
        await trio.deafen()
        for number in range(PARTITIONS):
            await connection.claim("outbox/claim", number, 1, 1000, 10, durable=True)
        assert len(asked) == 1
        await connection.keep("engine/probe", KEYS.partition(0))
        assert len(asked) > 1


async def test_a_refused_wait_found_no_replica(tmp_path: Path) -> None:
    """A user who may not wait learns nothing of replicas, so nothing is promised."""
    with contextmanager(served)(redis_server(), tmp_path) as url, Redis.from_url(url) as redis:
        redis.acl_setuser("bot", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-wait"])
        path = url.removeprefix("unix://")
        async with aclosing(Connection(f"unix://bot:any@{path}", replicas=1)) as connection:
            assert await connection.keep("engine/probe", KEYS.partition(0)) == ([1], False)


async def test_a_lost_connection_says_nothing_of_replicas(tmp_path: Path) -> None:
    """A cluster's node that died has not waited in vain: claims at its successor are waited for at once."""
    redis_server()
    cluster = RedisCluster(tmp_path / "cluster")
    async with running(cluster), aclosing(Connection(cluster.url)) as connection:
        homes = [KEYS.partition(number) for number in range(PARTITIONS)]
        assert {
            is_replicated for home in homes for _, is_replicated in [await connection.keep("engine/probe", home)]
        } == {True}
        before = alone()
        for node in await cluster.masters():
            node.kill()
        for home in homes:
            with pytest.raises(StoreUnavailable):
                await connection.keep("engine/probe", home)
        assert alone() == before
