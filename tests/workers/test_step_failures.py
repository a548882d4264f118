"""Steps that fail while the execution goes on: who reads it, where, and how lists show it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.following import Level
from sandbox import story
from sandbox.slack.state import Message
from sandbox.story import Frame, Life, Step
from tests.workers.rig import Rig
from tests.workers.sweeper_rig import MANY, SweeperRig, due_now, running

STUMBLING = story.stumbling(5)
CAUSE = "*bwa-mem* ran out of memory (exit 137, `SubJobFailed`), after "
OTHERS = "; 1 other goes on."


def last(rig: Rig, name: str) -> Message:
    """The last message that `name` reads."""
    return rig.slack.messages(rig.place(name))[-1]


@pytest.mark.parametrize("level", Level)
async def test_every_level_reads_of_it(rig: Rig, level: Level) -> None:
    """Outside the thread, with the cause: in the channel it mentions the owner, in person nobody."""
    execution = await rig.followed(rig.lab, rig.alice, life=STUMBLING, level=level)
    await rig.step(execution, to="running 1/5")
    await rig.deliver()
    await rig.step(execution, to="step failed")
    await rig.deliver()
    lab, alice = last(rig, rig.lab), last(rig, rig.alice)
    assert lab.text.startswith("⚠️ Running, 1 step failed: germline-wgs-")
    assert OTHERS in lab.text
    assert (CAUSE in lab.text, lab.is_broadcast, f"<@{rig.alice}>" in lab.text) == (True, True, True)
    assert (CAUSE in alice.text, alice.thread_ts, "<@" in alice.text) == (True, None, False)


async def test_one_of_thousands_is_read(rig: Rig) -> None:
    """More steps than are read run at once, and one of the last fails."""
    execution = await rig.followed(rig.lab, life=STUMBLING)
    rig.gcs.step(execution)
    body = rig.gcs.body(execution)
    assert body is not None
    nodes = [{"name": f"align-{number}", "status": "Running"} for number in range(3_000)]
    body["status"] = {"node_number": 3_000, "finished_node_number": 0, "actual_node_status": nodes}
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.deliver()
    nodes[2_900]["status"] = "Failed"
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.deliver()
    assert "*align-2900* failed" in last(rig, rig.lab).text
    assert last(rig, rig.lab).is_broadcast


async def test_the_end_soon_after_mentions_nobody_again(rig: Rig) -> None:
    """It is announced, but the owner has just been mentioned."""
    execution = await rig.followed(rig.lab, life=STUMBLING)
    for frame in ("step failed", "failed"):
        await rig.step(execution, to=frame)
        await rig.deliver()
    early, end = rig.slack.messages(rig.lab)[1:]
    assert [("<@" in each.text, each.is_broadcast) for each in (early, end)] == [(True, True), (False, True)]


async def test_an_end_without_warning_mentions_the_owner(rig: Rig) -> None:
    """The step failed together with the execution."""
    execution = await rig.followed(rig.lab, life=story.failing(4))
    await rig.step(execution, to="failed")
    await rig.deliver()
    assert f"<@{rig.alice}>" in last(rig, rig.lab).text
    assert last(rig, rig.lab).is_broadcast


async def test_a_success_stays_in_the_thread(rig: Rig) -> None:
    """A person reads it as a new message."""
    execution = await rig.followed(rig.lab, rig.alice)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    lab, alice = last(rig, rig.lab), last(rig, rig.alice)
    assert (lab.thread_ts is not None, lab.is_broadcast, alice.thread_ts) == (True, False, None)


async def test_a_retry_takes_the_failure_back(rig: Rig) -> None:
    """Where the failure was announced."""
    execution = await rig.followed(rig.lab, rig.alice, life=story.retried(4), level=Level.FAILURES)
    for frame in ("failed", "retrying"):
        await rig.step(execution, to=frame)
        await rig.deliver()
    lab, alice = last(rig, rig.lab), last(rig, rig.alice)
    assert lab.text.startswith("Retrying: germline-wgs-")
    assert (lab.is_broadcast, alice.thread_ts) == (True, None)


def namesakes(*failed: int) -> Life:
    """50 steps of one name, of which more and more fail."""
    steps = tuple(Step(name="scatter", status="Running", began=1) for _ in range(50))
    frames = [
        Frame(
            at=at,
            name=f"{count} failed",
            steps=(*(replace(step, status="Failed") for step in steps[:count]), *steps[count:]),
        )
        for at, count in enumerate((0, *failed), start=1)
    ]
    return Life(name="namesakes", frames=tuple(frames))


async def test_steps_that_share_a_name_are_reported(rig: Rig) -> None:
    """Each time; the first of them outside the thread."""
    execution = await rig.followed(rig.lab, life=namesakes(3, 7), level=Level.FAILURES)
    for _ in range(2):
        await rig.step(execution)
        await rig.deliver()
    heads = [message.text.partition(":")[0] for message in rig.slack.messages(rig.lab)[1:]]
    assert heads == ["⚠️ Running, 3 steps failed", "⚠️ Running, 7 steps failed"]
    assert [message.is_broadcast for message in rig.slack.messages(rig.lab)[1:]] == [True, False]


async def test_a_failed_step_in_a_list_is_polled(rig: Rig, lists: SweeperRig) -> None:
    """Phase and counts of the item stay, and the polls of all are deferred."""
    await running(rig, MANY)
    stumbling = rig.gcs.play(STUMBLING, by_hand=True)
    rig.gcs.step(stumbling, to="running 1/5")
    await rig.subscriptions.subscribe(rig.who(rig.lab), stumbling, level=Level.FAILURES, owner=rig.alice)
    await rig.poll()
    rig.polls_come()
    await lists.read_round()
    assert due_now(rig) == set(), "it is left to the lists, as all others are"
    rig.gcs.step(stumbling, to="step failed")
    await lists.read_round()
    assert due_now(rig) == {stumbling}
    await rig.watcher.run_once()
    await rig.later()
    assert last(rig, rig.lab).text.startswith("⚠️ Running, 1 step failed: ")


async def test_namesakes_are_not_left_to_lists(rig: Rig, lists: SweeperRig) -> None:
    """A list has one report for all of them, so they are polled as usual."""
    await running(rig, MANY)
    many = rig.gcs.play(namesakes(3), by_hand=True)
    await rig.subscriptions.subscribe(rig.who(rig.lab), many, level=Level.FAILURES, owner=rig.alice)
    await rig.poll()
    rig.polls_come()
    await lists.read_round()
    assert due_now(rig) == {many}, "others are left to the lists"
