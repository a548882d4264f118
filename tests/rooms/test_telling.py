"""What people read: every change once, in order, however many tell it and however long Slack is away."""

from __future__ import annotations

import asyncio

from bot.notifier import Notifier
from sandbox import story
from tests.rooms.room import Room, ample_limits


async def test_a_card_is_posted_once_and_edited(room: Room) -> None:
    """The card follows the execution in place; its thread tells what happened."""
    execution = await room.followed(room.lab)
    for _ in range(2):
        await room.step(execution)
        await room.tell()
    assert room.read(room.lab) == ["card", "change 2", "change 3"]
    assert "1 of 2 steps" in room.cards(room.lab)[0]


async def test_nothing_new_is_no_edit(room: Room) -> None:
    """A look that brings nothing calls Slack not at all."""
    await room.followed(room.lab)
    calls = len(room.slack.calls)
    await room.poll()
    assert await room.tell() == 0
    assert len(room.slack.calls) == calls


async def test_a_backlog_becomes_one_message(room: Room) -> None:
    """Changes that waited for Slack are told together, the outcome by itself."""
    execution = await room.followed(room.lab)
    room.trouble("ratelimited", retry_after=30)
    await room.step(execution)
    await room.tell()
    await room.step(execution)
    await room.step(execution, to="succeeded")
    await room.later()
    assert room.read(room.lab) == ["card", "change 3", "change 4"]


async def test_unsubscribing_edits_the_card_once_and_tells_no_more(room: Room) -> None:
    """What had piled up is dropped; nothing is left in the store."""
    execution = await room.followed(room.lab)
    await room.step(execution)
    await room.subscriptions.unsubscribe(room.who(room.lab), execution)
    await room.tell()
    assert room.read(room.lab) == ["card"]
    assert [call.method for call in room.slack.calls].count("chat.update") == 1
    assert room.left_over() == []


async def test_two_notifiers_tell_each_change_once_in_order(room: Room) -> None:
    """Two bots on one store: many lanes, both claiming at once."""
    executions = [await room.followed(room.lab, room.alice) for _ in range(4)]
    other = Notifier(room.door, room.store.outbox, ample_limits(room.store))
    for _ in range(3):
        for execution in executions:
            await room.step(execution)
        await asyncio.gather(*(notifier.run_once() for notifier in (room.notifier, other) * 2))
    for name in (room.lab, room.alice):
        assert sorted(room.read(name)) == sorted(["card", "change 2", "change 3", "change 4"] * 4)
        for execution in executions:
            assert about(room, name, execution) == ["card", "change 2", "change 3", "change 4"]


async def test_an_outage_of_slack_delays_and_loses_nothing(room: Room) -> None:
    """Everything fails for a while, some of it after it was done; then every outcome is there once."""
    lives = [story.happy(2), story.failing(2), story.cancelled(2), story.happy(3)]
    executions = [await room.followed(room.lab, room.alice, life=life) for life in lives]
    room.trouble("drop_after", None, times=5)
    room.trouble("status", None, times=None)
    for execution, life in zip(executions, lives, strict=True):
        await room.step(execution, to=life.frames[-1].name)
        await room.later()
    assert room.notifier.problem
    room.slack.faults.clear()
    await room.later(times=2)
    for name in (room.lab, room.alice):
        assert [about(room, name, execution) for execution in executions] == [["card", "change 2"]] * 4


async def test_a_short_outage_of_many_lanes_is_a_short_pause(room: Room) -> None:
    """How long a lane waits goes by the time that Slack is away, not by how many lanes found out."""
    execution = await room.followed(room.lab, room.alice)
    room.trouble("drop_before", times=None)
    await room.step(execution)
    for _ in range(5):
        await room.later()
    assert max(room.waits()) <= 4


def about(room: Room, name: str, execution: str) -> list[str]:
    """What `name` reads of one execution."""
    messages = room.slack.messages(room.place(name))
    lines = zip(messages, room.read(name), strict=True)
    return [line for message, line in lines if execution in str(message.metadata)]
