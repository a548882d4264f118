"""Which lists are read, how fast, and by which process; and when they are not read."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from time import monotonic
from typing import Any
from unittest.mock import DEFAULT, AsyncMock

import pytest
from structlog.testing import capture_logs

from bot.errors import GCSError
from bot.metrics import SWEEPER_BYTES
from bot.store.gcs_quota import READER_LEASE
from bot.workers.sweeper.pacing import BLIND_ROUNDS, DISTRUST, HOPELESS_PAGES, LARGEST_PAGE, SMALLEST_PAGE, PageSize
from bot.workers.sweeper.round import Round
from bot.workers.sweeper.sweeper import CONCURRENCY
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import CADENCE, Rig
from tests.workers.sweeper_rig import MANY, SweeperRig, due_in, due_now, running


async def test_a_few_executions_need_no_list(rig: Rig, lists: SweeperRig) -> None:
    """They are polled one by one, which shows more."""
    await running(rig, 5)
    for _ in range(5):
        await lists.step()
    assert lists.requests == 0


async def test_a_list_of_mostly_strangers_is_not_read(rig: Rig, lists: SweeperRig) -> None:
    """A project may have far more executions than are followed: then polling one by one is faster."""
    await running(rig)
    await lists.read_round()
    assert lists.sweeper._last is not None
    lists.sweeper._last.totals["Running"] = 100_000
    requests = lists.requests
    for _ in range(3):
        await lists.step()
    assert lists.requests == requests


@pytest.mark.parametrize("cuts_limit", [False, True])
async def test_the_page_adapts_to_what_gcs_accepts(rig: Rig, lists: SweeperRig, cuts_limit: bool) -> None:
    """Whether GCS refuses a large page or returns a smaller one: the list is read to its end."""
    rig.gcs.max_limit, rig.gcs.cuts_limit = 150, cuts_limit
    executions = {*await running(rig), *(rig.gcs.play(story.happy(2), by_hand=True) for _ in range(400))}
    await lists.read_round()
    assert lists.sweeper._last is not None
    assert lists.sweeper._last.listing.places.keys() == executions


async def test_lists_that_lag_behind_polls_are_distrusted(rig: Rig, lists: SweeperRig) -> None:
    """Then every execution is polled one by one, until lists are tried again ten minutes later."""
    executions = [rig.gcs.play(story.happy(3, seconds=3000), ago=1500) for _ in range(MANY)]
    for execution in executions:
        await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=None, owner=rig.alice)
    rig.gcs.list_lag = 1300
    for _ in range(4):
        await lists.read_round()
    pages = lists.requests
    await lists.step()
    assert lists.requests == pages
    rig.gcs.list_lag = 0
    lists.now += DISTRUST.total_seconds()
    await lists.read_round()
    assert lists.requests > pages


@pytest.mark.parametrize("status", [403, 404])
async def test_refused_lists_are_not_requested_again(rig: Rig, lists: SweeperRig, status: int) -> None:
    """A missing permission must not cost one call per second."""
    await running(rig)
    rig.gcs.faults.add(Fault(kind="status", status=status))
    await lists.step()
    await lists.step()
    pages = lists.requests
    assert pages == 1
    await lists.step()
    assert (lists.requests, lists.now >= DISTRUST.total_seconds()) == (pages, True)


NEVER_FIT = [Fault(kind="status", status=400, execution_id=""), Fault(kind="timeout", execution_id="")]
"""Lists that are refused or time out, whatever their size; polls are answered."""


@pytest.fixture
def _hurry(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a list is waited for briefly while there is a fault."""
    listed = rig.client.list_page

    async def briefly(*asked: Any, **more: Any) -> Any:
        seconds = 0.1 if rig.gcs.faults.active else 30  # on a busy machine a page may take a while
        monkeypatch.setattr("bot.gcs.client.PAGE_TIMEOUT", timedelta(seconds=seconds))
        return await listed(*asked, **more)

    monkeypatch.setattr(rig.client, "list_page", briefly)


