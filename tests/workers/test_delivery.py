"""What people read: every change once, in order, however many tell it and however long Slack is away."""

from __future__ import annotations

import asyncio

from bot.workers.notifier import Notifier
from sandbox import story
from tests.workers.rig import Rig, ample_limits


async def test_a_card_is_posted_once_and_edited(rig: Rig) -> None:
    """The card follows the execution in place; its thread tells what happened."""
    execution = await rig.followed(rig.lab)
    for _ in range(2):
        await rig.step(execution)
        await rig.tell()
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]
    assert "1 of 2 steps" in rig.cards(rig.lab)[0]


async def test_nothing_new_is_no_edit(rig: Rig) -> None:
    """A look that brings nothing calls Slack not at all."""
    await rig.followed(rig.lab)
    calls = len(rig.slack.calls)
    await rig.poll()
    assert await rig.tell() == 0
    assert len(rig.slack.calls) == calls


async def test_a_backlog_becomes_one_message(rig: Rig) -> None:
    """Changes that waited for Slack are told together, the outcome by itself."""
    execution = await rig.followed(rig.lab)
    rig.trouble("ratelimited", retry_after=30)
    await rig.step(execution)
    await rig.tell()
    await rig.step(execution)
    await rig.step(execution, to="succeeded")
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 3", "change 4"]


async def test_unsubscribing_edits_the_card_once_and_tells_no_more(rig: Rig) -> None:
    """What had piled up is dropped; nothing is left in the store."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution)
    await rig.subscriptions.unsubscribe(rig.who(rig.lab), execution)
    await rig.tell()
    assert rig.read(rig.lab) == ["card"]
    assert [call.method for call in rig.slack.calls].count("chat.update") == 1
    assert rig.left_over() == []


async def test_two_notifiers_tell_each_change_once_in_order(rig: Rig) -> None:
    """Two bots on one store: many lanes, both claiming at once."""
    executions = [await rig.followed(rig.lab, rig.alice) for _ in range(4)]
    other = Notifier(rig.door, rig.store.outbox, ample_limits(rig.store))
    for _ in range(3):
        for execution in executions:
            await rig.step(execution)
        await asyncio.gather(*(notifier.run_once() for notifier in (rig.notifier, other) * 2))
    for name in (rig.lab, rig.alice):
        assert sorted(rig.read(name)) == sorted(["card", "change 2", "change 3", "change 4"] * 4)
        for execution in executions:
            assert about(rig, name, execution) == ["card", "change 2", "change 3", "change 4"]


async def test_an_outage_of_slack_delays_and_loses_nothing(rig: Rig) -> None:
    """Everything fails for a while, some of it after it was done; then every outcome is there once."""
    lives = [story.happy(2), story.failing(2), story.cancelled(2), story.happy(3)]
    executions = [await rig.followed(rig.lab, rig.alice, life=life) for life in lives]
    rig.trouble("drop_after", None, times=5)
    rig.trouble("status", None, times=None)
    for execution, life in zip(executions, lives, strict=True):
        await rig.step(execution, to=life.frames[-1].name)
        await rig.later()
    assert rig.notifier.problem
    rig.slack.faults.clear()
    await rig.later(times=2)
    for name in (rig.lab, rig.alice):
        assert [about(rig, name, execution) for execution in executions] == [["card", "change 2"]] * 4


async def test_a_short_outage_of_many_lanes_is_a_short_pause(rig: Rig) -> None:
    """How long a lane waits goes by the time that Slack is away, not by how many lanes found out."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.trouble("drop_before", times=None)
    await rig.step(execution)
    for _ in range(5):
        await rig.later()
    assert max(rig.waits()) <= 4


def about(rig: Rig, name: str, execution: str) -> list[str]:
    """What `name` reads of one execution."""
    messages = rig.slack.messages(rig.place(name))
    lines = zip(messages, rig.read(name), strict=True)
    return [line for message, line in lines if execution in str(message.metadata)]
