"""Which lists are read, how fast, and by whom; and when they are left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from bot.metrics import SWEEPER_BYTES
from bot.store.gcs_quota import READER_LEASE
from bot.workers.sweeper.round import Round
from bot.workers.sweeper.sweeper import BLIND_ROUNDS, DISTRUST, HANDS, HOPELESS, LARGEST_PAGE, SMALLEST_PAGE
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.hand import MANY, Hand, due_in, due_now, running
from tests.workers.rig import CADENCE, Rig


async def test_a_few_are_asked_for_one_by_one(rig: Rig, hand: Hand) -> None:
    """No list is read for them."""
    await running(rig, 5)
    for _ in range(5):
        await hand.page()
    assert hand.pages == 0


@pytest.mark.parametrize("cuts_limit", [False, True])
async def test_the_page_adapts_to_what_gcs_accepts(rig: Rig, hand: Hand, cuts_limit: bool) -> None:
    """Whether a large page is refused or comes smaller: the list is read to its end."""
    rig.gcs.max_limit, rig.gcs.cuts_limit = 150, cuts_limit
    executions = {*await running(rig), *(rig.gcs.play(story.happy(2), by_hand=True) for _ in range(400))}
    await hand.round()
    assert hand.sweeper._last is not None
    assert hand.sweeper._last.seen.keys() == executions


async def test_lists_that_do_not_show_what_looks_see_are_left_alone(rig: Rig, hand: Hand) -> None:
    """Then every execution is asked for one by one again; and after a while lists are tried anew."""
    executions = [rig.gcs.play(story.happy(3, seconds=3000), ago=1500) for _ in range(MANY)]
    for execution in executions:
        await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=None, owner=rig.alice)
    rig.gcs.list_lag = 1300
    for _ in range(4):
        await hand.round()
    pages = hand.pages
    await hand.page()
    assert hand.pages == pages
    rig.gcs.list_lag = 0
    hand.now += DISTRUST.total_seconds()
    await hand.round()
    assert hand.pages > pages


@pytest.mark.parametrize("status", [403, 404])
async def test_lists_that_gcs_refuses_are_left_alone(rig: Rig, hand: Hand, status: int) -> None:
    """A missing permission must not cost a call a second."""
    await running(rig)
    rig.gcs.faults.add(Fault(kind="status", status=status))
    await hand.page()
    await hand.page()
    pages = hand.pages
    assert pages == 1
    await hand.page()
    assert (hand.pages, hand.now >= DISTRUST.total_seconds()) == (pages, True)


NEVER_FIT = [Fault(kind="status", status=400, execution_id=""), Fault(kind="timeout", execution_id="")]
"""Lists that are refused or take too long, whatever their size; looks are answered."""


@pytest.fixture
async def _looks(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """While lists may take a moment, looks go on."""
    monkeypatch.setattr("bot.gcs.client.PAGE_WITHIN", timedelta(seconds=0.1))
    execution = rig.gcs.play(story.happy(2), by_hand=True)

    async def look() -> None:
        while True:
            await rig.client.get_execution(execution)
            await asyncio.sleep(0.02)  # GCS has a quota

    looking = asyncio.create_task(look())
    yield
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking


@pytest.mark.usefixtures("_looks")
async def test_a_page_that_takes_too_long_is_asked_for_smaller(rig: Rig, hand: Hand) -> None:
    """Down to the smallest; then the list is read to its end."""
    executions = await running(rig)
    rig.gcs.faults.add(Fault(kind="timeout", times=5, execution_id=""))
    await hand.round()
    assert hand.sweeper._last is not None
    assert hand.sweeper._last.page == SMALLEST_PAGE
    assert hand.sweeper._last.seen.keys() >= set(executions)


async def test_a_gcs_that_hangs_says_nothing_about_lists(rig: Rig, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is answered pages need not be smaller, and lists are read again as soon as it is back."""
    monkeypatch.setattr("bot.gcs.client.PAGE_WITHIN", timedelta(seconds=0.1))
    await running(rig)
    rig.gcs.faults.add(Fault(kind="timeout"))
    while hand.pages < 2 * HOPELESS:
        await hand.page()
    rig.gcs.faults.clear()
    began = hand.now
    await hand.round()
    assert hand.sweeper._last is not None
    assert hand.sweeper._last.page == LARGEST_PAGE
    assert hand.now - began < 10


