"""What makes work wakes the worker in this process, and an idle store is asked little."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.change import ChangeKind
from bot.domain.snapshot import Receipt
from bot.store import PARTITIONS, Store
from bot.store.engine.wakeup import Wakeup
from tests.store.following import ALICE, LATER, SOON, change, drained, due, follow, lanes, settle

SECOND = 1.0


async def is_woken(wakeup: Wakeup) -> bool:
    """Whether a loop that sleeps for a minute would wake now."""
    try:
        async with asyncio.timeout(SECOND / 5):
            await wakeup.wait(60)
    except TimeoutError:
        return False
    return True


def polls(store: Store) -> Wakeup:
    """Of the watcher."""
    store.schedule.polls.clear()
    return store.schedule.polls


def deliveries(store: Store) -> Wakeup:
    """Of the notifier."""
    store.outbox.deliveries.clear()
    return store.outbox.deliveries


async def test_subscribing_wakes_both_workers(store: Store) -> None:
    """A card is to be posted, and the first poll may be due."""
    watcher, notifier = polls(store), deliveries(store)
    await follow(store)
    assert await is_woken(watcher)
    assert await is_woken(notifier)


async def test_unsubscribing_wakes_the_notifier(store: Store) -> None:
    """The card is edited once more."""
    await follow(store)
    notifier = deliveries(store)
    await store.subscribers.unsubscribe(ALICE, "e1")
    assert await is_woken(notifier)


async def test_a_refresh_wakes_both_workers(store: Store) -> None:
    """Somebody waits for it."""
    await follow(store)
    watcher, notifier = polls(store), deliveries(store)
    await store.subscribers.refresh(ALICE, "e1")
    assert await is_woken(watcher)
    assert await is_woken(notifier)


async def test_a_settled_change_wakes_the_notifier(store: Store) -> None:
    """Not a poll that saw nothing new."""
    await follow(store)
    await drained(store)
    notifier = deliveries(store)
    await settle(store)
    assert not await is_woken(notifier)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert await is_woken(notifier)


async def test_a_change_that_waits_for_more_wakes_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox holds it back for as long, so the notifier would find nothing before."""
    await follow(store)
    await drained(store)
    for coalesce, is_due in ((LATER, False), (SOON, True)):
        monkeypatch.setattr(store.schedule, "_coalesce", coalesce)
        notifier = deliveries(store)
        await settle(store, change(2, ChangeKind.PROGRESS))
        assert await is_woken(notifier) is is_due


async def test_a_list_that_shows_changes_wakes_the_watcher(store: Store) -> None:
    """What it shows unchanged does not."""
    await follow(store)
    watcher = polls(store)
    await store.schedule.listed("T1", [("e1", "newer---")], defer_for=LATER)
    assert await is_woken(watcher)
    watcher = polls(store)
    await store.schedule.listed("T1", [("e1", "newer---")], defer_for=LATER)
    assert not await is_woken(watcher)


async def test_reading_about_an_execution_wakes_the_watcher(store: Store) -> None:
    """It is polled sooner from then on."""
    await follow(store)
    watcher = polls(store)
    await store.subscribers.viewed("T1", "e1", soon=SOON)
    assert await is_woken(watcher)


async def test_a_lane_that_waits_wakes_the_notifier_then(store: Store) -> None:
    """When its time has come, and not before."""
    await follow(store)
    (claim,) = await lanes(store)
    notifier = deliveries(store)
    await store.outbox.release(claim, wait=LATER)
    assert not await is_woken(notifier)
    notifier.clear()
    await follow(store)
    (claim,) = await lanes(store)
    notifier.clear()
    await store.outbox.release(claim, wait=SOON)
    assert await is_woken(notifier)


@pytest.mark.parametrize("is_last", [True, False])
async def test_a_change_during_a_claim_wakes_afterwards(store: Store, *, is_last: bool) -> None:
    """With the receipt that gives the lane back, or with its release."""
    await follow(store)
    (claim,) = await lanes(store)
    await settle(store, change(2, ChangeKind.OUTCOME))
    notifier = deliveries(store)
    await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=1), is_last=is_last)
    if not is_last:
        assert not await is_woken(notifier)
        await store.outbox.release(claim)
    assert await is_woken(notifier)


async def test_delivered_lanes_wake_nobody(store: Store) -> None:
    """Nothing more is to be done for them."""
    await follow(store)
    notifier = deliveries(store)
    await drained(store)
    assert not await is_woken(notifier)


async def test_one_round_trip_asks_all_partitions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one script on one server; on a cluster by one for each slot."""
    endpoint = store._connection._endpoint
    execute, sent = endpoint.execute, []

    async def counted(keys: Any, commands: Any, behind: Any) -> Any:
        sent.append(len(commands))
        return await execute(keys, commands, behind)

    await store.schedule.ready()
    monkeypatch.setattr(endpoint, "execute", counted)
    assert await store.schedule.ready() == ([], None, 0)
    assert sent == [PARTITIONS if endpoint.is_sharded else 1]


async def test_the_store_says_when_something_is_due(store: Store) -> None:
    """Where it is due, or else in how many seconds, and how much there is."""
    await follow(store)
    assert (await store.schedule.ready()).size == (await store.outbox.ready()).size == 1
    assert len((await store.outbox.ready()).partitions) == 1
    (claim,) = await lanes(store)
    await store.outbox.release(claim, wait=LATER)
    (item,) = await due(store)
    await store.schedule.settle(item, item.snapshot, [], next_poll=LATER, is_visible=False)
    for ready in (await store.schedule.ready(), await store.outbox.ready()):
        assert ready.partitions == []
        assert ready.next_in == pytest.approx(LATER.total_seconds(), abs=5)
