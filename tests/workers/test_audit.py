"""What the audit trail says about messages and ends that no request asked for."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from sandbox import story
from tests.workers.rig import Rig


def trail(logs: list[EventDict], event: str, *names: str) -> list[tuple[object, ...]]:
    """The values of `names` in each line of one kind."""
    return [tuple(line.get(name) for name in names) for line in logs if line["event"] == event]


async def test_a_repeated_send_is_a_second_attempt(rig: Rig) -> None:
    """Slack limits the first call: the line of the message says that it took two."""
    await rig.follow(rig.lab)
    rig.fault("error", error="service_unavailable")
    with capture_logs() as logs:
        await rig.deliver()
        await rig.later()
    (card,) = rig.slack.messages(rig.lab)
    assert trail(logs, "message.sent", "kind", "channel", "ts", "attempt") == [("card", rig.lab, card.ts, 2)]


async def test_an_outcome_to_a_person_is_direct(rig: Rig) -> None:
    """Lines of a thread, edits and direct messages are distinguished."""
    execution = await rig.followed(rig.alice, life=story.happy(2))
    with capture_logs() as logs:
        await rig.step(execution, to="running 1/2")
        await rig.deliver()
        await rig.step(execution, to="succeeded")
        await rig.deliver()
    kinds = trail(logs, "message.sent", "kind", "change")
    assert kinds == [("thread", "phase"), ("edit", "phase"), ("dm", "outcome"), ("edit", "outcome")]


async def test_a_dead_destination_is_in_the_trail(rig: Rig) -> None:
    """With Slack's code, and the message to the owner."""
    await rig.follow(rig.lab)
    rig.fault("error", error="is_archived", channel=rig.lab)
    with capture_logs() as logs:
        await rig.deliver()
    ended = trail(logs, "subscription.ended", "why", "code", "subscriber", "owner")
    assert ended == [("undeliverable", "is_archived", rig.lab, rig.alice)]
    assert trail(logs, "message.sent", "kind", "channel") == [("undeliverable", rig.slack.dm(rig.alice))]


@pytest.mark.parametrize(("last", "why"), [("succeeded", ["execution_over"]), ("running 1/2", [])])
async def test_why_a_subscription_ended(rig: Rig, last: str, why: list[str]) -> None:
    """One that its subscriber ended has its line at the request, and none when it is forgotten."""
    execution = await rig.followed(rig.alice, life=story.happy(2))
    await rig.step(execution, to=last)
    await rig.deliver()
    with capture_logs() as before:
        await rig.subscriptions.unsubscribe(rig.who(rig.alice), execution)
    with capture_logs() as logs:
        await rig.later()
    assert rig.left_over() == []
    assert [line for (line,) in trail(before, "subscription.ended", "why")] == ([] if why else ["unsubscribed"])
    assert trail(logs, "subscription.ended", "why") == []
