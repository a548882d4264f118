"""What the store holds of rules: each change is kept, each execution is followed once, each message is said once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.change import ChangeKind
from bot.domain.following import Level, Quiet, RuleNews, RuleNewsKind, Subscriber
from bot.domain.quiet import QuietHours
from bot.domain.search import Match
from bot.errors import TooManyRules
from bot.store import Store
from bot.store.keys import lane_of
from bot.store.rules import MOST_RULES, Enlisted
from bot.store.subscriptions.index import SUBSCRIBING_FOR
from bot.store.transfer import Imported
from tests.servers import ACCOUNT, KEYS, OWNER, StillClock, age_places
from tests.store.following import (
    ALICE,
    LAB,
    LATER,
    change,
    deliver,
    drained,
    due,
    follow,
    lanes,
    rule_of,
    settle,
    snapshot_of,
)

NOW = datetime.now(UTC)


async def enlist(
    store: Store, execution_id: str = "e1", *, level: Level = Level.FAILURES, created: timedelta = LATER / 60
) -> Enlisted:
    """A lab's rule finds an execution that was created so long ago."""
    await store.rules.put(rule_of(LAB), level=level)
    match = Match(execution_id, workflow_name="germline-wgs", created_at=NOW - created)
    wanted = {LAB: [rule_of(LAB, level=level)]}
    return (await store.enlisting.enlist(wanted, match, now=NOW, floor=NOW - LATER))[LAB]


async def test_a_run_of_a_quiet_person_waits(store: Store) -> None:
    """It is followed in their quiet hours, too; its card comes when these are over."""
    rule = rule_of(ALICE, level=Level.MILESTONES)
    await store.rules.put(rule, level=None)
    await store.quiet_hours.choose("T1", "U1", QuietHours(begins=time(0), ends=time(0), zone="UTC"))
    match = Match("e1", workflow_name="germline-wgs", created_at=NOW)
    for expected in (Enlisted.MADE, Enlisted.SEEN):
        done = await store.enlisting.enlist({ALICE: [rule]}, match, now=NOW, floor=NOW - LATER)
        assert done == {ALICE: expected}
    assert await lanes(store) == []
    assert (await store.outbox.ready()).size == 1


async def levels(store: Store, subscriber: Subscriber = LAB) -> dict[str, tuple[Level, Level | None]]:
    """Execution → the level of its subscription, and the one that was chosen."""
    items = (await store.subscribers.of(subscriber)).items
    return {each.execution_id: (each.level, each.own_level) for each, _ in items}


async def test_places_follow_it_together(store: Store) -> None:
    """Each in its own way: once, and not where the rule has ended meanwhile."""
    wanted = {each: [rule_of(each, level=Level.FINAL)] for each in (LAB, ALICE)}
    for (rule,) in wanted.values():
        await store.rules.put(rule, level=None)
    await store.rules.end(ALICE, rule_of(ALICE).id, by="U1")
    match = Match("e1", workflow_name="germline-wgs", created_at=NOW)
    done = await store.enlisting.enlist(wanted, match, now=NOW, floor=NOW - LATER)
    assert done == dict.fromkeys(wanted, Enlisted.MADE)
    assert (await levels(store, LAB), await levels(store, ALICE)) == ({"e1": (Level.FINAL, None)}, {})
    again = await store.enlisting.enlist(wanted, match, now=NOW, floor=NOW - LATER)
    assert again[LAB] is Enlisted.SEEN


async def test_rules_are_read_as_written(store: Store) -> None:
    """Those of one subscriber, and of all."""
    mine, theirs = rule_of(ALICE), rule_of(LAB)
    assert (await store.rules.put(mine, level=None))[:2] == (mine, None)
    await store.rules.put(theirs, level=Level.STEPS)
    assert await store.rules.of(ALICE) == (mine,)
    assert {rule.id for rule in (await store.rules.read()).rules} == {mine.id, theirs.id}


