"""Promises of quiet times: what is muted costs nothing, is not lost, and comes when that ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import time

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.change import Change, ChangeKind
from bot.domain.execution import FAILED_PHASES
from bot.domain.following import Quiet, Subscriber
from bot.domain.snapshot import Receipt
from bot.store import Store
from bot.store.outbox import Claim
from tests.servers import ACCOUNT, expire_claims, let_quiet_end
from tests.store.following import ALICE, LAB, change, deliver, drained, follow, lanes, settle

FOR_HOURS = Quiet(until=datetime.now(UTC) + timedelta(hours=5))
UNTIL_IT_ENDS = Quiet()
ALERT = replace(change(2, ChangeKind.STEP_FAILED), is_alert=True, newly_failed_total=1)


async def muted(store: Store, quiet: Quiet, subscriber: Subscriber = ALICE) -> None:
    """Follow, have the card posted, mute, and have the card edited for that."""
    await follow(store, subscriber)
    await drained(store)
    done, _ = await store.subscribers.mute(subscriber, "e1", quiet)
    assert done
    (claim,) = await lanes(store)
    assert claim.is_quiet
    await deliver(store, claim)


def scheduled(redis: Redis, subscriber: Subscriber = ALICE) -> list[float]:
    """In how many seconds the lane is claimed; empty for never."""
    lane = f"{ACCOUNT}/T1/e1/{subscriber.id}"
    scores = [redis.zscore(str(key), lane) for key in redis.scan_iter("*:outbox:*")]
    return [float(str(score)) / 1000 - time() for score in scores if score is not None]


async def only(store: Store) -> Claim:
    """The one lane that is due."""
    (claim,) = await lanes(store)
    return claim


async def test_a_muted_lane_is_not_claimed(store: Store, redis: Redis) -> None:
    """Changes and an end pile up; the lane waits for the end of the mute, where everything comes at once."""
    await muted(store, FOR_HOURS)
    await settle(store, change(2), change(3, ChangeKind.SLOW))
    await settle(store, change(4, ChangeKind.OUTCOME))
    assert await lanes(store) == []
    (wait,) = scheduled(redis)
    assert 15_000 < wait < 18_001
    let_quiet_end(redis)
    claim = await only(store)
    assert not claim.is_quiet
    assert [each.revision for each in claim.notification.changes] == [2, 3, 4]


async def test_until_it_ends_is_in_no_set(store: Store, redis: Redis) -> None:
    """Such a lane is claimed by the end alone, which also ends the mute."""
    await muted(store, UNTIL_IT_ENDS)
    await settle(store, change(2, ChangeKind.SLOW))
    assert (await lanes(store), scheduled(redis)) == ([], [])
    await settle(store, replace(change(3, ChangeKind.OUTCOME), phase="Succeeded"))
    claim = await only(store)
    assert [each.revision for each in claim.notification.changes] == [2, 3]
    assert not claim.is_quiet
    await deliver(store, claim)
    await settle(store, change(4, ChangeKind.REOPENED))
    assert (await only(store)).notification.changes[0].revision == 4


async def test_an_end_below_the_level_unmutes(store: Store) -> None:
    """The level leaves the end out: nothing is delivered, and nothing is muted any more."""
    await muted(store, UNTIL_IT_ENDS)
    await settle(store, over=True)
    claim = await only(store)
    assert claim.notification.subscription.is_ending
    assert not claim.is_quiet


@pytest.mark.parametrize("until", [FOR_HOURS.until, None])
@pytest.mark.parametrize(
    "failure", [ALERT, *(replace(change(2, ChangeKind.OUTCOME), phase=phase) for phase in sorted(FAILED_PHASES))]
)
async def test_failures_break_a_mute(store: Store, until: datetime | None, failure: Change) -> None:
    """Steps that are announced, and the run's own; with them comes what was waiting."""
    await muted(store, Quiet(until=until))
    await settle(store, change(2))
    await settle(store, replace(failure, revision=3))
    claim = await only(store)
    assert [each.revision for each in claim.notification.changes] == [2, 3]
    assert not claim.is_quiet


@pytest.mark.parametrize(
    "other",
    [
        replace(ALERT, is_alert=False),
        replace(change(2, ChangeKind.OUTCOME), phase="Succeeded"),
        change(2, ChangeKind.SLOW),
    ],
)
async def test_nothing_else_breaks_a_mute(store: Store, other: Change) -> None:
    """A success, a slow run, and the next failures of a burst wait."""
    await muted(store, FOR_HOURS)
    await settle(store, other)
    assert await lanes(store) == []


