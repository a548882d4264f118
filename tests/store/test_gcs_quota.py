"""Promises of the budget: no window holds more than the quota, people go first, refusals slow everybody down.

Time stands almost still in every test until the test lets it pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from bot.store.engine.connection import Connection
from bot.store.gcs_quota import WINDOW, GCSQuota
from sandbox.slack.limits import most_within
from tests.servers import KEYS, StillClock


@pytest.fixture(autouse=True)
def clock() -> Iterator[StillClock]:
    """The clock of the quota."""
    with StillClock.standing() as clock:
        yield clock


@pytest.fixture
async def connection(server_url: str, redis: Redis) -> AsyncIterator[Connection]:
    """A connection to an empty store."""
    redis.flushall()
    connection = Connection(server_url)
    yield connection
    await connection.aclose()


def budget(connection: Connection, *, per_minute: int = 10, reserve: int = 3) -> GCSQuota:
    """Ten calls, three of them for people."""
    return GCSQuota(connection, user="AK", per_minute=per_minute, reserve=reserve, process="a process")


async def taken(budget: GCSQuota, calls: int, *, is_person: bool) -> int:
    """Ask for so many calls at once; how many were given."""
    waits = await asyncio.gather(*(budget.take(is_person=is_person) for _ in range(calls)))
    return sum(not wait for wait in waits)


async def test_no_more_than_the_quota(connection: Connection) -> None:
    """Two copies of the bot that ask at once share one quota."""
    given = await asyncio.gather(*(taken(budget(connection), 20, is_person=True) for _ in range(2)))
    assert sum(given) == 10


asks = st.tuples(st.sampled_from(["people", "polls", "lists"]), st.integers(1, 8), st.integers(0, 40))
"""Who asks, for how many calls, and how many seconds pass after that."""


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each has its own window
@given(asked=st.lists(asks, min_size=1, max_size=25), is_reading=st.booleans())
async def test_the_quota_holds_in_any_order(
    connection: Connection, clock: StillClock, asked: list[tuple[str, int, int]], is_reading: bool
) -> None:
    """No minute holds more calls, nor more polls than people leave; and a caller that waited as said has one."""
    own = GCSQuota(connection, user=uuid4().hex, per_minute=10, reserve=3, process="a process")
    if is_reading:
        assert await own.hold_reader_lease("T1", reading=(timedelta(minutes=1), 999))
    everybodys, watchs = list[float](), list[float]()
    for whom, calls, seconds in asked:
        if whom == "people":
            everybodys += [clock.now / 1e6] * await taken(own, calls, is_person=True)
        else:
            given = [clock.now / 1e6] * await own.take_up_to(calls, for_lists=whom == "lists")
            everybodys, watchs = everybodys + given, watchs + given
        clock.passes(seconds)
    assert most_within(everybodys, 60) <= 10
    assert most_within(watchs, 60) <= 7
    wait = await own.take(is_person=True)
    clock.passes(wait.total_seconds())
    assert not wait or not await own.take(is_person=True)


async def test_people_have_calls_of_their_own(connection: Connection) -> None:
    """However many polls there are, somebody who types a command gets an answer."""
    assert await taken(budget(connection), 20, is_person=False) == 7
    assert await taken(budget(connection), 20, is_person=True) == 3


async def test_asking_takes_nothing(connection: Connection) -> None:
    """The watch asks before it claims; that costs no call."""
    assert [await budget(connection).left() for _ in range(3)] == [7, 7, 7]
    await budget(connection).take(is_person=True)
    assert await budget(connection).left() == 6


async def test_plenty_is_not_asked_for_again(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough calls of a moment ago are taken for true; too few, or those before a refusal, are not."""
    monkeypatch.setattr("bot.store.gcs_quota.MOMENT_SECONDS", 60)
    watch = budget(connection)
    assert await watch.left() == 7
    await taken(budget(connection), 2, is_person=True)
    assert [await watch.left(enough=enough) for enough in (7, 8, 6)] == [7, 5, 5]
    await watch.refused(timedelta(seconds=40))
    assert await watch.left(enough=1) == 0


async def test_after_a_refusal_polls_start_slowly(connection: Connection, redis: Redis, clock: StillClock) -> None:
    """The slow start is a rate: with most of the window used, it does not stand still until that has left."""
    large = budget(connection, per_minute=6000, reserve=600)
    earlier = clock.now / 1000 - 20_000
    redis.zadd(KEYS.quota_of("AK"), {f"call {number}": earlier for number in range(4000)})
    await large.refused(timedelta(0))
    given = 0
    for _ in range(12):  # a quarter of a hundred a second
        clock.passes(0.01)
        given += await large.take_up_to(100)
    assert 3 <= given <= 5
    assert await large.take(is_person=False) <= timedelta(seconds=1)


async def test_after_a_refusal_lists_keep_a_share(connection: Connection, redis: Redis, clock: StillClock) -> None:
    """People in a hurry do not use up the slow start; of what it allows, a third is for lists while they are read."""
    watch = budget(connection, per_minute=620, reserve=0)
    assert await watch.hold_reader_lease("T1", reading=(timedelta(minutes=1), 999))
    await watch.refused(timedelta(0))
    refused_ago(redis, clock, timedelta(seconds=10))
    assert await taken(watch, 100, is_person=True) == 100
    assert 24 <= await watch.take_up_to(100) <= 27  # ten a second: 37 by now
    assert 12 <= await watch.take_up_to(100, for_lists=True) <= 14


