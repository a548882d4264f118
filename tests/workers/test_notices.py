"""Who changed or ended a channel's subscription: the thread, the card and the owner read it, once each."""

from __future__ import annotations

import pytest

from bot.domain.following import Level
from bot.domain.quiet import MuteFor
from sandbox import story
from tests.workers.rig import Rig


@pytest.fixture
def bob(rig: Rig) -> str:
    """Somebody else in the channel."""
    user = rig.slack.add_user("bob")
    rig.slack.workspace.channels[rig.lab].members.add(user)
    return user


async def stop(rig: Rig, execution: str, by: str) -> None:
    """What `unsubscribe here` does."""
    await rig.subscriptions.unsubscribe(rig.who(rig.lab), execution, by=by)


async def set_level(rig: Rig, execution: str, level: Level, by: str) -> None:
    """What `subscribe here` does for a channel that follows already."""
    await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=level, owner=by)


async def test_who_stopped_a_channel_is_named(rig: Rig, bob: str) -> None:
    """In the thread, on the card, and to the owner, since it was another."""
    execution = await rig.followed(rig.lab)
    await stop(rig, execution, bob)
    await rig.deliver()
    card, line = rig.slack.messages(rig.lab)
    assert (line.thread_ts, f"<@{bob}> stopped following" in line.text) == (card.ts, True)
    assert f"stopped by <@{bob}>" in card.text
    (notice,) = rig.texts(rig.alice)
    assert f"<@{bob}> stopped following" in notice
    assert f"<#{rig.lab}>" in notice
    assert rig.left_over() == []


@pytest.mark.parametrize("by_owner", [True, False])
async def test_a_stop_needs_no_channel(rig: Rig, bob: str, *, by_owner: bool) -> None:
    """It takes no posts any more, and somebody stops it: the owner reads who did, and of no other end."""
    execution = await rig.followed(rig.lab)
    rig.slack.remove_bot(rig.lab)
    await stop(rig, execution, rig.alice if by_owner else bob)
    await rig.later(times=2)
    assert [f"<@{bob}> stopped following" in text for text in rig.texts(rig.alice)] == [True] * (not by_owner)
    assert rig.left_over() == []
    assert await rig.store.outbox.dead_letters() == []


async def test_a_channel_asks_for_its_successes(rig: Rig, bob: str) -> None:
    """The thread names who did, the card says so, and a mute in between takes nothing of it away."""
    execution = await rig.followed(rig.lab)
    await rig.subscriptions.announce_success(rig.who(rig.lab), execution, is_wanted=True, by=bob)
    await rig.subscriptions.quiet.mute(rig.who(rig.lab), execution, MuteFor.HOUR, by=bob)
    await rig.subscriptions.quiet.unmute(rig.who(rig.lab), execution, by=bob)
    await rig.deliver()
    card, line, *_ = rig.slack.messages(rig.lab)
    assert all("successes also in the channel" in shown.text for shown in (card, line))
    assert f"<@{bob}>" in line.text
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert [message.is_broadcast for message in rig.slack.messages(rig.lab)][-1]
    assert rig.left_over() == []


async def test_the_owner_needs_no_message(rig: Rig) -> None:
    """Who stops their own subscription of a channel knows it; the channel reads it."""
    execution = await rig.followed(rig.lab)
    await stop(rig, execution, rig.alice)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "notice"]
    assert rig.texts(rig.alice) == []


async def test_a_person_reads_nothing_of_it(rig: Rig) -> None:
    """Direct messages end without a line: the person did it."""
    execution = await rig.followed(rig.alice)
    await rig.subscriptions.unsubscribe(rig.who(rig.alice), execution, by=rig.alice)
    await rig.deliver()
    assert rig.read(rig.alice) == ["card"]
    assert rig.left_over() == []