async def test_failures_wait_where_that_was_chosen(store: Store, redis: Redis) -> None:
    """Nothing breaks such a mute, and nothing is lost."""
    await muted(store, replace(FOR_HOURS, holds_failures=True))
    await settle(store, ALERT)
    assert await lanes(store) == []
    let_quiet_end(redis)
    assert [each.revision for each in (await only(store)).notification.changes] == [2]


async def test_quiet_comes_back_after_a_failure(store: Store, redis: Redis) -> None:
    """What happens during its delivery, and afterwards, waits again."""
    await muted(store, FOR_HOURS)
    await settle(store, ALERT)
    claim = await only(store)
    await settle(store, change(3, ChangeKind.SLOW))
    through = claim.notification.changes[-1].revision
    await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=2, delivered_through=through))
    await store.outbox.release(claim)
    again = await only(store)  # it came while the failure was in the lane: its card is edited
    assert again.is_quiet
    await store.outbox.release(again)
    await settle(store, change(4, ChangeKind.SLOW))
    assert await lanes(store) == []
    assert scheduled(redis)[0] > 15_000


async def test_unmuting_brings_all_at_once(store: Store, redis: Redis) -> None:
    """Also where the execution has ended meanwhile; a second time there is nothing to end."""
    await muted(store, replace(UNTIL_IT_ENDS, until=FOR_HOURS.until))
    await settle(store, change(2), over=True)
    assert await lanes(store) == []
    assert await store.subscribers.mute(ALICE, "e1", None) == (True, True)
    claim = await only(store)
    assert [each.revision for each in claim.notification.changes] == [2]
    assert await store.subscribers.mute(ALICE, "e1", None) == (False, True)
    await deliver(store, claim)
    assert await store.subscribers.mute(ALICE, "e1", None) == (None, True)
    assert list(redis.scan_iter("*:claims")) == []


async def test_what_has_ended_cannot_be_muted(store: Store) -> None:
    """Nor what is not followed."""
    assert (await store.subscribers.mute(ALICE, "e1", FOR_HOURS))[0] is None
    await follow(store)
    await drained(store)
    await settle(store, over=True)
    assert (await store.subscribers.mute(ALICE, "e1", FOR_HOURS))[0] is None


async def test_a_mute_edits_the_card_twice(store: Store, redis: Redis) -> None:
    """When it begins and when it is over, though nothing happened in between."""
    await muted(store, FOR_HOURS)
    let_quiet_end(redis)
    claim = await only(store)
    receipt = claim.notification.receipt
    assert receipt is not None
    assert receipt.revision < claim.notification.snapshot.revision


async def test_a_wish_is_served_while_muted(store: Store, redis: Redis) -> None:
    """Somebody presses Refresh, or chooses another level: the card is edited, and nothing is sent."""
    await muted(store, FOR_HOURS)
    await settle(store, change(2, ChangeKind.SLOW))
    assert await store.subscribers.refresh(ALICE, "e1")
    claim = await only(store)
    assert claim.is_quiet
    await store.outbox.release(claim)
    assert await lanes(store) == []
    assert scheduled(redis)[0] > 15_000


async def test_a_level_leaves_the_mute(store: Store) -> None:
    """To follow again what has ended does not."""
    await muted(store, FOR_HOURS)
    await follow(store)
    claim = await only(store)
    assert claim.is_quiet
    assert claim.notification.subscription.muted is not None
    await store.outbox.release(claim)
    await settle(store, change(2), over=True)
    await follow(store)
    assert not (await only(store)).is_quiet


async def test_a_channel_reads_who_muted_it(store: Store) -> None:
    """The notice is delivered, then the mute holds, and the next notice of it comes as well."""
    await follow(store, LAB)
    await drained(store)
    notice = Change(kind=ChangeKind.MUTED, revision=0, at=datetime.now(UTC), by="U1")
    for again in (FOR_HOURS, UNTIL_IT_ENDS):
        await store.subscribers.mute(LAB, "e1", again, notice=notice)
        claim = await only(store)
        assert claim.notification.changes[0].kind is ChangeKind.MUTED
        assert not claim.is_quiet
        revision = claim.notification.snapshot.revision
        receipt = Receipt(channel="C1", ts="1.2", revision=revision, delivered_through=revision)
        await store.outbox.record(claim, receipt, notices=1)
        await store.outbox.release(claim)
        await settle(store, change(revision + 1, ChangeKind.SLOW))
        assert await lanes(store) == []


async def test_a_repeated_mute_has_one_notice(store: Store) -> None:
    """The store may run a script twice whose answer was lost."""
    await follow(store, LAB)
    await drained(store)
    notice = Change(kind=ChangeKind.MUTED, revision=0, at=datetime.now(UTC), by="U1")
    for _ in range(2):
        assert (await store.subscribers.mute(LAB, "e1", FOR_HOURS, notice=notice))[0]
    assert len((await only(store)).notification.changes) == 1


