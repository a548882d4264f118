"""Slack's limits as all copies of the bot share them: never exceeded, the most urgent first, and pauses respected.

Time stands almost still in every test until the test lets it pass, so what the store says of it is exact.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from heapq import heapify, heappop, heappush
from math import ceil

import pytest
from redis import Redis

from bot.store import Store
from bot.store.keys import Lane
from bot.store.slack_limits import POST, SlackLimits
from tests.servers import ACCOUNT, OWNER, StillClock

EDIT = "chat.update"
HOUR = timedelta(hours=1)
NOW = timedelta(0)
WINDOW = 62.0
"""Seconds: a minute, and some for the way."""


@pytest.fixture(autouse=True)
def clock() -> Iterator[StillClock]:
    """The clock of the limits."""
    with StillClock.standing() as clock:
        yield clock


def lane(name: str) -> Lane:
    """A lane of the one workspace."""
    return Lane(ACCOUNT, "T1", "e1", name)


@pytest.fixture
def shared(store: Store) -> SlackLimits:
    """One call, and then none for a minute: the second one waits."""
    return store.slack_limits(calls=1, posts=1, channel_posts=1)


@pytest.fixture
async def other(server_url: str, store: Store) -> AsyncIterator[SlackLimits]:
    """The same limits in another copy of the bot."""
    second = Store(server_url, owner=OWNER, coalesce=HOUR, staleness=HOUR)
    yield second.slack_limits(calls=1, posts=1, channel_posts=1)
    await second.aclose()


async def wait(some: SlackLimits, name: str, priority: int = 3, *, method: str = EDIT, place: str = "") -> float:
    """Seconds to wait, as the store says; 0: the call went out."""
    admission = await some.admit(lane(name), method, priority=priority, place=place)
    return admission.wait.total_seconds()


def ms(seconds: float) -> object:
    """So many seconds as the store says them: in whole milliseconds, after some ticks."""
    return pytest.approx(seconds, abs=0.002)


def a_minute_later(redis: Redis) -> None:
    """Fill every bucket again; places are kept, as if their owners came in time."""
    for key in redis.scan_iter("*:next:*"):
        redis.delete(str(key))


@pytest.mark.parametrize("per_minute", [1, 7, 50])
async def test_no_minute_holds_more_than_the_limit(store: Store, clock: StillClock, per_minute: int) -> None:
    """Wherever it begins: three callers come as early as they may, for a while, and again after a rest."""
    some = store.slack_limits(calls=per_minute, posts=1, channel_posts=1)
    gone: list[int] = []
    for _ in range(2):
        coming = [(clock.now, name) for name in ("C1", "C2", "C3")]
        ends = clock.now + 130_000_000
        while coming[0][0] < ends:
            clock.now, name = coming[0]
            seconds = await wait(some, name)
            if not seconds:
                gone.append(clock.now)
            heappop(coming)
            heappush(coming, (clock.now + ceil(seconds * 1e6), name))
        clock.passes(40)
    assert len(gone) > 3 * per_minute
    assert all(gone[at + per_minute] - gone[at] >= 60_000_000 for at in range(len(gone) - per_minute))


async def test_a_burst_and_then_evenly(store: Store) -> None:
    """A tenth goes at once; after it nobody waits longer than for the next call, instead of for the next minute."""
    some = store.slack_limits(calls=50, posts=1, channel_posts=1)
    waits = [await wait(some, f"C{number}") for number in range(8)]
    assert waits == [0] * 5 + [ms(WINDOW / 46 * place) for place in (1, 2, 3)]


async def test_the_most_urgent_comes_first(shared: SlackLimits, redis: Redis) -> None:
    """A call that becomes free goes to the most urgent lane that waits, not to the first that asks."""
    await wait(shared, "C0")
    for name, priority in [("C5", 5), ("C3", 3), ("C0", 0), ("C4", 4)]:
        assert await wait(shared, name, priority)
    order = []
    for _ in range(4):
        a_minute_later(redis)
        for name, priority in [("C5", 5), ("C4", 4), ("C3", 3), ("C0", 0)]:
            if name not in order and not await wait(shared, name, priority):
                order.append(name)
    assert order == ["C0", "C3", "C4", "C5"]


async def test_what_leads_up_goes_after_its_priority(shared: SlackLimits, redis: Redis, clock: StillClock) -> None:
    """Before the next priority; in order of arrival among its like; and its lane is then among the first."""
    await wait(shared, "C0")

    async def ask(name: str, priority: int, *, leads_up: bool) -> float:
        return (await shared.admit(lane(name), EDIT, priority=priority, leads_up=leads_up)).wait.total_seconds()

    waiting = {"C1": (0, True), "C2": (0, True), "C3": (1, False), "C4": (0, False)}
    for name, (priority, leads_up) in waiting.items():
        assert await ask(name, priority, leads_up=leads_up)
        clock.passes(0.002)
    order = []
    while waiting:
        a_minute_later(redis)
        for name, (priority, leads_up) in reversed(list(waiting.items())):
            if not await ask(name, priority, leads_up=leads_up):
                order.append(name)
                del waiting[name]
                if leads_up:
                    waiting[name] = (0, False)
                    assert await ask(name, 0, leads_up=False)
    assert order == ["C4", "C1", "C1", "C2", "C2", "C3"]


async def test_equal_priorities_go_in_order_of_arrival(shared: SlackLimits, redis: Redis, clock: StillClock) -> None:
    """Coming back too early loses no place, so no lane starves."""
    await wait(shared, "C0")
    for name in ("C1", "C2", "C3"):
        await wait(shared, name)
        clock.passes(0.002)
    order = []
    for _ in range(3):
        a_minute_later(redis)
        for name in ("C3", "C2", "C1"):
            if name not in order and not await wait(shared, name):
                order.append(name)
    assert order == ["C1", "C2", "C3"]


async def test_a_wait_says_when_to_come_back(shared: SlackLimits) -> None:
    """Those further behind wait longer, and longer still when an urgent lane comes in between."""
    await wait(shared, "C0")
    waits = [await wait(shared, name, 4) for name in ("C1", "C2", "C3")]
    assert waits == [ms(WINDOW * place) for place in (1, 2, 3)]
    assert await wait(shared, "C9", 0) == ms(WINDOW)
    assert await wait(shared, "C3", 4) == ms(4 * WINDOW)


async def test_a_lane_that_becomes_urgent_moves_up(shared: SlackLimits, redis: Redis) -> None:
    """A lane that waits with progress and then has an outcome takes the place of an outcome."""
    await wait(shared, "C0")
    await wait(shared, "C1", 3)
    await wait(shared, "C2", 4)
    assert await wait(shared, "C2", 0) == ms(WINDOW)
    a_minute_later(redis)
    assert await wait(shared, "C1", 3)
    assert await wait(shared, "C2", 0) == 0


async def test_a_missing_lane_delays_nobody(shared: SlackLimits, redis: Redis) -> None:
    """A place is kept a little longer than promised, and no longer."""
    await wait(shared, "C0")
    await wait(shared, "C1", 0)
    a_minute_later(redis)
    assert await wait(shared, "C2", 5)
    (key,) = redis.scan_iter("*:back:*")
    redis.zadd(str(key), {str(lane("C1")): 1})
    assert await wait(shared, "C2", 5) == 0


async def test_a_busy_channel_delays_no_other(store: Store) -> None:
    """An outcome that waits for its own channel leaves the workspace's calls to less urgent ones elsewhere."""
    some = store.slack_limits(calls=1, posts=10, channel_posts=1)
    assert await wait(some, "C1", 0, method=POST, place="C1") == 0
    for number in range(5):
        assert await wait(some, f"C1-{number}", 0, method=POST, place="C1") > 50
    elsewhere = store.slack_limits(calls=1, posts=1000, channel_posts=1)
    assert await wait(elsewhere, "C2", 4, method=POST, place="C2") == 0


