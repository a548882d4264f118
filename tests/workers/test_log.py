"""What people read in the log is what they find in Slack, whatever happens between sending and recording."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.blocks import log_message
from bot.domain.fates import Fate, FateKind, Seen, fates_of
from bot.domain.following import Level
from sandbox import story
from tests.workers.rig import Rig
from tests.workers.test_reconcile import in_doubt

ADDRESS = "https://sandbox.slack.com/"
_LINK = re.compile(r"/archives/(\w+)/p(\d{10})(\d{6})(?:\?thread_ts=([\d.]+)&amp;cid=\w+)?\|")


async def logged(rig: Rig, name: str, execution_id: str) -> list[tuple[Seen, Fate]]:
    """Each change, and what became of it."""
    log = await rig.subscriptions.log(execution_id, rig.who(name))
    return fates_of(log, log.lanes[0])


async def linked(rig: Rig, name: str, execution_id: str) -> list[str]:
    """The messages that the log links, as `part revision`, the oldest first."""
    log = await rig.subscriptions.log(execution_id, rig.who(name))
    shown = str(log_message(log, log.lanes, execution_id, address=ADDRESS).blocks)
    messages = {(rig.place(name), each.ts): each for each in rig.slack.messages(rig.place(name))}
    found = [(messages[channel, f"{whole}.{part}"], thread) for channel, whole, part, thread in _LINK.findall(shown)]
    assert [thread for _, thread in found] == [each.thread_ts or "" for each, _ in found]
    payloads = [each.metadata["event_payload"] for each, _ in found]
    return [f"{each['part']} {each['delivered_through']}" for each in payloads][::-1]


@in_doubt
@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_each_link_leads_to_its_message(rig: Rig, name: str, kind: str, more: dict[str, Any]) -> None:
    """All that was delivered is linked, also what was in doubt and found, and after the subscription has ended."""
    who = getattr(rig, name)
    execution = await rig.followed(who)
    rig.fault(kind, **more)
    await rig.step(execution)
    await rig.deliver()
    ((_, fate),) = await logged(rig, who, execution)  # `slow_after` may be in time
    assert fate.kind in {FateKind.IN_DOUBT, FateKind.REFUSED} or rig.read(who) == ["card", "change 2"]
    await rig.later()
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(who) == ["card", "change 2", "change 3"]
    assert await linked(rig, who, execution) == ["change 2", "change 3"]
    assert rig.left_over() == []


@in_doubt
@pytest.mark.parametrize("to", ["running 1/2", "failed"])
@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_what_a_stop_drops_is_looked_up(rig: Rig, name: str, to: str, kind: str, more: dict[str, Any]) -> None:
    """Slack may have taken the message all the same: the log says where it is, or that it was not sent."""
    who = getattr(rig, name)
    execution = await rig.followed(who, life=story.failing(2))
    rig.fault(kind, **more)
    await rig.step(execution, to=to)
    await rig.deliver()
    await rig.subscriptions.unsubscribe(rig.who(who), execution, by=rig.alice)
    await rig.later()
    ((_, fate),) = await logged(rig, who, execution)
    assert fate.kind is (FateKind.SENT if "change 2" in rig.read(who) else FateKind.DROPPED)
    assert await linked(rig, who, execution) == [part for part in rig.read(who) if part == "change 2"]
    assert rig.left_over() == []


async def test_a_refusal_is_shown_with_its_reason(rig: Rig) -> None:
    """Until Slack takes it; then the log has the message. What it refuses for good is given up."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", error="ekm_access_denied")
    await rig.step(execution)
    await rig.deliver()
    ((_, fate),) = await logged(rig, rig.lab, execution)
    assert (fate.kind, fate.code, fate.next_at is not None) == (FateKind.REFUSED, "ekm_access_denied", True)
    await rig.later()
    assert await linked(rig, rig.lab, execution) == ["change 2"]
    rig.fault("error", error="is_archived")
    await rig.step(execution)
    await rig.deliver()
    assert [(fate.kind, fate.code) for _, fate in await logged(rig, rig.lab, execution)][-1] == (
        FateKind.GIVEN_UP,
        "is_archived",
    )


async def test_below_a_level_another_one_is_named(rig: Rig) -> None:
    """A person at the end only has each change of the life, with the level that includes it."""
    execution = await rig.followed(rig.alice, life=story.happy(2), level=Level.FINAL)
    while rig.gcs.step(execution) is not None:
        await rig.poll()
        await rig.deliver()
    *before, (last, fate) = await logged(rig, rig.alice, execution)
    assert {fate.kind for _, fate in before} == {FateKind.BELOW}
    assert {fate.level for _, fate in before} <= {Level.STEPS, Level.MILESTONES, None}
    assert (last.phase, fate.kind) == ("Succeeded", FateKind.SENT)
