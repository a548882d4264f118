"""Polling while GCS has problems: nothing is lost, nothing is reported too early, the card shows what is known."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from itertools import pairwise
from time import monotonic

import pytest
import stamina
from msgspec.structs import replace

from bot.workers import pool
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import CADENCE, Rig, watcher_of

FAULTS = [
    Fault(kind="status", status=500),
    Fault(kind="status", status=503),
    Fault(kind="status", status=403),
    Fault(kind="status", status=400),
    Fault(kind="reset"),
    Fault(kind="truncated"),
    Fault(kind="malformed"),
    Fault(kind="malformed", body={"execution": None}),
    Fault(kind="html"),
    Fault(kind="not_found_page"),
]


def next_polls(rig: Rig) -> list[float]:
    """Seconds until each execution is polled."""
    return rig.waits("due")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_a_failed_poll_loses_nothing(rig: Rig, fault: Fault) -> None:
    """The next poll comes later, and shows what happened meanwhile."""
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(fault)
    await rig.step(execution)
    assert next_polls(rig) == [pytest.approx(5, abs=2)]
    assert await rig.deliver() == 0
    assert str(rig.watcher.problem).startswith("GCS")
    rig.gcs.faults.clear()
    await rig.poll()
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert not rig.watcher.problem


async def test_an_old_problem_expires(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once nothing is left to poll, readiness stays bad for longer than the longest interval, but not for ever."""
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=503))
    await rig.poll()
    await rig.subscriptions.unsubscribe(rig.who(rig.lab), execution)
    monkeypatch.setattr(pool, "monotonic", lambda: monotonic() + 5.5 * 60)
    assert rig.watcher.problem
    monkeypatch.setattr(pool, "monotonic", lambda: monotonic() + 6.5 * 60)
    assert not rig.watcher.problem


async def test_failures_in_a_row_lengthen_the_interval(rig: Rig) -> None:
    """Short at first, since most failures are temporary; up to five minutes in the end."""
    await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=503))
    pauses = []
    for _ in range(5):
        await rig.poll()
        pauses += next_polls(rig)
    assert pauses == [pytest.approx(seconds, abs=2) for seconds in (5, 10, 20, 40, 80)]


async def test_failures_beside_answers_keep_the_interval(rig: Rig) -> None:
    """GCS answers others, so it is not away: the next poll may show an outcome and is not delayed for minutes."""
    unlucky, _ = await rig.followed(rig.lab), await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=503, execution_id=unlucky))
    pauses = []
    for _ in range(6):
        await rig.poll()
        pauses += [wait for lane, wait in rig.waits_by_name("due").items() if lane.endswith(unlucky)]
    assert pauses == [pytest.approx(seconds, abs=2) for seconds in (5, 10, 20, 40, 60, 60)]


async def test_an_outage_costs_one_call_a_poll(rig: Rig) -> None:
    """The first failed call is repeated at once, since most failures are temporary; later each poll is one call."""
    await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=503))
    called = [len(rig.gcs.calls)]
    with stamina.set_testing(True, attempts=4, cap=True):
        for _ in range(3):
            await rig.poll()
            called.append(len(rig.gcs.calls))
    assert [now - before for before, now in pairwise(called)] == [4, 1, 1]


async def test_retry_after_of_gcs_is_honoured(rig: Rig) -> None:
    """GCS asks for a pause of ten minutes: the next poll is not before."""
    await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=429, retry_after=600))
    await rig.poll()
    assert next_polls(rig) == [pytest.approx(600, abs=2)]


@pytest.mark.parametrize(
    ("status", "words"),
    [(503, "GCS has not answered"), *((status, "GCS has denied me access") for status in (401, 403, 429))],
)
async def test_the_card_says_what_is_wrong(rig: Rig, status: int, words: str) -> None:
    """Since when GCS is unreachable or refuses access; with its next answer the card is as before."""
    await rig.followed(rig.lab)
    (usual,) = timeless(rig)
    rig.gcs.faults.add(Fault(kind="status", status=status))
    for _ in range(3):
        await rig.poll()
    await rig.deliver()
    (away,) = timeless(rig)
    rig.gcs.faults.clear()
    rig.client._breaker._refusals = 0  # or no call would be made for a minute
    await rig.poll()
    await rig.deliver()
    assert f"{words} since" in away
    assert words not in usual
    assert (timeless(rig), rig.read(rig.lab)) == ([usual], ["card"])