async def test_a_workspace_limits_all_its_channels(store: Store) -> None:
    """Another workspace has limits of its own."""
    some = store.slack_limits(calls=1, posts=1, channel_posts=60)
    assert await wait(some, "C1", method=POST, place="C1") == 0
    assert await wait(some, "C2", method=POST, place="C2") == ms(WINDOW)
    admission = await some.admit(Lane(ACCOUNT, "T2", "e1", "C3"), POST, priority=3, place="C3")
    assert admission.wait == NOW


async def test_what_slack_says_holds_for_all_copies(shared: SlackLimits, other: SlackLimits) -> None:
    """Nobody calls the method before `Retry-After` is over; other methods go on."""
    await shared.pause("T1", EDIT, timedelta(seconds=30))
    assert await wait(other, "C1", 0) == ms(30)
    assert await wait(other, "C1", 0, method="conversations.open") == 0


async def test_a_shorter_pause_ends_no_longer_one(shared: SlackLimits) -> None:
    """Two calls that were refused at the same time: the later moment counts."""
    await shared.pause("T1", EDIT, timedelta(seconds=30))
    await shared.pause("T1", EDIT, timedelta(seconds=1))
    assert await wait(shared, "C1") == ms(30)


async def test_after_a_hold_it_begins_slowly(store: Store, redis: Redis, clock: StillClock) -> None:
    """No burst, and a quarter of the rate; half a minute later all of it."""
    some = store.slack_limits(calls=50, posts=1, channel_posts=1)
    gap = WINDOW / 46
    await some.pause("T1", EDIT, NOW)
    assert await wait(some, "C1") == 0
    (key,) = redis.scan_iter("*:next:*")
    assert (int(str(redis.get(str(key)))) - clock.now) / 1e6 == ms(4 * gap)
    assert await wait(some, "C2") > gap
    clock.passes(30)
    a_minute_later(redis)
    assert [await wait(some, f"C{number}") for number in (2, 3, 4, 5, 6)] == [0] * 5


