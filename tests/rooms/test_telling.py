"""What people read while Slack is in trouble: every change once, in order; every refusal has its meaning."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from bot import slack as door
from bot.metrics import NOTIFIER_DOUBTS
from bot.model import Change, Level
from bot.notifier import Notifier, doubts
from bot.slack import Mark
from bot.store import Store
from sandbox import story
from sandbox.slack.catalogue import all_scopes
from tests.rooms.room import Room, ample_limits, made

IN_DOUBT: list[tuple[str, dict[str, Any]]] = [
    ("drop_after", {}),
    ("status_after", {"status": 502}),
    ("slow_after", {"delay": 0.5}),
    ("drop_before", {}),
    ("status", {"status": 503}),
    ("error", {"error": "internal_error"}),
]
"""Troubles after which nobody knows whether the message arrived; it did in the first three."""

UNDER_WAY = replace(story.happy(2), frames=story.happy(2).frames[1:])
"""A life whose card has steps to show from the beginning."""

in_doubt = pytest.mark.parametrize(("kind", "more"), IN_DOUBT)


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
    await room.look()
    assert await room.tell() == 0
    assert len(room.slack.calls) == calls


@in_doubt
async def test_a_card_in_doubt_is_there_once(room: Room, kind: str, more: dict[str, Any]) -> None:
    """Whether or not the post arrived, there is one card, and it lives on."""
    room.trouble(kind, **more)
    execution = await room.followed(room.lab)
    await room.later()
    await room.step(execution)
    await room.tell()
    assert room.read(room.lab) == ["card", "change 2"]
    assert "Running" in room.cards(room.lab)[0]


@in_doubt
@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_a_line_in_doubt_is_there_once(room: Room, name: str, kind: str, more: dict[str, Any]) -> None:
    """A line of the thread is found there."""
    who = getattr(room, name)
    execution = await room.followed(who)
    room.trouble(kind, **more)
    await room.step(execution)
    await room.tell()
    await room.later()
    assert room.read(who) == ["card", "change 2"]


@in_doubt
@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_an_outcome_in_doubt_is_there_once(room: Room, name: str, kind: str, more: dict[str, Any]) -> None:
    """A person's own message and a channel's broadcast alike; and then the subscription leaves nothing."""
    who = getattr(room, name)
    execution = await room.followed(who)
    room.trouble(kind, **more)
    await room.step(execution, to="succeeded")
    await room.tell()
    await room.later()
    assert room.read(who) == ["card", "change 2"]
    assert "Succeeded" in room.cards(who)[0]
    assert room.left_over() == []


async def test_an_edit_in_doubt_is_made_again(room: Room) -> None:
    """The same edit twice is as good as once."""
    execution = await room.followed(room.lab)
    room.trouble("drop_before", "chat.update")
    await room.step(execution)
    await room.tell()
    await room.later()
    assert room.read(room.lab) == ["card", "change 2"]
    assert "Running" in room.cards(room.lab)[0]


async def test_a_crash_between_message_and_receipt_tells_once(room: Room) -> None:
    """The next worker finds what the dead one had sent."""
    execution = await room.followed(room.lab)
    await room.step(execution, to="succeeded")
    room.trouble("slow_after", delay=30)
    dying = asyncio.create_task(room.tell())
    await room.slack.wait_for(lambda: len(room.read(room.lab)) == 2)
    dying.cancel()
    await asyncio.wait([dying])
    await room.after_a_crash()
    assert room.read(room.lab) == ["card", "change 2"]
    assert room.left_over() == []


async def test_a_revision_given_twice_is_not_taken_for_the_first(room: Room) -> None:
    """A store that lost its last writes gives the same revision to what came next: read back, it is still untold."""
    execution = await room.followed(room.lab)
    kept = {key: room.redis.dump(key) or b"" for key in room.redis.scan_iter()}
    await room.step(execution)
    await room.tell()
    room.redis.flushall()  # what a fail-over does that lost the last writes
    for key, value in kept.items():
        room.redis.restore(key, 0, value)
    await room.step(execution, to="succeeded")
    room.trouble("drop_before")
    await room.tell()
    await room.later()
    assert room.read(room.lab) == ["card", "change 2", "change 2"]
    assert "Succeeded" in room.slack.messages(room.lab)[-1].text


async def test_doubt_survives_trouble_while_it_is_settled(room: Room) -> None:
    """Slack that says «later» to reading back does not make the bot forget to read back."""
    execution = await room.followed(room.alice)
    room.trouble("drop_after")
    room.trouble("status", "conversations.replies")
    room.trouble("ratelimited", "conversations.history", retry_after=7)
    await room.step(execution, to="succeeded")
    await room.tell()
    await room.later(times=2)
    assert room.waits() == [pytest.approx(7, abs=0.5)]
    await room.later()
    assert room.read(room.alice) == ["card", "change 2"]


async def test_the_thread_of_a_card_says_all(room: Room) -> None:
    """Calls for reading back are scarce: one is enough, and an edit in doubt needs none."""
    execution = await room.followed(room.lab)
    room.trouble("drop_after")
    await room.step(execution)
    await room.tell()
    room.trouble("drop_after", "chat.update")
    await room.later(times=2)
    assert room.read(room.lab) == ["card", "change 2"]
    assert (times(room, "conversations.replies"), times(room, "conversations.history")) == (1, 0)
    assert (times(room, "chat.update"), room.waits()) == (2, [])


async def test_without_history_scopes_it_is_told_and_counted(store: Store, redis: Redis) -> None:
    """A repeat is better than silence, and operators can see it."""
    counter = NOTIFIER_DOUBTS.labels("unreadable")
    before = counter._value.get()
    scopes = {scope for scope in all_scopes() if not scope.endswith(":history")}
    async with made(store, redis, scopes=scopes) as room:
        execution = await room.followed(room.lab)
        room.trouble("drop_after")
        await room.step(execution, to="succeeded")
        await room.tell()
        await room.later()
        assert room.read(room.lab) == ["card", "change 2", "change 2"]
    assert counter._value.get() == before + 1


async def test_reading_back_ends_though_slack_never_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that is busier than can be read holds a worker not for ever; then it is told again."""
    monkeypatch.setattr(doubts, "PAGES", 2)
    monkeypatch.setattr(door, "PAGE", 1)
    room.trouble("drop_after")
    await room.followed(room.lab)
    for _ in range(4):
        await room.door.post(room.lab, text="noise", blocks=[], mark=Mark("T1/other", "noise", 0))
    await room.later()
    assert times(room, "conversations.history") == 2
    assert len(room.cards(room.lab)) == 2


