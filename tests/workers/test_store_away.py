"""Delivery when the store accepts no writes for a moment: the same messages, and no later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest

from bot.errors import StoreUnavailable
from bot.store.gcs_quota import GCSQuota
from bot.store.outbox import IN_FLIGHT, LEASE
from bot.store.slack_limits import SlackLimits
from bot.workers.notifier import Notifier
from bot.workers.pool import STORE_AWAY_SECONDS
from sandbox.gcs import Fault
from tests.servers import let_time_pass
from tests.workers.rig import Rig, ample, ample_limits, watcher_of

MOMENT_SECONDS = 0.3
TRIES = 2
NEEDED = "min-replicas-to-write"
"""The server has no replicas, so 1 closes it for writes."""


@contextmanager
def closed_from(rig: Rig, part: SlackLimits | GCSQuota, method: str) -> Iterator[None]:
    """The server accepts no writes for `MOMENT_SECONDS` from the first call of `method`; fails without such a call."""
    do, loop = getattr(part, method), asyncio.get_running_loop()
    moments: list[asyncio.TimerHandle] = []

    async def call(*args: Any, **more: Any) -> Any:
        if not moments:
            rig.redis.config_set(NEEDED, 1)
            moments.append(loop.call_later(MOMENT_SECONDS, rig.redis.config_set, NEEDED, 0))
        return await do(*args, **more)

    setattr(part, method, call)
    try:
        yield
        assert moments, f"{method} was not called"
    finally:
        rig.redis.config_set(NEEDED, 0)


@pytest.mark.parametrize(
    ("method", "fault"),
    [("admit", None), ("pause", "ratelimited"), ("away", "status"), ("back", "status")],
)
async def test_a_lane_does_not_wait_for_its_lease(rig: Rig, method: str, fault: str | None) -> None:
    """Whatever the notifier was writing, the lane comes back soon; only an unanswered send leaves a doubt."""
    execution = await rig.followed(rig.lab)
    limits = ample_limits(rig.store)
    notifier = Notifier(rig.door, rig.store, limits)
    await rig.step(execution)
    if fault:
        rig.fault(fault)
    if method == "back":
        await notifier.run_once()
        let_time_pass(rig.redis)
    with closed_from(rig, limits, method):
        await notifier.run_once()
    assert max(rig.waits(), default=0) <= IN_FLIGHT.total_seconds() < LEASE.total_seconds()
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert rig.waits() == []
    assert rig.times("conversations.replies") == (fault == "status")


async def test_a_poll_does_not_wait_for_its_lease(rig: Rig) -> None:
    """The store does not say whether a call is left: the execution stays due."""
    await rig.followed(rig.lab)
    budget = ample(rig.store)
    rig.client._take = budget.take
    watcher = watcher_of(rig.client, rig.store, quota=budget)
    rig.polls_come()
    with closed_from(rig, budget, "take_up_to"):
        await watcher.run_once()
    assert max(rig.waits("due")) <= 0
    calls = len(rig.gcs.calls)
    await watcher.run_once()
    assert len(rig.gcs.calls) == calls + 1


async def test_a_gcs_refusal_reaches_all_copies_later(rig: Rig) -> None:
    """GCS wants no calls, just while the store accepts no writes: afterwards nobody calls either."""
    await rig.followed(rig.lab)
    budget = ample(rig.store)
    watcher = watcher_of(rig.client, rig.store, quota=budget)
    rig.gcs.faults.add(Fault(kind="status", status=429, retry_after=20))
    with closed_from(rig, budget, "refused"):
        rig.client._on_throttled = budget.refused
        rig.polls_come()
        await watcher.run_once()
    assert await ample(rig.store).left() == 0


async def test_an_unadmitted_lane_is_retried_slowly(rig: Rig) -> None:
    """In a cluster the limits may be unreachable while lanes are not: the lane is retried after pauses."""
    await rig.follow(rig.lab)
    limits, asked = ample_limits(rig.store), 0
    admit = limits.admit

    async def away(*args: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked <= TRIES:
            raise StoreUnavailable("away")
        return await admit(*args, **more)

    limits.admit = away  # type: ignore[method-assign]
    notifier, claimed = Notifier(rig.door, rig.store, limits), 0
    began = monotonic()
    while rig.read(rig.lab) != ["card"]:
        claimed += await notifier.run_once()
    assert claimed == TRIES + 1
    assert monotonic() - began >= TRIES * STORE_AWAY_SECONDS