async def test_one_failure_pauses_nothing(shared: SlackLimits) -> None:
    """A connection that broke is no outage."""
    assert await shared.away("T1") == NOW
    assert await wait(shared, "C1") == 0


@pytest.mark.parametrize(("failing", "pause"), [(5, 5), (20, 20), (3600, 60)])
async def test_an_outage_pauses_for_as_long_again(
    shared: SlackLimits, other: SlackLimits, clock: StillClock, failing: int, pause: int
) -> None:
    """It doubles, up to a minute, however many find out, and for every method."""
    await shared.away("T1")
    clock.passes(failing)
    assert (await shared.away("T1")).total_seconds() == ms(pause)
    assert (await other.away("T1")).total_seconds() == ms(pause)
    assert await wait(other, "C1", 0) == ms(pause)


async def test_one_probe_finds_out_whether_slack_answers(
    shared: SlackLimits, other: SlackLimits, clock: StillClock
) -> None:
    """The others wait for what it meets; an answer lets them come, slowly at first."""
    await shared.away("T1")
    clock.passes(30)
    pause = await shared.away("T1")
    clock.passes(pause.total_seconds())
    probe = await shared.admit(lane("C1"), EDIT, priority=3)
    assert (probe.wait, probe.is_away) == (NOW, True)
    assert await wait(other, "C2", 0, method=POST, place="C2") == ms(1)
    await shared.back("T1")
    after = await other.admit(lane("C2"), POST, priority=0, place="C2")
    assert (after.wait, after.is_away) == (NOW, False)
    assert await wait(other, "C3", 0, method=POST, place="C3") > 0