@pytest.mark.usefixtures("_looks")
@pytest.mark.parametrize("fault", NEVER_FIT, ids=lambda fault: fault.kind)
async def test_lists_that_never_come_are_left_alone(rig: Rig, hand: Hand, fault: Fault) -> None:
    """Ten of the smallest pages in a row; after a while a single one finds out whether that has changed."""
    await running(rig)
    rig.gcs.faults.add(fault)
    while hand.now < DISTRUST.total_seconds():
        await hand.page()
    assert hand.pages == len((1000, 500, 250, 125)) + HOPELESS
    while hand.now < 2 * DISTRUST.total_seconds():
        await hand.page()
    assert hand.pages == len((1000, 500, 250, 125)) + HOPELESS + 1
    rig.gcs.faults.clear()
    await hand.round()
    assert hand.sweeper._last is not None


async def test_one_page_that_comes_gives_lists_hope(rig: Rig, hand: Hand) -> None:
    """They are left alone when nothing comes, not when little does."""
    await running(rig)
    hand.sweeper._page = SMALLEST_PAGE
    for _ in range(3):
        rig.gcs.faults.add(Fault(kind="status", status=400, times=HOPELESS - 1))
        pages = hand.pages
        while hand.pages < pages + HOPELESS:
            await hand.page()
    assert hand.now < DISTRUST.total_seconds()


async def test_trouble_of_gcs_interrupts_a_round_only(rig: Rig, hand: Hand) -> None:
    """The page is asked for again, and the round goes on."""
    executions = await running(rig)
    rig.gcs.faults.add(Fault(kind="status", status=503, times=4))
    await hand.round()
    assert hand.sweeper._last is not None
    assert hand.sweeper._last.seen.keys() == set(executions)


