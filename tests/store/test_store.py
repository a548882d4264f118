"""Promises of the store: claims, settling, the outbox, against real servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from redis import Redis

from bot.model import Change, ChangeKind, Execution, Level, Receipt, Snapshot, Subscriber, Subscription
from bot.store import PARTITIONS, Store, outbox
from bot.store.outbox import Claim
from bot.store.schedule import Due
from tests.servers import expire_claims, let_time_pass

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE = Subscriber(team_id="T1", id="U1")
LAB = Subscriber(team_id="T1", id="C1")
SOON = timedelta(0)
LATER = timedelta(hours=1)


def snapshot_of(execution_id: str, revision: int = 1) -> Snapshot:
    """A snapshot of which only the id and the revision matter."""
    return Snapshot(execution=Execution(id=execution_id, phase="Running"), revision=revision, seen_at=NOW)


def change(revision: int, kind: ChangeKind = ChangeKind.PROGRESS) -> Change:
    """A change of which only order and kind matter."""
    return Change(kind=kind, revision=revision, at=NOW)


async def follow(
    store: Store, subscriber: Subscriber = ALICE, execution_id: str = "e1", level: Level = Level.PROGRESS
) -> Subscription | None:
    """Subscribe, and have the first look at once."""
    subscription = Subscription(
        execution_id=execution_id, subscriber=subscriber, level=level, owner="U1", created_at=NOW
    )
    return await store.subscribers.subscribe(subscription, snapshot_of(execution_id), first_look=SOON)


async def due(store: Store) -> list[Due]:
    """Claim all that is due."""
    return [item for number in range(PARTITIONS) for item in await store.schedule.claim(number, 100)]


async def lanes(store: Store) -> list[Claim]:
    """Claim all that is to be told."""
    return [item for number in range(PARTITIONS) for item in await store.outbox.claim(number, 100)]


async def settle(store: Store, *changes: Change, over: bool = False) -> bool:
    """Look at the one execution that is due, and settle `changes`."""
    (item,) = await due(store)
    snapshot = snapshot_of(item.snapshot.execution.id, changes[-1].revision if changes else 1)
    return await store.schedule.settle(
        item, snapshot, changes, next_look=None if over else SOON, is_visible=bool(changes)
    )


async def drained(store: Store) -> None:
    """Tell what there is, as the notifier would: a card, and everything read."""
    for claim in await lanes(store):
        await tell(store, claim)


async def tell(store: Store, claim: Claim) -> None:
    """Record that everything in `claim` was told, and leave the lane."""
    told = max((item.revision for item in claim.notification.changes), default=0)
    revision = claim.notification.snapshot.revision
    await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=revision, told=told))
    if not claim.notification.subscription.is_ending or not await store.outbox.forget(claim):
        await store.outbox.release(claim)


async def test_subscribing_makes_the_execution_due_and_the_card_wanted(store: Store) -> None:
    """One script does both: there is no moment at which somebody is subscribed and nothing happens."""
    assert await follow(store) is None
    assert [item.execution for item in await due(store)] == ["T1/e1"]
    (claim,) = await lanes(store)
    assert (claim.notification.receipt, claim.notification.changes) == (None, ())


async def test_a_claim_is_for_one_worker(store: Store) -> None:
    """What is claimed is not handed out again within the lease."""
    await follow(store)
    assert len(await due(store)) == len(await lanes(store)) == 1
    assert await due(store) == [] == await lanes(store)


async def test_a_look_is_settled_once(store: Store) -> None:
    """A second settlement of one claim is refused: the claim went with the first."""
    await follow(store)
    (item,) = await due(store)
    settled = [
        await store.schedule.settle(item, snapshot_of("e1", 2), [change(2)], next_look=SOON, is_visible=True)
        for _ in range(2)
    ]
    assert settled == [True, False]


async def test_changes_wait_a_moment_for_company(store: Store, redis: Redis) -> None:
    """Changes that pile up within the coalescing time are told together, in order."""
    await follow(store)
    await drained(store)
    await settle(store, change(2))
    await settle(store, change(3))
    assert await lanes(store) == []
    let_time_pass(redis)
    (claim,) = await lanes(store)
    assert [item.revision for item in claim.notification.changes] == [2, 3]


async def test_an_end_does_not_wait(store: Store) -> None:
    """An outcome is told at once, with what had piled up before it."""
    await follow(store)
    await drained(store)
    await settle(store, change(2))
    await settle(store, change(3, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    assert [item.kind for item in claim.notification.changes] == [ChangeKind.PROGRESS, ChangeKind.OUTCOME]


@pytest.mark.parametrize(
    ("level", "told"),
    [
        (Level.PROGRESS, ["progress", "phase", "outcome"]),
        (Level.PHASE, ["phase", "outcome"]),
        (Level.FINAL, ["outcome"]),
    ],
)
async def test_a_level_leaves_out_what_it_says(store: Store, level: Level, told: list[str]) -> None:
    """The level decides what is told; the card is edited in any case."""
    await follow(store, level=level)
    await drained(store)
    await settle(store, change(2), change(3, ChangeKind.PHASE), change(4, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    assert [item.kind.value for item in claim.notification.changes] == told
    assert claim.notification.snapshot.revision == 4


async def test_each_subscriber_is_told_on_a_lane_of_its_own(store: Store) -> None:
    """A person and a channel that follow one execution are told apart, from one look."""
    await follow(store, ALICE)
    await follow(store, LAB)
    await drained(store)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert sorted(claim.lane.subscriber_id for claim in await lanes(store)) == ["C1", "U1"]


async def test_what_was_recorded_is_not_told_again(store: Store) -> None:
    """A receipt takes the changes that it covers out of the lane, and leaves the newer ones."""
    await follow(store)
    await settle(store, change(2), change(3, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=1, told=2))
    await store.outbox.release(claim)
    (again,) = await lanes(store)
    assert [item.revision for item in again.notification.changes] == [3]
    assert again.notification.receipt == Receipt(channel="D1", ts="1.2", revision=1, told=2)


async def test_news_during_a_claim_is_told_after_it(store: Store) -> None:
    """What is settled while its lane is being told waits: no second worker gets the lane, and nothing is lost."""
    await follow(store)
    (claim,) = await lanes(store)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert await lanes(store) == []
    await tell(store, claim)
    (again,) = await lanes(store)
    assert [item.revision for item in again.notification.changes] == [2]


async def test_a_lost_claim_may_not_record(store: Store, redis: Redis) -> None:
    """A worker that slept through its lease is told so, and cannot overwrite the next one's receipt."""
    await follow(store)
    (slow,) = await lanes(store)
    expire_claims(redis)
    (quick,) = await lanes(store)
    receipt = Receipt(channel="D1", ts="1.2", revision=1)
    assert await store.outbox.record(quick, receipt)
    assert not await store.outbox.record(slow, receipt)