def timeless(rig: Rig) -> list[str]:
    """The cards without times, which differ each time."""
    return [re.sub(r"\d+", "0", card) for card in rig.cards(rig.lab)]


async def test_an_outage_of_gcs_loses_no_outcome(rig: Rig) -> None:
    """What happened during it is delivered after it, once."""
    lives = [story.happy(2), story.failing(2), story.cancelled(2)]
    executions = [await rig.followed(rig.lab, rig.alice, life=life) for life in lives]
    rig.gcs.faults.add(Fault(kind="status", status=502))
    for execution, life in zip(executions, lives, strict=True):
        await rig.step(execution, to=life.frames[-1].name)
        await rig.deliver()
    rig.gcs.faults.clear()
    await rig.poll()
    await rig.later()
    for name in (rig.lab, rig.alice):
        outcomes = [line for line in rig.read(name) if line.startswith("change")]
        assert outcomes == ["change 3"] * 3


async def test_missing_twice_is_vanished(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time may be a fault of GCS; the second time, 20 s later, is delivered, and nothing is left."""
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=404, execution_id=execution))
    for _ in range(2):  # somebody presses Refresh: that does not confirm it
        await rig.poll()
        assert await rig.deliver() == 0
        assert rig.waits("due") == rig.waits("expedited") == [pytest.approx(20, abs=1)]
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(0))  # it is over
    await rig.poll()
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert await rig.store.subscribers.snapshot(rig.slack.workspace.team_id, execution) is None
    assert rig.left_over() == []


async def test_missing_once_is_nothing(rig: Rig) -> None:
    """GCS shows the execution again, and no message is sent."""
    await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=404, times=1))
    await rig.poll()
    await rig.poll()
    assert await rig.deliver() == 0


@pytest.mark.parametrize("page", [Fault(kind="not_found_page"), Fault(kind="status", status=404, body="")])
async def test_a_gateway_that_misroutes_deletes_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch, page: Fault) -> None:
    """A 404 that is not GCS's own never means a deleted execution; cards say that GCS is unreachable."""
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(0))
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(page)
    for _ in range(4):
        await rig.poll()
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert "GCS has not answered since" in rig.cards(rig.lab)[0]
    assert await rig.store.subscribers.find(rig.who(rig.lab), execution)


async def test_two_watchers_settle_each_change_once(rig: Rig) -> None:
    """Two copies of the bot on one store, both polling at once."""
    executions = [await rig.followed(rig.lab) for _ in range(6)]
    other = watcher_of(rig.client, rig.store)
    for execution in executions:
        rig.gcs.step(execution)
    rig.polls_come()
    polled = await asyncio.gather(*(watcher.run_once() for watcher in (rig.watcher, other)))
    await rig.deliver()
    assert sum(polled) == 6
    assert sorted(rig.read(rig.lab)) == ["card"] * 6 + ["change 2"] * 6


async def test_a_slow_poll_never_overwrites_a_later_one(rig: Rig) -> None:
    """A poll that takes longer than its lease is superseded by the poll of the next claim."""
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="slow", times=1, delay=0.3))
    slow = asyncio.create_task(rig.poll())
    await rig.gcs.wait_for_calls(execution, 2)
    await rig.step(execution, to="succeeded")
    await slow
    await rig.deliver()
    snapshot = await rig.store.subscribers.snapshot(rig.slack.workspace.team_id, execution)
    assert (rig.read(rig.lab), snapshot) == (["card", "change 2"], None)


async def test_refused_credentials_stop_the_calls(rig: Rig) -> None:
    """Repeated calls can block a key: after one call there is none for a while, and readiness says why."""
    execution = await rig.followed(rig.lab)
    calls = len(rig.gcs.calls)
    rig.gcs.faults.add(Fault(kind="status", status=401))
    for _ in range(4):
        await rig.poll()
    assert len(rig.gcs.calls) == calls + 1
    assert "refused" in str(rig.watcher.problem)
    assert await rig.store.subscribers.find(rig.who(rig.lab), execution)


