"""Watching while GCS is in trouble: nothing lost, nobody called too early, the card says what is known."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from itertools import pairwise
from time import monotonic

import pytest
import stamina
from msgspec.structs import replace

from bot import loops
from bot.watcher import Watcher
from sandbox import story
from sandbox.gcs import Fault
from tests.rooms.room import PACE, Room, ample

TROUBLES = [
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


def next_polls(room: Room) -> list[float]:
    """Seconds until each execution is looked at."""
    return room.waits("due")


@pytest.mark.parametrize("fault", TROUBLES, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_trouble_of_gcs_loses_nothing(room: Room, fault: Fault) -> None:
    """The next look is later than now, and brings what happened meanwhile."""
    execution = await room.followed(room.lab)
    room.gcs.faults.add(fault)
    await room.step(execution)
    assert next_polls(room) == [pytest.approx(5, abs=2)]
    assert await room.tell() == 0
    assert str(room.watcher.problem).startswith("GCS")
    room.gcs.faults.clear()
    await room.poll()
    await room.tell()
    assert room.read(room.lab) == ["card", "change 2"]
    assert not room.watcher.problem


async def test_trouble_that_nobody_can_see_the_end_of_is_forgotten(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to look at: readiness stays bad past the longest pause between two looks, not for ever."""
    execution = await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="status", status=503))
    await room.poll()
    await room.subscriptions.unsubscribe(room.who(room.lab), execution)
    monkeypatch.setattr(loops, "monotonic", lambda: monotonic() + 5.5 * 60)
    assert room.watcher.problem
    monkeypatch.setattr(loops, "monotonic", lambda: monotonic() + 6.5 * 60)
    assert not room.watcher.problem


async def test_failures_in_a_row_are_looked_at_more_and_more_rarely(room: Room) -> None:
    """Soon at first, since most troubles are short; up to five minutes in the end."""
    await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="status", status=503))
    pauses = []
    for _ in range(5):
        await room.poll()
        pauses += next_polls(room)
    assert pauses == [pytest.approx(seconds, abs=2) for seconds in (5, 10, 20, 40, 80)]


async def test_failures_while_others_are_answered_put_off_no_look_for_long(room: Room) -> None:
    """GCS is in trouble, not away: the next try may bring an outcome, so it is not left for minutes."""
    unlucky, _ = await room.followed(room.lab), await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="status", status=503, execution_id=unlucky))
    pauses = []
    for _ in range(6):
        await room.poll()
        pauses += [wait for lane, wait in room.waits_by_name("due").items() if lane.endswith(unlucky)]
    assert pauses == [pytest.approx(seconds, abs=2) for seconds in (5, 10, 20, 40, 60, 60)]


async def test_a_gcs_that_is_away_is_asked_once_a_look(room: Room) -> None:
    """The first failure is tried again at once, since most are of the moment; then each look is a repeat by itself."""
    await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="status", status=503))
    called = [len(room.gcs.calls)]
    with stamina.set_testing(True, attempts=4, cap=True):
        for _ in range(3):
            await room.poll()
            called.append(len(room.gcs.calls))
    assert [now - before for before, now in pairwise(called)] == [4, 1, 1]


async def test_retry_after_of_gcs_is_honoured(room: Room) -> None:
    """GCS asks us to stay away for ten minutes: then it is not before."""
    await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="status", status=429, retry_after=600))
    await room.poll()
    assert next_polls(room) == [pytest.approx(600, abs=2)]


@pytest.mark.parametrize(
    ("status", "words"),
    [(503, "GCS unreachable"), *((status, "GCS does not let me look") for status in (401, 403, 429))],
)
async def test_the_card_says_what_is_wrong_and_takes_it_back(room: Room, status: int, words: str) -> None:
    """Since when GCS is away, or refuses to answer; with its next answer the card is as before."""
    await room.followed(room.lab)
    (usual,) = timeless(room)
    room.gcs.faults.add(Fault(kind="status", status=status))
    for _ in range(3):
        await room.poll()
    await room.tell()
    (away,) = timeless(room)
    room.gcs.faults.clear()
    room.client._hold._refusals = 0  # or nobody would ask for a minute
    await room.poll()
    await room.tell()
    assert f"{words} since" in away
    assert words not in usual
    assert (timeless(room), room.read(room.lab)) == ([usual], ["card"])


