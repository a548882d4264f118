"""Promises of subscriptions: how they begin, go on and end, against real servers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.change import ChangeKind
from bot.domain.following import Level, Subscription
from bot.domain.snapshot import Receipt
from bot.store import Store
from bot.store.engine.connection import Connection
from bot.store.keys import Lane, lane_of
from bot.store.subscriptions import Decided, SubscriptionChanged
from bot.store.subscriptions.index import Index
from tests.servers import ACCOUNT, KEYS
from tests.store.following import (
    ALICE,
    LAB,
    LATER,
    NOW,
    SOON,
    change,
    deliver,
    drained,
    due,
    follow,
    lanes,
    left_over,
    settle,
    snapshot_of,
)


async def test_subscribing_schedules_a_poll_and_a_card(store: Store) -> None:
    """One script does both: there is no moment at which somebody is subscribed and nothing happens."""
    assert await follow(store) is None
    assert [item.execution for item in await due(store)] == ["gcs1/T1/e1"]
    (claim,) = await lanes(store)
    assert (claim.notification.receipt, claim.notification.changes) == (None, ())


async def test_the_end_ends_all_subscriptions_and_leaves_nothing(store: Store, redis: Redis) -> None:
    """After the last delivery no key of the execution is left, nor of its followers."""
    await follow(store, ALICE)
    await follow(store, LAB)
    await settle(store, change(2, ChangeKind.OUTCOME), over=True)
    claims = await lanes(store)
    assert all(claim.notification.subscription.is_ending for claim in claims)
    for claim in claims:
        await deliver(store, claim)
    assert left_over(redis) == []


async def test_unsubscribing_ends_one_lane_and_sends_nothing(store: Store) -> None:
    """Changes that were queued are dropped; the card is edited once more, other subscriptions go on."""
    await follow(store, ALICE)
    await follow(store, LAB)
    await settle(store, change(2))
    assert await store.subscribers.unsubscribe(ALICE, "e1") == (True, True)
    assert await store.subscribers.unsubscribe(ALICE, "e1") == (False, True)
    claim = next(claim for claim in await lanes(store) if claim.lane.subscriber_id == "U1")
    assert (claim.notification.changes, claim.notification.subscription.is_ending) == ((), True)
    await deliver(store, claim)
    assert await store.subscribers.find(LAB, "e1")
    assert await store.subscribers.snapshot("T1", "e1")


async def test_it_is_known_who_follows(store: Store) -> None:
    """People and channels, without those that have just stopped."""
    assert await store.subscribers.that_follow_it("T1", "e1") == frozenset()
    await follow(store, ALICE)
    await follow(store, LAB)
    assert await store.subscribers.that_follow_it("T1", "e1") == {ALICE.id, LAB.id}
    await store.subscribers.unsubscribe(ALICE, "e1")
    assert await store.subscribers.that_follow_it("T1", "e1") == {LAB.id}


async def test_subscribing_while_ending_keeps_the_card(store: Store) -> None:
    """The receipt stays, the last word is taken back, and the worker that was about to forget is refused."""
    await follow(store)
    await drained(store)
    await store.subscribers.unsubscribe(ALICE, "e1")
    (claim,) = await lanes(store)
    await follow(store)
    assert not await store.outbox.forget(claim)
    await store.outbox.release(claim)
    (again,) = await lanes(store)
    assert again.notification.receipt == Receipt(channel="D1", ts="1.2", revision=0)


@pytest.mark.parametrize("is_ending", [False, True])
async def test_a_subscription_keeps_its_start(store: Store, is_ending: bool) -> None:
    """Asked for twice at once, or again while it ends: its messages stay marked as its own."""
    await follow(store)
    if is_ending:
        await store.subscribers.unsubscribe(ALICE, "e1")
    again = Subscription(
        execution_id="e1", subscriber=ALICE, level=Level.FINAL, owner="U2", created_at=NOW + timedelta(seconds=1)
    )
    await store.subscribers.subscribe(again, snapshot_of("e1"), first_poll=SOON)
    assert await store.subscribers.find(ALICE, "e1") == replace(again, created_at=NOW)


@pytest.mark.parametrize("since", ["begun", "changed", "ended"])
async def test_what_others_wrote_meanwhile_stays(store: Store, since: str) -> None:
    """A wish that was decided from something else is refused, and changes nothing."""
    if since != "begun":
        await follow(store)
    known = await store.subscribers.find(ALICE, "e1")
    if since == "ended":
        await store.subscribers.unsubscribe(ALICE, "e1")
    else:
        await follow(store, level=Level.FAILURES)
    meanwhile = await store.subscribers.find(ALICE, "e1")
    wish = Subscription(execution_id="e1", subscriber=ALICE, level=Level.FINAL, owner="U2", created_at=NOW)
    with pytest.raises(SubscriptionChanged):
        await store.subscribers.subscribe(wish, snapshot_of("e1"), first_poll=SOON, decided=Decided(known, None))
    assert await store.subscribers.find(ALICE, "e1") == meanwhile


async def test_a_lost_answer_is_no_change_by_others(store: Store) -> None:
    """The same wish is written again."""
    wish = Subscription(
        execution_id="e1", subscriber=ALICE, level=Level.FINAL, owner="U2", created_at=NOW, request_id="r1"
    )
    for _ in range(2):
        await store.subscribers.subscribe(wish, snapshot_of("e1"), first_poll=SOON, decided=Decided(None, None))
    assert await store.subscribers.find(ALICE, "e1") == wish


@pytest.mark.parametrize(
    "row", ["progress|U1|5", "phase|U1|5", "loudest|U1|5", "steps|U1|5||||-", "steps|U1|5||||phase||z"]
)
async def test_other_versions_rows_are_known(store: Store, redis: Redis, row: str) -> None:
    """Former words, and what only another version can read: a wish can be decided from all that can be read."""
    await follow(store)
    redis.hset(KEYS.subscriptions_of(lane_of(ACCOUNT, ALICE, "e1").execution), ALICE.id, row)
    known = await store.subscribers.find(ALICE, "e1")
    assert known is not None
    wish = replace(known, level=Level.FINAL)
    await store.subscribers.subscribe(wish, snapshot_of("e1"), first_poll=SOON, decided=Decided(known, None))
    found = await store.subscribers.find(ALICE, "e1")
    assert found is not None
    assert found.level == Level.FINAL


async def test_an_unreadable_subscription_is_replaced(store: Store, redis: Redis) -> None:
    """Nobody can decide from it, so nobody can know it."""
    await follow(store)
    lane = lane_of(ACCOUNT, ALICE, "e1")
    redis.hset(KEYS.subscriptions_of(lane.execution), ALICE.id, f"steps|U1|{10**17}")
    wish = Subscription(execution_id="e1", subscriber=ALICE, level=Level.FINAL, owner="U2", created_at=NOW)
    await store.subscribers.subscribe(wish, snapshot_of("e1"), first_poll=SOON, decided=Decided(None, None))
    found = await store.subscribers.find(ALICE, "e1")
    assert found is not None
    assert found.level == Level.FINAL


async def test_an_end_after_subscribing_again_is_still_delivered(store: Store) -> None:
    """Left, back, and over, all while one worker is about to forget: it is refused, and the outcome is there."""
    await follow(store)
    await drained(store)
    await store.subscribers.unsubscribe(ALICE, "e1")
    (claim,) = await lanes(store)
    await follow(store)
    await settle(store, change(2, ChangeKind.OUTCOME), over=True)
    assert not await store.outbox.forget(claim)
    await store.outbox.release(claim)
    (again,) = await lanes(store)
    assert [item.kind for item in again.notification.changes] == [ChangeKind.OUTCOME]


async def test_a_stale_poll_turns_no_revision_back(store: Store) -> None:
    """Subscribing again with an older poll starts after what was delivered, or changes would be taken for delivered."""
    await follow(store)
    await settle(store, change(2, ChangeKind.OUTCOME), over=True)
    await follow(store)
    snapshot = await store.subscribers.snapshot("T1", "e1")
    assert snapshot is not None
    assert snapshot.revision == 3


async def test_refreshing_asks_for_a_poll_and_an_edit(store: Store) -> None:
    """The card is edited even when nothing changed."""
    await follow(store)
    await drained(store)
    (item,) = await due(store)
    await store.schedule.settle(item, item.snapshot, [], next_poll=LATER, is_visible=False)
    assert await store.subscribers.refresh(ALICE, "e1")
    (claim,) = await lanes(store)
    assert claim.notification.receipt is not None
    assert claim.notification.receipt.revision == 0
    assert len(await due(store)) == 1


async def test_a_list_holds_what_is_followed_oldest_first(store: Store) -> None:
    """Ended subscriptions are not listed; others' are not either."""
    for execution_id in ("e1", "e2", "e3"):
        await follow(store, execution_id=execution_id)
    await follow(store, LAB, "e4")
    await store.subscribers.unsubscribe(ALICE, "e2")
    listed = (await store.subscribers.of(ALICE)).items
    assert sorted(subscription.execution_id for subscription, _ in listed) == ["e1", "e3"]
    assert all(snapshot is not None for _, snapshot in listed)


