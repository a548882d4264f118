"""Promises of the schedule: claims and settling, against real servers."""

from __future__ import annotations

from uuid import uuid4

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.change import ChangeKind
from bot.domain.following import Level
from bot.store import Store
from tests.servers import let_time_pass
from tests.store.following import (
    ALICE,
    LAB,
    LATER,
    NOW,
    SOON,
    change,
    drained,
    due,
    follow,
    lanes,
    left_over,
    settle,
    snapshot_of,
)


async def test_a_claim_is_for_one_worker(store: Store) -> None:
    """What is claimed is not handed out again within the lease."""
    await follow(store)
    assert len(await due(store)) == len(await lanes(store)) == 1
    assert await due(store) == [] == await lanes(store)


async def test_a_poll_is_settled_once(store: Store) -> None:
    """A second settlement of one claim is refused: the claim went with the first."""
    await follow(store)
    (item,) = await due(store)
    settled = [
        await store.schedule.settle(item, snapshot_of("e1", 2), [change(2)], next_poll=SOON, is_visible=True)
        for _ in range(2)
    ]
    assert settled == [True, False]


async def test_changes_wait_a_moment_for_company(store: Store, redis: Redis) -> None:
    """Changes within the coalescing time are delivered together, in order."""
    await follow(store)
    await drained(store)
    await settle(store, change(2))
    await settle(store, change(3))
    assert await lanes(store) == []
    let_time_pass(redis)
    (claim,) = await lanes(store)
    assert [item.revision for item in claim.notification.changes] == [2, 3]


async def test_an_end_does_not_wait(store: Store) -> None:
    """An outcome is due at once, with the changes before it."""
    await follow(store)
    await drained(store)
    await settle(store, change(2))
    await settle(store, change(3, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    assert [item.kind for item in claim.notification.changes] == [ChangeKind.PROGRESS, ChangeKind.OUTCOME]


@pytest.mark.parametrize(
    ("level", "delivered"),
    [
        (Level.STEPS, ["progress", "phase", "outcome"]),
        (Level.MILESTONES, ["phase", "outcome"]),
        (Level.FINAL, ["outcome"]),
    ],
)
async def test_a_level_leaves_out_what_it_says(store: Store, level: Level, delivered: list[str]) -> None:
    """The level decides what is delivered; the card is edited in any case."""
    await follow(store, level=level)
    await drained(store)
    await settle(store, change(2), change(3, ChangeKind.PHASE), change(4, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    assert [item.kind.value for item in claim.notification.changes] == delivered
    assert claim.notification.snapshot.revision == 4


async def test_each_subscriber_has_its_own_lane(store: Store) -> None:
    """A person and a channel that follow one execution have a lane each, from one poll."""
    await follow(store, ALICE)
    await follow(store, LAB)
    await drained(store)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert sorted(claim.lane.subscriber_id for claim in await lanes(store)) == ["C1", "U1"]


async def test_recovery_takes_over_at_once(store: Store) -> None:
    """The only bot on a store does not wait for its dead predecessor's leases."""
    await follow(store)
    await due(store)
    assert await store.recover() == 1
    assert len(await due(store)) == 1


async def test_what_a_newer_version_wrote_stops_nothing_else(store: Store, redis: Redis) -> None:
    """After going back to an older version: what it cannot read waits, all the rest goes on."""
    for execution_id in ("e1", "e2"):
        await follow(store, execution_id=execution_id)
    (key,) = redis.scan_iter("*snap:gcs1/T1/e1")
    redis.set(str(key), '{"from": "the future"}')
    assert [item.execution for item in await due(store)] == ["gcs1/T1/e2"]
    assert [claim.lane.execution_id for claim in await lanes(store)] == ["e2"]


async def test_an_execution_nobody_follows_is_not_polled(store: Store, redis: Redis) -> None:
    """A poll that ends after the last subscriber left writes nothing."""
    await follow(store)
    (item,) = await due(store)
    (claim,) = await lanes(store)
    await store.outbox.forget(claim, reason="is_archived")
    assert not await store.schedule.settle(item, snapshot_of("e1", 2), [], next_poll=SOON, is_visible=False)
    assert left_over(redis) == []


async def test_everything_of_an_execution_lies_in_one_slot(store: Store, redis: Redis) -> None:
    """All keys but the index carry a partition's hash tag, or Redis Cluster could not run the scripts."""
    for _ in range(20):
        await follow(store, execution_id=str(uuid4()))
    await settle_all(store)
    keys = [key for key in left_over(redis) if not key.startswith("xb3:of:")]
    assert keys
    assert all("{p" in key for key in keys)


async def settle_all(store: Store) -> None:
    """Settle every poll with one change."""
    for item in await due(store):
        await store.schedule.settle(item, item.snapshot, [change(2)], next_poll=LATER, is_visible=True)


async def test_an_uneventful_poll_changes_only_the_time(store: Store) -> None:
    """The same prints again: no snapshot is written, and the card's next edit knows when GCS was asked last."""
    await follow(store)
    (item,) = await due(store)
    fingerprint = ("state-01", "count-01", True)
    await store.schedule.settle(item, snapshot_of("e1"), [], next_poll=SOON, is_visible=False, fingerprint=fingerprint)
    (again,) = await due(store)
    assert (again.header.state, again.header.counts, again.header.is_covered) == fingerprint
    assert again.header.is_quiet
    await store.schedule.settle_unchanged(again, seen_at=NOW + LATER, next_poll=SOON)
    (third,) = await due(store)
    assert third.snapshot == replace(snapshot_of("e1"), seen_at=NOW + LATER)
    assert (third.header.state, third.header.counts, third.header.is_covered) == fingerprint