@pytest.fixture
def _polls(_hurry: None, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a page fails, a poll is answered."""
    listed, execution = rig.client.list_page, rig.gcs.play(story.happy(2), by_hand=True)

    async def beside_a_poll(*asked: Any, **more: Any) -> Any:
        try:
            return await listed(*asked, **more)
        except GCSError:
            await rig.client.get_execution(execution)
            raise

    monkeypatch.setattr(rig.client, "list_page", beside_a_poll)


@pytest.mark.usefixtures("_polls")
async def test_a_slow_page_is_requested_smaller(rig: Rig, lists: SweeperRig) -> None:
    """Down to the smallest size; then the list is read to its end."""
    executions = await running(rig)
    rig.gcs.faults.add(Fault(kind="timeout", times=5, execution_id=""))
    await lists.read_round()
    assert lists.sweeper._last is not None
    assert lists.sweeper._last.limit == SMALLEST_PAGE
    assert lists.sweeper._last.listing.places.keys() >= set(executions)


@pytest.mark.usefixtures("_hurry")
async def test_an_outage_of_gcs_keeps_the_page_size(rig: Rig, lists: SweeperRig) -> None:
    """While no call is answered smaller pages would not help, and lists are read again as soon as GCS is back."""
    await running(rig)
    rig.gcs.faults.add(Fault(kind="timeout"))
    while lists.requests < 2 * HOPELESS_PAGES:
        await lists.step()
    rig.gcs.faults.clear()
    began = lists.now
    await lists.read_round()
    assert lists.sweeper._last is not None
    assert lists.sweeper._last.limit == LARGEST_PAGE
    assert lists.now - began < 10


@pytest.mark.usefixtures("_polls")
@pytest.mark.parametrize("fault", NEVER_FIT, ids=lambda fault: fault.kind)
async def test_lists_that_never_arrive_are_given_up(rig: Rig, lists: SweeperRig, fault: Fault) -> None:
    """After ten of the smallest pages in a row; ten minutes later a single one shows whether that has changed."""
    await running(rig)
    rig.gcs.faults.add(fault)
    while lists.now < DISTRUST.total_seconds():
        await lists.step()
    assert lists.requests == len((1000, 500, 250, 125)) + HOPELESS_PAGES
    while lists.now < 2 * DISTRUST.total_seconds():
        await lists.step()
    assert lists.requests == len((1000, 500, 250, 125)) + HOPELESS_PAGES + 1
    rig.gcs.faults.clear()
    await lists.read_round()
    assert lists.sweeper._last is not None


async def test_one_page_that_arrives_renews_trust(rig: Rig, lists: SweeperRig) -> None:
    """Lists are given up when no page arrives, not when few do."""
    await running(rig)
    lists.sweeper._page_size = PageSize(SMALLEST_PAGE)
    for _ in range(3):
        rig.gcs.faults.add(Fault(kind="status", status=400, times=HOPELESS_PAGES - 1))
        pages = lists.requests
        while lists.requests < pages + HOPELESS_PAGES:
            await lists.step()
    assert lists.now < DISTRUST.total_seconds()


async def test_a_failed_page_does_not_end_the_round(rig: Rig, lists: SweeperRig) -> None:
    """The page is requested again, and the round goes on."""
    executions = await running(rig)
    rig.gcs.faults.add(Fault(kind="status", status=503, times=4))
    await lists.read_round()
    assert lists.sweeper._last is not None
    assert lists.sweeper._last.listing.places.keys() == set(executions)


async def test_one_process_reads_at_a_time(rig: Rig, lists: SweeperRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one takes over when the first has let its reader lease end."""
    monkeypatch.setattr("bot.store.gcs_quota.READER_LEASE", timedelta(seconds=0.3))
    await running(rig)
    other = SweeperRig(rig)
    other.sweeper._quota._process = "another"
    await lists.step()
    await other.step()
    assert not other.sweeper._rounds
    await _lease_ended(rig)
    other.now += 60
    await other.read_round()
    assert other.sweeper._last is not None


async def test_the_reader_lease_outlives_slow_pages(rig: Rig) -> None:
    """However far apart pages are, no other process takes over; a dead one keeps the lease for 5 s at most."""
    await running(rig)
    slow = SweeperRig(rig, bytes_per_second=1000)
    began = {slow.requests: slow.now}
    while slow.requests < 4:
        pause = await slow.sweeper.run_once()
        began.setdefault(slow.requests, slow.now)
        slow.now += pause
        (lease,) = rig.redis.scan_iter("*:reader:*")
        assert pause < rig.redis.pttl(lease) / 1000 <= READER_LEASE.total_seconds()
    assert began[4] - began[3] > READER_LEASE.total_seconds()


async def test_the_reader_lease_outlives_pending_pages(
    rig: Rig, lists: SweeperRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While every worker waits for a slow page, no other process begins a round of its own."""
    await running(rig)
    _wait_for_pages(lists, monkeypatch)
    stop = asyncio.Event()
    waiting = asyncio.create_task(lists.sweeper.run(stop))
    async with asyncio.timeout(60):
        for _ in range(3):
            while not (leases := list(rig.redis.scan_iter("*:reader:*"))):  # noqa: ASYNC110  # another task does it
                await asyncio.sleep(0.01)
            rig.redis.delete(*leases)
        stop.set()
        await waiting


def _wait_for_pages(lists: SweeperRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker waits for a slow page, so only the loop that keeps the lease is at work, ten times a second."""
    monkeypatch.setattr("bot.workers.sweeper.sweeper.KEEP_LEASE_SECONDS", 0.1)
    lists.sweeper._rounds = [Round(0, 100, timedelta(seconds=1), useful_calls=9, under_way=CONCURRENCY)]
    lists.sweeper._not_before = 10**6


async def test_a_mistake_does_not_end_renewals(rig: Rig, lists: SweeperRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One renewal that fails because of it is logged, and the next one keeps the reader lease."""
    _wait_for_pages(lists, monkeypatch)
    hold, stop = lists.sweeper._quota.hold_reader_lease, asyncio.Event()
    mistake = AsyncMock(side_effect=[RuntimeError("a mistake"), *[DEFAULT] * 1_000], wraps=hold)
    monkeypatch.setattr(lists.sweeper._quota, "hold_reader_lease", mistake)
    with capture_logs() as logged:
        waiting = asyncio.create_task(lists.sweeper.run(stop))
        async with asyncio.timeout(60):
            while not (waiting.done() or list(rig.redis.scan_iter("*:reader:*"))):  # noqa: ASYNC110  # another task does it
                await asyncio.sleep(0.01)
            stop.set()
            await waiting
    assert "sweeper.lease_failed" in [each["event"] for each in logged]


async def test_a_throttled_quota_delays_lists_no_longer(rig: Rig, lists: SweeperRig) -> None:
    """The spacing computed while no call was left is not used once calls are allowed again."""
    await running(rig)
    await lists.read_round()
    pages = lists.requests
    while not any(each.pages_left for each in lists.sweeper._rounds):
        await lists.step()
    await lists.sweeper._quota.refused(timedelta(minutes=1))
    began = lists.now
    await lists.step()
    rig.redis.delete(*rig.redis.scan_iter("*{quota:*:pause"))  # it is over
    while lists.requests == pages and lists.now < began + 60:
        await lists.step()
    assert lists.now - began < 10


async def _lease_ended(rig: Rig) -> None:
    """Wait until no process has the reader lease."""
    while any(rig.redis.scan_iter("*:reader:*")):
        await rig.store.problem()


async def test_rounds_begin_two_seconds_apart(rig: Rig) -> None:
    """A short list would otherwise be read many times per second, with calls that polls need."""
    await running(rig, 200)
    lists, began = SweeperRig(rig, per_minute=600), []
    for _ in range(3):
        await lists.read_round()
        assert lists.sweeper._last is not None
        began.append(lists.sweeper._last.began)
    assert [later - before for before, later in pairwise(began)] == [pytest.approx(2, abs=0.1)] * 2


async def test_lists_take_no_more_bytes_than_allowed(rig: Rig) -> None:
    """A round then takes as long as it needs."""
    await running(rig)
    slow = SweeperRig(rig, bytes_per_second=1000)
    await slow.read_round()
    began, read = slow.now, SWEEPER_BYTES._value.get()
    await slow.read_round()
    assert slow.now - began >= 0.9 * (SWEEPER_BYTES._value.get() - read) / 1000 > 30


async def test_lists_are_trusted_while_polls_are_pending(rig: Rig, lists: SweeperRig) -> None:
    """After an outage everything has changed, and the polls take longer than a few rounds: lists are not at fault."""
    executions = await running(rig)
    await lists.read_round()
    for execution in executions:
        rig.gcs.step(execution, to="running 2/3")
    for _ in range(BLIND_ROUNDS):
        await lists.read_round()
    assert lists.sweeper._last is not None
    assert due_now(rig) == set(executions)


async def test_concurrent_workers_count_each_page_once(rig: Rig) -> None:
    """A round finds the sum of its pages, and ends once."""
    rig.gcs.max_limit = 100
    lists = SweeperRig(rig, per_minute=600)
    lists.sweeper._page_size = PageSize(100)
    await running(rig, 350)
    ended: list[int] = []
    end = lists.sweeper._end_round

    async def spied(round_: Any) -> None:
        ended.append(round_.found.watched)
        await end(round_)

    lists.sweeper._end_round = spied  # type: ignore[method-assign]  # a spy
    for _ in range(200):
        lists.now += 0.2
        await asyncio.gather(*(lists.sweeper.run_once() for _ in range(3)), _soon(lists))
        if ended:
            break
    assert len(ended) == 1
    assert ended[0] >= 350


async def test_a_concurrent_end_of_round_requests_nothing(rig: Rig, lists: SweeperRig) -> None:
    """While one worker waits for the store, another one may end the round: its pages are not requested any more."""
    await running(rig)
    await lists.step()
    assert lists.sweeper._rounds
    take = lists.sweeper._quota.take_up_to

    async def ended_meanwhile(most: int, *, for_lists: bool = False) -> int:
        lists.sweeper._rounds.clear()
        return await take(most, for_lists=for_lists)

    lists.sweeper._quota.take_up_to = ended_meanwhile  # type: ignore[method-assign]  # a spy
    await lists.step()
    assert lists.requests == 0


async def test_pages_under_way_are_limited(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow pages are, no more are requested at once; those under way are awaited at the end."""
    monkeypatch.setattr("bot.workers.sweeper.sweeper.CONCURRENCY", 2)
    rig.gcs.max_limit = 100
    lists = SweeperRig(rig, per_minute=600)
    lists.sweeper._page_size, lists.sweeper._clock = PageSize(100), monotonic
    await running(rig, 350)
    stop, under_way, counts, listed = asyncio.Event(), set[object](), list[int](), rig.client.list_page

    async def slow(*args: Any, **more: Any) -> Any:
        under_way.add(page := object())
        counts.append(len(under_way))
        await asyncio.sleep(0.5)
        under_way.remove(page)
        return await listed(*args, **more)

    rig.client.list_page = slow  # type: ignore[method-assign]  # a spy
    reading = asyncio.create_task(lists.sweeper.run(stop))
    async with asyncio.timeout(60):
        while len(counts) < 6 or not under_way:  # noqa: ASYNC110  # another task does it
            await asyncio.sleep(0.01)
    stop.set()
    await reading
    assert max(counts) == 2
    assert not under_way


async def test_a_slow_page_does_not_delay_others(rig: Rig) -> None:
    """The next rounds are read meanwhile; what the slow page shows at last is older, and is ignored."""
    rig.gcs.max_limit = 100
    lists = SweeperRig(rig, per_minute=600)
    lists.sweeper._page_size = PageSize(100)
    executions = await running(rig, 250)
    await lists.read_round()
    arrive, listed = asyncio.Event(), rig.client.list_page

    async def slow_once(*args: Any, **more: Any) -> Any:
        rig.client.list_page = listed  # type: ignore[method-assign]  # a spy
        page = await listed(*args, **more)
        await arrive.wait()
        return page

    rig.client.list_page = slow_once  # type: ignore[method-assign]  # a spy
    slow = asyncio.create_task(_until_requested(lists))
    while rig.client.list_page is slow_once:  # noqa: ASYNC110  # another task does it
        await asyncio.sleep(0.01)
    rig.gcs.step(executions[-1], to="running 2/3")  # the list begins with the newest
    await lists.read_round()
    assert due_now(rig) == {executions[-1]}
    await rig.watcher.run_once()
    arrive.set()
    await slow
    assert due_now(rig) == set()


async def _until_requested(lists: SweeperRig) -> None:
    """Let it read one page, however many steps that takes."""
    requests = lists.requests
    while lists.requests == requests:
        await lists.step()


async def _soon(lists: SweeperRig) -> None:
    """Another worker, a moment later."""
    lists.now += 0.2
    await lists.sweeper.run_once()


@pytest.mark.parametrize("fault", [Fault(kind="malformed", times=1), Fault(kind="truncated", times=1)])
async def test_the_largest_page_is_retried(rig: Rig, lists: SweeperRig, fault: Fault) -> None:
    """One broken page does not keep pages small for ever."""
    await running(rig)
    rig.gcs.faults.add(fault)
    await lists.read_round()
    lists.now += 3700
    await lists.read_round()
    assert lists.sweeper._page_size.items == 1000


async def test_a_hung_page_does_not_lengthen_deferrals(rig: Rig, lists: SweeperRig) -> None:
    """Polls of unchanged executions are delayed by three usual rounds, not by three times an outage."""
    await running(rig)
    await lists.step()
    rig.gcs.faults.add(Fault(kind="status", status=503, times=1))
    await lists.step()
    lists.now += 600
    await lists.read_round()
    await lists.read_round()
    assert max(due_in(rig).values()) <= CADENCE.poll.total_seconds() + 1