async def test_a_dead_watcher_is_replaced_after_its_lease(rig: Rig) -> None:
    """Its claimed execution is polled by the next watcher, or at once if there is only one copy of the bot."""
    execution = await rig.followed(rig.lab)
    rig.polls_come()
    for number in (await rig.store.schedule.ready()).partitions:
        await rig.store.schedule.claim(number, 10)
    assert await rig.watcher.run_once() == 0
    assert await rig.store.recover() == 1
    rig.gcs.step(execution)
    assert await rig.watcher.run_once() == 1
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2"]


async def test_a_grace_time_without_retry_is_reported(rig: Rig) -> None:
    """A failed execution is polled for its grace time, then people read that it is no longer followed."""
    cadence = replace(CADENCE, retry_grace=timedelta(0))
    rig.watcher = watcher_of(rig.client, rig.store, cadence=cadence)
    execution = await rig.followed(rig.lab, life=story.failing(2))
    await rig.step(execution, to="failed")
    await rig.poll()
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]
    assert "It was not retried" in rig.slack.messages(rig.lab)[-1].text
    assert rig.left_over() == []


async def test_polls_beyond_the_quota_stay_due(rig: Rig) -> None:
    """While no call is left nothing is polled, and nothing counts as a failure."""
    for _ in range(6):
        await rig.followed(rig.lab)
    scarce = rig.store.gcs_quota("scarce", per_minute=4, reserve=0)
    watcher = watcher_of(rig.client, rig.store, quota=scarce)
    rig.polls_come()
    for _ in range(4):
        await scarce.take(is_person=False)
    assert await watcher.run_once() == 0
    assert watcher.problem is None


async def test_a_watcher_that_stops_leaves_nothing_unsettled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls that wait to be settled together do not wait any longer."""
    monkeypatch.setattr("bot.store.schedule.unchanged.TOGETHER_SECONDS", 60)
    execution = await rig.followed(rig.lab)
    await rig.poll()
    rig.polls_come()
    stop = asyncio.Event()
    watching = asyncio.create_task(rig.watcher.run(stop))
    await rig.gcs.wait_for_calls(execution, 3)
    stop.set()
    await watching
    assert not list(rig.redis.scan_iter("*:leases"))
    assert next_polls(rig) == [pytest.approx(60, abs=2)]


async def test_one_worker_polls_everything_in_turn(rig: Rig) -> None:
    """However many are due, each execution is polled once before any is polled twice."""
    for _ in range(8):
        await rig.followed(rig.lab)
    watcher = watcher_of(rig.client, rig.store, concurrency=1)
    rig.polls_come()
    assert [await watcher.run_once() for _ in range(9)] == [1] * 8 + [0]
    assert next_polls(rig) == [pytest.approx(60, abs=5)] * 8


async def test_a_viewed_execution_is_polled_sooner(rig: Rig) -> None:
    """A person who asks will ask again: for about a minute polls come as if a change were expected."""
    execution = await rig.followed(rig.lab)
    await rig.poll()
    assert next_polls(rig) == [pytest.approx(60, abs=2)]
    await rig.subscriptions.summary(rig.who(rig.lab).team_id, execution, rig.alice)
    assert next_polls(rig) == [pytest.approx(5, abs=1)]
    await rig.poll()
    assert next_polls(rig) == [pytest.approx(7, abs=2)]


async def test_a_slow_poll_keeps_its_claim(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """GCS hangs: no other worker polls the same meanwhile, and the late answer counts."""
    monkeypatch.setattr("bot.store.schedule.LEASE", timedelta(seconds=1))
    monkeypatch.setattr("bot.workers.watcher.RENEW_SECONDS", 0.1)
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="slow", times=1, delay=2.5))
    rig.gcs.step(execution)
    calls = len(rig.gcs.calls)
    rig.polls_come()
    stop = asyncio.Event()
    other = watcher_of(rig.client, rig.store)
    async with asyncio.TaskGroup() as group:
        for watcher in (rig.watcher, other):
            group.create_task(watcher.run(stop))
        await rig.gcs.wait_for_calls(execution, calls + 1)
        await asyncio.sleep(2.8)
        stop.set()
    await rig.deliver()
    assert (len(rig.gcs.calls) - calls, rig.read(rig.lab)) == (1, ["card", "change 2"])
