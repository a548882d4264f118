"""When GCS takes an action, and when an answer to the question still counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from bot.domain.acting import ASKED_FOR, OWN_EFFECT, Act, Action, Question, Result, has_taken, possible, state_of
from bot.domain.execution import Execution, Phase, Step

NOW = datetime(2026, 3, 4, 10, 41, 3, tzinfo=UTC)
RUNNING = Execution(id="e1", phase="Running", witness="Running", action="create", steps_finished=2)
FAILED = replace(RUNNING, phase="Failed", witness="Failed", updated_at=NOW)
RETRIED = Act(token="a1", action=Action.RETRY, by="U1", began_at=NOW, result=Result.DONE)  # an id


@pytest.mark.parametrize(
    ("phase", "witness", "control", "action"),
    [
        ("Pending", "", "", Action.CANCEL),
        ("Pending", "Pending", "create", Action.CANCEL),
        ("Running", "Running", "create", Action.CANCEL),
        ("Running", "Pending", "Create", Action.CANCEL),
        ("Running", "Failed", "create", None),
        ("Running", "Cancelling", "create", None),
        ("Failed", "Failed", "create", Action.RETRY),
        ("Failed", "", "", Action.RETRY),
        ("Failed", "Running", "create", None),
        ("Cancelled", "Cancelled", "create", Action.RETRY),
        ("Failed", "Failed", "delete", Action.RETRY),
        ("Running", "Failed", "delete", Action.RETRY),
        ("Deleting", "Running", "delete", None),
        ("Failed", "Succeeded", "delete", None),
        ("Failed", "Failed", "upgrade", None),
        ("Running", "Running", "rollback", None),
        *((phase, phase, "create", None) for phase in ("Succeeded", "Cancelling", "ForceCancelling", "Retrying")),
        *((phase, phase, "create", None) for phase in ("Suspended", "Submitted", "Aborted", "Unknown", "Weather", "")),
    ],
)
def test_only_documented_states_allow_it(phase: str, witness: str, control: str, action: Action | None) -> None:
    """By both witnesses (reference 3.3)."""
    assert possible(replace(RUNNING, phase=phase, witness=witness, action=control)) is action


def test_the_variant_allows_nothing() -> None:
    """No such call is documented for it."""
    assert possible(replace(RUNNING, is_cromwell=True)) is None


@pytest.mark.parametrize("phase", list(Phase))
def test_an_effect_allows_it_no_more(phase: Phase) -> None:
    """What shows that GCS took an action is no state in which it would take it."""
    for before in (RUNNING, FAILED):
        action, after = possible(before), replace(before, phase=phase.value, witness=phase.value)
        assert action is not None
        assert not has_taken(action, before)
        assert not (has_taken(action, after) and possible(after) is action)


def test_effects() -> None:
    """In every phase that GCS documents for the way there."""
    taken = {
        action: {phase.value for phase in Phase if has_taken(action, replace(RUNNING, phase=phase.value))}
        for action in Action
    }
    assert taken[Action.CANCEL] == {"Cancelling", "ForceCancelling", "Cancelled"}
    assert {"Retrying", "Pending", "Running"} <= taken[Action.RETRY]
    assert not {"Failed", "Cancelled", "Succeeded", "Deleting", "Error"} & taken[Action.RETRY]


def question(execution: Execution, last: Act | None = None) -> Question:
    """What a person is asked about an execution."""
    action, act = possible(execution), last.token if last else ""
    assert action is not None
    return Question(execution_id="e1", action=action, state=state_of(execution), act=act, asked_at=NOW)


def test_an_answer_counts_while_nothing_changes() -> None:
    """Finished steps are no change: of a wide execution there is one every second."""
    assert question(RUNNING).still_holds(replace(RUNNING, steps_finished=3, updated_at=NOW), None, now=NOW)
    assert question(RUNNING, RETRIED).still_holds(RUNNING, RETRIED, now=NOW)
    assert question(FAILED).still_holds(FAILED, None, now=NOW + ASKED_FOR - timedelta(seconds=1))


@pytest.mark.parametrize(
    "now",
    [
        replace(RUNNING, phase="Pending"),
        replace(RUNNING, witness="Pending"),
        replace(RUNNING, phase="Cancelling"),
        replace(RUNNING, steps=(Step(name="call", phase="Failed"),)),
        FAILED,
    ],
)
def test_a_change_is_asked_about(now: Execution) -> None:
    """State, second witness, what failed."""
    assert not question(RUNNING).still_holds(now, None, now=NOW)


def test_another_try_is_asked_about() -> None:
    """It failed, was retried and failed again: by the same word, at another time."""
    again = replace(FAILED, updated_at=NOW + timedelta(minutes=1))
    assert not question(FAILED).still_holds(again, None, now=NOW)


@pytest.mark.parametrize(("shown", "last"), [(None, RETRIED), (RETRIED, None), (RETRIED, replace(RETRIED, token="a2"))])
def test_an_act_of_others_is_asked_about(shown: Act | None, last: Act | None) -> None:
    """Also one that ended as it began."""
    assert not question(RUNNING, shown).still_holds(RUNNING, last, now=NOW)


@pytest.mark.parametrize("late", [ASKED_FOR, timedelta(days=1), -ASKED_FOR])
def test_an_old_question_is_asked_again(late: timedelta) -> None:
    """A modal that was open for long, and one of a clock that is wrong."""
    assert not question(RUNNING).still_holds(RUNNING, None, now=NOW + late)


@pytest.mark.parametrize(
    ("polled", "changed", "is_its_own"),
    [
        (timedelta(minutes=9), None, True),
        (timedelta(minutes=9), timedelta(minutes=-30), True),
        (timedelta(minutes=65), timedelta(seconds=6), True),
        (timedelta(minutes=65), timedelta(seconds=-20), True),
        (timedelta(minutes=65), None, False),
        (timedelta(minutes=65), timedelta(minutes=-30), False),
        (timedelta(minutes=65), 2 * OWN_EFFECT, False),
    ],
)
def test_what_changed_soon_after_is_its_effect(
    polled: timedelta, changed: timedelta | None, *, is_its_own: bool
) -> None:
    """Polled within ten minutes, or later where GCS says that it changed then, by a clock that may be a little off."""
    act = Act(token="a1", action=Action.CANCEL, by="U1", began_at=NOW)  # an id
    stopped = replace(RUNNING, phase="Cancelled", updated_at=None if changed is None else NOW + changed)
    assert act.explains(stopped, now=NOW + polled) is is_its_own
    assert not act.explains(replace(stopped, phase="Running"), now=NOW + polled)
