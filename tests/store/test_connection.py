"""Promises of the connection to the store."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis import Redis
from redis.exceptions import ConnectionError as Disconnected

from bot.domain.snapshot import Receipt
from bot.errors import StoreUnavailable
from bot.store import Store
from bot.store.engine.connection import Connection
from bot.store.keys import partition_of
from tests.servers import KEYS, expire_claims, on_all_masters
from tests.store.following import ALICE, SOON, change, drained, due, follow, lanes, snapshot_of

HOMES = [KEYS.partition(number) for number in range(16)]
HOME = partition_of("gcs1/T1/e1")


@pytest.fixture
async def connection(store: Store, server_url: str) -> AsyncIterator[Connection]:
    """A connection to an empty store."""
    connection = Connection(server_url)
    yield connection
    await connection.aclose()


def taking(*windows: str) -> list[tuple[str, str, tuple[Any, ...]]]:
    """Take one call out of each window that allows one in a minute."""
    return [("gcs_quota/take", window, (1, 60_000, f"call {i}", 1, "people", 0, 0)) for i, window in enumerate(windows)]


async def test_more_callers_than_connections_wait_for_their_turn(store: Store) -> None:
    """A burst of polls, messages and commands is served one after another, not refused."""
    await asyncio.gather(*(store.schedule.claim(number % 16, 1) for number in range(500)))


async def test_several_scripts_answer_in_order(connection: Connection) -> None:
    """One round trip, several partitions, different scripts: each answer stands in its caller's place."""
    calls = [*taking(*HOMES), ("engine/recover", HOMES[0], (0,)), *taking(*HOMES)]
    answers = await connection.run_many(calls)
    assert answers[:17] == [[0, 0, 1, 0, 0]] * 16 + [[0]]
    assert all(wait > 0 for _, wait, *_ in answers[17:])


async def test_a_script_to_be_sent_is_no_error(connection: Connection, redis: Redis) -> None:
    """A server that has just started knows no script; the metric counts what is wrong."""
    redis.script_flush()
    before = REGISTRY.get_sample_value("execution_bot_store_errors_total", {"kind": "refused"})
    await connection.run_many(taking(*HOMES))
    assert REGISTRY.get_sample_value("execution_bot_store_errors_total", {"kind": "refused"}) == before


async def test_scripts_of_one_moment_share_a_round_trip(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty polls that end at once settle in one round trip; each gets its own answer, or its own error."""
    trips: list[int] = []
    ask = connection._endpoint.execute

    async def counted(keys: Sequence[str], *others: Any) -> Any:
        trips.append(len(keys))
        return await ask(keys, *others)

    await asyncio.gather(connection.run("gcs_quota/take", HOMES[0], 1, 60_000, "first", 1, "people", 0, 0))
    monkeypatch.setattr(connection._endpoint, "execute", counted)
    runs = [connection.run("gcs_quota/take", home, 1, 60_000, "second", 1, "people", 0, 0) for home in HOMES[:8]]
    broken = connection.run("gcs_quota/take", HOMES[9], "not a number")
    *answers, failed = await asyncio.gather(*runs, broken, return_exceptions=True)
    assert trips[0] == 9
    assert [taken for _, _, taken, *_ in answers] == [0, *[1] * 7]  # type: ignore[misc]  # no exceptions among them
    assert isinstance(failed, StoreUnavailable)


async def test_promised_writes_share_a_round_trip_without_replicas(
    server_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight entries of an index are no more trips than one; all are as safe as they can be."""
    connection = Connection(server_url, replicas=0)
    trips: list[int] = []
    ask = connection._endpoint.execute

    async def counted(keys: Sequence[str], *others: Any) -> Any:
        trips.append(len(keys))
        return await ask(keys, *others)

    monkeypatch.setattr(connection._endpoint, "execute", counted)
    keeps = [connection.keep("gcs_quota/take", home, 1, 60_000, "kept", 1, "people", 0, 0) for home in HOMES[:8]]
    answers = await asyncio.gather(*keeps)
    assert trips[0] == 8
    assert [(taken, is_safe) for (_, _, taken, *_), is_safe in answers] == [(1, True)] * 8
    await connection.aclose()


async def test_a_slow_store_is_unavailable(server_url: str, store: Store, redis: Redis) -> None:
    """So is all that was asked of it in that trip; later ones are answered, on another connection."""
    connection = Connection(f"{server_url}?socket_timeout=1")
    assert await connection.ready("outbox/ready") == ([], None, 0)
    redis.client_pause(120_000, all=False)  # of a cluster, one node
    try:
        async with asyncio.timeout(60):
            answers = await connection.run_many(taking(*HOMES))
        assert any(isinstance(answer, StoreUnavailable) for answer in answers)
    finally:
        redis.client_unpause(**on_all_masters(redis))
    async with asyncio.timeout(60):
        while any(isinstance(answer, StoreUnavailable) for answer in answers):
            answers = await connection.run_many(taking(*HOMES))
    await connection.aclose()


async def test_a_connection_the_kernel_drops_is_no_answer(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ETIMEDOUT is Python's `TimeoutError` too, which the client can mistake for "nothing to read"."""

    async def given_up(_stream: asyncio.StreamReader, _size: int = -1) -> bytes:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    assert await connection.ready("outbox/ready") == ([], None, 0)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.StreamReader, "read", given_up)
        with pytest.raises(StoreUnavailable):
            await connection.run("gcs_quota/take", HOMES[0], 1, 60_000, "call", 1, "people", 0, 0)
    assert await connection.ready("outbox/ready") == ([], None, 0)


@pytest.mark.parametrize("raised", [RuntimeError, TypeError, AttributeError])
async def test_a_connection_closed_before_writing_is_no_answer(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, raised: type[Exception]
) -> None:
    """uvloop, asyncio before Python 3.13.6 and redis-py have an error each for it that says something else."""

    def closed(_stream: asyncio.StreamWriter, _data: object) -> None:
        raise raised("nothing about a connection")

    assert await connection.ready("outbox/ready") == ([], None, 0)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.StreamWriter, "writelines", closed)
        with pytest.raises(StoreUnavailable):
            await connection.run("gcs_quota/take", HOMES[0], 1, 60_000, "call", 1, "people", 0, 0)
        with pytest.raises(StoreUnavailable):
            await connection.info("server")
    assert await connection.ready("outbox/ready") == ([], None, 0)


