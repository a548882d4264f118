"""Delivery under Slack's limits: no refusal, outcomes first, no storm after a pause."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic, time
from typing import Any

import pytest

from bot.domain.following import Level
from bot.metrics import NOTIFIER_BACKLOG_LANES, NOTIFIER_PAUSES, NOTIFIER_WAITS
from bot.store.slack_limits import Admission, SlackLimits
from bot.store.slack_limits import limits as slack_limits
from bot.workers.notifier import Notifier
from bot.workers.notifier import delivery as lane_delivery
from sandbox import story
from sandbox.slack.web_api import Call
from tests.servers import let_lanes_come, let_pauses_end, let_time_pass
from tests.workers.rig import Rig, age_outage, ample_limits, run_until

POST, EDIT, HISTORY = "chat.postMessage", "chat.update", "conversations.history"


def limited(rig: Rig, *, calls: int = 1000, posts: int = 2000, channel_posts: int = 600) -> SlackLimits:
    """Switch the limits of the sandbox on, high enough for a short test, and return the same limits for the bot."""
    rig.slack.limits.is_on = True
    rig.slack.limits.per_minute[3] = calls
    rig.slack.limits.posts_per_minute = posts
    rig.slack.limits.channel_rate = channel_posts / 60
    rig.slack.limits.channel_burst = max(1, channel_posts // 10)
    return rig.store.slack_limits(calls=calls, posts=posts, channel_posts=channel_posts)


async def following(rig: Rig, names: list[str], **more: Any) -> str:
    """Let all `names` follow one execution, and post the cards."""
    execution = await rig.follow(*names, **more)
    await drained(rig)
    return execution


async def drained(rig: Rig) -> None:
    """Run the notifier until nothing is due."""
    while await rig.deliver():
        pass


def posts(rig: Rig) -> list[str]:
    """Posts in the order of arrival, each as its part (`card`, `change`) and `person` or `channel`."""
    calls = [call for call in rig.slack.calls if call.method == POST and not call.error]
    parts = [call.args["metadata"]["event_payload"]["part"] for call in calls]
    places = ["person" if call.args["channel"].startswith("D") else "channel" for call in calls]
    return [f"{part} {place}" for part, place in zip(parts, places, strict=True)]


def of(rig: Rig, method: str) -> list[Call]:
    """All calls of a method."""
    return [call for call in rig.slack.calls if call.method == method]


def channels(rig: Rig, many: int) -> list[str]:
    """New channels, `many` of them."""
    return [rig.slack.add_channel(f"c{number}") for number in range(many)]


def people(rig: Rig, many: int) -> list[str]:
    """New users, `many` of them."""
    return [rig.slack.add_user(f"p{number}") for number in range(many)]


async def test_a_burst_stays_within_limits_outcomes_first(rig: Rig) -> None:
    """200 cards wait before 50 executions end: outcomes to people come first, then to channels, then the cards."""
    ended = await following(rig, people(rig, 25) + channels(rig, 25), level=Level.FINAL)
    begun = len(posts(rig))
    assert begun == 50
    await rig.follow(*channels(rig, 200))
    await rig.step(ended, to="succeeded")
    notifier = Notifier(rig.door, rig.store, limited(rig), concurrency=1)
    await run_until(rig, lambda: len(posts(rig)) == begun + 250, notifier)
    assert posts(rig)[begun:] == ["change person"] * 25 + ["change channel"] * 25 + ["card channel"] * 200
    assert not rig.slack.limits.refused


async def test_a_busy_channel_gets_the_outcome_first(rig: Rig) -> None:
    """Many lanes wait for one channel: a later but more important message goes first, and no lane starves."""
    quiet = [await rig.followed(rig.lab) for _ in range(14)]
    urgent = await rig.followed(rig.lab)
    limits = limited(rig, channel_posts=30)  # three at once, then one every two seconds
    notifier = Notifier(rig.door, rig.store, limits, concurrency=1)
    for execution in quiet:
        await rig.step(execution)
    for _ in quiet:
        await notifier.run_once()
    sent = len(posts(rig))
    assert 15 + 3 <= sent < 15 + 14
    await rig.step(urgent, to="succeeded")
    assert not rig.slack.limits.refused
    rig.slack.limits.is_on = False
    for _ in (*quiet, urgent):
        let_time_pass(rig.redis)
        await notifier.run_once()
    deferred = rig.slack.messages(rig.lab)[sent:]
    assert [urgent in str(message.metadata) for message in deferred] == [True, *[False] * (15 + 14 - sent)]


async def test_no_outcome_waits_for_other_cards(rig: Rig) -> None:
    """A person's executions end before their cards are posted: each outcome comes right after its own card."""
    with_card = await rig.followed(rig.alice)
    for execution in (*[await rig.follow(rig.alice) for _ in range(4)], with_card):
        await rig.step(execution, to="succeeded")
    begun = len(posts(rig))
    notifier = Notifier(rig.door, rig.store, rig.store.slack_limits(calls=1000, posts=1000, channel_posts=1))
    for _ in range(9):
        await notifier.run_once()
        for bucket in rig.redis.scan_iter("*:next:*"):  # time passes for the next call; places are kept
            rig.redis.delete(bucket)
        let_lanes_come(rig.redis)
    assert posts(rig)[begun:] == ["change person", *["card person", "change person"] * 4]