async def test_a_channel_that_cannot_be_read_back_is_told_all_the_same(room: Room) -> None:
    """An answer of Slack's that nobody knows, to a question about the past, ends no subscription."""
    execution = await room.followed(room.lab)
    room.trouble("drop_after")
    await room.step(execution, to="succeeded")
    await room.tell()
    room.trouble("error", "conversations.replies", error="some_new_code")
    await room.later()
    assert room.read(room.lab) == ["card", "change 2", "change 2"]


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_retry_after_holds_back_everybody(room: Room, method: str) -> None:
    """Nobody calls that method, not even for an outcome, a button or after a restart; then it is told once."""
    execution = await room.followed(room.lab, room.alice)
    room.trouble("ratelimited", method, retry_after=30)
    await room.step(execution)
    await room.tell()
    refused = times(room, method)
    await room.step(execution, to="succeeded")
    await room.store.subscribers.refresh(room.who(room.lab), execution)
    await room.store.recover()
    await room.tell()
    assert times(room, method) == refused
    assert [wait for wait in room.waits() if wait > 0] == [pytest.approx(30, abs=1.5)] * 2
    await room.later(times=2)
    assert room.read(room.lab)[-1] == room.read(room.alice)[-1] == "change 3"
    assert room.left_over() == []


async def test_a_limit_of_one_method_is_none_of_another(room: Room) -> None:
    """While cards may not be edited, lines go on being told."""
    execution = await room.followed(room.lab)
    room.trouble("ratelimited", "chat.update", retry_after=30)
    for _ in range(2):
        await room.step(execution)
        await room.tell()
    assert room.read(room.lab) == ["card", "change 2", "change 3"]
    assert times(room, "chat.update") == 1


async def test_a_style_that_slack_refuses_is_not_tried_again(room: Room) -> None:
    """A workspace without the `plan` block gets the classic card, and is asked only once."""
    room.trouble("error", error="invalid_blocks")
    await room.followed(room.lab, life=UNDER_WAY)
    await room.followed(room.lab, life=UNDER_WAY)
    posts = [call for call in room.slack.calls if call.method == "chat.postMessage"]
    assert [post.error for post in posts] == ["invalid_blocks", "", ""]
    assert not any(block["type"] == "plan" for card in room.slack.messages(room.lab) for block in card.blocks)


async def test_a_card_without_blocks_is_better_than_none(room: Room) -> None:
    """If Slack refuses every kind of blocks, the words alone are posted; other cards are still tried in style."""
    room.trouble("error", error="invalid_blocks", times=2)
    await room.followed(room.lab)
    (card,) = room.slack.messages(room.lab)
    assert (card.blocks, "Pending" in card.text) == ([], True)
    await room.followed(room.lab, life=UNDER_WAY)
    assert any(block["type"] == "plan" for block in room.slack.messages(room.lab)[1].blocks)


