"""A card that is deleted or cannot be edited: its thread goes on, and nothing ends for it.

Lives here: Slack's refusals of edits. Does not live here: its faults at edits (`test_faults`), refusals of posts
(`test_refusals`). Called by pytest.
"""

from __future__ import annotations

import pytest

from bot.domain.following import Level
from bot.store.keys import PARTITIONS
from bot.workers.notifier import Notifier
from bot.workers.notifier.card_failures import EDIT_TRIES, ENDING_TRIES
from sandbox import story
from tests.workers.rig import Rig, ample_limits


async def test_a_deleted_card_is_posted_again(rig: Rig) -> None:
    """Deleting the card does not end the subscription."""
    execution = await rig.followed(rig.lab, level=Level.FINAL)
    rig.delete_card()
    await rig.step(execution)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert "Running" in rig.cards(rig.lab)[0]


async def test_a_line_for_a_deleted_card_reposts_it(rig: Rig) -> None:
    """The thread starts again under the new card, and what was delivered before is not repeated."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution)
    await rig.deliver()
    rig.delete_card()
    await rig.step(execution)
    await rig.deliver()
    assert rig.read(rig.lab) == ["change 2", "card", "change 3"]


@pytest.mark.parametrize("code", ["cant_update_message", "edit_window_closed", "is_inactive"])
async def test_a_card_that_cannot_be_edited_stays(rig: Rig, code: str) -> None:
    """It is not posted again and soon no longer edited; its thread goes on to the outcome."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", "chat.update", error=code, times=None)
    for _ in range(5):
        await rig.step(execution)
        await rig.deliver()
        await rig.later()
    assert (rig.times("chat.update"), rig.waits()) == (EDIT_TRIES, [])
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    card, *lines = rig.slack.messages(rig.lab)
    assert [part for part in rig.read(rig.lab) if part != "left"] == [
        "card",
        *(f"change {revision}" for revision in range(2, 8)),
    ]
    assert rig.read(rig.lab).count("left") == 1
    assert {line.thread_ts for line in lines} == {card.ts}
    assert rig.left_over() == []


async def test_a_restart_does_not_edit_a_left_card(rig: Rig) -> None:
    """The receipt says that the card stays; a press of its button asks Slack once more."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", "chat.update", error="cant_update_message", times=EDIT_TRIES)
    await rig.step(execution)
    await rig.deliver()
    await rig.later(times=EDIT_TRIES)
    other = Notifier(rig.door, rig.store, ample_limits(rig.store))
    await rig.step(execution)
    await other.run_once()
    assert (rig.times("chat.update"), rig.read(rig.lab)) == (EDIT_TRIES, ["card", "change 2", "left", "change 3"])
    await rig.store.subscribers.refresh(rig.who(rig.lab), execution)
    await rig.poll()
    await other.run_once()
    assert rig.times("chat.update") == EDIT_TRIES + 1
    assert "1 of 2" in rig.cards(rig.lab)[0]


async def test_a_card_that_vanishes_is_reposted_once(rig: Rig) -> None:
    """Slack says of the new card, too, that it does not exist: no third one follows."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", "chat.update", error="message_not_found", times=None)
    for _ in range(5):
        await rig.step(execution)
        await rig.deliver()
        await rig.later()
    assert len(rig.cards(rig.lab)) == 2
    assert rig.read(rig.lab)[-1] == "change 6"


async def test_a_thread_that_vanishes_ends_nothing(rig: Rig) -> None:
    """The card is deleted, and the new one as well: changes then come without a thread."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    for _ in range(2):
        rig.delete_card()
        await rig.step(execution)
        await rig.deliver()
    assert rig.read(rig.lab) == ["change 2", "change 3"]
    assert rig.slack.messages(rig.lab)[-1].thread_ts is None
    assert await rig.store.outbox.dead_letters() == []
    assert await rig.store.subscribers.find(rig.who(rig.lab), execution)


async def test_an_ended_subscription_needs_no_edit(rig: Rig) -> None:
    """What ended is forgotten at once when its card cannot be edited, and in the end with an unknown code too."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.fault("error", "chat.update", error="cant_update_message", channel=rig.lab)
    rig.fault("error", "chat.update", error="a_code_of_next_year", times=None)
    for name in (rig.lab, rig.alice):
        await rig.subscriptions.unsubscribe(rig.who(name), execution)
    await rig.deliver()
    assert [await rig.store.subscribers.find(rig.who(rig.lab), execution), bool(rig.left_over())] == [None, True]
    await rig.later(times=ENDING_TRIES)
    assert rig.left_over() == []


EDIT_REFUSALS = ["ekm_access_denied", "access_denied", "is_archived", "msg_too_long", "a_code_of_next_year"]
"""Codes that say much about a channel when it refuses a post, and nothing when it refuses an edit."""


@pytest.mark.parametrize("code", EDIT_REFUSALS)
async def test_a_refused_edit_holds_no_outcome(rig: Rig, code: str) -> None:
    """Nothing ends for it; lines and the outcome come at once, and the card is edited again when Slack allows that."""
    execution = await rig.followed(rig.lab, rig.alice, life=story.happy(6))
    rig.fault("error", "chat.update", error=code, channel=rig.lab, times=None)
    await rig.step(execution)
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=2)]
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab)[-1] == rig.read(rig.alice)[-1] == "change 3"
    assert await rig.store.outbox.dead_letters() == []
    assert not await rig.store.brake.owners()


async def test_a_card_is_edited_after_a_refusal(rig: Rig) -> None:
    """Admins suspended the channel for a while: pauses grow meanwhile, and the card is not left."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", "chat.update", error="ekm_access_denied", times=5)
    await rig.step(execution)
    await rig.deliver()
    pauses = rig.waits()
    for _ in range(4):
        await rig.later()
        pauses += rig.waits()
    assert pauses == [pytest.approx(60 * minutes, abs=3) for minutes in (1, 2, 4, 8, 16)]
    await rig.later()
    assert (rig.read(rig.lab), rig.waits()) == (["card", "change 2"], [])
    assert "Running" in rig.cards(rig.lab)[0]


@pytest.mark.parametrize("code", EDIT_REFUSALS)
async def test_a_refused_edit_after_a_crash_holds_nothing(rig: Rig, code: str) -> None:
    """The worker died while it edited the card: that doubt does not keep the outcome for the pause of the edit."""
    execution = await rig.followed(rig.lab, life=story.happy(6), level=Level.FINAL)
    await rig.step(execution)
    claims = [await rig.store.outbox.claim(number, 1) for number in range(PARTITIONS)]
    assert sum(map(len, claims)) == 1
    rig.fault("error", "chat.update", error=code, times=None)
    await rig.after_a_crash()
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab)[-1].startswith("change")