async def test_two_copies_share_the_limits(rig: Rig) -> None:
    """They share each limit: posts of the workspace, messages of a channel, edits."""
    executions = [await following(rig, [rig.lab, *people(rig, 10)]) for _ in range(3)]
    limits = limited(rig, calls=600, posts=900, channel_posts=300)
    for execution in executions:
        await rig.step(execution)
    notifiers = [Notifier(rig.door, rig.store, limits) for _ in range(2)]
    await run_until(rig, lambda: len(of(rig, EDIT)) == 33 and len(posts(rig)) == 66, *notifiers)
    assert not rig.slack.limits.refused
    assert rig.slack.limits.worst_minute(EDIT) == 33


async def test_all_copies_obey_retry_after(rig: Rig) -> None:
    """Two notifiers on one store: no call of that method between the refusal and the time that Slack named."""
    executions = [await rig.followed(*channels(rig, 4)) for _ in range(3)]
    rig.fault("ratelimited", POST, retry_after=1)
    for execution in executions:
        await rig.step(execution)
    notifiers = [Notifier(rig.door, rig.store, ample_limits(rig.store), concurrency=1) for _ in range(2)]
    await run_until(rig, lambda: len(posts(rig)) == 24, *notifiers)
    (refusal,) = [call for call in of(rig, POST) if call.error]
    # A call of the other copy may have been on its way when the refusal was written.
    later = [call.at for call in of(rig, POST) if call.at > refusal.at + 0.1]
    assert min(later) >= refusal.at + 1


async def test_an_outcome_does_not_wait_for_an_edit(rig: Rig) -> None:
    """A lane whose edit was deferred gets its outcome at once."""
    execution = await rig.followed(rig.lab)
    limits = rig.store.slack_limits(calls=1, posts=100, channel_posts=100)
    notifier = Notifier(rig.door, rig.store, limits)
    for _ in range(2):
        await rig.step(execution)
        await notifier.run_once()
    assert rig.waits() == [pytest.approx(62, abs=2)]
    await rig.step(execution, to="succeeded")
    await notifier.run_once()
    assert rig.read(rig.lab)[-1] == "change 4"
    assert len(of(rig, EDIT)) == 1


async def test_operators_see_what_waits_and_why(rig: Rig) -> None:
    """Lanes with something to deliver, calls deferred by priority, pauses by reason."""
    seen = [NOTIFIER_WAITS.labels("edit"), NOTIFIER_PAUSES.labels("ratelimited")]
    before = [counter._value.get() for counter in seen]
    execution = await rig.followed(rig.lab)
    rig.fault("ratelimited", EDIT, retry_after=30)
    for _ in range(2):
        await rig.step(execution)
        await rig.deliver()
    assert [counter._value.get() for counter in seen] == [before[0] + 1, before[1] + 1]
    await Notifier(rig.door, rig.store, ample_limits(rig.store)).run_once()
    assert NOTIFIER_BACKLOG_LANES._value.get() == 1