async def test_no_change_of_a_rule_is_lost(store: Store) -> None:
    """Many at once: each sees what the one before it wrote."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    others = [
        store.rules.change(LAB, rule.id, lambda known: replace(known, times_full=known.times_full + 1))
        for _ in range(20)
    ]
    await asyncio.gather(*others)
    assert (await store.rules.of(LAB))[0].times_full == 20


async def test_one_more_rule_is_refused(store: Store) -> None:
    """Counted where it is written, so that two at once are not one too many."""
    made = [store.rules.put(rule_of(LAB, f"w{number}"), level=None) for number in range(MOST_RULES + 5)]
    results = await asyncio.gather(*made, return_exceptions=True)
    assert sum(isinstance(each, TooManyRules) for each in results) == 5
    assert len(await store.rules.of(LAB)) == MOST_RULES


async def test_a_rule_is_ended_once(store: Store) -> None:
    """Of two who end it at once, one has ended it; the same rule can be made again."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    ended = await asyncio.gather(*(store.rules.end(LAB, rule.id, by=f"U{number}") for number in range(2)))
    assert sum(each is not None for each, _ in ended) == 1
    again, was, _ = await store.rules.put(rule_of(LAB), level=None)
    assert (was, again.ended_by) == (None, None)
    await store.rules.delete(again)
    assert await store.rules.of(LAB) == (again,), "only one that has ended is deleted"


async def test_places_are_counted_for_each_rule(store: Store, redis: Redis) -> None:
    """However many scan at once; a place is kept for who has it."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    taken = await asyncio.gather(*(store.rules.take_places([rule], f"e{number}", most=3) for number in range(9)))
    assert sum(bool(each) for each in taken) == 3
    (kept, *_) = await store.rules.places(rule)
    assert await store.rules.take_places([rule], kept, most=3) == [rule]
    assert await store.enlisting.tidy(rule) == 0, "nobody follows them"
    assert len(await store.rules.places(rule)) == 3, "somebody may be about to"
    age_places(redis, rule)
    assert await store.rules.take_places([rule], kept, most=3) == [rule]
    await store.enlisting.tidy(rule)
    assert set(await store.rules.places(rule)) == {kept}, "it was found again"
    assert await store.rules.take_places([rule], "e7", most=3) == [rule]
    assert await store.rules.take_places([rule_of(ALICE)], "e7", most=3) == [], "it is gone"


async def test_a_place_says_what_is_followed(store: Store, redis: Redis) -> None:
    """What only a rule follows has no entry of its own, and is found by all who ask; its place goes with it."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    await enlist(store, "e1", level=Level.STEPS)
    await follow(store, LAB, "e2")
    assert redis.zrange(KEYS.executions_of(ACCOUNT, "T1", LAB.id), 0, -1) == ["e2"]
    assert set(await levels(store)) == {"e1", "e2"}
    assert await store.subscribers.that_follow("T1", [ALICE.id, LAB.id]) == [LAB.id]
    hours = Quiet(since=NOW, until=NOW + LATER)
    assert await store.subscribers.keep_hours(LAB, hours) == 2
    before = await store.boards.version(LAB)
    await store.subscribers.unsubscribe(LAB, "e1")
    assert await store.rules.places(rule) == {}
    assert await store.boards.version(LAB) != before
    await store.subscribers.unsubscribe(LAB, "e2")
    assert await store.subscribers.that_follow("T1", [ALICE.id, LAB.id]) == []


