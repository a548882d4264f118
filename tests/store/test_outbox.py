"""Promises of the outbox: lanes, receipts, sends in doubt, and order, against real servers."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from msgspec.structs import replace
from redis import Redis

from bot.domain.change import Change, ChangeKind
from bot.domain.snapshot import Receipt
from bot.store import Store
from bot.store.keys import PARTITIONS
from bot.store.outbox import RECENT
from tests.servers import expire_claims, let_time_pass
from tests.store.following import ALICE, LAB, LATER, SOON, change, deliver, drained, due, follow, lanes, settle


async def test_recorded_changes_are_not_delivered_again(store: Store) -> None:
    """A receipt takes the changes that it covers out of the lane, and leaves the newer ones."""
    await follow(store)
    await settle(store, change(2), change(3, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=1, delivered_through=2))
    await store.outbox.release(claim)
    (again,) = await lanes(store)
    assert [item.revision for item in again.notification.changes] == [3]
    assert again.notification.receipt == Receipt(channel="D1", ts="1.2", revision=1, delivered_through=2)


async def test_a_change_during_a_claim_follows_it(store: Store) -> None:
    """What is settled during a delivery waits: no second worker gets the lane, and nothing is lost."""
    await follow(store)
    (claim,) = await lanes(store)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert await lanes(store) == []
    await deliver(store, claim)
    (again,) = await lanes(store)
    assert [item.revision for item in again.notification.changes] == [2]


async def test_a_lost_claim_may_not_record(store: Store, redis: Redis) -> None:
    """A worker that slept through its lease learns that, and cannot overwrite the next one's receipt."""
    await follow(store)
    (slow,) = await lanes(store)
    expire_claims(redis)
    (quick,) = await lanes(store)
    receipt = Receipt(channel="D1", ts="1.2", revision=1)
    assert await store.outbox.record(quick, receipt)
    assert not await store.outbox.record(slow, receipt)


async def test_a_dead_workers_claim_is_in_doubt(store: Store, redis: Redis) -> None:
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
    """Putting a lane back after an unknown outcome hands the doubt to the next claim."""
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


async def test_a_change_wakes_a_waiting_lane(store: Store) -> None:
    """Not so one in doubt: what was sent may still be under way."""
    await follow(store, ALICE)
    await follow(store, LAB)
    for claim in await lanes(store):
        await store.outbox.release(claim, wait=LATER, in_doubt=claim.lane.subscriber_id == LAB.id)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert [claim.lane.subscriber_id for claim in await lanes(store)] == [ALICE.id]


async def test_the_last_receipt_gives_the_lane_back(store: Store) -> None:
    """A change since the claim makes it due again at once."""
    await follow(store)
    (claim,) = await lanes(store)
    await settle(store, change(2, ChangeKind.OUTCOME))
    assert await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=1), is_last=True)
    (again,) = await lanes(store)
    assert again.notification.receipt == Receipt(channel="D1", ts="1.2", revision=0)
    receipt = Receipt(channel="D1", ts="1.2", revision=2, delivered_through=2)
    assert await store.outbox.record(again, receipt, is_last=True)
    assert await lanes(store) == []
    assert not await store.outbox.record(again, receipt)


async def test_recovery_leaves_alone_what_was_put_back(store: Store) -> None:
    """`Retry-After` holds over a restart."""
    await follow(store)
    (claim,) = await lanes(store)
    await store.outbox.release(claim, wait=LATER)
    assert await store.recover() == 0
    assert await lanes(store) == []


async def test_an_undelivered_lane_stays_short(store: Store, redis: Redis) -> None:
    """Of more than 50 changes that wait, progress after the oldest goes first, then phases; ends never go."""
    await follow(store)
    await drained(store)
    kinds = [ChangeKind.PROGRESS, ChangeKind.PHASE, ChangeKind.REOPENED, ChangeKind.OUTCOME]
    for number in range(30):
        await settle(store, *(change(2 + number * 4 + place, kind) for place, kind in enumerate(kinds)))
    (key,) = redis.scan_iter("*:changes:*")
    rows = [str(row).partition("|") for row in redis.lrange(str(key), 0, -1)]
    assert [int(revision) for revision, _, _ in rows[:2]] == [2, 3]
    kept = [msgspec.json.decode(row, type=Change).kind for _, _, row in rows]
    assert [kept.count(kind) for kind in kinds] == [1, 1, 30, 30]


async def test_a_long_silence_ends_in_one_line(store: Store) -> None:
    """Progress that waited says where the count came from and where it is; nothing in between is needed for that."""
    await follow(store)
    await drained(store)
    for revision in range(2, 102):
        counted = replace(change(revision), finished_before=revision - 2, finished=revision - 1)
        await settle(store, counted)
    await settle(store, change(102, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    lines = [item for item in claim.notification.changes if item.kind is ChangeKind.PROGRESS]
    assert (lines[0].finished_before, lines[-1].finished) == (0, 100)
    assert (len(lines), claim.notification.changes[-1].kind) == (49, ChangeKind.OUTCOME)


async def test_what_was_due_before_can_be_left_alone(store: Store) -> None:
    """What is given back as due is claimed with all that is, and not with what has just become due."""
    for execution in ("e1", "e2"):
        await follow(store, ALICE, execution)
    for claim in await lanes(store):
        await store.outbox.release(claim, wait=-RECENT if claim.lane.execution_id == "e1" else timedelta(0))
    recent = await store.outbox.ready(is_recent=True)
    claims = [await store.outbox.claim(number, 9, is_recent=True) for number in range(PARTITIONS)]
    assert [claim.lane.execution_id for each in claims for claim in each] == ["e2"]
    assert (len(recent.partitions), recent.size) == (1, 2)
    assert [claim.lane.execution_id for claim in await lanes(store)] == ["e1"]


async def test_outcomes_are_claimed_first(store: Store) -> None:
    """A person's before a channel's, and both before whatever has been due for longer, in any partition.

    That is so again when they are given back for lack of an answer from the store.
    """
    for subscriber in (LAB, ALICE):
        await follow(store, subscriber, "e1")
    await drained(store)
    for number in range(40):
        await follow(store, LAB, f"other-{number}")
    for item in await due(store):
        changes = [change(2, ChangeKind.OUTCOME)] if item.execution == "gcs1/T1/e1" else []
        await store.schedule.settle(item, item.snapshot, changes, next_poll=LATER, is_visible=False)
    for _ in range(2):
        first, *_ = (await store.outbox.ready()).partitions
        claims = await store.outbox.claim(first, 3)
        assert [str(claim.lane) for claim in claims[:2]] == ["gcs1/T1/e1/U1", "gcs1/T1/e1/C1"]
        for claim in claims[:2]:
            await store.outbox.release(claim, wait=SOON)
