"""Promises of stored snapshots: as fresh as their header says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.domain.execution import Execution, Step
from bot.domain.snapshot import Snapshot
from bot.store.rows import EPOCH, packed
from bot.store.snapshots import header_for, snapshot_of

NOW = EPOCH + timedelta(days=20_000)
STEPS = (
    Step(name="runs", phase="Running", elapsed=timedelta(minutes=5)),
    Step(name="ran", phase="Succeeded", elapsed=timedelta(minutes=5)),
    Step(name="waits"),
)


def read_again(phase: str, later: timedelta) -> Snapshot:
    """What is read when polls saw the same until so much later."""
    execution = Execution(id="e1", phase=phase, elapsed=timedelta(hours=1), steps=STEPS)
    snapshot = Snapshot(execution=execution, revision=1, seen_at=NOW)
    header = header_for(replace(snapshot, seen_at=NOW + later), None)
    return snapshot_of(header.row() + packed(snapshot))


@pytest.mark.parametrize("later", [timedelta(), timedelta(minutes=7)])
def test_what_runs_has_run_for_longer(later: timedelta) -> None:
    """So that the moment at which a step began stays the same."""
    found = read_again("Running", later)
    assert [step.elapsed for step in found.execution.steps] == [
        timedelta(minutes=5) + later,
        timedelta(minutes=5),
        None,
    ]
    assert found.execution.elapsed == timedelta(hours=1) + later
    assert found.seen_at == NOW + later


def test_what_has_ended_took_as_long() -> None:
    """However long ago that was."""
    found = read_again("Failed", timedelta(days=3))
    assert found.execution == read_again("Failed", timedelta()).execution