async def test_a_copy_that_dies_leaves_no_gap(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has followed something for a rule, and another copy has just looked after the rule's places."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    await store.rules.take_places([rule], "e1", most=9)
    await store.enlisting.tidy(rule)
    assert (await store.subscribers.of(LAB)).items == ()
    monkeypatch.setattr(store.rules, "alive", AsyncMock(side_effect=ConnectionError("died here")))
    with pytest.raises(ConnectionError):
        await enlist(store)
    assert set(await levels(store)) == {"e1"}


@pytest.mark.parametrize("behind", [timedelta(hours=-1), timedelta(hours=1)])
async def test_a_machine_may_have_another_clock(store: Store, behind: timedelta) -> None:
    """The store's clock says which places are a minute old: a fast one would leave them while somebody takes them."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    with StillClock.standing() as clock:
        clock.passes(behind.total_seconds())
        await store.rules.take_places([rule], "e1", most=9)
        await store.enlisting.tidy(rule)
        assert (await store.subscribers.of(LAB)).items == ()
        assert set(await store.rules.places(rule)) == {"e1"}
        clock.passes(2 * SUBSCRIBING_FOR.total_seconds())
        await store.enlisting.tidy(rule)
        assert await store.rules.places(rule) == {}


async def test_a_place_is_taken_again(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy stood still for a long time before it followed something, and its place was left meanwhile."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    await store.rules.take_places([rule], "e1", most=9)
    run = store.enlisting._run

    async def late(*args: Any, **more: Any) -> Any:
        age_places(redis, rule)
        await store.subscribers.of(LAB)
        assert await store.rules.places(rule) == {}
        return await run(*args, **more)

    monkeypatch.setattr(store.enlisting, "_run", late)
    await enlist(store)
    assert set(await levels(store)) == {"e1"}


async def test_a_rule_waits_for_what_begins(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends while a copy is about to follow something for it, which dies then: that is found, and ended as well."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    await store.rules.take_places([rule], "e1", most=9)
    ended, _ = await store.rules.end(LAB, rule.id, by="U1")
    assert ended is not None
    assert await store.enlisting.finish(ended) == 0
    monkeypatch.setattr(store.rules, "alive", AsyncMock(side_effect=ConnectionError("died here")))
    match = Match("e1", workflow_name="germline-wgs", created_at=NOW)
    with pytest.raises(ConnectionError):
        await store.enlisting.enlist({LAB: [rule]}, match, now=NOW, floor=NOW - LATER)
    assert set(await levels(store)) == {"e1"}
    assert (await store.rules.read()).rules == (ended,)
    assert await store.enlisting.finish(ended) == 1
    age_places(redis, rule)
    await store.enlisting.finish(ended)
    assert (await levels(store), (await store.rules.read()).rules) == ({}, ())


async def test_one_copy_scans_at_a_time(store: Store) -> None:
    """And what was scanned is never forgotten."""
    assert [await store.rules.begin_scan(every=LATER) for _ in range(2)] == [True, False]
    latest = datetime.now(UTC)
    for moment in (latest, NOW - timedelta(minutes=5)):
        await store.rules.end_scan(moment)
    assert abs((await store.rules.read()).through - latest) < timedelta(milliseconds=1)


async def test_an_execution_is_enlisted_once(store: Store) -> None:
    """By many at once, after it was stopped by hand, and after it is over."""
    done = await asyncio.gather(*(enlist(store, level=Level.STEPS) for _ in range(5)))
    assert sorted(done) == [Enlisted.MADE, *[Enlisted.SEEN] * 4]
    await store.subscribers.unsubscribe(LAB, "e1")
    assert await enlist(store) is Enlisted.SEEN
    for claim in await lanes(store):
        await deliver(store, claim)
    assert await enlist(store) is Enlisted.SEEN
    assert await levels(store) == {}


async def test_what_is_too_old_is_left_alone(store: Store, redis: Redis) -> None:
    """It was scanned before; and what cannot be found any more is not remembered."""
    assert await enlist(store, created=LATER * 2) is Enlisted.OLD
    await enlist(store, "young")
    assert await levels(store) == {"young": (Level.FAILURES, None)}
    await store.subscribers.unsubscribe(LAB, "young")
    await drained(store)
    (key,) = map(str, redis.scan_iter("*:passed"))
    now = datetime.now(UTC)
    for name, floor, left in (("U7", now, 1), ("U8", now + LATER * 13, 0)):
        match, person = Match("young", created_at=now + LATER * 14), Subscriber(team_id="T1", id=name)
        await store.enlisting.enlist({person: [rule_of(person)]}, match, now=now, floor=floor)
        assert redis.zcard(key) == left


async def test_a_dead_destination_is_not_found_again(store: Store) -> None:
    """What a rule found is given up: it would be found, and given up, with each scan."""
    await enlist(store, level=Level.STEPS)
    await settle(store, change(2, ChangeKind.OUTCOME))
    (claim,) = await lanes(store)
    assert await store.outbox.forget(claim, reason="is_archived")
    assert await enlist(store) is Enlisted.SEEN


async def test_an_enlisted_execution_is_polled_at_once(store: Store) -> None:
    """From before it ran, whatever the list shows."""
    await enlist(store)
    (item,) = await due(store)
    assert (item.snapshot.execution.phase, item.snapshot.execution.workflow_name) == ("Pending", "germline-wgs")


async def test_a_silent_subscription_wakes_for_what_it_includes(store: Store) -> None:
    """Progress does not deliver its lane; a failure does, with a card."""
    await enlist(store)
    assert await lanes(store) == []
    await settle(store, change(2))
    assert await lanes(store) == []
    failed = replace(change(3, ChangeKind.OUTCOME), phase="Failed")
    await settle(store, failed)
    (claim,) = await lanes(store)
    assert [each.kind for each in claim.notification.changes] == [ChangeKind.OUTCOME]


async def test_a_late_rule_reports_a_known_end(store: Store) -> None:
    """Somebody else follows the run, which has failed: the rule's place reads it, too."""
    await follow(store, ALICE)
    (item,) = await due(store)
    failed = replace(snapshot_of("e1", 2), execution=replace(snapshot_of("e1").execution, phase="Failed"))
    await store.schedule.settle(item, failed, [], next_poll=LATER, is_visible=True)
    assert await enlist(store) is Enlisted.MADE
    (claim,) = [claim for claim in await lanes(store) if claim.lane.subscriber_id == LAB.id]
    (known,) = claim.notification.changes
    assert (known.kind, known.phase, known.revision) == (ChangeKind.OUTCOME, "Failed", 2)


async def test_the_louder_level_counts(store: Store) -> None:
    """A rule raises what was chosen, and never lowers it; its end leaves the choice."""
    await follow(store, LAB, "quiet", Level.FAILURES)
    await follow(store, LAB, "loud", Level.STEPS)
    assert await enlist(store, "quiet", level=Level.FINAL) is Enlisted.LOUDER
    assert await enlist(store, "loud", level=Level.FINAL) is Enlisted.KEPT
    assert await levels(store) == {
        "quiet": (Level.FINAL, Level.FAILURES),
        "loud": (Level.STEPS, Level.STEPS),
    }
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    await store.rules.take_places([rule], "quiet", most=9)
    await store.rules.take_places([rule], "loud", most=9)
    ended, _ = await store.rules.end(LAB, rule.id, by="U1")
    assert ended is not None
    assert await store.enlisting.finish(ended) == 0
    assert await levels(store) == {"quiet": (Level.FAILURES, None), "loud": (Level.STEPS, None)}


async def test_what_a_rule_made_ends_with_it(store: Store, redis: Redis) -> None:
    """Nothing of it stays, once its cards and the goodbye are delivered; a second time nothing happens."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    for execution_id in ("e1", "e2"):
        await store.rules.take_places([rule], execution_id, most=9)
        await enlist(store, execution_id, level=Level.STEPS)
    ended, _ = await store.rules.end(LAB, rule.id, by="U1")
    assert ended is not None
    assert [await store.enlisting.finish(ended) for _ in range(2)] == [2, 0]
    claims = await lanes(store)
    news = [claim for claim in claims if claim.notification.snapshot.rule_news]
    assert [
        each.notification.snapshot.rule_news.executions for each in news if each.notification.snapshot.rule_news
    ] == [2]
    for claim in claims:
        await deliver(store, claim)
    left = {str(key).rpartition("}:")[2].partition(":")[0] for key in redis.scan_iter() if "{p" in str(key)}
    assert left == {"passed", "announced"}


async def test_news_are_announced_once(store: Store) -> None:
    """For each time that they are true, however many copies find that."""
    rule = rule_of(LAB)
    news = [RuleNews(RuleNewsKind.FULL, replace(rule, times_full=times)) for times in (1, 1, 2)]
    assert [await store.enlisting.announce(each) for each in news] == [True, False, True]
    for claim in await lanes(store):
        await deliver(store, claim)
    assert not await store.enlisting.announce(news[0])


async def test_an_end_that_was_not_seen_counts(store: Store) -> None:
    """A copy finds a run for a rule that another one ends at the same moment: it is followed by nobody."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    ended, _ = await store.rules.end(LAB, rule.id, by="U1")
    assert ended is not None
    assert await store.rules.take_places([rule], "e0", most=9) == []
    await store.enlisting.finish(ended)
    match = Match("e1", created_at=NOW)
    await store.enlisting.enlist({LAB: [rule]}, match, now=NOW, floor=NOW - LATER)
    assert await levels(store) == {}


async def test_what_rules_find_takes_nobodys_place(store: Store) -> None:
    """Executions that were chosen are counted; one that a rule has found counts once it is chosen."""
    for number in range(3):
        await enlist(store, f"found{number}")
    index = store.subscribers._index
    for number in range(3):  # as an import does
        await index.enter(lane_of(OWNER.account, LAB, f"found{number}"), NOW, is_by_rule=True)
    lanes_of = {lane.execution_id: lane for lane, _ in await index.of(OWNER.account, LAB)}
    assert await index.enter(lanes_of["found0"], NOW, most=1) is not None
    assert await index.enter(lanes_of["found1"], NOW, most=1) is None
    assert await index.enter(lanes_of["found1"], NOW, most=2) is not None
    await index.enter(lanes_of["found1"], NOW, is_by_rule=True)
    assert await index.enter(lanes_of["found2"], NOW, most=2) is None, "a rule does not take a choice back"


async def test_rules_move_to_another_store(store: Store, redis: Redis) -> None:
    """With what they follow, so that it ends with them; messages on their way stay behind."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    await store.rules.take_places([rule], "e1", most=9)
    await enlist(store)
    await store.enlisting.announce(RuleNews(RuleNewsKind.EXPIRES, rule))
    lines = [line async for line in store.transfer.lines(OWNER) if line]
    redis.flushall()
    assert [await store.transfer.read(line, OWNER) for line in lines] == [Imported.ADDED] * 2
    assert [await store.transfer.read(line, OWNER) for line in lines] == [Imported.KNOWN] * 2
    assert await levels(store) == {"e1": (Level.FAILURES, None)}
    ended, _ = await store.rules.end(LAB, rule.id)
    assert ended is not None
    assert await store.enlisting.finish(ended) == 1
    foreign = replace(OWNER, team="T9")
    assert await store.transfer.read(lines[0], foreign) is Imported.FOREIGN


@pytest.mark.parametrize("row", ["no json", '{"subscriber":1}', "{}"])
async def test_an_unreadable_rule_hides_no_other(store: Store, redis: Redis, row: str) -> None:
    """Another version wrote it: it stays as it is."""
    await store.rules.put(rule_of(LAB), level=None)
    (key,) = [str(key) for key in redis.scan_iter() if str(key).endswith(":rows")]
    redis.hset(key, "C1/0123456789abcdef", row)
    assert len(await store.rules.of(LAB)) == 1
    assert await store.rules.end(LAB, "0123456789abcdef") == (None, True)
    assert redis.hget(key, "C1/0123456789abcdef") == row


async def test_rules_of_another_kind_match_nothing(store: Store, redis: Redis) -> None:
    """A newer version knows what it means; this one lists it."""
    rule, _, _ = await store.rules.put(rule_of(LAB), level=None)
    (key,) = [str(key) for key in redis.scan_iter() if str(key).endswith(":rows")]
    row = str(redis.hget(key, f"C1/{rule.id}")).replace('"workflow"', '"person"')
    redis.hset(key, f"C1/{rule.id}", row)
    assert [each.kind.value for each in await store.rules.of(LAB)] == ["other"]
