"""What people read while Slack's limits are in force: no refusal, the most important first, no storm after a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from time import monotonic, time
from typing import Any

import pytest

from bot.metrics import NOTIFIER_BACKLOG_LANES, NOTIFIER_PAUSES, NOTIFIER_WAITS
from bot.model import Level
from bot.notifier import Notifier
from bot.notifier import delivery as lane_delivery
from bot.store.limits import Admission, Limits
from sandbox import story
from sandbox.slack.web_api import Call
from tests.rooms.room import Room, ample_limits
from tests.servers import let_pauses_end

POST, EDIT, HISTORY = "chat.postMessage", "chat.update", "conversations.history"


def limited(room: Room, *, calls: int = 1000, posts: int = 2000, channel_posts: int = 600) -> Limits:
    """Switch Slack's limits on, so high that a test is short, and tell the bot of them."""
    room.slack.limits.is_on = True
    room.slack.limits.per_minute[3] = calls
    room.slack.limits.posts_per_minute = posts
    room.slack.limits.channel_rate = channel_posts / 60
    room.slack.limits.channel_burst = max(1, channel_posts // 10)
    return room.store.limits(calls=calls, posts=posts, channel_posts=channel_posts)


async def following(room: Room, names: list[str], **more: Any) -> str:
    """Have all of them follow one execution, with the cards posted."""
    execution = await room.follow(*names, **more)
    await drained(room)
    return execution


async def drained(room: Room) -> None:
    """Tell until nothing is due."""
    while await room.tell():
        pass


def slack_was_gone(room: Room, *, seconds: int) -> None:
    """Let the first failure lie so far back."""
    (key,) = room.redis.scan_iter("*:away")
    room.redis.set(str(key), int((time() - seconds) * 1e6), keepttl=True)


async def telling(room: Room, until: Callable[[], bool], *notifiers: Notifier) -> None:
    """Let notifiers run until Slack shows what is waited for."""
    stop = asyncio.Event()
    running = [asyncio.create_task(notifier.run(stop)) for notifier in notifiers]
    try:
        await room.slack.wait_for(until, timeout=30)
    finally:
        stop.set()
        await asyncio.gather(*running)


def posts(room: Room) -> list[str]:
    """What was posted, in the order of its arrival: `card`, `change`, and `person` or `channel` behind it."""
    calls = [call for call in room.slack.calls if call.method == POST and not call.error]
    parts = [call.args["metadata"]["event_payload"]["part"] for call in calls]
    places = ["person" if call.args["channel"].startswith("D") else "channel" for call in calls]
    return [f"{part} {place}" for part, place in zip(parts, places, strict=True)]


def of(room: Room, method: str) -> list[Call]:
    """All calls of a method."""
    return [call for call in room.slack.calls if call.method == method]


def channels(room: Room, many: int) -> list[str]:
    """So many channels."""
    return [room.slack.add_channel(f"c{number}") for number in range(many)]


def people(room: Room, many: int) -> list[str]:
    """So many people."""
    return [room.slack.add_user(f"p{number}") for number in range(many)]


async def test_a_burst_meets_no_refusal_and_outcomes_go_first(room: Room) -> None:
    """200 cards were asked for before 50 executions ended: people's outcomes come first, then channels', then cards."""
    ended = await following(room, people(room, 25) + channels(room, 25), level=Level.FINAL)
    begun = len(posts(room))
    assert begun == 50
    await room.follow(*channels(room, 200))
    await room.step(ended, to="succeeded")
    notifier = Notifier(room.door, room.store.outbox, limited(room), concurrency=1)
    await telling(room, lambda: len(posts(room)) == begun + 250, notifier)
    assert posts(room)[begun:] == ["change person"] * 25 + ["change channel"] * 25 + ["card channel"] * 200
    assert not room.slack.limits.refused


async def test_one_channel_hears_the_outcome_before_the_rest(room: Room) -> None:
    """Many lanes wait for one channel: what is more urgent and came later goes before them, and nobody starves."""
    quiet = [await room.followed(room.lab) for _ in range(14)]
    urgent = await room.followed(room.lab)
    limits = limited(room, channel_posts=120)
    notifier = Notifier(room.door, room.store.outbox, limits, concurrency=1)
    for execution in quiet:
        await room.step(execution)
    while await notifier.run_once():
        pass
    assert len(posts(room)) == 15 + 12
    await room.step(urgent, to="succeeded")
    await telling(room, lambda: len(posts(room)) == 15 + 15, notifier)
    held_back = room.slack.messages(room.lab)[15 + 12 :]
    assert [urgent in str(message.metadata) for message in held_back] == [True, False, False]
    assert not room.slack.limits.refused


async def test_two_copies_meet_no_refusal_together(room: Room) -> None:
    """They share each limit: posts of the workspace, messages of a channel, edits."""
    executions = [await following(room, [room.lab, *people(room, 10)]) for _ in range(3)]
    limits = limited(room, calls=600, posts=900, channel_posts=300)
    for execution in executions:
        await room.step(execution)
    notifiers = [Notifier(room.door, room.store.outbox, limits) for _ in range(2)]
    await telling(room, lambda: len(of(room, EDIT)) == 33 and len(posts(room)) == 66, *notifiers)
    assert not room.slack.limits.refused
    assert room.slack.limits.worst_minute(EDIT) == 33


async def test_retry_after_is_obeyed_to_the_moment_by_all_copies(room: Room) -> None:
    """Two notifiers on one store: no call of that method between the refusal and the moment that Slack named."""
    executions = [await room.followed(*channels(room, 4)) for _ in range(3)]
    room.trouble("ratelimited", POST, retry_after=1)
    for execution in executions:
        await room.step(execution)
    notifiers = [Notifier(room.door, room.store.outbox, ample_limits(room.store), concurrency=1) for _ in range(2)]
    await telling(room, lambda: len(posts(room)) == 24, *notifiers)
    (refusal,) = [call for call in of(room, POST) if call.error]
    # A call of the other copy may have been on its way when the refusal was written.
    later = [call.at for call in of(room, POST) if call.at > refusal.at + 0.1]
    assert min(later) >= refusal.at + 1


async def test_an_outcome_is_not_held_up_by_the_wait_for_an_edit(room: Room) -> None:
    """A lane that waits for its turn to edit is told its outcome at once."""
    execution = await room.followed(room.lab)
    limits = room.store.limits(calls=1, posts=100, channel_posts=100)
    notifier = Notifier(room.door, room.store.outbox, limits)
    for _ in range(2):
        await room.step(execution)
        await notifier.run_once()
    assert room.waits() == [pytest.approx(62, abs=2)]
    await room.step(execution, to="succeeded")
    await notifier.run_once()
    assert room.read(room.lab)[-1] == "change 4"
    assert len(of(room, EDIT)) == 1


async def test_operators_see_what_waits_and_why(room: Room) -> None:
    """Lanes with something to tell, calls put off by priority, pauses by reason."""
    seen = [NOTIFIER_WAITS.labels("edit"), NOTIFIER_PAUSES.labels("ratelimited")]
    before = [counter._value.get() for counter in seen]
    execution = await room.followed(room.lab)
    room.trouble("ratelimited", EDIT, retry_after=30)
    for _ in range(2):
        await room.step(execution)
        await room.tell()
    assert [counter._value.get() for counter in seen] == [before[0] + 1, before[1] + 1]
    await Notifier(room.door, room.store.outbox, ample_limits(room.store)).run_once()
    assert NOTIFIER_BACKLOG_LANES._value.get() == 1


async def test_edits_that_wait_become_one(room: Room) -> None:
    """While edits are scarce a card skips what it would have shown in between, and ends at the truth."""
    execution = await room.followed(room.lab, life=story.happy(6))
    notifier = Notifier(room.door, room.store.outbox, room.store.limits(calls=1, posts=900, channel_posts=900))
    for _ in range(5):
        await room.step(execution)
        await notifier.run_once()
    assert len(of(room, EDIT)) == 1
    await room.step(execution, to="succeeded")
    await room.later()
    assert len(of(room, EDIT)) == 2
    assert "Succeeded" in room.cards(room.lab)[0]
    assert room.left_over() == []


async def test_an_hour_without_slack_ends_without_a_storm(room: Room) -> None:
    """All that waited comes slowly at first, outcomes before the rest, a lane's lines as one message, nothing twice."""
    ended, running = [await following(room, channels(room, 10), life=story.happy(6)) for _ in range(2)]
    room.trouble("error", None, error="service_unavailable", times=None)
    for _ in range(5):
        await room.step(running)
        await room.step(ended)
        await room.later()
    slack_was_gone(room, seconds=3600)
    await room.step(ended, to="succeeded")
    for _ in range(3):
        await drained(room)
        let_pauses_end(room.redis)
    room.slack.faults.clear()
    limits = limited(room, calls=3000, posts=3000)
    notifiers = [Notifier(room.door, room.store.outbox, limits, concurrency=1) for _ in range(2)]
    begun, back = len(posts(room)), time()
    await telling(room, lambda: told(room) == 30, *notifiers)
    marks = [call.args["metadata"]["event_payload"] for call in of(room, POST) if not call.error][begun:]
    assert len({(mark["lane"], mark["delivered_through"]) for mark in marks}) == len(marks) == 30
    assert [ended in mark["lane"] for mark in marks[:18]] == [True] * 18  # the other copy may be one ahead
    assert len([call for call in of(room, POST) if back < call.at < back + 0.5]) <= 8  # a burst would be all of them
    assert not room.slack.limits.refused


def told(room: Room) -> int:
    """How many lines and outcomes are there."""
    messages = [message for each in room.slack.workspace.messages.values() for message in each]
    return [message.metadata["event_payload"]["part"] for message in messages].count("change")


async def test_during_an_outage_slack_is_asked_seldom(room: Room) -> None:
    """However many lanes wait, one call finds out whether Slack is back."""
    execution = await following(room, channels(room, 40))
    room.trouble("status", None, times=None)
    await room.step(execution)
    await room.tell()
    await room.later()
    slack_was_gone(room, seconds=600)
    await room.later()
    for _ in range(3):
        called = len(room.slack.calls)
        let_pauses_end(room.redis)
        await drained(room)
        assert len(room.slack.calls) == called + 1


async def test_a_mass_of_doubts_is_read_back_within_the_limits(room: Room) -> None:
    """Copies died in the middle of sending to many: all is read back, at Slack's pace, and nothing is told twice."""
    execution = await following(room, channels(room, 40))
    await room.step(execution, to="succeeded")
    room.trouble("slow_after", POST, delay=30, times=None)
    dying = [
        asyncio.create_task(Notifier(room.door, room.store.outbox, ample_limits(room.store)).run_once())
        for _ in range(3)
    ]
    await room.slack.wait_for(lambda: told(room) == 40)
    for task in dying:
        task.cancel()
    await asyncio.wait(dying)
    room.slack.faults.clear()
    limits = limited(room, calls=300)
    await room.after_a_crash(Notifier(room.door, room.store.outbox, limits))
    await telling(room, lambda: len(of(room, EDIT)) >= 40, Notifier(room.door, room.store.outbox, limits))
    assert told(room) == 40
    assert not room.slack.limits.refused


async def test_a_turn_that_is_long_in_coming_sends_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store was slow to answer, and the lane may soon be another worker's: it is told by whoever claims it then."""
    limits = ample_limits(room.store)
    admit = limits.admit

    async def slowly(*about: Any, **more: Any) -> Admission:
        turn = await admit(*about, **more)
        monkeypatch.setattr(lane_delivery, "monotonic", lambda: monotonic() + 19)
        return turn

    monkeypatch.setattr(limits, "admit", slowly)
    await room.follow(room.lab)
    await Notifier(room.door, room.store.outbox, limits).run_once()
    assert of(room, POST) == []
    monkeypatch.undo()
    await room.after_a_crash()
    assert room.read(room.lab) == ["card"]


async def test_a_late_older_edit_does_not_stay(room: Room) -> None:
    """Slack applies an edit after the bot stopped waiting for its answer: the next one comes after it, and is newer."""
    execution = await room.followed(room.lab, level=Level.FINAL)
    room.trouble("slow", EDIT, delay=0.6)
    await room.step(execution)
    await room.tell()
    assert min(room.waits()) > timedelta(seconds=2).total_seconds()
    await room.step(execution)
    assert await room.tell() == 0
    await room.slack.wait_for(lambda: len([call for call in of(room, EDIT) if not call.error]) == 1)
    await room.later()
    assert "1 of 2 steps" in room.cards(room.lab)[0]