def timeless(room: Room) -> list[str]:
    """The cards without times, which go on meanwhile."""
    return [re.sub(r"\d+", "0", card) for card in room.cards(room.lab)]


async def test_an_outage_of_gcs_loses_no_outcome(room: Room) -> None:
    """What happened during it is told after it, once."""
    lives = [story.happy(2), story.failing(2), story.cancelled(2)]
    executions = [await room.followed(room.lab, room.alice, life=life) for life in lives]
    room.gcs.faults.add(Fault(kind="status", status=502))
    for execution, life in zip(executions, lives, strict=True):
        await room.step(execution, to=life.frames[-1].name)
        await room.tell()
    room.gcs.faults.clear()
    await room.poll()
    await room.later()
    for name in (room.lab, room.alice):
        outcomes = [line for line in room.read(name) if line.startswith("change")]
        assert outcomes == ["change 3"] * 3


async def test_missing_twice_is_vanished(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once may be a GCS in trouble; the second time, a while later, people are told, and nothing is left."""
    execution = await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="status", status=404, times=3))
    for _ in range(2):  # somebody hurries the second look: that is no witness
        await room.poll()
        assert await room.tell() == 0
        assert room.waits("due") == room.waits("expedited") == [pytest.approx(20, abs=1)]
    monkeypatch.setattr("bot.changes.CONFIRM_MISSING", timedelta(0))  # it is over
    await room.poll()
    await room.tell()
    assert room.read(room.lab) == ["card", "change 2"]
    assert await room.store.subscribers.snapshot(room.slack.workspace.team_id, execution) is None
    assert room.left_over() == []


async def test_missing_once_is_nothing(room: Room) -> None:
    """The execution is there again, and nobody hears of it."""
    await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="status", status=404, times=1))
    await room.poll()
    await room.poll()
    assert await room.tell() == 0


@pytest.mark.parametrize("page", [Fault(kind="not_found_page"), Fault(kind="status", status=404, body="")])
async def test_a_gateway_that_misroutes_deletes_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch, page: Fault
) -> None:
    """A 404 that is not GCS's own says nothing of an execution, however often it comes; for cards GCS is away."""
    monkeypatch.setattr("bot.changes.CONFIRM_MISSING", timedelta(0))
    execution = await room.followed(room.lab)
    room.gcs.faults.add(page)
    for _ in range(4):
        await room.poll()
    await room.tell()
    assert room.read(room.lab) == ["card"]
    assert "GCS unreachable since" in room.cards(room.lab)[0]
    assert await room.store.subscribers.find(room.who(room.lab), execution)


async def test_two_watchers_settle_each_change_once(room: Room) -> None:
    """Two bots on one store, both looking at once."""
    executions = [await room.followed(room.lab) for _ in range(6)]
    other = Watcher(room.client, room.store.schedule, pace=PACE, budget=ample(room.store), history=room.store.history)
    for execution in executions:
        room.gcs.step(execution)
    room.polls_come()
    looked = await asyncio.gather(*(watcher.run_once() for watcher in (room.watcher, other)))
    await room.tell()
    assert sum(looked) == 6
    assert sorted(room.read(room.lab)) == ["card"] * 6 + ["change 2"] * 6


async def test_a_slow_look_does_not_overwrite_a_later_one(room: Room) -> None:
    """A look that outlived its lease is superseded by the look of whoever claimed the execution next."""
    execution = await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="slow", times=1, delay=0.3))
    slow = asyncio.create_task(room.poll())
    await room.gcs.wait_for_calls(execution, 2)
    await room.step(execution, to="succeeded")
    await slow
    await room.tell()
    snapshot = await room.store.subscribers.snapshot(room.slack.workspace.team_id, execution)
    assert (room.read(room.lab), snapshot) == (["card", "change 2"], None)


async def test_refused_credentials_stop_the_calls(room: Room) -> None:
    """A key gets blocked by repeats: one call, then none for a while, and readiness says why."""
    execution = await room.followed(room.lab)
    calls = len(room.gcs.calls)
    room.gcs.faults.add(Fault(kind="status", status=401))
    for _ in range(4):
        await room.poll()
    assert len(room.gcs.calls) == calls + 1
    assert "refused" in str(room.watcher.problem)
    assert await room.store.subscribers.find(room.who(room.lab), execution)


