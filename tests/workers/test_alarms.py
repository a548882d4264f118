"""Time alone becomes a message: a poll that shows nothing new reports that a run is slow, or that its limit is near."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from bot.domain import estimate
from bot.domain.execution import Execution, Step
from bot.domain.snapshot import Snapshot
from bot.store import PARTITIONS
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig, watcher_of

HOUR = timedelta(hours=1)
SHORTLY = timedelta(seconds=4)


def runs_that_make_slow(after: timedelta) -> timedelta:
    """How long three equal runs take, so that the fourth is slow `after` that."""
    for minutes in range(1, 600):
        usual = estimate.usual_of([minutes * 60.0] * 3)
        if usual and estimate.slow_after(usual) == after:
            return timedelta(minutes=minutes)
    raise AssertionError(after)


async def knows_runs(rig: Rig, like: Execution, took: timedelta, *, step: str = "") -> None:
    """Three runs of the workflow of `like` have succeeded, and took so long; so did one of their steps."""
    steps = (Step(name=step, phase="Succeeded", elapsed=took),) if step else ()
    for number in range(3):
        now = datetime.now(UTC)
        run = replace(
            like,
            id=f"before-{number}",
            phase="Running",
            created_at=now - took,
            updated_at=now,
            steps=steps,
            elapsed=None,
        )
        before = Snapshot(execution=run, revision=1, seen_at=now)
        sent = rig.store.history.ended(
            rig.slack.workspace.team_id, before, replace(before, execution=replace(run, phase="Succeeded"))
        )
        assert sent
        await sent


async def seen(rig: Rig, execution_id: str) -> Execution:
    """What GCS shows of it."""
    return (await rig.client.get_execution(execution_id)).to_execution()


async def snapshot(rig: Rig, execution_id: str) -> Snapshot:
    """What the store holds of it."""
    found = await rig.store.subscribers.snapshot(rig.slack.workspace.team_id, execution_id)
    assert found
    return found


async def about_to_be_slow(rig: Rig) -> str:
    """An execution that Alice follows, and that will be slower than usual in four seconds."""
    execution = rig.gcs.play(story.happy(2), by_hand=True, ago=(HOUR - SHORTLY).total_seconds())
    await knows_runs(rig, await seen(rig, execution), runs_that_make_slow(HOUR))
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
    await rig.deliver()
    return execution


async def test_a_slow_run_is_reported_by_itself(rig: Rig) -> None:
    """No poll is due, and GCS shows nothing new: the alarm has it polled, and the thread says so, once."""
    execution = await about_to_be_slow(rig)
    assert (await snapshot(rig, execution)).usual
    assert await rig.watcher.run_once() == 0
    await asyncio.sleep(SHORTLY.total_seconds() + 0.5)
    assert await rig.watcher.run_once() == 1
    await rig.deliver()
    assert rig.read(rig.alice) == ["card", "change 2"]
    assert "slower than usual" in rig.slack.messages(rig.place(rig.alice))[-1].text
    assert (await snapshot(rig, execution)).raised == ("slow",)


async def test_the_loop_wakes_for_an_alarm(rig: Rig) -> None:
    """It sleeps until then, since the next poll is due in a minute."""
    execution = await about_to_be_slow(rig)
    stop = asyncio.Event()
    running = asyncio.create_task(rig.watcher.run(stop))
    async with asyncio.timeout(60):
        while not (await snapshot(rig, execution)).raised:  # noqa: ASYNC110  # the watcher's doing
            await asyncio.sleep(0.1)
    stop.set()
    await running
    assert rig.waits("due") == [pytest.approx(60, abs=20)]


async def test_copies_report_once(rig: Rig) -> None:
    """Both have it polled; a restart, and each later poll, report nothing more."""
    await about_to_be_slow(rig)
    await asyncio.sleep(SHORTLY.total_seconds() + 0.5)
    other = watcher_of(rig.client, rig.store)
    assert sorted(await asyncio.gather(rig.watcher.run_once(), other.run_once())) == [0, 1]
    for watcher in (rig.watcher, other, watcher_of(rig.client, rig.store)):
        rig.polls_come()
        await watcher.run_once()
    await rig.deliver()
    assert rig.read(rig.alice) == ["card", "change 2"]


async def test_gcs_that_is_away_delays_an_alarm(rig: Rig) -> None:
    """It is reported with GCS's next answer, and GCS is not asked more often for it."""
    await about_to_be_slow(rig)
    await asyncio.sleep(SHORTLY.total_seconds() + 0.5)
    rig.gcs.faults.add(Fault(kind="status", status=503))
    assert [await rig.watcher.run_once() for _ in range(3)] == [1, 0, 0]
    await rig.deliver()
    assert rig.read(rig.alice) == ["card"]
    rig.gcs.faults.clear()
    await rig.poll()
    await rig.deliver()
    assert rig.read(rig.alice) == ["card", "change 2"]


