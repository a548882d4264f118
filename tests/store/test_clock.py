"""The store's clock is set back by an hour: nothing waits for that hour, and nothing is sent twice because of it.

Scripts go by a clock that the tests set; keys expire by the server's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from bot.clock import ClockSkew
from bot.domain.following import Level, Subscriber
from bot.domain.search import Match
from bot.metrics import CLOCK_OFFSET_SECONDS
from bot.store import Store
from bot.store.clock import LEAST
from bot.store.outbox import LEASE
from bot.store.rules import Enlisted
from tests.servers import StillClock
from tests.store.following import ALICE, LAB, change, drained, due, follow, lanes, rule_of, settle, snapshot_of
from tests.store.test_inspection import probe_of
from tests.store.test_slack_limits import lane

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[StillClock]:
    """The clock that the scripts read."""
    with StillClock.standing() as clock:
        yield clock


def now_of(clock: StillClock) -> datetime:
    """What it shows."""
    return datetime.fromtimestamp(clock.now / 1e6, UTC)


async def set_back(store: Store, clock: StillClock, span: timedelta = HOUR) -> timedelta:
    """A copy of the bot checks the clock, which is then set back, and checks it again; what it found."""
    assert not (await store.clock.check()).back
    clock.passes(-span.total_seconds())
    found = (await store.clock.check()).back
    clock.passes(1)  # what was due was so a moment after the first check
    return found


async def test_polls_and_messages_come_all_the_same(store: Store, clock: StillClock) -> None:
    """What was due is due, what was to come in a minute comes in one, and it is logged once."""
    await follow(store, ALICE, "e1")
    await drained(store)
    await settle(store, change(2))
    (poll,) = await due(store)
    await store.schedule.settle(poll, snapshot_of("e1", 2), (), next_poll=MINUTE, is_visible=False)
    await follow(store, ALICE, "e2", alarm=MINUTE)
    with capture_logs() as logs:
        assert await set_back(store, clock) == pytest.approx(HOUR, abs=timedelta(seconds=1))
        assert not (await store.clock.check()).back
    assert [line["seconds"] for line in logs if line["event"] == "store.clock_set_back"] == [3600]
    assert [item.execution_id for item in await due(store)] == ["e2"]
    assert [claim.lane.execution_id for claim in await lanes(store)] == ["e2"]
    clock.passes(61)
    assert sorted(item.execution_id for item in await due(store)) == ["e1", "e2"]


async def test_it_is_checked_every_minute(store: Store, clock: StillClock) -> None:
    """By the probe of the store, which runs in every copy of the bot."""
    probe = probe_of(store)
    await probe.run_once()
    await follow(store)
    clock.passes(-3600)
    assert await lanes(store) == []
    await probe.run_once()
    clock.passes(1)
    assert len(await lanes(store)) == 1


@pytest.mark.parametrize(("hours", "words"), [(1, "behind"), (-1, "ahead of")])
async def test_another_time_than_here_is_named(store: Store, clock: StillClock, hours: int, words: str) -> None:
    """Once it is sure, as with the clocks of Slack and GCS."""
    skew, said = ClockSkew(), []
    probe = probe_of(store, clock=skew)
    for differs in (0, 0, 0, hours, 0, 0):
        clock.passes(3600 * differs)
        await probe.run_once()
        said.append(skew.problem)
    assert said[:5] == [None] * 5
    assert str(said[5]).startswith("this machine's clock is 3")
    assert str(said[5]).endswith(f" s {words} the store's")
    assert abs(CLOCK_OFFSET_SECONDS.labels("store")._value.get() - 3600 * hours) < 60


async def test_what_waits_for_more_comes(store: Store, clock: StillClock) -> None:
    """A card that waits an hour for more changes has waited, once that hour is over by the clock as it is now."""
    await follow(store, ALICE, "e1")
    await drained(store)
    await settle(store, change(2))
    await set_back(store, clock, 2 * HOUR)
    assert await lanes(store) == []
    clock.passes(3601)
    assert [claim.lane.execution_id for claim in await lanes(store)] == ["e1"]


async def test_a_claim_ends_as_it_would_have(store: Store, clock: StillClock) -> None:
    """The lane of a worker that died is in doubt after its lease, since a moment that a read of the channel finds."""
    await follow(store)
    await lanes(store)
    claimed = now_of(clock)
    await set_back(store, clock)
    assert await lanes(store) == []
    clock.passes(LEASE.total_seconds() + 1)
    (claim,) = await lanes(store)
    assert claim.in_doubt_since == pytest.approx(claimed - HOUR, abs=timedelta(seconds=1))


async def test_a_claim_made_since_then_lasts(store: Store, clock: StillClock) -> None:
    """Between the moment at which the clock is set back and the check: nobody else sends what is being sent."""
    await store.clock.check()
    clock.passes(-3600)
    await follow(store)
    assert len(await lanes(store)) == 1
    assert (await store.clock.check()).back
    clock.passes(LEASE.total_seconds() - 1)
    assert await lanes(store) == []
    clock.passes(2)
    assert len(await lanes(store)) == 1


async def test_limits_are_those_of_a_minute(store: Store, clock: StillClock) -> None:
    """Calls of Slack and GCS, pauses, and what people may ask: none of them waits for an hour."""
    limits = store.slack_limits(calls=1, posts=1, channel_posts=1)
    quota = store.gcs_quota("AK", per_minute=2, reserve=0)
    person = store.person_limit(per_minute=1)

    async def uses_all_up() -> None:
        assert not (await limits.admit(lane("C1"), "chat.update", priority=3)).wait
        assert await quota.take_up_to(2) == 2
        assert await person.count(ALICE) is None
        assert await store.rules.begin_scan(every=MINUTE)
        assert await store.boards.begin_round(every=MINUTE)
        await limits.pause("T1", "chat.postMessage", MINUTE)
        await quota.refused(MINUTE)
        while await person.count(ALICE) is None:
            pass

    await uses_all_up()
    await set_back(store, clock)
    assert not await limits.paused("T1", "chat.postMessage")
    await uses_all_up()


async def test_rules_find_what_is_new(store: Store, clock: StillClock) -> None:
    """Neither a rule nor the last scan is of a time that is yet to come, and a scan counts that is done now."""
    await store.rules.begin_scan(every=MINUTE)
    await store.rules.end_scan(now_of(clock))
    rule = rule_of(LAB)
    await store.rules.put(rule, level=Level.STEPS)
    clock.passes(-3600)
    read = await store.rules.read()
    assert read.through == read.now
    assert [each.created_at for each in read.rules] == [read.now]
    await store.rules.end_scan(read.now - MINUTE)
    assert (await store.rules.read()).through == pytest.approx(read.now - MINUTE, abs=timedelta(seconds=1))


async def found(store: Store, subscriber: Subscriber, created: datetime) -> Enlisted:
    """A scan has found an execution, which its subscriber then does not follow any more."""
    read = await store.rules.read()
    match = Match("e1", created_at=created)
    done = await store.enlisting.enlist(
        {subscriber: [rule_of(subscriber)]}, match, now=read.now, floor=read.through - MINUTE
    )
    await store.subscribers.unsubscribe(subscriber, "e1")
    await drained(store)
    return done[subscriber]


async def test_rules_find_nothing_twice(store: Store, clock: StillClock) -> None:
    """Scans go back as far as the clock was set back, and what was over before that is known."""
    began = now_of(clock)
    assert await found(store, ALICE, began) is Enlisted.MADE
    clock.passes(3 * 3600)
    assert await found(store, LAB, now_of(clock)) is Enlisted.MADE
    clock.passes(-8 * 3600)
    assert await found(store, ALICE, began) is Enlisted.SEEN


@pytest.mark.parametrize("span", [LEAST / 2, -24 * HOUR])
async def test_other_differences_are_none(store: Store, clock: StillClock, span: timedelta) -> None:
    """A clock that runs a bit slower, and one that is set forward: nothing is taken back."""
    quota = store.gcs_quota("AK", per_minute=2, reserve=0)
    await quota.refused(48 * HOUR)
    assert await set_back(store, clock, span) == timedelta(0)
    assert await quota.take_up_to(2) == 0


async def test_a_clock_ahead_for_a_day(store: Store, clock: StillClock) -> None:
    """Set forward by mistake, and then right again."""
    assert await set_back(store, clock, -24 * HOUR) == timedelta(0)
    await follow(store)
    assert await set_back(store, clock, 24 * HOUR) > 23 * HOUR
    assert len(await lanes(store)) == len(await due(store)) == 1
