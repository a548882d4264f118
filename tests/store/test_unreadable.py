"""Rows that this version cannot read hide no other row, are left alone for a while, and are never deleted."""

from __future__ import annotations

import asyncio
import zlib
from datetime import UTC, datetime

import msgspec
import pytest
from redis import Redis
from structlog.testing import capture_logs

from bot.domain.change import ChangeKind
from bot.domain.execution import Execution
from bot.domain.following import Level
from bot.domain.search import Match
from bot.domain.snapshot import Snapshot
from bot.metrics import STORE_UNREADABLE
from bot.store import Store
from bot.store.keys import lane_of
from bot.store.outbox import LEASE
from bot.store.rows import DICTIONARY, RAW_DEFLATE
from bot.store.unreadable import ASIDE
from tests.servers import ACCOUNT, KEYS, expire_claims, let_polls_come, let_time_pass
from tests.store.following import ALICE, LAB, LATER, change, deliver, drained, due, follow, lanes, rule_of, snapshot_of

RUBBISH = "rubbish from another version"
ROWS = ("snap", "subs", "receipts", "changes")


def damage(redis: Redis, record: str, execution_id: str = "bad", subscriber_id: str = "U1") -> str:
    """Put rubbish in the place of one row of an execution; returns the key."""
    execution = f"gcs1/T1/{execution_id}"
    key = f"{KEYS.home_of(execution)}{record}:{execution}"
    if record == "snap":
        header = str(redis.getrange(key, 0, 55))
        redis.set(key, header + RUBBISH)
    elif record == "changes":
        key += f"/{subscriber_id}"
        redis.rpush(key, RUBBISH)
    else:
        redis.hset(key, subscriber_id, RUBBISH)
    return key


def waits_ms(redis: Redis, name: str, member: str) -> float:
    """How long until an execution or a lane is due."""
    seconds, micro = redis.time()
    found = [redis.zscore(key, member) for key in map(str, redis.scan_iter(f"*:{name}"))]
    (at,) = [score for score in found if score is not None]
    return float(at) - (seconds * 1000 + micro / 1000)


def newer(snapshot: Snapshot) -> bytes:
    """A snapshot as a newer version stores it: with a field that this one does not know."""
    written = msgspec.to_builtins(snapshot)
    written["queue_position"] = 3
    written["execution"]["queue_position"] = 3
    deflate = zlib.compressobj(wbits=RAW_DEFLATE, zdict=DICTIONARY)
    return deflate.compress(msgspec.json.encode(written)) + deflate.flush()


async def test_fields_of_a_newer_version_are_ignored(store: Store, redis: Redis) -> None:
    """Snapshot, change, subscription and receipt with one field more: polled, delivered and listed as ever."""
    await follow(store)
    await drained(store)
    execution, lane = "gcs1/T1/e1", "gcs1/T1/e1/U1"
    home = KEYS.home_of(execution)
    header = str(redis.getrange(f"{home}snap:{execution}", 0, 55))
    redis.set(f"{home}snap:{execution}", header.encode() + newer(snapshot_of("e1")))
    for key, more in (("subs", "||new"), ("receipts", "|new")):
        row = str(redis.hget(f"{home}{key}:{execution}", "U1"))
        redis.hset(f"{home}{key}:{execution}", "U1", row + more)
    (item,) = await due(store)
    assert item.snapshot.execution == Execution(id="e1", phase="Running")
    changes = [change(2), change(3, ChangeKind.OUTCOME)]
    await store.schedule.settle(item, snapshot_of("e1", 3), changes, next_poll=LATER, is_visible=True)
    text = '2|{"kind":"progress","revision":2,"at":"2026-03-01T12:00:00Z","queue_position":3}'
    redis.lset(f"{home}changes:{lane}", 0, text)
    (claim,) = await lanes(store)
    assert [each.revision for each in claim.notification.changes] == [2, 3]
    assert claim.notification.receipt is not None
    assert not claim.notification.subscription.is_ending
    assert [each.execution_id for each, _ in (await store.subscribers.of(ALICE)).items] == ["e1"]
    await store.subscribers.refresh(ALICE, "e1")
    await deliver(store, claim)
    await store.subscribers.unsubscribe(ALICE, "e1")
    (last,) = await lanes(store)
    assert last.notification.subscription.is_ending


@pytest.mark.parametrize("record", ROWS)
async def test_rubbish_beside_good_lanes_delays_none(store: Store, redis: Redis, record: str) -> None:
    """The good lane of each partition is claimed; the bad one is logged once, counted, left alone and still there."""
    good = [f"e{number}" for number in range(20)]
    for execution_id in (*good, "bad"):
        await follow(store, execution_id=execution_id)
    if record == "receipts":
        await drained(store)
        await follow(store, execution_id="bad")
        for execution_id in good:
            await store.subscribers.refresh(ALICE, execution_id)
    key = damage(redis, record)
    before = redis.dump(key)
    names = {"snap": "snapshot", "subs": "subscription", "receipts": "receipt", "changes": "change"}
    counter = STORE_UNREADABLE.labels(names[record])
    count = counter._value.get()
    with capture_logs() as logged:
        claimed = await lanes(store)
        assert sorted(claim.lane.execution_id for claim in claimed) == sorted(good)
        assert await lanes(store) == []
    assert [(line["event"], line["about"]) for line in logged] == [("store.unreadable", "gcs1/T1/bad/U1")]
    assert RUBBISH not in str(logged)
    assert counter._value.get() == count + 1
    assert waits_ms(redis, "outbox:*", "gcs1/T1/bad/U1") > LEASE.total_seconds() * 1000
    assert redis.dump(key) == before
    let_time_pass(redis)
    await lanes(store)
    assert redis.dump(key) == before