async def test_a_watcher_that_died_is_replaced_after_its_lease(room: Room) -> None:
    """The execution that it had claimed is looked at by the next one, or at once where there is only one bot."""
    execution = await room.followed(room.lab)
    room.polls_come()
    for number in await room.store.schedule.ready():
        await room.store.schedule.claim(number, 10)
    assert await room.watcher.run_once() == 0
    assert await room.store.recover() == 1
    room.gcs.step(execution)
    assert await room.watcher.run_once() == 1
    await room.tell()
    assert room.read(room.lab) == ["card", "change 2"]


async def test_without_a_retry_the_end_is_told(room: Room) -> None:
    """A failed execution is watched for its grace time, then people read that nobody watches any more."""
    pace = replace(PACE, retry_grace=timedelta(0))
    room.watcher = Watcher(
        room.client, room.store.schedule, pace=pace, budget=ample(room.store), history=room.store.history
    )
    execution = await room.followed(room.lab, life=story.failing(2))
    await room.step(execution, to="failed")
    await room.poll()
    await room.tell()
    assert room.read(room.lab) == ["card", "change 2", "change 3"]
    assert "No retry came" in room.slack.messages(room.lab)[-1].text
    assert room.left_over() == []


async def test_what_the_quota_does_not_allow_stays_due(room: Room) -> None:
    """With four calls and six executions, four are looked at and two wait; nothing is counted as a miss."""
    for _ in range(6):
        await room.followed(room.lab)
    scarce = room.store.budget("scarce", per_minute=4, reserve=0)
    watcher = Watcher(room.client, room.store.schedule, pace=PACE, budget=scarce, history=room.store.history)
    room.polls_come()
    for _ in range(4):
        await scarce.take(is_person=False)
    assert await watcher.run_once() == 0
    assert watcher.problem is None


async def test_a_watcher_that_stops_leaves_nothing_unsettled(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that wait for others to be settled with do not wait any more."""
    monkeypatch.setattr("bot.store.schedule.TOGETHER_SECONDS", 60)
    execution = await room.followed(room.lab)
    await room.poll()
    room.polls_come()
    stop = asyncio.Event()
    watching = asyncio.create_task(room.watcher.run(stop))
    await room.gcs.wait_for_calls(execution, 3)
    stop.set()
    await watching
    assert not list(room.redis.scan_iter("*:leases"))
    assert next_polls(room) == [pytest.approx(60, abs=2)]


async def test_one_hand_gets_round(room: Room) -> None:
    """However much is due, each has its turn before any has a second one."""
    for _ in range(8):
        await room.followed(room.lab)
    watcher = Watcher(
        room.client, room.store.schedule, pace=PACE, budget=ample(room.store), history=room.store.history, concurrency=1
    )
    room.polls_come()
    assert [await watcher.run_once() for _ in range(9)] == [1] * 8 + [0]
    assert next_polls(room) == [pytest.approx(60, abs=5)] * 8


async def test_what_somebody_looks_at_is_looked_at_sooner(room: Room) -> None:
    """A person who asks will ask again: for about a minute the watch looks as if a change were near."""
    execution = await room.followed(room.lab)
    await room.poll()
    assert next_polls(room) == [pytest.approx(60, abs=2)]
    await room.subscriptions.summary(room.who(room.lab).team_id, execution, room.alice)
    assert next_polls(room) == [pytest.approx(5, abs=1)]
    await room.poll()
    assert next_polls(room) == [pytest.approx(7, abs=2)]


async def test_a_look_that_takes_longer_than_a_lease_stays_with_its_worker(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GCS hangs: nobody else asks the same meanwhile, and what it says in the end counts."""
    monkeypatch.setattr("bot.store.schedule.LEASE", timedelta(seconds=1))
    monkeypatch.setattr("bot.watcher.RENEW_SECONDS", 0.1)
    execution = await room.followed(room.lab)
    room.gcs.faults.add(Fault(kind="slow", times=1, delay=2.5))
    room.gcs.step(execution)
    calls = len(room.gcs.calls)
    room.polls_come()
    stop = asyncio.Event()
    other = Watcher(room.client, room.store.schedule, pace=PACE, budget=ample(room.store), history=room.store.history)
    async with asyncio.TaskGroup() as group:
        for watcher in (room.watcher, other):
            group.create_task(watcher.run(stop))
        await room.gcs.wait_for_calls(execution, calls + 1)
        await asyncio.sleep(2.8)
        stop.set()
    await room.tell()
    assert (len(room.gcs.calls) - calls, room.read(room.lab)) == (1, ["card", "change 2"])
