"""What people learn about a failure: from GCS's events, and from how earlier runs ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.errors import ExecutionNotFound
from bot.subscriptions import Explained
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig


async def explained(rig: Rig, execution_id: str) -> Explained:
    """Alice asks why."""
    return await rig.subscriptions.explain(rig.who(rig.alice).team_id, execution_id, rig.alice)


async def failed(rig: Rig) -> str:
    """An execution that the channel follows and that has failed, with the message about it."""
    execution_id = await rig.followed(rig.lab, life=story.failing(3))
    await rig.step(execution_id, to="running 1/3")
    await rig.step(execution_id, to="failed")
    await rig.deliver()
    return execution_id


async def test_events_come_with_the_state(rig: Rig) -> None:
    """Of the execution that was asked about."""
    found = await explained(rig, await failed(rig))
    assert found.snapshot.execution.phase == "Failed"
    assert found.events is not None
    assert {event.element for event in found.events} >= {step.name for step in found.snapshot.execution.failed_steps}


@pytest.mark.parametrize(("status", "is_refused"), [(403, True), (404, False), (429, False)])
async def test_without_events_the_rest_is_known(rig: Rig, status: int, is_refused: bool) -> None:
    """Whatever the reason is."""
    execution_id = await failed(rig)
    rig.gcs.faults.add(Fault(kind="status", status=status, service="events", retry_after=60))
    found = await explained(rig, execution_id)
    assert (found.events, found.is_refused) == (None, is_refused)
    assert found.snapshot.execution.phase == "Failed"


async def test_an_unknown_execution_is_an_error(rig: Rig) -> None:
    """As with the summary."""
    with pytest.raises(ExecutionNotFound):
        await explained(rig, "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd")


async def test_people_share_the_call_for_events(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty who ask at once cost GCS two calls: the execution, and its events."""
    execution_id = await failed(rig)
    monkeypatch.setattr("bot.gcs.shared_reads.GOOD_FOR", timedelta(hours=1))
    before = len(rig.gcs.calls)
    await asyncio.gather(*(explained(rig, execution_id) for _ in range(20)))
    paths = [call.path for call in rig.gcs.calls[before:]]
    assert sorted(paths) == [f"/v1/executions/{execution_id}", f"/v1/executions/{execution_id}/events"]


async def test_a_second_failure_names_the_first(rig: Rig) -> None:
    """In the message about it, and in the list of earlier runs; the first one had nothing to be compared with."""
    first, second = await failed(rig), await failed(rig)
    ends = [message.text for message in rig.slack.messages(rig.lab) if "❌ Failed" in message.text]
    assert ["same failure as the run before" in text for text in ends] == [False, True]
    past = (await explained(rig, second)).past
    assert {end.id for end in past.ends} == {first, second}