async def test_a_claim_that_outlived_its_worker_is_in_doubt(store: Store, redis: Redis) -> None:
    """The next worker learns that something may have been sent, and since when."""
    await follow(store)
    (dead,) = await lanes(store)
    assert dead.in_doubt_since is None
    expire_claims(redis)
    (next_one,) = await lanes(store)
    assert next_one.in_doubt_since == dead.now


async def test_doubt_stays_until_something_is_recorded(store: Store, redis: Redis) -> None:
    """Dying again while settling a doubt keeps the first moment; a receipt settles it."""
    await follow(store)
    (first,) = await lanes(store)
    expire_claims(redis)
    await lanes(store)
    expire_claims(redis)
    (third,) = await lanes(store)
    assert third.in_doubt_since == first.now
    await store.outbox.record(third, Receipt(channel="D1", ts="1.2", revision=1))
    expire_claims(redis)
    (fourth,) = await lanes(store)
    assert fourth.in_doubt_since not in {None, first.now}


async def test_a_send_without_an_answer_stays_in_doubt(store: Store) -> None:
    """Putting a lane back after an unknown outcome hands the doubt to whoever claims it next."""
    await follow(store)
    (claim,) = await lanes(store)
    await store.outbox.release(claim, wait=SOON, in_doubt=True)
    (again,) = await lanes(store)
    assert again.in_doubt_since == claim.now


