"""The simulated GCS shows what happened to steps as the reference has it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.gcs.events import EventRecord
from sandbox.clock import Clock
from sandbox.gcs import GCS, Fault
from sandbox.story import deleted, failing, happy
from tests.sandbox.gcs_caller import get, get_execution

FIELDS = "metadata involvedObject reason message firstTimestamp lastTimestamp count type elemType elemId actionName"


@pytest.fixture
async def gcs() -> AsyncIterator[GCS]:
    """A running simulated GCS whose story time stands still."""
    clock = Clock()
    clock.pause()
    async with GCS(clock=clock) as running:
        yield running


async def test_events_have_every_documented_field(gcs: GCS) -> None:
    """A bare array, with bilingual texts; the bot knows all of its fields."""
    guid = gcs.play(failing(3), by_hand=True)
    gcs.step(guid, to="failed")
    events = (await get(gcs, f"/v1/executions/{guid}/events")).json
    assert isinstance(events, list)
    assert {name for event in events for name in event} == set(FIELDS.split())
    read = {field.alias or name for name, field in EventRecord.model_fields.items()}
    assert read.union(EventRecord.NOT_READ) == set(FIELDS.split())
    assert all("##" in event["reason"] and " ## " in event["message"] for event in events)
    assert len({event["metadata"]["name"] for event in events}) == len(events)


async def test_a_failure_is_among_them(gcs: GCS) -> None:
    """As a warning about the step that failed; a step that has not begun has none."""
    guid = gcs.play(failing(3), by_hand=True)
    gcs.step(guid, to="failed")
    events = (await get(gcs, f"/v1/executions/{guid}/events")).json
    (failed,) = (event for event in events if event["type"] == "Warning")
    steps = (await get_execution(gcs, guid)).json["status"]["actual_node_status"]
    assert [failed["elemId"]] == [step["name"] for step in steps if step["status"] == "Failed"]
    waiting = {step["name"] for step in steps if step["status"] == "Pending"}
    assert not waiting & {event["elemId"] for event in events}


async def test_there_are_none_before_it_begins(gcs: GCS) -> None:
    """Nor of an execution that does not exist, or no longer."""
    assert (await get(gcs, f"/v1/executions/{gcs.play(happy(2), by_hand=True)}/events")).json == []
    gone = gcs.play(deleted(), by_hand=True)
    gcs.step(gone, to="gone")
    for guid in (gone, "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"):
        assert (await get(gcs, f"/v1/executions/{guid}/events")).error == (404, "GCS.4040001")


async def test_events_can_fail_alone(gcs: GCS) -> None:
    """A user may be allowed to read executions, and not their events."""
    guid = gcs.play(happy(2), by_hand=True)
    gcs.faults.add(Fault(kind="status", status=403, service="events"))
    assert (await get(gcs, f"/v1/executions/{guid}/events")).status == 403
    assert (await get_execution(gcs, guid)).status == 200