async def test_a_cancelled_caller_cancels_no_other(connection: Connection) -> None:
    """A caller that is cancelled leaves the others their answers."""
    first = asyncio.create_task(connection.run("gcs_quota/take", HOMES[0], 1, 60_000, "call", 1, "people", 0, 0))
    second = asyncio.create_task(connection.run("gcs_quota/take", HOMES[1], 1, 60_000, "call", 1, "people", 0, 0))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == [0, 0, 1, 0, 0]


async def test_nothing_to_run_is_no_error(connection: Connection) -> None:
    """An empty list is answered with an empty list."""
    assert await connection.run_many([]) == []


async def test_one_failure_hides_no_other_answer(connection: Connection, redis: Redis) -> None:
    """What fails gives its error in its place; what stands before and behind it was done, and says so."""
    redis.set(HOMES[1], "no window")
    first, failed, last = await connection.run_many(taking(*HOMES[:3]))
    assert (first, last) == ([0, 0, 1, 0, 0], [0, 0, 1, 0, 0])
    assert isinstance(failed, StoreUnavailable)


async def test_forgotten_scripts_are_each_run_once(connection: Connection, redis: Redis) -> None:
    """After a restart or on a fresh master: what was refused is repeated with its text, what was run is not."""
    await connection.run_many(taking(HOMES[0]))
    redis.script_flush()
    await connection.run("engine/recover", HOMES[0], 0)  # known again, while the other is not
    answers = await connection.run_many([("engine/recover", HOMES[0], (0,)), *taking(*HOMES[1:3])])
    assert answers == [[0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]
    assert [redis.zcard(home) for home in HOMES[:3]] == [1, 1, 1]


@pytest.fixture
def answers_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and the next answer is lost on its way, what was asked for being done."""
    endpoint = store._connection._endpoint
    ask = endpoint.execute

    async def lost(*asked: Any) -> list[Any]:
        monkeypatch.setattr(endpoint, "execute", ask)
        await ask(*asked)
        raise Disconnected("gone")

    return lambda: monkeypatch.setattr(endpoint, "execute", lost)


async def test_a_claim_without_a_reply_is_repeated(store: Store, answers_lost: Callable[[], None]) -> None:
    """At once, not when its lease ends; and no lane is in doubt, since nobody could send anything."""
    await follow(store)
    answers_lost()
    with pytest.raises(StoreUnavailable):
        await store.schedule.claim(HOME, 1)
    assert [item.execution for item in await store.schedule.claim(HOME, 1)] == ["gcs1/T1/e1"]
    answers_lost()
    with pytest.raises(StoreUnavailable):
        await store.outbox.claim(HOME, 1)
    (claim,) = await store.outbox.claim(HOME, 1)
    assert claim.in_doubt_since is None


async def test_a_lost_claim_leaves_an_earlier_doubt(
    store: Store, redis: Redis, answers_lost: Callable[[], None]
) -> None:
    """The doubt about a dead worker's send stays, with its moment."""
    await follow(store)
    (dead,) = await lanes(store)
    expire_claims(redis)
    answers_lost()
    with pytest.raises(StoreUnavailable):
        await store.outbox.claim(HOME, 1)
    (claim,) = await store.outbox.claim(HOME, 1)
    assert claim.in_doubt_since == dead.now


async def test_giving_back_a_claim_leaves_others_claimed(store: Store, answers_lost: Callable[[], None]) -> None:
    """What this or another bot is at work on stays claimed."""
    await follow(store)
    await store.schedule.claim(HOME, 1)
    await store.outbox.claim(HOME, 1)
    answers_lost()
    with pytest.raises(StoreUnavailable):
        await store.outbox.claim(HOME, 1)
    assert await store.schedule.claim(HOME, 1) == [] == await store.outbox.claim(HOME, 1)


async def test_a_repeated_script_works_once(store: Store, answers_lost: Callable[[], None]) -> None:
    """An answer that is lost has the script run again: one settlement, one receipt, one end."""
    await follow(store)
    await drained(store)
    (item,) = await due(store)
    answers_lost()
    await store.schedule.settle(item, snapshot_of("e1", 2), [change(2)], next_poll=None, is_visible=True)
    (claim,) = await lanes(store)
    assert [each.revision for each in claim.notification.changes] == [2]
    receipt = Receipt(channel="D1", ts="1.2", revision=2, delivered_through=2)
    answers_lost()
    assert await store.outbox.record(claim, receipt)
    answers_lost()
    await store.outbox.release(claim, wait=SOON)
    (again,) = await lanes(store)
    assert (again.notification.changes, again.notification.receipt) == ((), receipt)
    answers_lost()
    await store.outbox.forget(again)
    assert await store.subscribers.find(ALICE, "e1") is None
    assert await lanes(store) == []


async def test_a_store_that_is_down_fails_all() -> None:
    """No answer at all: an error in each place, as one call alone would raise it."""
    connection = Connection("unix:///nowhere/s")
    answers = await connection.run_many(taking(*HOMES[:2]))
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    with pytest.raises(StoreUnavailable):
        await connection.run("engine/recover", HOMES[0], 0)