async def test_a_lane_that_was_put_back_waits(store: Store, redis: Redis) -> None:
    """After `Retry-After` and not before, even though nothing new happens."""
    await follow(store)
    (claim,) = await lanes(store)
    await store.outbox.release(claim, wait=LATER)
    assert await lanes(store) == []
    let_time_pass(redis)
    assert len(await lanes(store)) == 1


async def test_a_lane_that_waits_for_its_turn_is_woken_by_news(store: Store) -> None:
    """Not so one in doubt: what was sent may still be under way."""
    await follow(store, ALICE)
    await follow(store, LAB)
    for claim in await lanes(store):
        await store.outbox.release(claim, wait=LATER, in_doubt=claim.lane.subscriber_id == LAB.id)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert [claim.lane.subscriber_id for claim in await lanes(store)] == [ALICE.id]


async def test_the_last_receipt_gives_the_lane_back(store: Store) -> None:
    """With what happened meanwhile it comes again at once."""
    await follow(store)
    (claim,) = await lanes(store)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=1), is_last=True)
    (again,) = await lanes(store)
    assert again.notification.receipt == Receipt(channel="D1", ts="1.2", revision=0)
    receipt = Receipt(channel="D1", ts="1.2", revision=2, told=2)
    assert await store.outbox.record(again, receipt, is_last=True)
    assert await lanes(store) == []
    assert not await store.outbox.record(again, receipt)


async def test_recovery_takes_over_at_once(store: Store) -> None:
    """The only bot on a store does not wait for its dead predecessor's leases."""
    await follow(store)
    await due(store)
    assert await store.recover() == 1
    assert len(await due(store)) == 1


async def test_the_end_ends_all_subscriptions_and_leaves_nothing(store: Store, redis: Redis) -> None:
    """Once the last word is told, no key of the execution is left."""
    await follow(store, ALICE)
    await follow(store, LAB)
    await settle(store, change(2, ChangeKind.OUTCOME), over=True)
    claims = await lanes(store)
    assert all(claim.notification.subscription.is_ending for claim in claims)
    for claim in claims:
        await tell(store, claim)
    assert left_over(redis) == []


async def test_unsubscribing_ends_one_lane_and_tells_nothing(store: Store) -> None:
    """Who leaves hears no more of what had piled up; the card is edited once more, others go on."""
    await follow(store, ALICE)
    await follow(store, LAB)
    await settle(store, change(2))
    assert await store.subscribers.unsubscribe(ALICE, "e1")
    assert not await store.subscribers.unsubscribe(ALICE, "e1")
    claim = next(claim for claim in await lanes(store) if claim.lane.subscriber_id == "U1")
    assert (claim.notification.changes, claim.notification.subscription.is_ending) == ((), True)
    await tell(store, claim)
    assert await store.subscribers.find(LAB, "e1")
    assert await store.subscribers.snapshot("T1", "e1")


async def test_subscribing_again_while_ending_goes_on_with_the_same_card(store: Store) -> None:
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
    await store.subscribers.subscribe(again, snapshot_of("e1"), first_look=SOON)
    assert await store.subscribers.find(ALICE, "e1") == again.model_copy(update={"created_at": NOW})


async def test_an_end_after_subscribing_again_is_still_told(store: Store) -> None:
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


