"""What people read where nobody knows whether a message arrived: it is there once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import Redis

from bot import slack as door
from bot.metrics import NOTIFIER_RECONCILED
from bot.model import Level
from bot.notifier import reconcile
from bot.slack import Mark
from bot.store import Store
from sandbox.slack.catalogue import all_scopes
from tests.rooms.room import Room, made

IN_DOUBT: list[tuple[str, dict[str, Any]]] = [
    ("drop_after", {}),
    ("status_after", {"status": 502}),
    ("slow_after", {"delay": 0.5}),
    ("drop_before", {}),
    ("status", {"status": 503}),
    ("error", {"error": "internal_error"}),
]
"""Troubles after which nobody knows whether the message arrived; it did in the first three."""

in_doubt = pytest.mark.parametrize(("kind", "more"), IN_DOUBT)


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
    kept = {key: room.redis.dump(key) or b"" for key in room.redis.scan_iter("*{p*")}  # the limits' keys expire
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
    assert (room.times("conversations.replies"), room.times("conversations.history")) == (1, 0)
    assert (room.times("chat.update"), room.waits()) == (2, [])


async def test_without_history_scopes_it_is_told_and_counted(store: Store, redis: Redis) -> None:
    """A repeat is better than silence, and operators can see it."""
    counter = NOTIFIER_RECONCILED.labels("unreadable")
    before = counter._value.get()
    scopes = {scope for scope in all_scopes() if not scope.endswith(":history")}
    async with made(store, redis, scopes=scopes) as room:
        execution = await room.followed(room.lab)
        room.trouble("drop_after")
        await room.step(execution, to="succeeded")
        await room.tell()
        await room.later()
        assert room.read(room.lab) == ["card", "change 2", "change 2"]
        assert not room.notifier.problem
    assert counter._value.get() == before + 1


async def test_reading_back_ends_though_slack_never_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that is busier than can be read holds a worker not for ever; then it is told again."""
    monkeypatch.setattr(reconcile, "PAGES", 2)
    monkeypatch.setattr(door, "PAGE", 1)
    room.trouble("drop_after")
    await room.followed(room.lab)
    for _ in range(4):
        await room.door.post(room.lab, text="noise", blocks=[], mark=Mark("T1/other", "noise", 0))
    await room.later()
    assert room.times("conversations.history") == 2
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


@in_doubt
async def test_a_card_posted_anew_in_doubt_is_there_once(room: Room, kind: str, more: dict[str, Any]) -> None:
    """The newest card counts, though the receipt still names the deleted one."""
    execution = await room.followed(room.lab, level=Level.FINAL)
    room.delete_card()
    room.trouble(kind, **more)
    await room.step(execution)
    await room.tell()
    await room.later()
    await room.step(execution, to="succeeded")
    await room.later()
    assert room.read(room.lab) == ["card", "change 3"]


async def test_an_unsubscribed_card_in_doubt_is_found_and_edited(room: Room) -> None:
    """It must not go on promising news for ever."""
    room.trouble("drop_after")
    execution = await room.followed(room.lab)
    await room.subscriptions.unsubscribe(room.who(room.lab), execution)
    await room.later()
    assert [call.method for call in room.slack.calls].count("chat.update") == 1
    assert (room.read(room.lab), room.left_over()) == (["card"], [])
