"""Promises of the store in trouble: full or closed, a script is run as a whole or not at all, and it is said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis import Redis, RedisCluster
from structlog.testing import capture_logs

from bot.domain.model import ChangeKind, Receipt
from bot.errors import StoreFull, StoreUnavailable
from bot.store import Store
from tests.servers import configured
from tests.store.conftest import COALESCE, STALENESS
from tests.store.following import ALICE, LATER, SOON, change, due, follow, lanes, snapshot_of


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the store gives up at once."""
    monkeypatch.setattr("bot.store.engine.connection.PATIENCE_SECONDS", 0)


Work = Callable[[], Awaitable[object]]


async def everything(store: Store) -> dict[str, Work]:
    """One of each thing that is done to the store, with all that it needs."""
    for execution_id in ("e1", "e2", "e3", "e4"):
        await follow(store, execution_id=execution_id)
    polls = {item.snapshot.execution.id: item for item in await due(store)}
    claims = {claim.lane.execution_id: claim for claim in await lanes(store)}
    await follow(store, execution_id="e5")
    budget = store.gcs_quota("AK", per_minute=10, reserve=0)
    limits, lane = store.slack_limits(calls=9, posts=9, channel_posts=9), claims["e1"].lane
    return {
        "subscribe": lambda: follow(store, execution_id="new"),
        "unsubscribe": lambda: store.subscribers.unsubscribe(ALICE, "e2"),
        "refresh": lambda: store.subscribers.refresh(ALICE, "e3"),
        "claim_due": lambda: due(store),
        "claim_lanes": lambda: lanes(store),
        "settle": lambda: store.schedule.settle(
            polls["e1"], snapshot_of("e1", 2), [change(2, ChangeKind.OUTCOME)], next_poll=LATER, is_visible=True
        ),
        "settle the end": lambda: store.schedule.settle(
            polls["e2"], snapshot_of("e2", 2), [change(2, ChangeKind.OUTCOME)], next_poll=None, is_visible=True
        ),
        "record": lambda: store.outbox.record(claims["e1"], Receipt(channel="D1", ts="1.2", revision=1)),
        "release": lambda: store.outbox.release(claims["e1"]),
        "put back": lambda: store.outbox.release(claims["e2"], wait=SOON),
        "forget": lambda: store.outbox.forget(claims["e4"], reason="is_archived"),
        "record the last": lambda: store.outbox.record(
            claims["e3"], Receipt(channel="D1", ts="1.2", revision=9), is_last=True
        ),
        "take": lambda: budget.take(is_person=True),
        "admit": lambda: limits.admit(lane, "chat.update", priority=0),
        "pause": lambda: limits.pause("T1", "chat.update", LATER),
        "away": lambda: limits.away("T1"),
        "back": lambda: limits.back("T1"),
        "recover": store.recover,
    }


def contents(redis: Redis) -> dict[str, object]:
    """All that the store holds, without the index, which may hold too much."""
    return {key: redis.dump(key) for key in map(str, redis.scan_iter()) if ":of:" not in key}


def shape(redis: Redis) -> dict[str, object]:
    """The same without moments and tokens: how much is in each key."""
    sizes = {"string": redis.strlen, "hash": redis.hlen, "zset": redis.zcard, "list": redis.llen}
    return {key: sizes[str(redis.type(key))](key) for key in contents(redis)}


async def refused(work: Awaitable[object]) -> bool:
    """Whether the store refused it for being full."""
    try:
        await work
    except StoreUnavailable as error:
        return str(error).startswith("the store is full")
    return False