async def test_a_look_from_before_the_end_does_not_turn_revisions_back(store: Store) -> None:
    """Who subscribes again with an older look starts after what was told, or news would pass for told."""
    await follow(store)
    await settle(store, change(2, ChangeKind.OUTCOME), over=True)
    await follow(store)
    snapshot = await store.subscribers.snapshot("T1", "e1")
    assert snapshot is not None
    assert snapshot.revision == 3


async def test_recovery_leaves_alone_what_was_put_back(store: Store) -> None:
    """`Retry-After` holds over a restart."""
    await follow(store)
    (claim,) = await lanes(store)
    await store.outbox.release(claim, wait=LATER)
    assert await store.recover() == 0
    assert await lanes(store) == []


async def test_what_a_newer_version_wrote_stops_nothing_else(store: Store, redis: Redis) -> None:
    """After going back to an older version: what it cannot read waits, all the rest goes on."""
    for execution_id in ("e1", "e2"):
        await follow(store, execution_id=execution_id)
    (key,) = redis.scan_iter("*snap:T1/e1")
    redis.set(str(key), '{"from": "the future"}')
    assert [item.execution for item in await due(store)] == ["T1/e2"]
    assert [claim.lane.execution_id for claim in await lanes(store)] == ["e2"]


async def test_a_dead_destination_is_forgotten_though_not_ending(store: Store) -> None:
    """There is nobody to tell a last word to."""
    await follow(store)
    (claim,) = await lanes(store)
    assert await store.outbox.forget(claim, reason="is_archived")
    assert await store.subscribers.find(ALICE, "e1") is None


async def test_a_dead_destination_leaves_a_letter(store: Store) -> None:
    """Who, why, whose, when, and what was not told."""
    await follow(store, ALICE, "e1")
    await settle(store, change(2), change(3, ChangeKind.OUTCOME))
    await follow(store, LAB, "e2")
    claims = await lanes(store)
    for claim in claims:
        assert await store.outbox.forget(claim, reason="is_archived")
    first, second = sorted(await store.outbox.dead_letters(), key=lambda letter: letter.lane)
    assert (first.lane, first.owner, first.reason, first.untold) == ("T1/e1/U1", "U1", "is_archived", 2)
    assert Change.model_validate_json(first.last) == change(3, ChangeKind.OUTCOME)
    assert (second.lane, second.untold, second.last) == ("T1/e2/C1", 0, "")
    assert first.at >= claims[0].now