async def test_an_outage_says_when_to_find_out(shared: SlackLimits, other: SlackLimits, clock: StillClock) -> None:
    """All copies know whether Slack answers, and when a call is to find out whether it does again."""
    assert await other.outage("T1") is None
    await shared.away("T1")
    assert await other.outage("T1") is None
    clock.passes(30)
    pause = await shared.away("T1")
    assert (await other.outage("T1") or NOW).total_seconds() == ms(30)
    clock.passes(pause.total_seconds())
    assert await other.outage("T1") == NOW
    assert await wait(shared, "C1") == 0
    assert (await other.outage("T1") or NOW).total_seconds() == ms(1)
    await shared.back("T1")
    assert await other.outage("T1") is None


async def test_who_waits_for_slack_keeps_no_place(shared: SlackLimits, clock: StillClock) -> None:
    """They come again in the order of the outbox: nobody waits for one who may not come."""
    await shared.away("T1")
    clock.passes(30)
    pause = await shared.away("T1")
    assert [await wait(shared, name, 0) for name in ("C1", "C2")] == [ms(30), ms(30)]
    clock.passes(pause.total_seconds())
    assert await wait(shared, "C3", 5) == 0


async def test_listeners_respect_pauses_too(shared: SlackLimits, other: SlackLimits) -> None:
    """A method that Slack wants to be left alone is so for listeners of all copies, for the rest of that time."""
    await shared.pause("T1", "views.open", timedelta(seconds=30))
    assert (await other.paused("T1", "views.open")).total_seconds() == ms(30)
    assert await other.paused("T1", "views.update") == NOW
    await shared.pause("T1", "views.update", NOW)
    assert await other.paused("T1", "views.update") == NOW


async def test_an_answer_forgets_what_failed_before(shared: SlackLimits, clock: StillClock) -> None:
    """The next failure is a first one again."""
    await shared.away("T1")
    clock.passes(30)
    await shared.back("T1")
    assert await shared.away("T1") == NOW


async def test_limits_leave_nothing_for_ever(shared: SlackLimits, redis: Redis, clock: StillClock) -> None:
    """Each key expires by itself, and all lie in one slot."""
    for priority in (0, 3):
        for name in ("C1", "C2", "C3"):
            await wait(shared, name, priority, method=POST, place=name)
    await shared.pause("T1", EDIT, HOUR)
    await shared.away("T1")
    clock.passes(30)
    await shared.away("T1")
    keys = [str(key) for key in redis.scan_iter()]
    assert len(keys) >= 6
    assert all("{slack:T1}" in key and 0 < int(str(redis.pttl(key))) <= 2 * 3_600_000 for key in keys)


async def test_a_crowd_goes_in_order_asking_seldom(store: Store, clock: StillClock) -> None:
    """Sixty lanes that come back when the store says: by priority, each after a few asks, however many wait."""
    some = store.slack_limits(calls=3000, posts=1, channel_posts=1)
    while not await wait(some, "C0"):
        pass
    coming = [(clock.now + number, f"C{number}", 1 + number % 5) for number in range(1, 61)]
    heapify(coming)
    gone: list[int] = []
    asked = 0
    while coming:
        clock.now, name, priority = heappop(coming)
        if seconds := await wait(some, name, priority):
            asked += 1
            heappush(coming, (clock.now + ceil(seconds * 1e6), name, priority))
        else:
            gone.append(priority)
    inversions = sum(before > after for place, before in enumerate(gone) for after in gone[place + 1 :])
    assert inversions <= 60  # of 1,770 pairs: lanes that went before more urgent ones had come
    assert asked <= 4 * 60


async def test_an_answer_takes_part_in_the_limits(shared: SlackLimits, other: SlackLimits) -> None:
    """Of all posts and of one person's; among the first of those who wait, and not behind the notifier's edits."""
    assert not (await shared.admit_answer("T1", "U1", "U1/1.1")).wait
    assert await wait(other, "U1", method=POST, place="U1") > 0
    assert (await other.admit_answer("T1", "U1", "U1/1.2")).wait
    assert await wait(shared, "U2", method=EDIT) == 0
    await shared.pause("T2", POST, timedelta(seconds=30))
    assert (await shared.admit_answer("T2", "U1", "U1/1.3")).wait.total_seconds() == ms(30)