async def test_a_near_limit_is_reported_by_itself(rig: Rig) -> None:
    """Without any history."""
    limit = timedelta(days=1)
    ago = limit - timedelta(minutes=30) - SHORTLY
    execution = rig.gcs.play(story.happy(2), by_hand=True, ago=ago.total_seconds())
    assert (await seen(rig, execution)).timeout == limit
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
    await rig.deliver()
    await asyncio.sleep(SHORTLY.total_seconds() + 0.5)
    assert await rig.watcher.run_once() == 1
    await rig.deliver()
    assert rig.read(rig.alice) == ["card", "change 2"]
    assert "stops soon" in rig.slack.messages(rig.place(rig.alice))[-1].text


async def test_a_run_that_ends_is_remembered(rig: Rig) -> None:
    """Once, though a poll whose claim was lost saw the end, too; and with nobody following any more."""
    execution = await rig.followed(rig.alice)
    like = await seen(rig, execution)
    rig.gcs.step(execution, to="succeeded")
    rig.polls_come()
    lost = [due for number in range(PARTITIONS) for due in await rig.store.schedule.claim(number, 9)]
    await rig.poll()
    await asyncio.gather(*map(rig.watcher._poll, lost))
    await rig.deliver()
    past = await rig.store.history.past(rig.slack.workspace.team_id, like)
    assert [(end.id, end.phase) for end in past.ends] == [(execution, "Succeeded")]
    assert rig.left_over() == []


async def test_a_run_that_was_retried_teaches_nothing(rig: Rig) -> None:
    """How it ended is remembered both times; how long it took is not."""
    execution = await rig.followed(rig.alice, life=story.retried())
    like = await seen(rig, execution)
    for frame in ("failed", "retrying", "succeeded"):
        await rig.step(execution, to=frame)
    past = await rig.store.history.past(rig.slack.workspace.team_id, like)
    assert [(end.phase, end.is_retried) for end in past.ends] == [("Succeeded", True), ("Failed", False)]
    assert past.ends[1].step
    account = rig.store.ownership.owner.account
    (workflow,) = await rig.store.contents.workflows(account, rig.slack.workspace.team_id)
    fields = await rig.store.history.fields(account, rig.slack.workspace.team_id, workflow)
    assert set(fields) == {"marks", "ends", "good"}


@pytest.mark.parametrize("is_known", [True, False])
async def test_the_first_card_knows_how_long(rig: Rig, is_known: bool) -> None:
    """Where its workflow is known, the estimate is there at once; else nothing is said."""
    execution = rig.gcs.play(story.happy(2), by_hand=True, ago=600)
    rig.gcs.step(execution, to="running 0/2")  # while it waits, nobody knows when it begins
    if is_known:
        await knows_runs(rig, await seen(rig, execution), HOUR)
    subscribed = await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
    outlook = estimate.outlook_of(subscribed.snapshot, now=datetime.now(UTC))
    assert (outlook is not None) == is_known
    if outlook:
        assert timedelta(minutes=40) < outlook.median_left < timedelta(minutes=60)