async def test_edits_that_wait_become_one(rig: Rig) -> None:
    """While edits are scarce a card skips the states in between, and ends up correct."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    notifier = Notifier(
        rig.door,
        rig.store,
        rig.store.slack_limits(calls=1, posts=900, channel_posts=900),
    )
    for _ in range(5):
        await rig.step(execution)
        await notifier.run_once()
    assert len(of(rig, EDIT)) == 1
    await rig.step(execution, to="succeeded")
    await rig.later()
    assert len(of(rig, EDIT)) == 2
    assert "Succeeded" in rig.cards(rig.lab)[0]
    assert rig.left_over() == []


@pytest.mark.parametrize(("copies", "first"), [(1, 20), (2, 18)])
async def test_an_hour_without_slack_ends_without_a_storm(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, copies: int, first: int
) -> None:
    """The backlog starts slowly, outcomes first, a lane's lines as one message, nothing twice."""
    ended, running = [await following(rig, channels(rig, 10), life=story.happy(6)) for _ in range(2)]
    rig.fault("error", None, error="service_unavailable", times=None)
    for _ in range(5):
        await rig.step(running)
        await rig.step(ended)
        await rig.later()
    age_outage(rig, seconds=3600)
    await rig.step(ended, to="succeeded")
    for _ in range(3):
        await drained(rig)
        let_pauses_end(rig.redis)
    rig.slack.faults.clear()
    # The workspace's limit alone holds lanes back: one that its own channel holds back is rightly overtaken. It stays
    # slow: later it would have saved up calls for all lanes when the machine stalls, and let them go in any order.
    monkeypatch.setattr(slack_limits, "_SPANS", (3_600_000_000, *slack_limits._SPANS[1:]))
    limits = limited(rig, calls=3000, posts=3000, channel_posts=60_000)
    notifiers = [Notifier(rig.door, rig.store, limits, concurrency=1) for _ in range(copies)]
    begun, back = len(posts(rig)), time()
    await run_until(rig, lambda: lines_posted(rig) == 30, *notifiers)
    marks = [call.args["metadata"]["event_payload"] for call in of(rig, POST) if not call.error][begun:]
    assert len({(mark["lane"], mark["delivered_through"]) for mark in marks}) == len(marks) == 30
    # The other copy may hold a lane with two messages, which does not wait and so does not hold others back.
    assert [ended in mark["lane"] for mark in marks[:first]] == [True] * first
    assert len([call for call in of(rig, POST) if back < call.at < back + 0.5]) <= 8  # a burst would be all of them
    assert not rig.slack.limits.refused


def lines_posted(rig: Rig) -> int:
    """How many lines and outcomes were posted."""
    messages = [message for each in rig.slack.workspace.messages.values() for message in each]
    return [message.metadata["event_payload"]["part"] for message in messages].count("change")


async def test_an_outage_is_probed_by_one_call(rig: Rig) -> None:
    """One call finds out whether Slack is back, however many lanes wait."""
    execution = await following(rig, channels(rig, 40))
    rig.fault("status", None, times=None)
    await rig.step(execution)
    await rig.deliver()
    await rig.later()
    age_outage(rig, seconds=600)
    await rig.later()
    for _ in range(3):
        called = len(rig.slack.calls)
        let_pauses_end(rig.redis)
        await drained(rig)
        assert len(rig.slack.calls) == called + 1


async def test_many_sends_in_doubt_are_reconciled_within_limits(rig: Rig) -> None:
    """Copies died while sending to many: everything is read back at Slack's pace, and nothing is sent twice."""
    execution = await following(rig, channels(rig, 40))
    await rig.step(execution, to="succeeded")
    rig.fault("slow_after", POST, delay=30, times=None)
    dying = [asyncio.create_task(Notifier(rig.door, rig.store, ample_limits(rig.store)).run_once()) for _ in range(3)]
    await rig.slack.wait_for(lambda: lines_posted(rig) == 40)
    for task in dying:
        task.cancel()
    await asyncio.wait(dying)
    rig.slack.faults.clear()
    limits = limited(rig, calls=300)
    await rig.after_a_crash(Notifier(rig.door, rig.store, limits))
    await run_until(
        rig,
        lambda: len(of(rig, EDIT)) >= 40,
        Notifier(rig.door, rig.store, limits),
    )
    assert lines_posted(rig) == 40
    assert not rig.slack.limits.refused


async def test_a_late_admission_sends_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store answered slowly, so another worker may soon own the lane: that worker sends."""
    limits = ample_limits(rig.store)
    admit = limits.admit

    async def slowly(*about: Any, **more: Any) -> Admission:
        admission = await admit(*about, **more)
        monkeypatch.setattr(lane_delivery, "monotonic", lambda: monotonic() + 19)
        return admission

    monkeypatch.setattr(limits, "admit", slowly)
    await rig.follow(rig.lab)
    await Notifier(rig.door, rig.store, limits).run_once()
    assert of(rig, POST) == []
    monkeypatch.undo()
    await rig.after_a_crash()
    assert rig.read(rig.lab) == ["card"]


async def test_a_late_older_edit_does_not_stay(rig: Rig) -> None:
    """Slack applies an edit after the bot stopped waiting: the next edit comes later, and is newer."""
    execution = await rig.followed(rig.lab, level=Level.FINAL)
    rig.fault("slow", EDIT, delay=2.5)
    await rig.step(execution)
    await rig.deliver()
    assert min(rig.waits()) > timedelta(seconds=2).total_seconds()
    await rig.step(execution)
    assert await rig.deliver() == 0
    await rig.slack.wait_for(lambda: len([call for call in of(rig, EDIT) if not call.error]) == 1)
    await rig.later()
    assert "1 of 2 steps" in rig.cards(rig.lab)[0]
