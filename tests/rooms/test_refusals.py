"""What people read while Slack refuses: every refusal has its meaning, and none loses anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import monotonic

import msgspec
import pytest
from structlog.testing import capture_logs

from bot import loops
from bot.model import Change, Level
from bot.notifier import Notifier
from sandbox import story
from sandbox.slack.catalogue import all_scopes
from tests.rooms.room import Room, ample_limits
from tests.servers import let_time_pass

UNDER_WAY = replace(story.happy(2), frames=story.happy(2).frames[1:])
"""A life whose card has steps to show from the beginning."""


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_retry_after_holds_back_everybody(room: Room, method: str) -> None:
    """Nobody calls that method, not even for an outcome, a button or after a restart; then it is told once."""
    execution = await room.followed(room.lab, room.alice)
    room.trouble("ratelimited", method, retry_after=30)
    await room.step(execution)
    await room.tell()
    refused = room.times(method)
    await room.step(execution, to="succeeded")
    await room.store.subscribers.refresh(room.who(room.lab), execution)
    await room.store.recover()
    await room.tell()
    assert room.times(method) == refused
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
    assert room.times("chat.update") == 1


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
    assert (letter.reason, letter.undelivered) == ("msg_too_long", 1)


async def test_a_deleted_card_is_posted_anew(room: Room) -> None:
    """An admin's broom does not end a subscription."""
    execution = await room.followed(room.lab, level=Level.FINAL)
    room.delete_card()
    await room.step(execution)
    await room.tell()
    assert room.read(room.lab) == ["card"]
    assert "Running" in room.cards(room.lab)[0]


async def test_a_line_to_a_deleted_card_has_a_new_card(room: Room) -> None:
    """The thread begins again under it, and what was told before is not repeated."""
    execution = await room.followed(room.lab)
    await room.step(execution)
    await room.tell()
    room.delete_card()
    await room.step(execution)
    await room.tell()
    assert room.read(room.lab) == ["change 2", "card", "change 3"]


async def test_a_revoked_token_loses_nothing(room: Room) -> None:
    """Lanes wait, readiness has a reason, and with a good token everything is told."""
    execution = await room.followed(room.lab)
    room.trouble("error", None, error="token_revoked", times=None)
    await room.step(execution, to="succeeded")
    await room.tell()
    assert str(room.notifier.problem) == "Slack refuses the token: token_revoked"
    room.slack.faults.clear()
    await room.later()
    assert room.read(room.lab) == ["card", "change 2"]
    assert not room.notifier.problem


async def test_a_scope_that_is_missing_for_people_is_said_and_loses_nothing(room: Room) -> None:
    """Readiness and the log say which, though channels are told; nobody asks for a minute; then people are told."""
    room.slack.grant(all_scopes() - {"im:write"})
    await room.follow(room.alice)
    with capture_logs() as logs:
        await room.tell()
    (held,) = [line for line in logs if line["event"] == "notifier.paused"]
    assert (held["why"], held["what"], held["wait_s"]) == ("refused", "conversations.open", 60)
    await room.follow(room.lab, room.slack.add_user("bob"))
    await room.tell()
    assert (room.read(room.lab), room.read(room.alice), room.times("conversations.open")) == (["card"], [], 1)
    assert str(room.notifier.problem) == "Slack refuses conversations.open: missing_scope: im:write"
    room.slack.grant(all_scopes())
    await room.later()
    assert (room.read(room.alice), room.notifier.problem) == (["card"], None)


@pytest.mark.parametrize(
    ("level", "method", "read"),
    [(Level.PROGRESS, "chat.postMessage", ["card", "change 2"]), (Level.FINAL, "chat.update", ["card"])],
)
async def test_without_the_scope_to_post_nothing_is_lost(
    room: Room, level: Level, method: str, read: list[str]
) -> None:
    """Lines and edits wait alike, and readiness says so."""
    execution = await room.followed(room.lab, level=level)
    room.slack.grant(all_scopes() - {"chat:write"})
    await room.step(execution)
    await room.tell()
    assert str(room.notifier.problem) == f"Slack refuses {method}: missing_scope: chat:write"
    assert room.waits() == [pytest.approx(60, abs=1)]
    room.slack.grant(all_scopes())
    await room.later(times=2)
    assert (room.read(room.lab), room.notifier.problem) == (read, None)
    assert "Running" in room.cards(room.lab)[0]


@pytest.mark.parametrize("code", ["accesslimited", "method_deprecated"])
async def test_a_refusal_of_the_app_ends_no_subscription(room: Room, code: str) -> None:
    """What Slack says to every call is nobody's dead destination: all waits, and readiness says why."""
    await room.follow(room.lab, room.alice)
    room.trouble("error", None, error=code, times=None)
    await room.tell()
    assert str(room.notifier.problem) == f"Slack refuses the token: {code}"
    room.slack.faults.clear()
    await room.later()
    assert (room.read(room.lab), room.read(room.alice)) == (["card"], ["card"])


async def test_trouble_that_another_copy_saw_the_end_of_is_forgotten(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One copy fails once, the other tells it: the first does not stay unready through a quiet night."""
    await room.follow(room.lab)
    room.trouble("status")
    await room.tell()
    assert room.notifier.problem
    other = Notifier(room.door, room.store.outbox, ample_limits(room.store))
    let_time_pass(room.redis)
    await other.run_once()
    assert (room.read(room.lab), other.problem) == (["card"], None)
    monkeypatch.setattr(loops, "monotonic", lambda: monotonic() + 6.5 * 60)
    assert not room.notifier.problem


def aged(room: Room, *, hours: int) -> int:
    """Let each change that waits be so much older; how many there were."""
    count = 0
    for key in room.redis.scan_iter("*:changes:*"):
        for place, row in enumerate(room.redis.lrange(str(key), 0, -1)):
            revision, _, text = str(row).partition("|")
            change = msgspec.json.decode(text, type=Change)
            older = msgspec.structs.replace(change, at=change.at - timedelta(hours=hours))
            room.redis.lset(str(key), place, f"{revision}|{msgspec.json.encode(older).decode()}")
            count += 1
    return count