async def test_polls_and_lists_share_the_calls(connection: Connection) -> None:
    """While lists are read, a third of the bot's own calls is theirs, whatever is overdue; else polls have them all."""
    watch = budget(connection, per_minute=12)
    assert await watch.left() == 9
    assert await watch.hold_reader_lease("T1", reading=(timedelta(minutes=1), 999))
    assert await watch.take_up_to(100) == 6
    assert await watch.take_up_to(2, for_lists=True) == 2
    assert (await watch.left(), await watch.left_for_lists()) == (0, 1)


async def test_satisfied_lists_leave_the_rest_to_polls(connection: Connection) -> None:
    """Their calls count once: what they used of their share is not kept for them a second time."""
    watch = budget(connection, per_minute=12)
    assert await watch.hold_reader_lease("T1", reading=(timedelta(minutes=1), 999))
    assert await watch.take_up_to(4, for_lists=True) == 4
    assert await watch.take_up_to(100) == 5


async def test_small_lists_leave_most_calls_to_polls(connection: Connection) -> None:
    """What is kept for lists is what they can use: a round of two pages takes no third of the quota."""
    watch = budget(connection, per_minute=12)
    assert await watch.hold_reader_lease("T1", reading=(timedelta(minutes=1), 2))
    assert await watch.take_up_to(100) == 7
    assert await watch.take_up_to(100, for_lists=True) == 2


async def test_small_lists_need_few_calls_after_a_refusal(
    connection: Connection, redis: Redis, clock: StillClock
) -> None:
    """Ten seconds into the slow start 37 calls may have left: of a dozen a minute, two are for lists by then."""
    watch = budget(connection, per_minute=620, reserve=0)
    assert await watch.hold_reader_lease("T1", reading=(timedelta(minutes=1), 12))
    await watch.refused(timedelta(0))
    refused_ago(redis, clock, timedelta(seconds=10))
    assert 35 <= await watch.take_up_to(100) <= 38


async def test_the_watch_makes_no_burst(connection: Connection) -> None:
    """All calls of a minute at once would mean none for the rest of it, and again with each minute."""
    watch = budget(connection, per_minute=600, reserve=0)
    assert await watch.take_up_to(600) == 120
    assert await watch.left_for_lists() == 480
    assert await taken(watch, 600, is_person=True) == 300


async def test_people_get_half_while_polls_need_calls(connection: Connection, clock: StillClock) -> None:
    """Many commands leave the other half to the watch, and the one who waits learns for how long."""
    own = budget(connection, per_minute=20, reserve=2)
    assert await own.left() == 18
    assert await taken(own, 50, is_person=True) == 10
    wait = await own.take(is_person=True)
    assert WINDOW - timedelta(seconds=10) < wait <= WINDOW + timedelta(seconds=1)
    assert await taken(own, 50, is_person=False) == 8
    clock.passes(wait.total_seconds())
    assert not await own.take(is_person=True)


async def test_people_get_all_while_nothing_is_polled(connection: Connection, redis: Redis) -> None:
    """Without polls in the last minute nobody else needs the calls."""
    own = budget(connection, per_minute=20, reserve=2)
    await own.left()
    redis.delete(f"{KEYS.quota_of('AK')}:watch")  # expired
    assert await taken(own, 50, is_person=True) == 20


async def test_many_people_do_not_slow_polls(connection: Connection) -> None:
    """What they call at once is not counted as a burst of the watch's, which has its part of what they leave."""
    watch = budget(connection, per_minute=600, reserve=0)
    assert await taken(watch, 110, is_person=True) == 110
    assert await watch.take_up_to(600) == 98


async def test_who_has_to_wait_learns_how_long(connection: Connection, clock: StillClock) -> None:
    """The wait ends when the oldest call that is in the way leaves the window; then there is one."""
    await taken(budget(connection), 10, is_person=True)
    wait = await budget(connection).take(is_person=True)
    assert WINDOW - timedelta(seconds=10) < wait <= WINDOW + timedelta(seconds=1)
    clock.passes(WINDOW.total_seconds() + 0.1)
    assert await taken(budget(connection), 20, is_person=True) == 10


async def test_a_refusal_pauses_all_then_starts_slowly(connection: Connection) -> None:
    """As long as GCS said nobody calls, not even people; after that a few go first."""
    await budget(connection).refused(timedelta(seconds=40))
    assert timedelta(seconds=30) < await budget(connection).take(is_person=True) <= timedelta(seconds=40)
    assert await budget(connection).left() == 0


async def test_after_a_refusal_the_quota_returns_gradually(
    connection: Connection, redis: Redis, clock: StillClock
) -> None:
    """A good half of the slow start later the watch has a part of its share again, in the end all; people at once."""
    await budget(connection).refused(timedelta(seconds=40))
    refused_ago(redis, clock, timedelta(seconds=18))
    assert 1 <= await budget(connection).left() <= 5
    assert not await budget(connection).take(is_person=True)
    refused_ago(redis, clock, timedelta(minutes=5))
    assert await budget(connection).left() == 6


def refused_ago(redis: Redis, clock: StillClock, span: timedelta) -> None:
    """Let the end of the refusal lie so far back."""
    redis.set(KEYS.quota_of("AK") + ":pause", int(clock.now / 1000 - span.total_seconds() * 1000))