async def test_who_changed_the_level_is_named(rig: Rig, bob: str) -> None:
    """In the thread and to the owner; the same level again is no news; changes go on."""
    execution = await rig.followed(rig.lab)
    await set_level(rig, execution, Level.FINAL, bob)
    await set_level(rig, execution, Level.FINAL, bob)
    await rig.deliver()
    assert f"<@{bob}> changed the notifications here" in rig.texts(rig.lab)[1]
    assert len(rig.texts(rig.alice)) == 1
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab)[:2] == ["card", "notice"]
    assert rig.read(rig.lab)[2].startswith("change")
    assert rig.left_over() == []


async def test_notices_keep_their_place(rig: Rig, bob: str) -> None:
    """A line that was queued before a notice comes before it, one after it after it; none is lost or repeated."""
    execution = await rig.followed(rig.lab, life=story.happy(4))
    await rig.step(execution)
    await set_level(rig, execution, Level.MILESTONES, bob)
    await set_level(rig, execution, Level.STEPS, bob)
    await rig.step(execution)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2", "notice", "notice", "change 3"]
    await rig.later()
    assert len(rig.read(rig.lab)) == 5


async def test_a_card_that_was_never_posted_says_nothing(rig: Rig, bob: str) -> None:
    """Nobody in the channel has seen that it was followed."""
    execution = await rig.follow(rig.lab)
    await stop(rig, execution, bob)
    await rig.deliver()
    assert rig.read(rig.lab) == []
    assert rig.left_over() == []


async def test_following_again_takes_the_notice_back(rig: Rig, bob: str) -> None:
    """Stopped and followed again before anybody read it: the card goes on."""
    execution = await rig.followed(rig.lab)
    await stop(rig, execution, bob)
    await set_level(rig, execution, Level.STEPS, bob)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert "No longer followed" not in rig.cards(rig.lab)[0]


@pytest.mark.parametrize("kind", ["status_after", "drop_after"])
@pytest.mark.parametrize("place", ["lab", "alice"])
async def test_a_notice_in_doubt_comes_once(rig: Rig, bob: str, kind: str, place: str) -> None:
    """Slack took it and nobody heard: both places are read back before anything is sent again."""
    execution = await rig.followed(rig.lab)
    await stop(rig, execution, bob)
    rig.fault(kind, channel=rig.lab if place == "lab" else rig.slack.dm(rig.alice))
    await rig.deliver()
    await rig.later(times=3)
    assert rig.read(rig.lab) == ["card", "notice"]
    assert rig.read(rig.alice) == ["notice"]
    assert f"stopped by <@{bob}>" in rig.cards(rig.lab)[0]
    assert rig.left_over() == []


async def test_a_limit_between_both_repeats_neither(rig: Rig, bob: str) -> None:
    """The owner was notified, then Slack asked to slow down: the owner does not read it again."""
    execution = await rig.followed(rig.lab)
    await stop(rig, execution, bob)
    rig.fault("ratelimited", channel=rig.lab, retry_after=30)
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], ["notice"])
    await rig.later(times=3)
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card", "notice"], ["notice"])
    assert rig.left_over() == []


async def test_without_its_card_the_owner_still_reads_it(rig: Rig, bob: str) -> None:
    """Somebody deleted the card: there is no thread, and no new card for a farewell."""
    execution = await rig.followed(rig.lab)
    rig.delete_card()
    await stop(rig, execution, bob)
    await rig.deliver()
    await rig.later(times=2)
    assert rig.read(rig.lab) == []
    assert rig.read(rig.alice) == ["notice"]
    assert rig.left_over() == []


async def test_a_held_channel_reads_no_notice(rig: Rig, bob: str) -> None:
    """Another organisation shares it meanwhile: only the owner is notified, and the subscription ends."""
    execution = await rig.followed(rig.lab)
    await rig.store.channels.note(rig.slack.workspace.team_id, rig.lab, is_shared=True)
    await stop(rig, execution, bob)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert rig.read(rig.alice) == ["notice"]
    assert rig.left_over() == []
