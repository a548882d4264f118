"""Promises of the message about the end: what happened, why, and whether a retry can follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.blocks import Message, outcome_message
from bot.domain.model import ChangeKind
from tests.unit.blocks.world import FAILED, FAILED_STEP, ID, NOW, RUNNING, buttons_of, change, shown, subscription


def outcome(phase: str, kind: ChangeKind = ChangeKind.OUTCOME, **fields: Any) -> Message:
    """The message for an execution that ended in `phase`."""
    ended = change(kind, **{"phase": phase, "phase_before": "Running", "finished": 12, "total": 12, **fields})
    return outcome_message(ended, subscription("C123"), RUNNING, now=NOW)


FAILURE: dict[str, Any] = {
    "reason": FAILED.reason,
    "message": FAILED.message,
    "failed_steps": (FAILED_STEP,),
    "failed_steps_total": 3,
    "elapsed": timedelta(hours=2),
    "finished": 7,
    "retry_until": NOW + timedelta(minutes=30),
}


def test_success_is_short() -> None:
    """Phase, name, workflow, steps and duration; the subscription has ended."""
    message = outcome("Succeeded", elapsed=timedelta(seconds=701))
    assert shown(message.blocks).splitlines()[:2] == [
        "✅ Succeeded: gcs-exec-3-08-20-144951",
        "*deepvariant* · 12 of 12 steps · after 11 min 41 s",
    ]
    assert "This subscription has ended." in message.text


def test_failure_says_why_and_where() -> None:
    """Reason, message, the failed steps with their reasons, and how many others failed."""
    seen = shown(outcome("Failed", **FAILURE).blocks)
    assert "`StepFailed`: Element(call) execute Action: create failed" in seen
    assert "❌ *call* · Failed\n`OOMKilled`: container call was killed\n… and 2 more failed" in seen


def test_a_failure_comes_first_in_plain_text() -> None:
    """A notification shows the first line: what failed and why."""
    first, *more = outcome("Failed", **FAILURE).text.splitlines()
    name = "deepvariant execution gcs-exec-3-08-20-144951"
    assert first == f"{name} Failed after 2 h: StepFailed: Element(call) execute Action: create failed"
    assert more[0] == "7 of 12 steps."


def test_a_failure_is_watched_for_a_retry() -> None:
    """While a retry is possible, the message says until when, and has a button to stop."""
    message = outcome("Failed", **FAILURE)
    assert "Watching for a retry until <!date^1534749801" in shown(message.blocks)
    assert list(buttons_of(message.blocks)) == ["Steps", "Stop following here"]


@pytest.mark.parametrize(
    ("fields", "is_shown"),
    [
        ({"reason": "ExecutionTimeout"}, True),
        ({"elapsed": timedelta(hours=23, minutes=59, seconds=52)}, True),
        ({"elapsed": timedelta(hours=23)}, False),
    ],
)
def test_a_time_out_is_recognised(fields: dict[str, Any], is_shown: bool) -> None:
    """GCS reports a time-out as a failure; the reason or the duration reveals it."""
    assert ("It looks like the time limit of 1 d was reached." in outcome("Failed", **fields).text) is is_shown


@pytest.mark.parametrize("phase", ["Cancelled", "Aborted"])
def test_a_stopped_execution_may_still_cost(phase: str) -> None:
    """The message warns that jobs may continue."""
    assert "jobs already handed out run on to their end, and may cost" in shown(outcome(phase).blocks)


def test_a_vanished_execution_shows_its_last_phase() -> None:
    """It is called deleted, with its last phase, and has no buttons, since none would work."""
    message = outcome("Running", ChangeKind.VANISHED)
    assert shown(message.blocks).startswith("🗑 Deleted: gcs-exec-3-08-20-144951")
    assert "When last seen it was Running." in message.text
    assert buttons_of(message.blocks) == {}


def test_counts_that_never_came_read_well() -> None:
    """An outcome without step counts says so."""
    bare = change(ChangeKind.OUTCOME, phase="Succeeded")
    unknown = replace(RUNNING, steps_total=None, steps_finished=None)
    message = outcome_message(bare, subscription("U1"), unknown, now=NOW)
    assert "step counts not reported yet" in message.text


def test_the_id_is_there_to_copy() -> None:
    """The id is in a code span."""
    assert f"`{ID}`" in shown(outcome("Succeeded").blocks)


def test_a_reason_is_shown_once() -> None:
    """If the failed step has the same reason as the execution, the step is named without it."""
    step = replace(FAILED_STEP, reason="OOMKilled", message="out of memory")
    message = outcome("Failed", reason="OOMKilled", message="out of memory", failed_steps=(step,))
    assert shown(message.blocks).count("out of memory") == message.text.count("out of memory") == 1
    assert step.name in shown(message.blocks)
