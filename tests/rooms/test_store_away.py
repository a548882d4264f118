"""What people read when the store takes nothing for a moment in the middle of things: the same, and no later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest

from bot.errors import StoreUnavailable
from bot.loops import STORE_AWAY_SECONDS
from bot.notifier import Notifier
from bot.store.budget import Budget
from bot.store.limits import Limits
from bot.store.outbox import IN_FLIGHT, LEASE
from bot.watcher import Watcher
from sandbox.gcs import Fault
from tests.rooms.room import PACE, Room, ample, ample_limits
from tests.servers import let_time_pass

MOMENT_SECONDS = 0.3
TRIES = 2
NEEDED = "min-replicas-to-write"
"""Of which the server has none."""


@contextmanager
def closed_from(room: Room, part: Limits | Budget, method: str) -> Iterator[None]:
    """The server takes no writes for `MOMENT_SECONDS` from the first call of `method` on, which must come."""
    do, loop = getattr(part, method), asyncio.get_running_loop()
    moments: list[asyncio.TimerHandle] = []

    async def call(*args: Any, **more: Any) -> Any:
        if not moments:
            room.redis.config_set(NEEDED, 1)
            moments.append(loop.call_later(MOMENT_SECONDS, room.redis.config_set, NEEDED, 0))
        return await do(*args, **more)

    setattr(part, method, call)
    try:
        yield
        assert moments, f"{method} was not called"
    finally:
        room.redis.config_set(NEEDED, 0)


@pytest.mark.parametrize(
    ("method", "fault"),
    [("admit", None), ("pause", "ratelimited"), ("away", "status"), ("back", "status")],
)
async def test_a_word_does_not_wait_for_its_lease_to_end(room: Room, method: str, fault: str | None) -> None:
    """Whatever the notifier was about to ask or to note: the lane comes again soon; only no answer leaves a doubt."""
    execution = await room.followed(room.lab)
    limits = ample_limits(room.store)
    notifier = Notifier(room.door, room.store.outbox, limits)
    await room.step(execution)
    if fault:
        room.trouble(fault)
    if method == "back":
        await notifier.run_once()
        let_time_pass(room.redis)
    with closed_from(room, limits, method):
        await notifier.run_once()
    assert max(room.waits(), default=0) <= IN_FLIGHT.total_seconds() < LEASE.total_seconds()
    await room.later()
    assert room.read(room.lab) == ["card", "change 2"]
    assert room.waits() == []
    assert room.times("conversations.replies") == (fault == "status")


async def test_a_look_does_not_wait_for_its_lease_to_end(room: Room) -> None:
    """The store does not say whether a call is left: the execution is due as before."""
    await room.followed(room.lab)
    budget = ample(room.store)
    room.client._take = budget.take
    watcher = Watcher(room.client, room.store.schedule, pace=PACE, budget=budget, history=room.store.history)
    room.polls_come()
    with closed_from(room, budget, "take_up_to"):
        await watcher.run_once()
    assert max(room.waits("due")) <= 0
    calls = len(room.gcs.calls)
    await watcher.run_once()
    assert len(room.gcs.calls) == calls + 1


async def test_a_refusal_is_told_to_all_copies_as_soon_as_the_store_is_back(room: Room) -> None:
    """GCS wants no calls, just while the store takes nothing: nobody calls afterwards either."""
    await room.followed(room.lab)
    budget = ample(room.store)
    watcher = Watcher(room.client, room.store.schedule, pace=PACE, budget=budget, history=room.store.history)
    room.gcs.faults.add(Fault(kind="status", status=429, retry_after=20))
    with closed_from(room, budget, "refused"):
        room.client._refused = budget.refused
        room.polls_come()
        await watcher.run_once()
    assert await ample(room.store).left() == 0


async def test_a_lane_is_not_claimed_again_and_again_while_nobody_says_whose_turn_it_is(room: Room) -> None:
    """In a cluster the limits may be away and the lanes not: it is tried now and then, and told once they are back."""
    await room.follow(room.lab)
    limits, asked = ample_limits(room.store), 0
    admit = limits.admit

    async def away(*args: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked <= TRIES:
            raise StoreUnavailable("away")
        return await admit(*args, **more)

    limits.admit = away  # type: ignore[method-assign]
    notifier, claimed = Notifier(room.door, room.store.outbox, limits), 0
    began = monotonic()
    while room.read(room.lab) != ["card"]:
        claimed += await notifier.run_once()
    assert claimed == TRIES + 1
    assert monotonic() - began >= TRIES * STORE_AWAY_SECONDS
