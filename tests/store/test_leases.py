"""Promises of the claims of polls: short, so that those of dead workers soon end, and renewed during a poll."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.store import Store
from bot.store.schedule import LEASE, Due
from tests.store.following import due, follow


def ends(redis: Redis, poll: Due, name: str = "due") -> float:
    """When the lease of a claim ends, or with `expedited` when it is polled all the same: seconds from now."""
    at = redis.zscore(due_times(redis, poll).replace(":due", f":{name}"), poll.execution)
    assert at is not None
    seconds, micros = redis.time()
    return at / 1000 - seconds - micros / 1e6


def age(redis: Redis, poll: Due, seconds: float) -> None:
    """Let the lease of a claim end so much sooner."""
    redis.zincrby(due_times(redis, poll), -seconds * 1000, poll.execution)


def due_times(redis: Redis, poll: Due) -> str:
    """The key that holds the time of an execution."""
    (key,) = (key for key in map(str, redis.scan_iter("*:due")) if redis.zscore(key, poll.execution) is not None)
    return key


@pytest.fixture
async def polls(store: Store, redis: Redis) -> list[Due]:
    """Three claims in different partitions, most of whose leases is over."""
    for number in range(3):
        await follow(store, execution_id=f"e{number}")
    claimed = await due(store)
    for poll in claimed:
        age(redis, poll, 4)
    return claimed


async def test_a_long_poll_keeps_its_claim(store: Store, redis: Redis, polls: list[Due]) -> None:
    """All in one round trip, and each lease begins again."""
    await store.schedule.renew(polls)
    assert [ends(redis, poll) for poll in polls] == [pytest.approx(LEASE.total_seconds(), abs=0.5)] * 3


async def test_a_claim_that_was_lost_is_not_renewed(store: Store, redis: Redis, polls: list[Due]) -> None:
    """The worker that claimed the execution next keeps the lease that it was given."""
    lost, *kept = polls
    await store.schedule.renew([replace(lost, token="an earlier worker's"), *kept])
    assert ends(redis, lost) < 2
    assert all(ends(redis, poll) > 2 for poll in kept)


async def test_a_hanging_poll_delays_no_listed_change(store: Store, redis: Redis, polls: list[Due]) -> None:
    """It asked GCS too early to see what the list shows; another worker polls soon."""
    late = polls[0]
    shown = [(late.execution_id, "newer---")]
    await store.schedule.listed(late.team_id, shown, defer_for=LEASE)
    await store.schedule.renew(polls)
    assert ends(redis, late, "expedited") <= 2


async def test_renewing_brings_no_forgotten_execution_back(store: Store, redis: Redis, polls: list[Due]) -> None:
    """Renewing brings nothing back."""
    redis.flushall()
    await store.schedule.renew(polls)
    assert redis.dbsize() == 0