NAMES = [
    *("subscribe", "unsubscribe", "refresh", "claim_due", "claim_lanes", "settle", "settle the end", "record"),
    *("record the last", "release", "put back", "forget", "take", "recover", "admit", "pause", "away", "back"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_what_a_closed_store_refuses_was_not_begun(store: Store, redis: Redis, name: str) -> None:
    """Too few replicas, a full disk, a replica: no script has written anything when its first write is refused."""
    works = await everything(store)
    before = contents(redis)
    with configured(redis, "min-replicas-to-write", 9), pytest.raises(StoreUnavailable, match="takes no writes"):
        await works[name]()
    assert contents(redis) == before


@pytest.mark.parametrize("name", NAMES)
async def test_a_full_store_runs_a_script_as_a_whole_or_not_at_all(store: Store, redis: Redis, name: str) -> None:
    """Under `OOM`: one that only adds is refused at its first write, one that begins by deleting is never cut off."""
    works = await everything(store)
    before = contents(redis)
    with configured(redis, "maxmemory", 1):
        was_refused = await refused(works[name]())
    if was_refused:
        assert contents(redis) == before
        return
    done = shape(redis)
    redis.flushall()
    await (await everything(store))[name]()
    assert done == shape(redis)


async def test_looks_that_nobody_waits_for_are_said_when_they_cannot_be_settled(store: Store, redis: Redis) -> None:
    """One line for all of them; their claims end by themselves."""
    await follow(store)
    (item,) = await due(store)
    with configured(redis, "min-replicas-to-write", 9), capture_logs() as logged:
        waiting = store.schedule.settle_unchanged(item, seen_at=item.now, next_poll=SOON)
        await store.schedule.settled()
    assert [(line["event"], line["polls"]) for line in logged] == [("schedule.not_settled", 1)]
    assert isinstance(waiting.exception(), StoreUnavailable)


async def test_trouble_says_what_is_wrong_and_goes_away_with_it(store: Store, redis: Redis) -> None:
    """Full and closed are noticed though the server answers; each has its own words; nothing is left of the looking."""
    assert await store.problem() is None
    with configured(redis, "maxmemory", 1):
        assert str(await store.problem()).startswith("the store is full")
    with configured(redis, "min-replicas-to-write", 9):
        assert str(await store.problem()).startswith("the store takes no writes")
    assert await store.problem() is None
    await asyncio.sleep(0.01)
    assert contents(redis) == {}


async def test_a_store_that_would_drop_keys_is_found(store: Store, redis: Any) -> None:
    """Only where it has a limit, and a policy that spares nothing."""
    more = {"target_nodes": RedisCluster.PRIMARIES} if isinstance(redis, RedisCluster) else {}
    found = []
    with configured(redis, "maxmemory", 1 << 30):
        for policy in ("allkeys-lru", "volatile-lru", "noeviction"):
            redis.config_set("maxmemory-policy", policy, **more)
            found.append(await store.evicts())
    assert found == [True, False, False]
    assert not await store.evicts()


async def test_a_store_with_too_few_replicas_is_found(store: Store, server_url: str) -> None:
    """Before anything depends on them."""
    assert not await store.lacks_replicas()
    many = Store(server_url, coalesce=COALESCE, staleness=STALENESS, replicas=3)
    assert await many.lacks_replicas()
    await many.aclose()


async def test_people_are_told_that_the_store_is_full(store: Store, redis: Redis) -> None:
    """It is an error of its own, so that people can be told."""
    with configured(redis, "maxmemory", 1), pytest.raises(StoreFull):
        await follow(store)


async def test_what_came_of_a_claim_waits_for_the_store(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that was made, a message that was sent: written as soon as the store takes it, not a lease later."""
    monkeypatch.setattr("bot.store.engine.connection.PATIENCE_SECONDS", 20)
    works = await everything(store)
    with configured(redis, "min-replicas-to-write", 9):
        waiting = [asyncio.ensure_future(works[name]()) for name in ("settle", "record", "put back", "forget")]
        assert (await asyncio.wait(waiting, timeout=0.3))[0] == set()
    settled, recorded, _, forgotten = await asyncio.gather(*waiting)
    assert (settled, recorded, forgotten) == (True, True, True)
