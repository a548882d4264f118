"""Promises to everybody about one person who asks for much: requests and subscriptions have limits, in all copies."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from redis import Redis

from bot.domain.following import Subscriber, Subscription
from bot.errors import TooManySubscriptions
from bot.store import Store
from bot.store.gcs_quota import PersonLimit, Refusal
from tests.servers import ACCOUNT, KEYS
from tests.store.following import ALICE, LAB, NOW, SOON, drained, follow, snapshot_of

BOB = Subscriber(team_id="T1", id="U2")


async def counted(limit: PersonLimit, person: Subscriber, requests: int) -> list[Refusal | None]:
    """So many requests of `person` at once."""
    return await asyncio.gather(*(limit.count(person) for _ in range(requests)))


async def test_a_burst_and_then_a_rate(store: Store, redis: Redis) -> None:
    """Thirty at once; the next one when a minute's twentieth has passed, which the person learns once."""
    limit, copy = store.person_limit(per_minute=20), store.person_limit(per_minute=20)
    answers = [*await counted(limit, ALICE, 20), *await counted(copy, ALICE, 20)]
    refusals = [answer for answer in answers if answer is not None]
    assert len(refusals) == 10
    assert all(timedelta(0) < refusal.wait <= timedelta(seconds=3) for refusal in refusals)
    assert [refusal.is_repeated for refusal in refusals] == [False] + [True] * 9
    earlier(redis, ALICE, timedelta(seconds=7))
    assert [answer is None for answer in await counted(limit, ALICE, 3)] == [True, True, False]


async def test_a_flood_is_refused_again_later(store: Store, redis: Redis) -> None:
    """Silence lasts for a second, however many requests come: nobody types a command that gets no answer."""
    limit = store.person_limit(per_minute=1)
    assert [answer and answer.is_repeated for answer in await counted(limit, ALICE, 4)] == [None, None, False, True]
    earlier(redis, ALICE, timedelta(seconds=1))
    (again,) = await counted(limit, ALICE, 1)
    assert again is not None
    assert not again.is_repeated


async def test_another_person_has_a_count_of_their_own(store: Store) -> None:
    """Nobody is slowed by somebody else's flood; and a count ends by itself."""
    limit = store.person_limit(per_minute=20)
    await counted(limit, ALICE, 650)
    assert await counted(limit, BOB, 30) == [None] * 30


async def test_a_count_expires(store: Store, redis: Redis) -> None:
    """The store remembers nobody for longer than needed."""
    await counted(store.person_limit(per_minute=20), ALICE, 40)
    assert 0 < redis.pttl(KEYS.requests_of("T1", "U1")) <= 100_000


async def enters(store: Store, subscriber: Subscriber, execution_id: str, *, most: int) -> bool:
    """Whether a new subscription is taken with `most` allowed."""
    subscription = Subscription(execution_id=execution_id, subscriber=subscriber, owner="U1", created_at=NOW)
    try:
        await store.subscribers.subscribe(subscription, snapshot_of(execution_id), first_poll=SOON, most=most)
    except TooManySubscriptions as error:
        return (error.most, error.is_person) != (most, subscriber.is_person)
    return True


@pytest.mark.parametrize("subscriber", [ALICE, LAB])
async def test_copies_do_not_pass_the_cap_together(store: Store, subscriber: Subscriber) -> None:
    """However many requests come at once, as many subscriptions are written as allowed."""
    taken = await asyncio.gather(*(enters(store, subscriber, f"e{number}", most=5) for number in range(20)))
    assert sum(taken) == 5
    assert len((await store.subscribers.of(subscriber)).items) == 5
    assert await enters(store, BOB, "e1", most=5)


async def test_a_full_list_lets_levels_change(store: Store) -> None:
    """What is followed already counts once."""
    assert [await enters(store, ALICE, each, most=2) for each in ("e1", "e2", "e3", "e2")] == [True, True, False, True]


async def test_room_is_there_at_once(store: Store) -> None:
    """A subscription that was stopped does not count, though its card is still to be edited."""
    assert [await enters(store, ALICE, each, most=1) for each in ("e1", "e2")] == [True, False]
    await store.subscribers.unsubscribe(ALICE, "e1")
    assert await enters(store, ALICE, "e2", most=1)
    await drained(store)
    assert [item.execution_id for item, _ in (await store.subscribers.of(ALICE)).items] == ["e2"]


async def test_stopping_and_following_again_is_listed(store: Store) -> None:
    """The list misses no subscription, in whatever order it began and ended."""
    for _ in range(2):
        await follow(store)
        await store.subscribers.unsubscribe(ALICE, "e1")
    await follow(store)
    await drained(store)
    assert len((await store.subscribers.of(ALICE)).items) == 1


async def test_stale_entries_do_not_count(store: Store, redis: Redis) -> None:
    """Entries whose subscription was never written, or is ending, make room when the list is full."""
    index = KEYS.executions_of(ACCOUNT, "T1", "U1")
    redis.zadd(index, {"never written": 1000, "neither": 2000})
    assert await enters(store, ALICE, "e1", most=1)
    assert [str(entry) for entry in redis.zrange(index, 0, -1)] == ["e1"]


async def test_an_entry_that_is_being_written_counts(store: Store, redis: Redis) -> None:
    """Another copy has entered it and is about to write the subscription."""
    seconds, _ = redis.time()
    redis.zadd(KEYS.executions_of(ACCOUNT, "T1", "U1"), {"now": -1000 * int(seconds)})
    assert not await enters(store, ALICE, "e1", most=1)


def earlier(redis: Redis, person: Subscriber, span: timedelta) -> None:
    """Let what a person has asked lie so far back."""
    key = KEYS.requests_of(person.team_id, person.id)
    for name in redis.hgetall(key):
        redis.hincrby(key, str(name), -round(span.total_seconds() * 1000))
