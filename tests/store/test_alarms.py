"""Promises of alarms: an execution is polled when time alone may be news, whatever lists and other polls say."""

from __future__ import annotations

from datetime import timedelta

from redis import Redis

from bot.gcs.fingerprint import Fingerprint
from bot.store import PARTITIONS, Store
from bot.store.schedule import Due
from tests.servers import ACCOUNT, KEYS, let_polls_come
from tests.store.following import ALICE, LATER, SOON, due, follow, snapshot_of

SEEN = Fingerprint("state---", "counts--", is_covered=True)
KEY = f"{ACCOUNT}/T1/e1"
ALARMS = f"{KEYS.home_of(KEY)}alarms"
HALF = LATER / 2


async def polled(store: Store, item: Due, alarm: timedelta | None, *, is_answered: bool = True) -> bool:
    """Settle a poll that saw nothing new, after which an alarm is to ring; the next poll is in an hour."""
    seen = snapshot_of("e1")
    return await store.schedule.settle(
        item,
        seen,
        (),
        next_poll=LATER,
        is_visible=False,
        fingerprint=SEEN if is_answered else None,
        alarm_at=None if alarm is None else seen.seen_at + alarm,
    )


async def alarmed(store: Store, redis: Redis, alarm: timedelta = HALF) -> None:
    """An execution whose alarm rings in so long, and whose next poll is in an hour."""
    await follow(store)
    (item,) = await due(store)
    await polled(store, item, alarm)


def ring(redis: Redis, at: float = 0) -> None:
    """Let the alarm ring."""
    redis.zadd(ALARMS, {KEY: at}, xx=True)


def minutes_until(redis: Redis, name: str) -> int:
    """From now."""
    seconds, micros = redis.time()
    at = float(redis.zscore(f"{KEYS.home_of(KEY)}{name}", KEY) or "nan")
    return round((at / 1000 - seconds - micros / 1e6) / 60)


async def test_an_alarm_comes_before_the_next_poll(store: Store, redis: Redis) -> None:
    """At its own time, with the word that it is one; the store knows when that is."""
    await alarmed(store, redis)
    assert (minutes_until(redis, "alarms"), minutes_until(redis, "due")) == (30, 60)
    ready = await store.schedule.ready()
    assert ready.partitions == []
    assert 1700 < (ready.next_in or 0) <= 1800
    assert await due(store) == []
    ring(redis)
    assert len((await store.schedule.ready()).partitions) == 1
    (item,) = await due(store)
    assert item.is_alarm
    assert await due(store) == []  # while it is polled
    assert await polled(store, item, None)
    assert redis.zcard(ALARMS) == 0


async def test_lists_do_not_put_an_alarm_off(store: Store, redis: Redis) -> None:
    """They show it unchanged, so its poll is put off; polls that see nothing new do not touch it either."""
    await alarmed(store, redis)
    found = await store.schedule.listed("T1", [("e1", SEEN.state)], defer_for=4 * LATER)
    assert (found.same, minutes_until(redis, "alarms")) == (1, 30)
    let_polls_come(redis)
    (item,) = await due(store)
    assert not item.is_alarm
    assert await store.schedule.settle_unchanged(item, seen_at=item.now, next_poll=4 * LATER)
    assert (minutes_until(redis, "due"), minutes_until(redis, "alarms")) == (240, 30)


async def test_an_alarm_survives_a_dead_worker(store: Store, redis: Redis) -> None:
    """And a poll that is put back, or cannot be read: it rings again once that is over."""
    await alarmed(store, redis)
    for _ in range(2):
        ring(redis)
        (item,) = await due(store)
        assert item.is_alarm
        assert minutes_until(redis, "alarms") == 0
    await store.schedule.put_back(item)
    await store.schedule.settled()
    ring(redis)
    assert [found.is_alarm for found in await due(store)] == [True]


async def test_without_an_answer_an_alarm_waits(store: Store, redis: Redis) -> None:
    """For the next poll, or GCS would be asked again and again while it is away."""
    await alarmed(store, redis)
    ring(redis)
    (item,) = await due(store)
    await polled(store, item, None, is_answered=False)
    assert (minutes_until(redis, "due"), minutes_until(redis, "alarms")) == (60, 60)


async def test_an_alarm_never_rings_at_once(store: Store, redis: Redis) -> None:
    """Or polls would follow each other without a pause."""
    await alarmed(store, redis, SOON)
    assert await due(store) == []
    assert redis.zcard(ALARMS) == 1


async def test_alarms_end_with_their_execution(store: Store, redis: Redis) -> None:
    """When nobody follows it, or it is over; one that was left behind by another version is removed."""
    await alarmed(store, redis)
    (item,) = await due_now(store, redis)
    await store.schedule.settle(item, snapshot_of("e1"), (), next_poll=None, is_visible=False)
    assert redis.zcard(ALARMS) == 0
    redis.zadd(ALARMS, {KEY: 0})
    assert await due(store) == []
    assert redis.zcard(ALARMS) == 0


async def test_a_first_alarm_is_set_by_following(store: Store, redis: Redis) -> None:
    """A second subscriber does not move it."""
    subscription = await follow(store)
    assert subscription is None
    assert redis.zcard(ALARMS) == 0
    await store.subscribers.unsubscribe(ALICE, "e1")
    redis.flushall()
    for alarm in (HALF, 3 * HALF):
        await follow(store, alarm=alarm)
        assert minutes_until(redis, "alarms") == 30


async def due_now(store: Store, redis: Redis) -> list[Due]:
    """Claim everything, whenever it is due."""
    let_polls_come(redis)
    return [item for number in range(PARTITIONS) for item in await store.schedule.claim(number, 100)]