async def listed(store: Store) -> list[str]:
    """What Alice follows, by its list."""
    return [subscription.execution_id for subscription, _ in (await store.subscribers.of(ALICE)).items]


async def test_subscribing_during_clean_up_stays_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgotten, subscribed again, and only then removed from the index, which checks again."""
    await follow(store)
    await drained(store)
    await store.subscribers.unsubscribe(ALICE, "e1")
    (claim,) = await lanes(store)
    remove = Index.remove

    async def late(index: Index, lane: Lane) -> None:
        await follow(store)
        await remove(index, lane)

    monkeypatch.setattr(Index, "remove", late)
    await deliver(store, claim)
    assert await listed(store) == ["e1"]


async def test_listing_during_subscribing_keeps_the_entry(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list finds an entry without its subscription, which is on its way, and takes it out."""
    keep = Connection.keep

    async def slow(connection: Connection, script: str, key: str, *args: str | int) -> tuple[object, bool]:
        if script == "subscriptions/subscribe":
            assert await listed(store) == []
        return await keep(connection, script, key, *args)

    monkeypatch.setattr(Connection, "keep", slow)
    await follow(store)
    assert await listed(store) == ["e1"]


async def test_an_entry_without_its_subscription_is_taken_out(store: Store, redis: Redis) -> None:
    """Added by a worker that died."""
    redis.zadd(KEYS.executions_of(ACCOUNT, "T1", "U1"), {"e9": 1})
    assert await listed(store) == []
    assert left_over(redis) == []
