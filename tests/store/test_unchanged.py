"""Promises of polls that saw nothing new: one round trip settles them, each by itself."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace
from redis import Redis

from bot.store import Store
from tests.store.following import LATER, NOW, due, follow


async def test_each_poll_of_many_is_judged_by_itself(store: Store, redis: Redis) -> None:
    """A claim that was lost, and an execution that nobody follows any more, are no trouble for the others."""
    for number in range(40):
        await follow(store, execution_id=f"e{number}")
    polls = await due(store)
    polls[0] = replace(polls[0], token="another worker's")
    (key,) = redis.scan_iter(f"*subs:{polls[1].execution}")
    redis.delete(str(key))
    settled = await asyncio.gather(
        *(store.schedule.settle_unchanged(poll, seen_at=NOW + LATER, next_poll=LATER) for poll in polls)
    )
    assert settled == [False] + [True] * 39
    assert await store.schedule.size() == 39
    assert await due(store) == []
    seen = await store.subscribers.snapshot(polls[2].team_id, polls[2].execution_id)
    assert seen is not None
    assert seen.seen_at == NOW + LATER
