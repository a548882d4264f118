"""Destinations that cannot be reached: the subscription ends, and its owner hears why, once."""

from __future__ import annotations

import asyncio

import pytest

from bot.app.repairs import undelivered
from bot.metrics import NOTIFIER_DEAD_LETTERS
from tests.servers import ACCOUNT
from tests.workers.rig import Rig

REFUSALS = ["not_in_channel", "is_archived", "channel_not_found", "restricted_action"]
UNKNOWN = ["some_code_of_next_year", "workspace_under_maintenance", "external_channel_migrating"]


@pytest.mark.parametrize("code", REFUSALS)
async def test_the_owner_of_a_dead_destination_hears_why(rig: Rig, code: str) -> None:
    """Once, in a direct message; nothing stays of the subscription."""
    await rig.follow(rig.lab)
    rig.fault("error", error=code, channel=rig.lab)
    await rig.deliver()
    await rig.poll()
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice), rig.left_over()) == ([], ["dead"], [])


@pytest.mark.parametrize("code", UNKNOWN)
async def test_an_unknown_code_ends_no_subscription(rig: Rig, code: str) -> None:
    """Slack answers everything with it for hours: nothing is given up, and everything arrives once it is over."""
    await rig.follow(rig.lab, rig.alice)
    rig.fault("error", None, error=code, times=None)
    await rig.deliver()
    await rig.later(times=5)
    assert (rig.read(rig.lab), rig.read(rig.alice), await rig.store.outbox.dead_letters()) == ([], [], [])
    rig.slack.faults.clear()
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], ["card"])


@pytest.mark.parametrize("code", UNKNOWN)
async def test_an_unknown_code_loses_no_outcome(rig: Rig, code: str) -> None:
    """The outcome is posted as soon as Slack takes messages again, once."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", error=code, times=3)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    await rig.later(times=4)
    assert (rig.read(rig.lab), rig.read(rig.alice), rig.left_over()) == (["card", "change 2"], [], [])


async def test_an_unknown_code_for_the_owner_waits(rig: Rig) -> None:
    """A destination is dead, and its owner cannot be notified yet: the end waits until they know."""
    await rig.follow(rig.lab)
    rig.slack.remove_bot(rig.lab)
    rig.fault("error", None, error="workspace_under_maintenance", channel=rig.slack.dm(rig.alice), times=None)
    await rig.deliver()
    await rig.later()
    assert (rig.read(rig.alice), await rig.store.outbox.dead_letters()) == ([], [])
    rig.slack.faults.clear()
    await rig.later()
    assert (rig.read(rig.alice), rig.left_over()) == (["dead"], [])


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("no_permission", "invite me"),
        ("access_denied", "ask an admin of the workspace"),
        ("team_access_not_granted", "ask an admin of the organisation"),
    ],
)
async def test_a_refusing_channel_delays_nobody_else(rig: Rig, code: str, remedy: str) -> None:
    """The token works elsewhere: other lanes are delivered at once, and the owner hears who can fix it."""
    bob = rig.slack.add_user("bob")
    await rig.follow(rig.lab, bob)
    rig.fault("error", None, error=code, channel=rig.lab, times=None)
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(bob), rig.notifier.problem) == ([], ["card"], None)
    (word,) = rig.slack.messages(rig.place(rig.alice))
    assert remedy in word.text
    (letter,) = await rig.store.outbox.dead_letters()
    assert letter.reason == code


async def test_an_archived_channel_ends_alone(rig: Rig) -> None:
    """Other followers of the same execution are not affected."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.slack.archive(rig.lab)
    await rig.step(execution)
    await rig.deliver()
    assert sorted(rig.read(rig.alice)) == ["card", "change 2", "dead"]
    assert await rig.store.subscribers.find(rig.who(rig.lab), execution) is None


