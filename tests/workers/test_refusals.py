"""What people read while Slack refuses calls: each refusal has its meaning, and none loses anything.

Lives here: limits, refused posts, unknown codes, and when a problem is over. Does not live here: refusals of a card's
edit (`test_refused_edits`), of the token or a scope (`test_refused_token`), of a dead destination
(`test_dead_letters`). Called by pytest.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import pytest

from bot.metrics import SLACK_FAILURES
from bot.workers import pool
from bot.workers.notifier import Notifier, card_failures
from sandbox import story
from tests.servers import let_time_pass
from tests.workers.rig import Rig, ample_limits

UNDER_WAY = replace(story.happy(2), frames=story.happy(2).frames[1:])
"""A life whose first frame already has steps."""


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_retry_after_pauses_every_caller(rig: Rig, method: str) -> None:
    """Nobody calls that method, not for an outcome, a button or after a restart; then it is delivered once."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.fault("ratelimited", method, retry_after=30)
    await rig.step(execution)
    await rig.deliver()
    refused = rig.times(method)
    await rig.step(execution, to="succeeded")
    await rig.store.subscribers.refresh(rig.who(rig.lab), execution)
    await rig.store.recover()
    await rig.deliver()
    assert rig.times(method) == refused
    assert [wait for wait in rig.waits() if wait > 0] == [pytest.approx(30, abs=1.5)] * 2
    await rig.later(times=2)
    assert rig.read(rig.lab)[-1] == rig.read(rig.alice)[-1] == "change 3"
    assert rig.left_over() == []


async def test_methods_are_limited_separately(rig: Rig) -> None:
    """While cards cannot be edited, thread lines are still posted."""
    execution = await rig.followed(rig.lab)
    rig.fault("ratelimited", "chat.update", retry_after=30)
    for _ in range(2):
        await rig.step(execution)
        await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]
    assert rig.times("chat.update") == 1


async def test_a_card_without_blocks_is_better_than_none(rig: Rig) -> None:
    """If Slack refuses the blocks, the plain text is posted; other cards still try blocks."""
    rig.fault("error", error="invalid_blocks")
    await rig.followed(rig.lab)
    (card,) = rig.slack.messages(rig.lab)
    assert (card.blocks, "Pending" in card.text) == ([], True)
    await rig.followed(rig.lab, life=UNDER_WAY)
    assert rig.slack.messages(rig.lab)[1].blocks


async def test_a_refused_message_is_retried_rarely(rig: Rig) -> None:
    """It is retried after a minute, and delays no other lane."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.fault("error", error="msg_too_long", channel=rig.lab, times=None)
    await rig.step(execution)
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=1)]
    assert rig.read(rig.alice) == ["card", "change 2"]


async def test_an_hour_of_refusals_is_given_up(rig: Rig) -> None:
    """It ends like an unreachable destination: its owner hears why, and there is a dead letter."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", error="msg_too_long", channel=rig.lab, times=None)
    await rig.step(execution)
    assert rig.aged(hours=2) == 1
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], ["dead"])
    (letter,) = await rig.store.outbox.dead_letters()
    assert (letter.reason, letter.undelivered) == ("msg_too_long", 1)


async def test_suspended_messages_come_once_allowed(rig: Rig) -> None:
    """The admins of the organisation suspended them: nothing ends, and nobody has to ask again."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", None, error="ekm_access_denied", channel=rig.lab, times=None)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=2)]
    await rig.later(times=3)
    assert (rig.read(rig.lab), await rig.store.outbox.dead_letters()) == (["card"], [])
    rig.slack.faults.clear()
    await rig.later()
    assert (rig.read(rig.lab), rig.left_over()) == (["card", "change 2"], [])


@pytest.mark.parametrize("hours", [0, 48])
async def test_pauses_after_an_unknown_code_grow(rig: Rig, hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as long each time, an hour at most; that the message had waited for something else makes them no longer."""
    passed = [0.0]
    monkeypatch.setattr(card_failures, "monotonic", lambda: monotonic() + sum(passed))
    execution = await rig.followed(rig.lab)
    rig.fault("error", error="workspace_under_maintenance", times=8)
    await rig.step(execution)
    rig.aged(hours=hours)
    await rig.deliver()
    pauses = rig.waits()
    for _ in range(7):
        passed.append(pauses[-1])
        await rig.later()
        pauses += rig.waits()
    assert pauses == [pytest.approx(60 * minutes, abs=5) for minutes in (1, 2, 4, 8, 16, 32, 60, 60)]
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]
    rig.fault("error", error="workspace_under_maintenance")
    await rig.step(execution)
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=5)]


async def test_news_makes_no_pause_longer(rig: Rig) -> None:
    """A lane that is refused is tried again when something happens, and then pauses as long as before."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", error="workspace_under_maintenance", times=4)
    for _ in range(4):
        await rig.step(execution)
        await rig.deliver()
        assert rig.waits() == [pytest.approx(60, abs=5)]
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 5"]


async def test_readiness_names_an_unknown_code(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the next try at least, and no longer than it lasts; a metric counts it."""
    counter = SLACK_FAILURES.labels("chat.postMessage", "unknown")
    before = counter._value.get()
    execution = await rig.followed(rig.lab)
    rig.fault("error", error="external_channel_migrating")
    await rig.step(execution)
    await rig.deliver()
    monkeypatch.setattr(pool, "monotonic", lambda: monotonic() + 59)
    assert "chat.postMessage" in str(rig.notifier.problem)
    assert "external_channel_migrating" in str(rig.notifier.problem)
    assert counter._value.get() == before + 1
    await rig.later()
    assert (rig.read(rig.lab), rig.notifier.problem) == (["card", "change 2"], None)


async def test_an_unknown_code_delays_nobody_else(rig: Rig) -> None:
    """One channel migrates: all others are delivered at once, and the bot is ready."""
    bob = rig.slack.add_user("bob")
    await rig.follow(rig.lab)
    rig.fault("error", error="external_channel_migrating", channel=rig.lab, times=None)
    await rig.deliver()
    await rig.follow(bob)
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(bob), rig.notifier.problem) == ([], ["card"], None)


async def test_a_problem_solved_elsewhere_expires(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One copy fails once, the other delivers: the first does not stay unready through a quiet night."""
    await rig.follow(rig.lab)
    rig.fault("status")
    await rig.deliver()
    assert rig.notifier.problem
    other = Notifier(rig.door, rig.store, ample_limits(rig.store))
    let_time_pass(rig.redis)
    await other.run_once()
    assert (rig.read(rig.lab), other.problem) == (["card"], None)
    monkeypatch.setattr(pool, "monotonic", lambda: monotonic() + 6.5 * 60)
    assert not rig.notifier.problem
