"""Promises of the line about trouble: only where there is trouble, and the most urgent one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.blocks import execution_card
from bot.domain.execution import MOST_STEPS, Step
from bot.domain.snapshot import SlowStep, Snapshot, Unseen, Usual
from tests.unit.blocks.world import NOW, RUNNING, execution, shown, snapshot, subscription

FAILED = {"steps": (*RUNNING.steps, Step(name="sort", phase="Failed", reason="OOMKilled", message="exit code 137"))}
MANY = {"steps": FAILED["steps"][-1:] * MOST_STEPS}
LATE = {"timeout": timedelta(minutes=30)}
PAST = {"timeout": timedelta(minutes=5)}
SLOW: dict[str, Any] = {"slow_steps": (SlowStep("call", timedelta(minutes=1)),)}
SLOW_RUN: dict[str, Any] = {"raised": ("slow",), "usual": Usual(count=12, center=5.0, scale=0.1, freedom=15)}
AWAY: dict[str, Any] = {"unreachable_since": NOW - timedelta(minutes=5)}


def seen(of_execution: dict[str, Any] | None = None, **of_snapshot: Any) -> Snapshot:
    """The running execution with other values."""
    return snapshot(execution(**(of_execution or {})), **of_snapshot)


def head(snapshot: Snapshot) -> tuple[str, str]:
    """Headline and the line below it."""
    message = execution_card(snapshot, subscription(), now=NOW)
    first, second, *_ = shown(message.blocks).splitlines()
    assert message.text.startswith(first.partition(" ")[2])
    return first.partition(": ")[0], second


@pytest.mark.parametrize(
    ("troubled", "state", "line"),
    [
        (
            seen(FAILED),
            "⚠️ Running, 1 step failed",
            "*sort* ran out of memory (exit 137, `OOMKilled`); 1 other goes on",
        ),
        (seen(MANY), "⚠️ Running, 2,000+ steps failed", "2,000+ × *sort*: ran out of memory"),
        (seen(LATE), "⚠️ Running, stops soon", "GCS will stop it <!date^1534749100"),
        (seen(PAST), "⚠️ Running, past its time limit", "It reached its time limit of 5 min <!date^1534747600"),
        (seen(**SLOW), "⚠️ Running, slower than usual", "*call* is taking longer than usual: usually at most 1 min."),
        (seen(**SLOW_RUN), "⚠️ Running, slower than usual", "It is taking longer than usual: usually at most 4 min."),
        (
            seen({"phase": "Pending"}, usual_wait=timedelta(minutes=3)),
            "⏳ Pending for longer than usual",
            "It has been waiting since <!date^1534747300",
        ),
        (seen(**AWAY), "⚠️ Running when last seen", "GCS has not answered since <!date^1534747701"),
        (seen({"is_partial": True}), "⚠️ Running", "GCS's answer is too large for me"),
    ],
)
def test_trouble_is_in_headline_and_line(troubled: Snapshot, state: str, line: str) -> None:
    """A word in the headline, and what is wrong directly below it."""
    found_state, found_line = head(troubled)
    assert found_state == state
    assert found_line.startswith(line)


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_many_failed_alike_are_counted(phase: str) -> None:
    """One name among twenty says little: the line names what they share, and the steps below do not repeat it."""
    alike = [Step(name=f"call-{each}", phase="Failed", message=f"exit code {1 + each % 2}") for each in range(20)]
    steps = (Step(name="sort", phase="Failed", message="exit code 3"), *alike, Step(name="index", phase="Running"))
    drawn = shown(execution_card(seen({"steps": steps, "phase": phase}), subscription(), now=NOW).blocks)
    others = "; 1 other goes on" if phase == "Running" else ""
    assert drawn.splitlines()[1] == f"20 × *call*: exit 1 (10), exit 2 (10){others}"
    assert (drawn.count("call"), "*sort* · failed · exit 3" in drawn) == (1, True)


@pytest.mark.parametrize(
    ("running", "phase", "others"),
    [
        (0, "Running", ""),
        (1, "Running", "; 1 other goes on"),
        (5, "Running", "; 5 others go on"),
        (5, "Cancelling", ""),
    ],
)
def test_a_failure_says_how_many_go_on(running: int, phase: str, others: str) -> None:
    """Beside the failed step, in the blocks and in the plain text; not while the execution is being stopped."""
    steps = (Step(name="sort", phase="Failed"), *(Step(name=f"s{each}", phase="Running") for each in range(running)))
    troubled = seen({"phase": phase, "steps": (*steps, Step(name="later"))})
    message = execution_card(troubled, subscription(), now=NOW)
    assert shown(message.blocks).splitlines()[1] == f"*sort* failed{others}"
    assert message.text.splitlines()[1] == f"sort failed{others}"


@pytest.mark.parametrize(
    ("failed", "since"),
    [(1, ", <!date^1534747401^{ago}|2018-08-20 06:43 UTC>"), (2, "; the last one <!date^1534747401^{ago}|")],
)
def test_a_failure_says_since_when(failed: int, since: str) -> None:
    """By a date that Slack fills in when it is read, so that it stays true; in plain text by the time itself."""
    steps = (*(Step(name=f"s{each}", phase="Failed") for each in range(failed)), Step(name="x", phase="Running"))
    troubled = seen({"steps": steps}, failed_at=NOW - timedelta(minutes=10))
    message = execution_card(troubled, subscription(), now=NOW)
    line = shown(message.blocks).splitlines()[1]
    assert line.startswith(f"*s0* failed{since}")
    assert line.endswith("; 1 other goes on")
    assert "2018-08-20 06:43 UTC; 1 other goes on" in message.text.splitlines()[1]


def test_no_trouble_is_no_line() -> None:
    """The second line is the progress."""
    state, line = head(seen())
    assert state == "🔄 Running"
    assert line.startswith("▰")


ALL: dict[str, Any] = {**FAILED, **LATE}


@pytest.mark.parametrize(
    ("troubled", "state"),
    [
        (seen(ALL, **SLOW, **AWAY), "Running, 1 step failed"),
        (seen(LATE, **SLOW, **AWAY), "Running, stops soon"),
        (seen(**SLOW, **AWAY), "Running, slower than usual"),
    ],
)
def test_the_most_urgent_trouble_is_named(troubled: Snapshot, state: str) -> None:
    """A failed step, then the time limit, then what is slow; that GCS is away is said in the grey line then."""
    assert head(troubled)[0] == f"⚠️ {state}"
    assert "⚠️ not seen since" in shown(execution_card(troubled, subscription(), now=NOW).blocks)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_what_has_ended_is_in_no_trouble(phase: str) -> None:
    """Neither its time limit nor what was slow matters any more."""
    assert head(seen({"phase": phase, **LATE}, **SLOW))[0].endswith(phase)


@pytest.mark.parametrize("why", Unseen)
def test_each_reason_not_to_see_is_said(why: Unseen) -> None:
    """With the time since when, also in plain text."""
    message = execution_card(seen(**AWAY, unseen=why), subscription(), now=NOW)
    assert "since <!date^1534747701" in shown(message.blocks)
    assert "since 2018-08-20 06:48 UTC" in message.text.splitlines()[1]
