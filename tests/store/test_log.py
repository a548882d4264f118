"""The log of an execution: each change, and what became of it, written by the scripts that have it done."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from redis import Redis

from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Step
from bot.domain.fates import Fate, FateKind, Log, Seen, fates_of
from bot.domain.following import Level, Quiet, Subscriber
from bot.domain.snapshot import Receipt
from bot.store import Store
from bot.store.log.rows import Sent
from bot.store.outbox import Claim
from tests.servers import KEYS
from tests.store.following import ALICE, LAB, NOW, change, follow, lanes, settle

BOB = Subscriber(team_id="T1", id="U2")
CARD = Receipt(channel="D1", ts="1764510000.000100", revision=1)
OUTCOME = replace(change(9, ChangeKind.OUTCOME), phase="Succeeded")


async def log_of(store: Store, *whose: Subscriber) -> Log:
    """The log of `e1`."""
    return await store.logs.read("T1", "e1", whose or (ALICE,))


async def fates(store: Store, whose: Subscriber = ALICE) -> list[tuple[int, FateKind]]:
    """What became of each change."""
    return [(seen.revision, fate.kind) for seen, fate in await fully(store, whose)]


async def fully(store: Store, whose: Subscriber = ALICE) -> list[tuple[Seen, Fate]]:
    """The same with all that is known."""
    log = await log_of(store, whose)
    return fates_of(log, log.lanes[0])


async def claimed(store: Store, whose: Subscriber = ALICE) -> Claim:
    """The lane of a subscriber, without waiting for more to be delivered with it."""
    await store.subscribers.refresh(whose, "e1")
    (claim,) = await lanes(store)
    return claim


async def deliver(store: Store, through: int, ts: str, *, whose: Subscriber = ALICE, where: str = "t") -> None:
    """Send what one lane has pending, up to a revision."""
    claim = await claimed(store, whose)
    receipt = replace(claim.notification.receipt or CARD, delivered_through=through)
    assert await store.outbox.record(claim, receipt, sent=Sent(ts, is_in_thread=where == "t"))
    if not await store.outbox.forget(claim):
        await store.outbox.release(claim)


async def card(store: Store, whose: Subscriber = ALICE) -> None:
    """Post the card of a subscription."""
    for claim in await lanes(store):
        shown = CARD if claim.lane.subscriber_id == whose.id else replace(CARD, channel=claim.lane.subscriber_id)
        assert await store.outbox.record(claim, shown, is_last=True)


async def test_what_is_seen_is_delivered(store: Store) -> None:
    """Two changes in one message: the first was merged into the second, whose message is linked in its thread."""
    await follow(store)
    await card(store)
    await settle(store, change(2), change(3))
    assert await fates(store) == [(2, FateKind.WAITING), (3, FateKind.WAITING)]
    await deliver(store, 3, "1764510060.000200")
    (_, first), (_, second) = await fully(store)
    assert (first.kind, first.revision, first.ts) == (FateKind.MERGED, 3, second.ts)
    assert (second.kind, second.channel, second.ts) == (FateKind.SENT, "D1", "1764510060.000200")
    assert second.thread_ts == CARD.ts


async def test_one_poll_finds_several(store: Store) -> None:
    """They have one revision, and one message reports them."""
    await follow(store, level=Level.MILESTONES)
    await card(store)
    await settle(store, change(2, ChangeKind.PHASE), change(2))
    await deliver(store, 2, "1764510060.000200")
    assert await fates(store) == [(2, FateKind.SENT), (2, FateKind.BELOW)]


async def test_below_the_level_another_one_is_named(store: Store) -> None:
    """Each change knows the level that includes it, also after the subscriber has chosen another one."""
    await follow(store, level=Level.FINAL)
    await card(store)
    await settle(store, change(2), replace(change(3), total=195), change(4, ChangeKind.PHASE))
    await follow(store, level=Level.STEPS)
    await card(store)
    await settle(store, change(5))
    assert [(fate.kind, fate.level) for _, fate in await fully(store)] == [
        (FateKind.BELOW, Level.STEPS),
        (FateKind.BELOW, None),
        (FateKind.BELOW, Level.MILESTONES),
        (FateKind.WAITING, None),
    ]


async def test_each_reads_their_own(store: Store) -> None:
    """What became of a change for others is in no answer."""
    await follow(store, level=Level.FAILURES)
    await follow(store, LAB)
    await card(store)
    await settle(store, change(2))
    await deliver(store, 2, "1764510060.000200", whose=LAB)
    assert await fates(store) == [(2, FateKind.BELOW)]
    assert await fates(store, LAB) == [(2, FateKind.SENT)]
    assert await fates(store, BOB) == [(2, FateKind.NOT_FOLLOWED)]
    log = await log_of(store)
    assert [each for each in log.entries if not isinstance(each, Seen)] == []
    assert not (await log_of(store, BOB)).knows((await log_of(store, BOB)).lanes[0])


async def test_who_follows_later(store: Store) -> None:
    """What was seen before somebody followed was not delivered to them; nor what came after they had stopped."""
    await follow(store, LAB)
    await card(store, LAB)
    await settle(store, change(2))
    await follow(store)
    await settle(store, change(3))
    await store.subscribers.unsubscribe(ALICE, "e1")
    await settle(store, change(4))
    assert await fates(store) == [
        (2, FateKind.NOT_FOLLOWED),
        (3, FateKind.DROPPED),
        (4, FateKind.NOT_FOLLOWED),
    ]


async def test_it_ends_while_it_is_sent(store: Store) -> None:
    """What was on its way when somebody stopped is delivered; what came in between is not."""
    await follow(store)
    await card(store)
    await settle(store, change(2), change(3))
    claim = await claimed(store)
    await settle(store, change(4))
    await store.subscribers.unsubscribe(ALICE, "e1")
    receipt = replace(CARD, delivered_through=3)
    assert await store.outbox.record(claim, receipt, sent=Sent("1764510060.000200", is_in_thread=True))
    assert await fates(store) == [(2, FateKind.MERGED), (3, FateKind.SENT), (4, FateKind.DROPPED)]


async def test_it_outlives_the_subscription(store: Store, redis: Redis) -> None:
    """When all is delivered and forgotten, the log has where it was delivered, and expires."""
    await follow(store, level=Level.FINAL)
    await card(store)
    await settle(store, change(2), OUTCOME, over=True)
    await deliver(store, 9, "1764510060.000200", where="")
    log = await log_of(store)
    assert (log.lanes[0].subscription, log.lanes[0].receipt, log.snapshot) == (None, None, None)
    (_, below), (seen, fate) = await fully(store)
    assert (below.kind, seen.phase, fate.kind, fate.channel) == (FateKind.BELOW, "Succeeded", FateKind.SENT, "D1")
    assert (fate.ts, fate.thread_ts) == ("1764510060.000200", "")
    (key,) = redis.scan_iter("*:log:*")
    assert 0 < redis.pttl(key) <= timedelta(days=30).total_seconds() * 1000


async def test_what_waits_for_quiet(store: Store) -> None:
    """While muted it waits until then; delivered afterwards, it says that it waited."""
    await follow(store)
    await card(store)
    until = NOW.replace(year=2100)
    await store.subscribers.mute(ALICE, "e1", Quiet(until=until))
    await card(store)
    await settle(store, change(2))
    ((_, fate),) = await fully(store)
    assert (fate.kind, fate.quiet and (fate.quiet.is_mute, fate.quiet.until)) == (FateKind.QUIET, (True, until))
    await store.subscribers.mute(ALICE, "e1", None)
    await deliver(store, 2, "1764510060.000200")
    ((_, fate),) = await fully(store)
    assert (fate.kind, fate.quiet and fate.quiet.is_mute) == (FateKind.SENT, True)


async def test_what_slack_refuses(store: Store) -> None:
    """The reason is kept once until Slack takes it, and at the end for good."""
    await follow(store)
    await card(store)
    await settle(store, change(2))
    for _ in range(3):
        claim = await claimed(store)
        await store.outbox.release(claim, wait=timedelta(0), code="not_in_channel")
    ((_, fate),) = await fully(store)
    assert (fate.kind, fate.code, fate.next_at is not None) == (FateKind.REFUSED, "not_in_channel", True)
    assert len((await log_of(store)).entries) == 2
    claim = await claimed(store)
    assert await store.outbox.forget(claim, reason="is_archived")
    ((_, fate),) = await fully(store)
    assert (fate.kind, fate.code) == (FateKind.GIVEN_UP, "is_archived")


async def test_a_resurrected_lane_is_delivered(store: Store) -> None:
    """What was given up comes after all, and says so; who follows it again instead never gets what was given up."""
    await follow(store)
    await card(store)
    await settle(store, change(2))
    claim = await claimed(store)
    await store.outbox.forget(claim, reason="is_archived")
    ((row, _),) = await store.outbox.letters.rows()
    assert await store.outbox.letters.resurrect(row)
    assert await fates(store) == [(2, FateKind.WAITING)]
    await deliver(store, 2, "1764510060.000200")
    assert await fates(store) == [(2, FateKind.SENT)]


async def test_a_send_in_doubt(store: Store) -> None:
    """After a crash between sending and recording the log claims neither; what is found is delivered once."""
    await follow(store)
    await card(store)
    await settle(store, change(2))
    claim = await claimed(store)
    await store.outbox.release(claim, wait=timedelta(0), in_doubt=True)
    assert await fates(store) == [(2, FateKind.IN_DOUBT)]
    (claim,) = await lanes(store)
    receipt, sent = replace(CARD, delivered_through=2), Sent("1764510060.000200", is_in_thread=True)
    for _ in range(2):  # the reply to the first was lost
        assert await store.outbox.record(claim, receipt, sent=sent)
    assert await fates(store) == [(2, FateKind.SENT)]
    assert len((await log_of(store)).entries) == 2


async def test_a_card_posted_again(store: Store) -> None:
    """Messages stay in the thread of the card that they were posted below."""
    await follow(store)
    await card(store)
    await settle(store, change(2))
    await deliver(store, 2, "1764510060.000200")
    claim = await claimed(store)
    newer = replace(CARD, ts="1764510070.000300", delivered_through=2)
    assert await store.outbox.record(claim, newer, is_last=True)
    await settle(store, change(3))
    await deliver(store, 3, "1764510080.000400")
    assert [fate.thread_ts for _, fate in await fully(store)] == [CARD.ts, newer.ts]


async def test_progress_below_all_levels_is_one_row(store: Store) -> None:
    """What no level includes takes one row, with how often and since when."""
    await follow(store, level=Level.MILESTONES)
    await card(store)
    for revision in range(2, 7):
        await settle(
            store, replace(change(revision), finished=revision, total=20, at=NOW + timedelta(minutes=revision))
        )
    (entry,) = (await log_of(store)).entries
    assert isinstance(entry, Seen)
    assert (entry.times, entry.finished, entry.revision) == (5, 6, 6)
    assert (entry.since, entry.at) == (NOW + timedelta(minutes=2), NOW + timedelta(minutes=6))
    await follow(store, level=Level.STEPS)
    await card(store)
    await settle(store, change(7))
    assert await fates(store) == [(6, FateKind.BELOW), (7, FateKind.WAITING)]


async def test_it_stays_short(store: Store, redis: Redis) -> None:
    """Of many changes the small ones go first, then the oldest; how many is known."""
    await follow(store, level=Level.STEPS)
    await card(store)
    failed = Step(name="a|b\nc" * 20, phase="Failed")
    first = Change(
        kind=ChangeKind.STEP_FAILED, revision=2, at=NOW, newly_failed=(failed,), newly_failed_total=3, is_alert=True
    )
    await settle(store, first, *[change(revision) for revision in range(3, 503)])
    log = await log_of(store)
    (key,) = redis.scan_iter("*:log:*")
    seen = [each for each in log.entries if isinstance(each, Seen)]
    assert redis.llen(key) == 200
    assert (len(seen), log.dropped) == (199, 302)
    assert (seen[0].kind, seen[0].failed, len(seen[0].step)) == (ChangeKind.STEP_FAILED, 3, 40)
    assert seen[-1].revision == 502


async def test_a_person_is_forgotten(store: Store) -> None:
    """Nothing of theirs is left, also where they do not follow any more; what others read stays."""
    await follow(store, LAB)
    await card(store, LAB)
    await settle(store, change(2))
    await deliver(store, 2, "1764510060.000200", whose=LAB)
    await follow(store)
    await store.subscribers.unsubscribe(ALICE, "e1")
    for claim in await lanes(store):
        await store.outbox.forget(claim)
    log = await log_of(store)
    assert log.knows(log.lanes[0])
    await store.people.forget("U1")
    log = await log_of(store)
    assert not log.knows(log.lanes[0])
    assert await fates(store, LAB) == [(2, FateKind.SENT)]


async def test_rows_of_another_version(store: Store, redis: Redis) -> None:
    """Fields and rows that this version does not know are left out; damaged ones hide no others."""
    await follow(store)
    await card(store)
    await settle(store, change(2))
    (key,) = redis.scan_iter("*:log:*")
    redis.rpush(key, "zU1|new", "c3|t6kv40|3|novel|x|1|9|more", "c4|?|3|phase", "sU1|3|1.5|m|more")
    log = await log_of(store)
    assert [each.kind.value for each in log.entries] == ["progress", "progress", "sent"]
    assert str(key).startswith(KEYS.partition(0)[:5])


async def test_executions_of_the_version_before(store: Store, redis: Redis) -> None:
    """They have no log: what is pending is delivered as ever, and the log begins with the next change."""
    await follow(store)
    await card(store)
    await settle(store, change(2))
    redis.delete(*redis.scan_iter("*:log:*"))
    await deliver(store, 2, "1764510060.000200")
    assert await fates(store) == []
    await settle(store, change(3))
    assert await fates(store) == [(3, FateKind.WAITING)]