async def test_dead_letters_are_bounded(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are kept, and none for ever."""
    monkeypatch.setattr(outbox, "LETTERS_KEPT", 2)
    for reason in ("first", "second", "third"):
        await follow(store)
        (claim,) = await lanes(store)
        await store.outbox.forget(claim, reason=reason)
    assert [letter.reason for letter in await store.outbox.dead_letters()] == ["third", "second"]
    (key,) = redis.scan_iter("*:dead")
    assert 0 < int(str(redis.ttl(str(key)))) <= 30 * 86_400


async def test_a_lane_that_is_not_told_stays_short(store: Store, redis: Redis) -> None:
    """Of more than 50 changes that wait, progress after the oldest goes first, then phases; ends never go."""
    await follow(store)
    await drained(store)
    kinds = [ChangeKind.PROGRESS, ChangeKind.PHASE, ChangeKind.REOPENED, ChangeKind.OUTCOME]
    for number in range(30):
        await settle(store, *(change(2 + number * 4 + place, kind) for place, kind in enumerate(kinds)))
    (key,) = redis.scan_iter("*:changes:*")
    rows = [str(row).partition("|") for row in redis.lrange(str(key), 0, -1)]
    assert [int(revision) for revision, _, _ in rows[:2]] == [2, 3]
    told = [Change.model_validate_json(row).kind for _, _, row in rows]
    assert [told.count(kind) for kind in kinds] == [1, 1, 30, 30]


async def test_a_long_silence_ends_in_one_line(store: Store) -> None:
    """Progress that waited says where the count came from and where it is; nothing in between is needed for that."""
    await follow(store)
    await drained(store)
    for revision in range(2, 102):
        counted = change(revision).model_copy(update={"finished_before": revision - 2, "finished": revision - 1})
        await settle(store, counted)
    await settle(store, change(102, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    lines = [item for item in claim.notification.changes if item.kind is ChangeKind.PROGRESS]
    assert (lines[0].finished_before, lines[-1].finished) == (0, 100)
    assert (len(lines), claim.notification.changes[-1].kind) == (49, ChangeKind.OUTCOME)


async def test_outcomes_are_claimed_first(store: Store) -> None:
    """A person's before a channel's, and both before whatever has been due for longer, in any partition."""
    for subscriber in (LAB, ALICE):
        await follow(store, subscriber, "e1")
    await drained(store)
    for number in range(40):
        await follow(store, LAB, f"other-{number}")
    for item in await due(store):
        changes = [change(2, ChangeKind.OUTCOME)] if item.execution == "T1/e1" else []
        await store.schedule.settle(item, item.snapshot, changes, next_look=LATER, is_visible=False)
    first, *_ = await store.outbox.ready()
    claims = await store.outbox.claim(first, 3)
    assert [str(claim.lane) for claim in claims[:2]] == ["T1/e1/U1", "T1/e1/C1"]


async def test_refreshing_asks_for_a_look_and_an_edit(store: Store) -> None:
    """The card is drawn anew even when nothing changed."""
    await follow(store)
    await drained(store)
    (item,) = await due(store)
    await store.schedule.settle(item, item.snapshot, [], next_look=LATER, is_visible=False)
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
    listed = await store.subscribers.of(ALICE)
    assert sorted(subscription.execution_id for subscription, _ in listed) == ["e1", "e3"]
    assert all(snapshot is not None for _, snapshot in listed)


async def test_an_execution_that_nobody_follows_is_not_looked_at(store: Store, redis: Redis) -> None:
    """A look that comes back after the last subscriber left writes nothing."""
    await follow(store)
    (item,) = await due(store)
    (claim,) = await lanes(store)
    await store.outbox.forget(claim, reason="is_archived")
    assert not await store.schedule.settle(item, snapshot_of("e1", 2), [], next_look=SOON, is_visible=False)
    assert left_over(redis) == []


async def test_everything_of_an_execution_lies_in_one_slot(store: Store, redis: Redis) -> None:
    """All keys but the index carry a partition's hash tag, or Redis Cluster could not run the scripts."""
    for _ in range(20):
        await follow(store, execution_id=str(uuid4()))
    await settle_all(store)
    keys = left_over(redis)
    assert keys
    assert all("{p" in key for key in keys)


async def settle_all(store: Store) -> None:
    """Settle every look with one change."""
    for item in await due(store):
        await store.schedule.settle(item, item.snapshot, [change(2)], next_look=LATER, is_visible=True)


async def test_an_uneventful_look_keeps_everything_but_the_time(store: Store) -> None:
    """The same prints again: no snapshot is written, and the card's next edit knows when GCS was asked last."""
    await follow(store)
    (item,) = await due(store)
    prints = ("state-01", "count-01", True)
    await store.schedule.settle(item, snapshot_of("e1"), [], next_look=SOON, is_visible=False, prints=prints)
    (again,) = await due(store)
    assert (again.header.state, again.header.counts, again.header.is_covered) == prints
    assert again.header.is_quiet
    await store.schedule.settle_unchanged(again, seen_at=NOW + LATER, next_look=SOON)
    (third,) = await due(store)
    assert third.snapshot == snapshot_of("e1").model_copy(update={"seen_at": NOW + LATER})
    assert (third.header.state, third.header.counts, third.header.is_covered) == prints


def left_over(redis: Redis, prefix: str = "") -> list[str]:
    """All keys but the index and dead letters, of one partition if its prefix is given."""
    return [key for key in map(str, redis.scan_iter(f"{prefix}*")) if ":of:" not in key and ":dead" not in key]