async def test_a_dead_worker_leaves_a_mute(store: Store, redis: Redis) -> None:
    """The next one has the doubt, and gives the lane back for the end of the mute."""
    await muted(store, FOR_HOURS)
    await settle(store, ALERT)
    await only(store)
    await settle(store, change(3, ChangeKind.SLOW))
    expire_claims(redis)
    claim = await only(store)
    assert claim.in_doubt_since is not None
    await deliver(store, claim)
    assert await lanes(store) == []


async def test_stopping_ends_a_mute(store: Store) -> None:
    """The card says at once that nothing is followed any more."""
    await muted(store, FOR_HOURS)
    await settle(store, change(2))
    await store.subscribers.unsubscribe(ALICE, "e1")
    claim = await only(store)
    assert not claim.is_quiet
    assert claim.notification.changes == ()


async def test_what_is_muted_is_no_backlog(store: Store) -> None:
    """Nobody is alarmed because somebody wants quiet."""
    await muted(store, FOR_HOURS)
    await settle(store, replace(change(2, ChangeKind.OUTCOME), phase="Succeeded"))
    assert set((await store.inspection.backlog()).ages) == {timedelta(0)}


def tonight(begins: int, *, hours: int = 5) -> Quiet:
    """Quiet hours that begin so many hours from now, by the second."""
    since = (datetime.now(UTC) + timedelta(hours=begins)).replace(microsecond=0)
    return Quiet(since=since, until=since + timedelta(hours=hours))


async def test_quiet_hours_hold_from_their_beginning(store: Store, redis: Redis) -> None:
    """They are written before; a lane waits for their end, and channels know none."""
    await follow(store)
    await follow(store, LAB)
    await drained(store)
    assert await store.subscribers.keep_hours(ALICE, tonight(1)) == 1
    await settle(store, change(2, ChangeKind.SLOW))
    for claim in await lanes(store):
        assert not claim.is_quiet
        await deliver(store, claim)
    assert await store.subscribers.keep_hours(ALICE, tonight(-1)) == 1
    assert await store.subscribers.keep_hours(ALICE, tonight(-1)) == 0
    await settle(store, change(3, ChangeKind.SLOW))
    assert (await only(store)).lane.subscriber_id == "C1"
    assert 14_000 < scheduled(redis)[0] < 14_401


@pytest.mark.parametrize("then", [None, tonight(3)])
async def test_other_hours_hold_at_once(store: Store, then: Quiet | None) -> None:
    """None at all, or later ones: what was waiting comes, and counts as late from now on."""
    await follow(store)
    await drained(store)
    await store.subscribers.keep_hours(ALICE, tonight(-1))
    await settle(store, change(2, ChangeKind.SLOW))
    assert await lanes(store) == []
    assert await store.subscribers.keep_hours(ALICE, then) == 1
    claim = await only(store)
    assert not claim.is_quiet
    if then is None:
        ended = claim.notification.subscription.quiet_ended_at(claim.now + timedelta(seconds=1))
        assert ended is not None
        assert claim.now - ended < timedelta(minutes=5)


async def test_the_longer_quiet_holds(store: Store, redis: Redis) -> None:
    """A mute in quiet hours, and quiet hours in a mute until the end."""
    await muted(store, Quiet(until=datetime.now(UTC) + timedelta(hours=2)))
    await store.subscribers.keep_hours(ALICE, tonight(-1))
    await settle(store, change(2, ChangeKind.SLOW))
    assert 14_000 < scheduled(redis)[0] < 14_401
    await store.subscribers.mute(ALICE, "e1", UNTIL_IT_ENDS)
    claim = await only(store)
    await store.outbox.release(claim)
    assert scheduled(redis) == []
    await settle(store, replace(change(3, ChangeKind.OUTCOME), phase="Succeeded"))
    assert await lanes(store) == []
    assert 14_000 < scheduled(redis)[0] < 14_401


async def test_failures_break_quiet_hours(store: Store) -> None:
    """Unless the person wants not even those."""
    await follow(store)
    await drained(store)
    await store.subscribers.keep_hours(ALICE, replace(tonight(-1), holds_failures=True))
    await settle(store, ALERT)
    assert await lanes(store) == []
    await store.subscribers.keep_hours(ALICE, tonight(-1))
    assert not (await only(store)).is_quiet


async def test_a_new_card_comes_in_quiet_hours(store: Store) -> None:
    """Its person waits for it; what happens afterwards waits."""
    await follow(store)
    await store.subscribers.keep_hours(ALICE, tonight(-1))
    claim = await only(store)
    assert claim.is_quiet
    assert claim.notification.receipt is None
    await deliver(store, claim)
    await settle(store, change(2, ChangeKind.SLOW))
    assert await lanes(store) == []
