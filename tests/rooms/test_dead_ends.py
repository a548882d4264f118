"""Destinations that are dead: the subscription ends, its owner hears why, once."""

from __future__ import annotations

import asyncio

import pytest

from bot.metrics import NOTIFIER_DEAD_LETTERS
from tests.rooms.room import Room

REFUSALS = ["not_in_channel", "is_archived", "channel_not_found", "restricted_action", "some_code_of_next_year"]


@pytest.mark.parametrize("code", REFUSALS)
async def test_the_owner_of_a_dead_destination_hears_why(room: Room, code: str) -> None:
    """Once, in a direct message; nothing is left of the subscription."""
    await room.follow(room.lab)
    room.trouble("error", error=code, channel=room.lab)
    await room.tell()
    await room.poll()
    await room.later()
    assert (room.read(room.lab), room.read(room.alice), room.left_over()) == ([], ["dead"], [])


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("no_permission", "invite me"),
        ("access_denied", "ask an admin of the workspace"),
        ("team_access_not_granted", "ask an admin of the organisation"),
        ("ekm_access_denied", "ask them"),
    ],
)
async def test_a_channel_that_refuses_the_bot_holds_up_nobody_else(room: Room, code: str, remedy: str) -> None:
    """The token is good elsewhere: others are told at once, and the owner hears who can mend it."""
    bob = room.slack.add_user("bob")
    await room.follow(room.lab, bob)
    room.trouble("error", None, error=code, channel=room.lab, times=None)
    await room.tell()
    assert (room.read(room.lab), room.read(bob), room.notifier.problem) == ([], ["card"], None)
    (word,) = room.slack.messages(room.place(room.alice))
    assert remedy in word.text
    (letter,) = await room.store.outbox.dead_letters()
    assert letter.reason == code


async def test_a_channel_that_dies_while_it_is_followed_ends_alone(room: Room) -> None:
    """Others who follow the same execution go on."""
    execution = await room.followed(room.lab, room.alice)
    room.slack.archive(room.lab)
    await room.step(execution)
    await room.tell()
    assert sorted(room.read(room.alice)) == ["card", "change 2", "dead"]
    assert await room.store.subscribers.find(room.who(room.lab), execution) is None


async def test_a_crash_after_the_word_to_the_owner_repeats_nothing(room: Room) -> None:
    """The next worker meets the same refusal, finds the word said, and ends the subscription."""
    await room.follow(room.lab)
    room.slack.remove_bot(room.lab)
    room.trouble("slow_after", channel=room.slack.dm(room.alice), delay=30)
    dying = asyncio.create_task(room.tell())
    await room.slack.wait_for(lambda: room.read(room.alice))
    dying.cancel()
    await asyncio.wait([dying])
    await room.after_a_crash()
    assert (room.read(room.alice), room.left_over()) == (["dead"], [])


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "ratelimited"])
async def test_trouble_with_the_word_to_the_owner_delays_it(room: Room, kind: str) -> None:
    """The subscription does not end before its owner was told."""
    await room.follow(room.lab)
    room.slack.remove_bot(room.lab)
    room.trouble(kind, channel=room.slack.dm(room.alice))
    await room.tell()
    assert room.left_over()
    await room.later()
    assert (room.read(room.alice), room.left_over()) == (["dead"], [])


async def test_an_owner_whose_messages_cannot_be_read_back_is_told(room: Room) -> None:
    """Whether they had heard it cannot be known then: twice is better than never."""
    await room.follow(room.lab)
    room.slack.remove_bot(room.lab)
    room.trouble("drop_after", channel=room.slack.dm(room.alice))
    await room.tell()
    room.trouble("error", "conversations.history", error="some_new_code", times=None)
    await room.later()
    assert (room.read(room.alice), room.left_over()) == (["dead", "dead"], [])


async def test_an_owner_who_is_gone_ends_it_silently(room: Room) -> None:
    """There is nobody left to tell."""
    await room.follow(room.lab)
    room.slack.archive(room.lab)
    room.slack.deactivate(room.alice)
    await room.tell()
    assert room.left_over() == []


async def test_a_person_who_is_gone_ends_their_own_subscription(room: Room) -> None:
    """Their direct messages cannot be opened any more."""
    await room.follow(room.alice)
    room.slack.deactivate(room.alice)
    await room.tell()
    assert room.left_over() == []


async def test_a_destination_that_lives_again_before_it_is_given_up_goes_on(room: Room) -> None:
    """A worker dies over the refusal, the bot is invited: the card comes."""
    execution = await room.follow(room.lab)
    room.slack.remove_bot(room.lab)
    room.trouble("drop_before", "conversations.open")
    await room.tell()
    room.slack.invite_bot(room.lab)
    await room.later()
    assert room.read(room.lab) == ["card"]
    assert await room.store.subscribers.find(room.who(room.lab), execution)


async def test_what_cannot_be_told_is_kept_and_counted(room: Room) -> None:
    """A dead letter says what the channel never read, and why; its owner was told once, by another way."""
    counter = NOTIFIER_DEAD_LETTERS.labels("told")
    before = counter._value.get()
    execution = await room.followed(room.lab)
    room.slack.archive(room.lab)
    await room.step(execution, to="succeeded")
    await room.tell()
    (letter,) = await room.store.outbox.dead_letters()
    assert (letter.lane, letter.owner) == (f"{room.slack.workspace.team_id}/{execution}/{room.lab}", room.alice)
    assert (letter.reason, letter.undelivered_text) == ("is_archived", "untold: outcome Succeeded")
    assert counter._value.get() == before + 1


async def test_dead_direct_messages_leave_a_letter_alone(room: Room) -> None:
    """There is no other way to the person, and nobody else is told of it."""
    counter = NOTIFIER_DEAD_LETTERS.labels("same")
    before = counter._value.get()
    await room.follow(room.alice)
    room.slack.deactivate(room.alice)
    await room.tell()
    (letter,) = await room.store.outbox.dead_letters()
    assert (letter.reason, letter.undelivered_text) == ("user_disabled", "only its card was to be shown")
    assert counter._value.get() == before + 1
    assert not [call for call in room.slack.calls if call.method == "chat.postMessage"]
