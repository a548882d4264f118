"""What is told first when not everything can be told at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.model import Change, ChangeKind, Execution, Snapshot, Step, Subscriber
from bot.domain.observing import Pace, observe
from bot.domain.priority import Priority, priority, priority_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE, LAB = Subscriber(team_id="T1", id="U1"), Subscriber(team_id="T1", id="C1")


def change(kind: ChangeKind, *, fails: bool = False) -> Change:
    """A change of which only this matters."""
    return Change(kind=kind, revision=2, at=NOW, fails=fails)


@pytest.mark.parametrize(
    ("kind", "fails", "person", "channel"),
    [
        (ChangeKind.OUTCOME, True, Priority.OUTCOME_TO_PERSON, Priority.OUTCOME_TO_CHANNEL),
        (ChangeKind.VANISHED, False, Priority.OUTCOME_TO_PERSON, Priority.OUTCOME_TO_CHANNEL),
        (ChangeKind.REOPENED, False, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.PROGRESS, True, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.PHASE, False, Priority.PHASE, Priority.PHASE),
        (ChangeKind.ENDED, False, Priority.PHASE, Priority.PHASE),
        (ChangeKind.PROGRESS, False, Priority.PROGRESS, Priority.PROGRESS),
    ],
)
def test_each_change_has_its_priority(kind: ChangeKind, fails: bool, person: Priority, channel: Priority) -> None:
    """Ends before failures before phases before progress; people's ends before channels'."""
    told = change(kind, fails=fails)
    assert (priority_of(told, ALICE), priority_of(told, LAB)) == (person, channel)


def test_a_message_is_as_urgent_as_what_waits_behind_it() -> None:
    """Order in a lane is kept, so progress before an outcome must not hold that up."""
    pending = [change(ChangeKind.PROGRESS), change(ChangeKind.OUTCOME)]
    assert priority(pending, ALICE, has_card=True) is Priority.OUTCOME_TO_PERSON


def test_a_first_card_is_waited_for_and_an_edit_is_not() -> None:
    """Somebody has just subscribed; the rest of the time a card is the last in line."""
    assert priority([], LAB, has_card=False) is Priority.PHASE
    assert priority([], LAB, has_card=True) is Priority.EDIT
    assert priority([change(ChangeKind.PROGRESS)], LAB, has_card=False) is Priority.PHASE


@pytest.mark.parametrize(("failed_before", "fails"), [((), True), (("a",), True), (("a", "b"), False)])
def test_only_steps_that_failed_since_the_last_look_count(failed_before: tuple[str, ...], fails: bool) -> None:
    """A step that stands failed makes one failure, not one with each step that finishes after it."""

    def seen(failed: tuple[str, ...], finished: int) -> Execution:
        steps = [Step(name=name, phase="Failed" if name in failed else "Running") for name in "abc"]
        return Execution(id="e1", phase="Running", steps=tuple(steps), steps_total=3, steps_finished=finished)

    before = Snapshot(execution=seen(failed_before, 0), revision=1, seen_at=NOW)
    pace = Pace(poll=timedelta(seconds=15), retry_grace=timedelta(0), staleness=timedelta(hours=2))
    (told,) = observe(before, seen(("a", "b"), 1), now=NOW, pace=pace).changes
    assert told.fails is fails
