"""Promises of the steps in groups: numbered ones are one line, failed ones stand beside it, and all fit a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.blocks import text
from bot.blocks.groups import PLAIN, ROOM, grouped, step_lines
from bot.domain.execution import Execution, Step
from tests.unit.blocks.world import execution, snapshot


def steps(*phases: str, name: str = "call-chr") -> tuple[Step, ...]:
    """Numbered steps in these phases."""
    return tuple(
        Step(name=f"{name}{number}", phase=phase, elapsed=timedelta(minutes=number) if phase else None)
        for number, phase in enumerate(phases, start=1)
    )


def lines(of: Execution) -> list[str]:
    """In plain text, which has no dates to take apart."""
    return step_lines(snapshot(of), grouped(of.steps), ink=PLAIN)


def running(*found: Step) -> list[str]:
    """Of a running execution."""
    return lines(execution(steps=found))


def test_numbered_steps_are_one_line() -> None:
    """How many are done, run and wait, and which one has run for longest."""
    assert running(*steps("Succeeded", "Running", "Running", "")) == [
        "🔄 call · 1 done, 2 running, 1 waiting · longest: chr3, started 2018-08-20 06:50 UTC"
    ]


def test_two_are_no_group() -> None:
    """They are named, as steps without a number are."""
    assert [group.name for group in grouped(steps("Running", "Running"))] == ["call-chr1", "call-chr2"]
    assert [group.name for group in grouped(steps("Running", "Running", ""))] == ["call"]


def test_failed_steps_stand_beside_their_group() -> None:
    """They are never folded away, and come first."""
    first, second = running(*steps("Succeeded", "Running", "Failed", ""))
    assert first == "❌ call-chr3 · failed"
    assert second.startswith("🔄 call · 1 done, 1 running, 1 waiting")


def test_many_failed_steps_are_counted_by_reason() -> None:
    """Twenty-nine lines that differ in a number say less."""
    failed = [
        Step(name=f"call-{number}", phase="Failed", message=f"exit code {1 if number % 3 else 2}")
        for number in range(29)
    ]
    assert running(*failed) == ["❌ call · 29 failed · exit 1 (19), exit 2 (10)"]


def test_a_cause_is_not_said_twice() -> None:
    """What the line about trouble says is not said again."""
    seen = snapshot(execution(steps=steps("Failed", "Failed", name="part-x")))
    assert step_lines(seen, grouped(seen.execution.steps), ink=PLAIN, is_cause_shown=True) == ["❌ part-x2 · failed"]


def test_the_largest_failed_group_is_said_above() -> None:
    """Of many that failed alike the line about trouble counts the causes; the others have lines."""
    seen = snapshot(
        execution(steps=(Step(name="sort", phase="Failed"), *steps("Failed", "Failed", "Failed", "Running")))
    )
    shown = step_lines(seen, grouped(seen.execution.steps), ink=PLAIN, is_cause_shown=True)
    assert shown[0] == "❌ sort · failed"
    assert not any("3 failed" in line for line in shown)


def test_what_waits_or_is_done_is_named() -> None:
    """The first three, and how many more."""
    named = tuple(Step(name=name, phase="Succeeded") for name in "abcde")
    waiting = (Step(name="merge"), *steps("", "", "Succeeded"))
    assert running(*named, *waiting) == ["◌ merge, call (1 of 3 done) · waiting", "✓ a, b, c, 2 more · done"]


def test_nothing_runs_in_what_has_ended() -> None:
    """A step that GCS still calls running was running, and what waits never started."""
    ended = lines(execution(phase="Failed", steps=(Step(name="sort", phase="Running"), Step(name="merge"))))
    assert ended == ["▫️ sort · was running", "◌ merge · never started"]


def test_a_step_in_an_odd_phase_says_so() -> None:
    """It may be running, so it has a line with its phase."""
    assert running(Step(name="sort", phase="Hibernating"))[0] == "❔ sort · Hibernating"


@pytest.mark.parametrize("number", [40, 1_000, 5_000])
@pytest.mark.parametrize("name", ["a-step-with-a-name-of-eighty-characters-" * 2, "步骤" * 20, "x"])
def test_the_lines_fit_a_phone(number: int, name: str) -> None:
    """Whatever the steps are called and however many they are."""
    phases = ("Succeeded", "Running", "", "Failed")
    found = [Step(name=f"{chr(0x4E00 + n % 50)}{name}", phase=phases[n % 4], message="m" * 99) for n in range(number)]
    assert sum(map(text.rows, running(*found))) <= ROOM


def test_steps_that_are_not_kept_are_counted() -> None:
    """There may be more than the bot keeps."""
    assert lines(execution(steps_left_out=3_210))[-1] == "… and 3,210 more steps, more than I list"