async def test_a_message_that_slack_never_takes_waits_long(room: Room) -> None:
    """It is not hammered, and it holds up no other lane."""
    execution = await room.followed(room.lab, room.alice)
    room.trouble("error", error="msg_too_long", channel=room.lab, times=None)
    await room.step(execution)
    await room.tell()
    assert room.waits() == [pytest.approx(60, abs=1)]
    assert room.read(room.alice) == ["card", "change 2"]


async def test_a_message_that_slack_does_not_take_for_an_hour_is_given_up(room: Room) -> None:
    """It ends as a dead destination does: its owner hears why, and there is a letter."""
    execution = await room.followed(room.lab)
    room.trouble("error", error="msg_too_long", channel=room.lab, times=None)
    await room.step(execution)
    assert aged(room, hours=2) == 1
    await room.later()
    assert (room.read(room.lab), room.read(room.alice)) == (["card"], ["dead"])
    (letter,) = await room.store.outbox.dead_letters()
    assert (letter.reason, letter.untold) == ("msg_too_long", 1)


async def test_a_deleted_card_is_posted_anew(room: Room) -> None:
    """An admin's broom does not end a subscription."""
    execution = await room.followed(room.lab, level=Level.FINAL)
    delete_card(room)
    await room.step(execution)
    await room.tell()
    assert room.read(room.lab) == ["card"]
    assert "Running" in room.cards(room.lab)[0]


async def test_a_line_to_a_deleted_card_has_a_new_card(room: Room) -> None:
    """The thread begins again under it, and what was told before is not repeated."""
    execution = await room.followed(room.lab)
    await room.step(execution)
    await room.tell()
    delete_card(room)
    await room.step(execution)
    await room.tell()
    assert room.read(room.lab) == ["change 2", "card", "change 3"]


@in_doubt
async def test_a_card_posted_anew_in_doubt_is_there_once(room: Room, kind: str, more: dict[str, Any]) -> None:
    """The newest card counts, though the receipt still names the deleted one."""
    execution = await room.followed(room.lab, level=Level.FINAL)
    delete_card(room)
    room.trouble(kind, **more)
    await room.step(execution)
    await room.tell()
    await room.later()
    await room.step(execution, to="succeeded")
    await room.later()
    assert room.read(room.lab) == ["card", "change 3"]


async def test_a_revoked_token_loses_nothing(room: Room) -> None:
    """Lanes wait, readiness has a reason, and with a good token everything is told."""
    execution = await room.followed(room.lab)
    room.trouble("error", None, error="token_revoked", times=None)
    await room.step(execution, to="succeeded")
    await room.tell()
    assert str(room.notifier.trouble) == "Slack refuses the token: token_revoked"
    room.slack.faults.clear()
    await room.later()
    assert room.read(room.lab) == ["card", "change 2"]
    assert not room.notifier.trouble


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


async def test_an_unsubscribed_card_in_doubt_is_found_and_edited(room: Room) -> None:
    """It must not go on promising news for ever."""
    room.trouble("drop_after")
    execution = await room.followed(room.lab)
    await room.subscriptions.unsubscribe(room.who(room.lab), execution)
    await room.later()
    assert [call.method for call in room.slack.calls].count("chat.update") == 1
    assert (room.read(room.lab), room.left_over()) == (["card"], [])


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
    assert room.notifier.trouble
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


def aged(room: Room, *, hours: int) -> int:
    """Let each change that waits be so much older; how many there were."""
    count = 0
    for key in room.redis.scan_iter("*:changes:*"):
        for place, row in enumerate(room.redis.lrange(str(key), 0, -1)):
            revision, _, text = str(row).partition("|")
            change = Change.model_validate_json(text)
            older = change.model_copy(update={"at": change.at - timedelta(hours=hours)})
            room.redis.lset(str(key), place, f"{revision}|{older.model_dump_json(exclude_defaults=True)}")
            count += 1
    return count


def times(room: Room, method: str) -> int:
    """How often `method` was called."""
    return [call.method for call in room.slack.calls].count(method)


def delete_card(room: Room) -> None:
    """As an admin does."""
    messages = room.slack.workspace.messages[room.lab]
    messages.remove(next(each for each in messages if each.metadata["event_payload"]["part"] == "card"))


def about(room: Room, name: str, execution: str) -> list[str]:
    """What `name` reads of one execution."""
    messages = room.slack.messages(room.place(name))
    lines = zip(messages, room.read(name), strict=True)
    return [line for message, line in lines if execution in str(message.metadata)]