async def test_one_process_reads_at_a_time(rig: Rig, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one takes over when the first has been silent for the length of a turn."""
    monkeypatch.setattr("bot.store.gcs_quota.READER_LEASE", timedelta(seconds=0.3))
    await running(rig)
    other = Hand(rig)
    other.sweeper._budget._process = "another"
    await hand.page()
    await other.page()
    assert other.sweeper._round is None
    await _silence(rig, "*:reader:*")
    other.now += 60
    await other.round()
    assert other.sweeper._last is not None


async def test_a_turn_is_kept_between_pages_and_no_longer(rig: Rig) -> None:
    """However slowly pages may follow each other, nobody takes the lists over; a dead process has them for 5 s."""
    await running(rig)
    slow = Hand(rig, bytes_per_second=1000)
    began = {slow.pages: slow.now}
    while slow.pages < 4:
        pause = await slow.sweeper.run_once()
        began.setdefault(slow.pages, slow.now)
        slow.now += pause
        (turn,) = rig.redis.scan_iter("*:reader:*")
        assert pause < rig.redis.pttl(turn) / 1000 <= READER_LEASE.total_seconds()
    assert began[4] - began[3] > READER_LEASE.total_seconds()


async def test_the_turn_is_kept_while_all_hands_wait(rig: Rig, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pages that take long are no silence: nobody else begins a round of their own meanwhile."""
    await running(rig)
    monkeypatch.setattr("bot.workers.sweeper.sweeper.BREATH", 0.1)
    hand.sweeper._round = Round(began=0, page=100, defer_for=timedelta(seconds=1), calls=9, under_way=HANDS)
    hand.sweeper._not_before = 10**6
    stop = asyncio.Event()
    waiting = asyncio.create_task(hand.sweeper.run(stop))
    async with asyncio.timeout(10):
        for _ in range(3):
            while not (turns := list(rig.redis.scan_iter("*:reader:*"))):  # noqa: ASYNC110  # another task's doing
                await asyncio.sleep(0.01)
            rig.redis.delete(*turns)
        stop.set()
        await waiting


async def test_a_refusal_delays_lists_for_as_long_as_gcs_said(rig: Rig, hand: Hand) -> None:
    """The pace that was reckoned while no call was left is not kept any longer than that."""
    await running(rig)
    await hand.round()
    pages = hand.pages
    while not (hand.sweeper._round and hand.sweeper._round.todo):
        await hand.page()
    await hand.sweeper._budget.refused(timedelta(minutes=1))
    began = hand.now
    await hand.page()
    rig.redis.delete(*rig.redis.scan_iter("*:hold"))  # it is over
    while hand.pages == pages and hand.now < began + 60:
        await hand.page()
    assert hand.now - began < 10


async def _silence(rig: Rig, pattern: str) -> None:
    """Wait until nobody has the turn."""
    while any(rig.redis.scan_iter(pattern)):
        await rig.store.problem()


async def test_lists_take_no_more_bytes_than_allowed(rig: Rig) -> None:
    """A round then takes as long as it must."""
    await running(rig)
    slow = Hand(rig, bytes_per_second=1000)
    await slow.round()
    began, read = slow.now, SWEEPER_BYTES._value.get()
    await slow.round()
    assert slow.now - began >= 0.9 * (SWEEPER_BYTES._value.get() - read) / 1000 > 30


async def test_lists_are_trusted_while_looks_are_still_to_come(rig: Rig, hand: Hand) -> None:
    """After an outage all is news, and its looks take longer than a few rounds: that is no fault of the lists."""
    executions = await running(rig)
    await hand.round()
    for execution in executions:
        rig.gcs.step(execution, to="running 2/3")
    for _ in range(BLIND_ROUNDS):
        await hand.round()
    assert hand.sweeper._last is not None
    assert due_now(rig) == set(executions)


async def test_hands_that_work_at_once_count_each_page_once(rig: Rig) -> None:
    """What a round found is the sum of its pages, and it ends once."""
    rig.gcs.max_limit = 100
    hand = Hand(rig, per_minute=600)
    hand.sweeper._page = 100
    await running(rig, 350)
    ended: list[int] = []
    end = hand.sweeper._end

    async def spied(round_: Any) -> None:
        ended.append(round_.found.watched)
        await end(round_)

    hand.sweeper._end = spied  # type: ignore[method-assign]  # a spy
    for _ in range(200):
        hand.now += 0.2
        await asyncio.gather(*(hand.sweeper.run_once() for _ in range(3)), _soon(hand))
        if ended:
            break
    assert len(ended) == 1
    assert ended[0] >= 350


async def _soon(hand: Hand) -> None:
    """Another hand, a moment later."""
    hand.now += 0.2
    await hand.sweeper.run_once()


@pytest.mark.parametrize("fault", [Fault(kind="malformed", times=1), Fault(kind="truncated", times=1)])
async def test_one_broken_page_does_not_make_pages_small_for_ever(rig: Rig, hand: Hand, fault: Fault) -> None:
    """The largest page is tried again after a while."""
    await running(rig)
    rig.gcs.faults.add(fault)
    await hand.round()
    hand.now += 3700
    await hand.round()
    assert hand.sweeper._page == 1000


async def test_a_page_that_hung_says_nothing_about_the_next_ones(rig: Rig, hand: Hand) -> None:
    """What lists show unchanged is left to them for as long as rounds mostly take, not for three times an outage."""
    await running(rig)
    await hand.page()
    rig.gcs.faults.add(Fault(kind="status", status=503, times=1))
    await hand.page()
    hand.now += 600
    await hand.round()
    await hand.round()
    assert max(due_in(rig).values()) <= CADENCE.poll.total_seconds() + 1
