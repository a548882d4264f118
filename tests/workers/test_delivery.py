"""What people read: every change once, in order, with many notifiers and through outages of Slack."""

from __future__ import annotations

import asyncio

from bot.workers.notifier import Notifier
from sandbox import story
from tests.workers.rig import Rig, ample_limits


async def test_a_card_is_posted_once_and_edited(rig: Rig) -> None:
    """The card follows the execution in place; its thread has a line for each change."""
    execution = await rig.followed(rig.lab)
    for _ in range(2):
        await rig.step(execution)
        await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]
    assert "1 of 2 steps" in rig.cards(rig.lab)[0]


async def test_no_change_means_no_call(rig: Rig) -> None:
    """A poll that finds nothing new makes no call to Slack."""
    await rig.followed(rig.lab)
    calls = len(rig.slack.calls)
    await rig.poll()
    assert await rig.deliver() == 0
    assert len(rig.slack.calls) == calls


async def test_a_backlog_becomes_one_message(rig: Rig) -> None:
    """Changes that waited for Slack become one message; the outcome is a message of its own."""
    execution = await rig.followed(rig.lab)
    rig.fault("ratelimited", retry_after=30)
    await rig.step(execution)
    await rig.deliver()
    await rig.step(execution)
    await rig.step(execution, to="succeeded")
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 3", "change 4"]


async def test_unsubscribing_edits_the_card_once(rig: Rig) -> None:
    """Pending changes are dropped, and nothing stays in the store."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution)
    await rig.subscriptions.unsubscribe(rig.who(rig.lab), execution)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert [call.method for call in rig.slack.calls].count("chat.update") == 1
    assert rig.left_over() == []


async def test_two_notifiers_deliver_each_change_once(rig: Rig) -> None:
    """Two bots on one store claim many lanes at the same time; each lane stays in order."""
    executions = [await rig.followed(rig.lab, rig.alice) for _ in range(4)]
    other = Notifier(rig.door, rig.store, ample_limits(rig.store))
    for _ in range(3):
        for execution in executions:
            await rig.step(execution)
        await asyncio.gather(*(notifier.run_once() for notifier in (rig.notifier, other) * 2))
    for name in (rig.lab, rig.alice):
        assert sorted(rig.read(name)) == sorted(["card", "change 2", "change 3", "change 4"] * 4)
        for execution in executions:
            assert about(rig, name, execution) == ["card", "change 2", "change 3", "change 4"]


async def test_a_slack_outage_loses_nothing(rig: Rig) -> None:
    """All calls fail for a while, some of them after Slack applied them; afterwards each outcome is there once."""
    lives = [story.happy(2), story.failing(2), story.cancelled(2), story.happy(3)]
    executions = [await rig.followed(rig.lab, rig.alice, life=life) for life in lives]
    rig.fault("drop_after", None, times=5)
    rig.fault("status", None, times=None)
    for execution, life in zip(executions, lives, strict=True):
        await rig.step(execution, to=life.frames[-1].name)
        await rig.later()
    assert rig.notifier.problem
    rig.slack.faults.clear()
    await rig.later(times=2)
    for name in (rig.lab, rig.alice):
        assert [about(rig, name, execution) for execution in executions] == [["card", "change 2"]] * 4


async def test_pause_length_ignores_the_number_of_lanes(rig: Rig) -> None:
    """The pause depends on how long Slack has been away, not on how many lanes noticed it."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.fault("drop_before", times=None)
    await rig.step(execution)
    for _ in range(5):
        await rig.later()
    assert max(rig.waits()) <= 4


def about(rig: Rig, name: str, execution: str) -> list[str]:
    """What `name` reads about one execution."""
    messages = rig.slack.messages(rig.place(name))
    lines = zip(messages, rig.read(name), strict=True)
    return [line for message, line in lines if execution in str(message.metadata)]
