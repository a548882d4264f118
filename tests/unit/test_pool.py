"""A worker's loop is quiet while nothing is due and quick when something is; conditions say what is wrong outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from structlog.testing import capture_logs

from bot.domain import cadence
from bot.store.engine.connection import Ready
from bot.store.engine.wakeup import Wakeup
from bot.store.slack_limits import limits
from bot.workers import pool, watcher
from bot.workers.notifier.messenger import REFUSED_PAUSE
from bot.workers.pool import BLOCKED_SECONDS, IDLE_SECONDS, REMEMBERED, Condition, WorkerPool

NOTHING = Ready([], None, 0)
DUE = Ready([0], None, 1)
PATIENCE = 60.0
"""Seconds that a busy machine may take."""


@pytest.fixture
def drowsy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that nothing wakes sleeps for longer than any test waits."""
    monkeypatch.setattr(pool, "IDLE_SECONDS", 10 * PATIENCE)


class Work:
    """A store with one partition, and what a pool does with it."""

    def __init__(self, ready: Ready = NOTHING) -> None:
        self.ready, self.items = ready, [0]
        self.asked: list[float] = []
        self.done = asyncio.Event()
        self.wakeup = Wakeup()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the pool; it ends within the context manager's end, or the test hangs."""
        worked = WorkerPool("test", ready=self.say, claim=self.claim, do=self.do, wakeup=self.wakeup, concurrency=4)
        stop = asyncio.Event()
        running = asyncio.create_task(worked.run(stop))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(PATIENCE):
                await running

    async def say(self) -> Ready:
        """What is due."""
        self.asked.append(monotonic())
        return self.ready

    async def claim(self, _number: int, _limit: int) -> list[int]:
        """Claim all there is."""
        claimed, self.items = self.items, []
        return claimed

    async def do(self, _item: int) -> None:
        """Do it."""
        self.done.set()

    def make(self) -> None:
        """Let something be due."""
        self.ready = DUE

    async def is_done(self) -> None:
        """Wait for it, for less than a pool that is `drowsy` sleeps."""
        async with asyncio.timeout(PATIENCE):
            await self.done.wait()


async def test_an_idle_pool_asks_the_store_seldom() -> None:
    """Once a second, for what other copies make."""
    work = Work()
    async with work.running():
        await asyncio.sleep(1.3 * IDLE_SECONDS)
    assert 1 <= len(work.asked) <= 3


@pytest.mark.usefixtures("drowsy")
async def test_a_wakeup_ends_the_sleep_at_once() -> None:
    """What this process makes does not wait for the next question."""
    work = Work()
    async with work.running():
        await asyncio.sleep(0.05)
        work.make()
        work.wakeup.set()
        await work.is_done()


@pytest.mark.usefixtures("drowsy")
async def test_a_wakeup_between_question_and_sleep_counts() -> None:
    """The store's answer was older than the change."""
    work = Work()
    say = work.say

    async def overtaken() -> Ready:
        ready = await say()
        if len(work.asked) == 1:
            work.make()
            work.wakeup.set()
        return ready

    work.say = overtaken  # type: ignore[method-assign]
    async with work.running():
        await work.is_done()


@pytest.mark.usefixtures("drowsy")
async def test_a_pool_sleeps_until_the_next_item() -> None:
    """The store says when that is due."""
    work = Work(Ready([], 0.2, 1))
    later = asyncio.get_running_loop().call_later(0.15, work.make)
    async with work.running():
        await work.is_done()
    later.cancel()
    assert work.asked[1] - work.asked[0] >= 0.19


@pytest.mark.usefixtures("drowsy")
async def test_a_later_wakeup_shortens_the_sleep() -> None:
    """A lane that was put back for a moment is claimed when that is over."""
    work = Work()
    async with work.running():
        await asyncio.sleep(0.05)
        work.make()
        work.wakeup.set(after=0.2)
        await work.is_done()


async def test_items_nobody_may_claim_cause_no_busy_loop() -> None:
    """No call is left, or another copy was quicker."""
    work = Work(DUE)
    work.items = []
    async with work.running():
        await asyncio.sleep(3 * BLOCKED_SECONDS)
    assert len(work.asked) <= 5


async def test_a_bug_in_a_claim_ends_no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged; the next claim comes after a pause."""
    monkeypatch.setattr(pool, "STORE_AWAY_SECONDS", 0.01)
    work = Work(DUE)
    bugs, claim = iter([ZeroDivisionError]), work.claim

    async def failing(_number: int, _limit: int) -> list[int]:
        for bug in bugs:
            raise bug
        return await claim(_number, _limit)

    work.claim = failing  # type: ignore[method-assign]
    with capture_logs() as logs:
        async with work.running():
            await work.is_done()
    assert [line["event"] for line in logs] == ["pool.claim_failed"]


def test_a_condition_outlasts_the_longest_interval() -> None:
    """While a problem lasts and there is work, readiness stays false between two attempts."""
    between_polls = cadence.LONGEST_FAILURE_INTERVAL + watcher.WITHIN
    between_calls = max(REFUSED_PAUSE, limits.LONGEST_PAUSE) + limits.PROBE
    assert max(between_polls, between_calls) < REMEMBERED


def test_success_clears_only_its_own_condition() -> None:
    """Success in another matter does not clear it."""
    condition = Condition()
    condition.set("no answer")
    condition.set("not allowed to post", about="post")
    assert condition.text == "no answer; not allowed to post"
    assert condition.clear()
    assert not condition.clear()
    assert condition.text == "not allowed to post"
    condition.clear(about="post")
    assert condition.text is None