async def test_a_doubt_survives_an_unreadable_row(store: Store, redis: Redis) -> None:
    """A lane that was in doubt still is once its rows can be read."""
    await follow(store, execution_id="bad")
    (dead,) = await lanes(store)
    key = f"{KEYS.home_of('gcs1/T1/bad')}snap:gcs1/T1/bad"
    redis.copy(key, f"{key}:kept")
    damage(redis, "snap")
    expire_claims(redis)
    assert await lanes(store) == []
    redis.rename(f"{key}:kept", key)
    let_time_pass(redis)
    (claim,) = await lanes(store)
    assert claim.in_doubt_since == dead.now


@pytest.mark.parametrize("has_header", [True, False])
async def test_an_unreadable_execution_is_set_aside(store: Store, redis: Redis, has_header: bool) -> None:
    """It is claimed again after minutes instead of every lease; the others are polled."""
    for execution_id in ("e1", "bad"):
        await follow(store, execution_id=execution_id)
    key = damage(redis, "snap")
    if not has_header:
        redis.set(key, RUBBISH)
    before = redis.dump(key)
    items = await due(store)
    for item in items:
        if item.execution_id == "bad":
            with pytest.raises(ValueError, match="unreadable snapshot") as caught:
                _ = item.snapshot
            await store.schedule.set_aside(item.execution, item.token, caught.value)  # type: ignore[arg-type]
    assert [item.execution_id for item in items if item.execution_id != "bad"] == ["e1"]
    assert waits_ms(redis, "due", "gcs1/T1/bad") > ASIDE.total_seconds() * 900
    assert redis.dump(key) == before
    assert await due(store) == []
    let_polls_come(redis)
    assert "gcs1/T1/e1" in [item.execution for item in await due(store)]


async def test_a_rule_leaves_an_unreadable_execution(store: Store, redis: Redis) -> None:
    """What its subscriber has missed cannot be read; a later scan tries again."""
    await follow(store, execution_id="bad")
    damage(redis, "snap")
    rule = rule_of(LAB)
    await store.rules.put(rule, level=None)
    match, now = Match("bad", created_at=datetime.now(UTC)), datetime.now(UTC)
    async with asyncio.timeout(60):
        assert await store.enlisting.enlist({LAB: [rule]}, match, now=now, floor=now - LATER) == {}


async def test_a_list_names_what_is_unreadable(store: Store, redis: Redis) -> None:
    """One bad row, of either kind, hides none of the others."""
    for execution_id in ("e1", "bad", "worse", "e2"):
        await follow(store, execution_id=execution_id)
    damage(redis, "subs")
    damage(redis, "snap", "worse")
    followed = await store.subscribers.of(ALICE)
    assert {subscription.execution_id for subscription, _ in followed.items} == {"e1", "e2"}
    assert set(followed.unreadable) == {"bad", "worse"}
    assert await store.subscribers.find(ALICE, "bad") is None
    assert await store.subscribers.snapshot("T1", "worse") is None


@pytest.mark.parametrize("is_over", [False, True])
async def test_one_bad_subscription_costs_no_other(store: Store, redis: Redis, is_over: bool) -> None:
    """A poll of an execution with an unreadable subscription is settled; its changes wait for a version that can."""
    for subscriber in (ALICE, LAB):
        await follow(store, subscriber, "bad")
    await drained(store)
    key = damage(redis, "subs")
    before = redis.hget(key, "U1")
    (item,) = await due(store)
    outcome = [change(2, ChangeKind.OUTCOME)]
    next_poll = None if is_over else LATER
    assert await store.schedule.settle(item, snapshot_of("bad", 2), outcome, next_poll=next_poll, is_visible=True)
    (claim,) = await lanes(store)
    assert claim.lane == lane_of(ACCOUNT, LAB, "bad")
    assert [each.kind for each in claim.notification.changes] == [ChangeKind.OUTCOME]
    await deliver(store, claim)
    assert redis.hget(key, "U1") == before
    assert redis.llen(f"{KEYS.home_of('gcs1/T1/bad')}changes:gcs1/T1/bad/U1") == 1


async def test_subscribing_again_replaces_an_unreadable_row(store: Store, redis: Redis) -> None:
    """Somebody who cannot see their subscription can have it back."""
    await follow(store, execution_id="bad")
    await drained(store)
    for record in ("subs", "receipts"):
        damage(redis, record)
    assert await store.subscribers.unsubscribe(ALICE, "bad") == (False, True)
    assert await follow(store, execution_id="bad", level=Level.FINAL) is None
    found = await store.subscribers.find(ALICE, "bad")
    assert found is not None
    assert found.level is Level.FINAL


async def test_a_bad_dead_letter_hides_no_other(store: Store, redis: Redis) -> None:
    """The readable ones are listed."""
    await follow(store)
    (claim,) = await lanes(store)
    await store.outbox.forget(claim, reason="is_archived")
    redis.lpush(f"{KEYS.home_of('gcs1/T1/e1')}dead", RUBBISH)
    assert [letter.lane for letter in await store.outbox.dead_letters()] == ["gcs1/T1/e1/U1"]


async def test_rubbish_among_claims_stops_no_start(store: Store, redis: Redis) -> None:
    """An unreadable claim counts as none: recovery and claiming go on."""
    await follow(store)
    await follow(store, execution_id="bad")
    redis.hset(f"{KEYS.home_of('gcs1/T1/bad')}claims", "gcs1/T1/bad/U1", RUBBISH)
    await store.recover()
    assert {claim.lane.execution_id for claim in await lanes(store)} == {"e1", "bad"}