async def test_a_crash_does_not_notify_the_owner_twice(rig: Rig) -> None:
    """The next worker meets the same refusal, finds the message to the owner, and ends the subscription."""
    await rig.follow(rig.lab)
    rig.slack.remove_bot(rig.lab)
    rig.fault("slow_after", channel=rig.slack.dm(rig.alice), delay=30)
    dying = asyncio.create_task(rig.deliver())
    await rig.slack.wait_for(lambda: rig.read(rig.alice))
    dying.cancel()
    await asyncio.wait([dying])
    await rig.after_a_crash()
    assert (rig.read(rig.alice), rig.left_over()) == (["dead"], [])


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "ratelimited"])
async def test_the_end_waits_until_the_owner_knows(rig: Rig, kind: str) -> None:
    """The subscription does not end before its owner was notified."""
    await rig.follow(rig.lab)
    rig.slack.remove_bot(rig.lab)
    rig.fault(kind, channel=rig.slack.dm(rig.alice))
    await rig.deliver()
    assert rig.left_over()
    await rig.later()
    assert (rig.read(rig.alice), rig.left_over()) == (["dead"], [])


async def test_an_unreadable_owner_is_notified_again(rig: Rig) -> None:
    """Whether the owner got the first message cannot be known then: twice is better than never."""
    await rig.follow(rig.lab)
    rig.slack.remove_bot(rig.lab)
    rig.fault("drop_after", channel=rig.slack.dm(rig.alice))
    await rig.deliver()
    rig.fault("error", "conversations.history", error="some_new_code", times=None)
    await rig.later()
    assert (rig.read(rig.alice), rig.left_over()) == (["dead", "dead"], [])


async def test_a_missing_owner_ends_it_silently(rig: Rig) -> None:
    """There is nobody left to notify."""
    await rig.follow(rig.lab)
    rig.slack.archive(rig.lab)
    rig.slack.deactivate(rig.alice)
    await rig.deliver()
    assert rig.left_over() == []


async def test_a_deactivated_person_ends_their_own_subscription(rig: Rig) -> None:
    """Their direct messages can no longer be opened."""
    await rig.follow(rig.alice)
    rig.slack.deactivate(rig.alice)
    await rig.deliver()
    assert rig.left_over() == []


async def test_a_destination_that_recovers_goes_on(rig: Rig) -> None:
    """A worker dies while handling the refusal, then the bot is invited: the card is posted."""
    execution = await rig.follow(rig.lab)
    rig.slack.remove_bot(rig.lab)
    rig.fault("drop_before", "conversations.open")
    await rig.deliver()
    rig.slack.invite_bot(rig.lab)
    await rig.later()
    assert rig.read(rig.lab) == ["card"]
    assert await rig.store.subscribers.find(rig.who(rig.lab), execution)


async def test_undelivered_changes_are_kept_and_counted(rig: Rig) -> None:
    """A dead letter says what the channel never read, and why; its owner is notified once in a direct message."""
    counter = NOTIFIER_DEAD_LETTERS.labels("notified")
    before = counter._value.get()
    execution = await rig.followed(rig.lab)
    rig.slack.archive(rig.lab)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    (letter,) = await rig.store.outbox.dead_letters()
    assert (letter.lane, letter.owner) == (f"{ACCOUNT}/{rig.slack.workspace.team_id}/{execution}/{rig.lab}", rig.alice)
    assert (letter.reason, undelivered(letter)) == ("is_archived", "undelivered: outcome Succeeded")
    assert counter._value.get() == before + 1


async def test_unreachable_direct_messages_leave_only_a_letter(rig: Rig) -> None:
    """There is no other way to reach the person, and nobody else is notified."""
    counter = NOTIFIER_DEAD_LETTERS.labels("same")
    before = counter._value.get()
    await rig.follow(rig.alice)
    rig.slack.deactivate(rig.alice)
    await rig.deliver()
    (letter,) = await rig.store.outbox.dead_letters()
    assert (letter.reason, undelivered(letter)) == ("user_disabled", "only its card was to be shown")
    assert counter._value.get() == before + 1
    assert not [call for call in rig.slack.calls if call.method == "chat.postMessage"]
