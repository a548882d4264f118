"""Faults of Slack's at one card or in one channel: only what they concern waits, and not for ever."""

from __future__ import annotations

import pytest

from bot.workers.notifier import Notifier
from bot.workers.notifier.card_failures import EDIT_TRIES, ENDING_FAULT_TRIES, FAULT_TRIES
from sandbox import story
from tests.workers.rig import Rig, ample_limits

FAULTS = [
    {"kind": "error", "error": "internal_error"},
    {"kind": "error", "error": "fatal_error"},
    {"kind": "error", "error": "update_failed"},
    {"kind": "error", "error": "service_unavailable"},
    {"kind": "error", "error": "org_login_required"},
    {"kind": "status", "status": 500},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.get("error", "http")))
async def test_a_faulty_card_delays_nobody(rig: Rig, fault: dict[str, object]) -> None:
    """Its edit is tried ever later; others, and its own thread, are delivered at once, and the bot is ready."""
    bad, good = await rig.followed(rig.lab, life=story.happy(8)), await rig.followed(rig.alice, life=story.happy(8))
    rig.slack.limits.is_on = False
    rig.fault(method="chat.update", channel=rig.lab, times=None, **fault)  # type: ignore[arg-type]  # a test's kind
    pauses = []
    for step in range(4):
        await rig.step(bad)
        await rig.deliver()
        assert rig.read(rig.lab)[-1] == f"change {step + 2}"
        pauses += rig.waits()
        await rig.later()
        rig.gcs.step(good)
        await rig.poll()
        await rig.deliver()
        assert rig.read(rig.alice)[-1] == f"change {step + 2}"
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0] > 0
    assert rig.notifier.problem is None
    assert not list(rig.redis.scan_iter("*:away"))


async def test_a_faulty_edit_is_given_up_at_last(rig: Rig) -> None:
    """Plainer cards are tried as well; then the card stays, its thread says so once, also after a restart."""
    execution = await rig.followed(rig.lab, life=story.happy(8))
    rig.fault("error", "chat.update", error="internal_error", times=FAULT_TRIES)
    await rig.step(execution)
    await rig.deliver()
    await rig.later(times=FAULT_TRIES)
    assert (rig.times("chat.update"), rig.waits()) == (FAULT_TRIES, [])
    other = Notifier(rig.door, rig.store, ample_limits(rig.store))
    rig.fault("error", "chat.update", error="cant_update_message", times=None)
    await rig.subscriptions.refresh_card(rig.who(rig.lab), execution)
    for _ in range(EDIT_TRIES + 1):
        await rig.later(times=0)
        await other.run_once()
        await rig.step(execution)
        await rig.later(times=0)
    assert rig.read(rig.lab).count("left") == 1
    left = next(message for message in rig.slack.messages(rig.lab) if "does not let me edit" in message.text)
    assert left.thread_ts == rig.slack.messages(rig.lab)[0].ts


async def test_a_plainer_card_may_pass(rig: Rig) -> None:
    """Slack has a fault with the card as it is, and takes it as plain text."""
    execution = await rig.followed(rig.lab, life=story.happy(8))
    rig.fault("error", "chat.update", error="internal_error", times=6)
    await rig.step(execution)
    await rig.deliver()
    await rig.later(times=6)
    assert (rig.times("chat.update"), rig.waits(), rig.slack.messages(rig.lab)[0].blocks) == (7, [], [])


async def test_an_ended_subscription_leaves_a_faulty_card(rig: Rig) -> None:
    """After "Stop following" a card that was failing anyway is tried no more."""
    execution = await rig.followed(rig.lab, life=story.happy(8))
    rig.fault("error", "chat.update", error="internal_error", times=None)
    await rig.step(execution)
    await rig.deliver()
    await rig.later(times=ENDING_FAULT_TRIES)
    await rig.subscriptions.unsubscribe(rig.who(rig.lab), execution)
    await rig.deliver()
    assert rig.left_over() == []


async def test_a_faulty_channel_delays_nobody(rig: Rig) -> None:
    """Its posts are tried ever later; all others are delivered at once."""
    execution = await rig.followed(rig.lab, rig.alice, life=story.happy(8))
    rig.fault("error", "chat.postMessage", error="internal_error", channel=rig.lab, times=None)
    pauses = []
    for step in range(5):
        await rig.step(execution)
        await rig.deliver()
        await rig.later()
        assert rig.read(rig.alice)[-1] == f"change {step + 2}"
        pauses += rig.waits()
    assert pauses == sorted(pauses)
    assert pauses[-1] > 4 * pauses[0] > 0
    assert (rig.read(rig.lab), rig.notifier.problem) == (["card"], None)


async def test_a_day_of_faults_is_given_up(rig: Rig) -> None:
    """The owner hears why; the letter has the outcome. Before that, nothing is given up however often it fails."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", "chat.postMessage", error="internal_error", channel=rig.lab, times=None)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    await rig.later(times=FAULT_TRIES + 2)
    assert (rig.read(rig.alice), await rig.store.outbox.dead_letters()) == ([], [])
    rig.aged(hours=25)
    await rig.later()
    assert rig.read(rig.alice) == ["dead"]
    (letter,) = await rig.store.outbox.dead_letters()
    assert (letter.reason, letter.undelivered) == ("internal_error", 1)


async def test_a_late_fault_gives_nothing_up(rig: Rig) -> None:
    """What has waited for two days because Slack was away is not given up at the first fault."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution, to="succeeded")
    rig.aged(hours=48)
    rig.fault("error", "chat.postMessage", error="internal_error", times=1)
    await rig.deliver()
    assert await rig.store.outbox.dead_letters() == []
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]


async def test_faults_of_many_lanes_pause_all(rig: Rig) -> None:
    """Slack has a fault wherever the bot posts: then it is Slack, and `/readyz` says so."""
    for number in range(4):
        await rig.follow(rig.slack.add_channel(f"lab{number}", members=[rig.alice]))
    rig.fault("error", "chat.postMessage", error="internal_error", times=None)
    await rig.deliver()
    assert "internal_error" in str(rig.notifier.problem)
    assert list(rig.redis.scan_iter("*:away"))
