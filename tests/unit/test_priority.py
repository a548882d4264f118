"""What is delivered first, and what is delivered together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.cadence import Cadence
from bot.domain.model import Change, ChangeKind, Execution, Snapshot, Step, Subscriber
from bot.domain.observing import observe
from bot.domain.priority import Priority, batch, priority, priority_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE, LAB = Subscriber(team_id="T1", id="U1"), Subscriber(team_id="T1", id="C1")


def change(kind: ChangeKind, *, revision: int = 2, fails: bool = False) -> Change:
    """A change of which only this matters."""
    return Change(kind=kind, revision=revision, at=NOW, fails=fails)


@pytest.mark.parametrize(
    ("kind", "fails", "person", "channel"),
    [
        (ChangeKind.OUTCOME, True, Priority.OUTCOME_TO_PERSON, Priority.OUTCOME_TO_CHANNEL),
        (ChangeKind.VANISHED, False, Priority.OUTCOME_TO_PERSON, Priority.OUTCOME_TO_CHANNEL),
        (ChangeKind.REOPENED, False, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.PROGRESS, True, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.SLOW, False, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.DEADLINE, False, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.PHASE, False, Priority.PHASE, Priority.PHASE),
        (ChangeKind.ENDED, False, Priority.PHASE, Priority.PHASE),
        (ChangeKind.PROGRESS, False, Priority.PROGRESS, Priority.PROGRESS),
    ],
)
def test_each_change_has_its_priority(kind: ChangeKind, fails: bool, person: Priority, channel: Priority) -> None:
    """Outcomes before failures before phases before progress; people before channels."""
    each = change(kind, fails=fails)
    assert (priority_of(each, ALICE), priority_of(each, LAB)) == (person, channel)


def test_a_message_inherits_the_priority_behind_it() -> None:
    """The order in a lane is kept, so progress in front of an outcome must not delay it."""
    pending = [change(ChangeKind.PROGRESS), change(ChangeKind.OUTCOME)]
    assert priority(pending, ALICE, has_card=True) is Priority.OUTCOME_TO_PERSON


def test_first_cards_go_before_edits() -> None:
    """Somebody who has just subscribed is waiting for it; an edit of a card comes last."""
    assert priority([], LAB, has_card=False) is Priority.PHASE
    assert priority([], LAB, has_card=True) is Priority.EDIT
    assert priority([change(ChangeKind.PROGRESS)], LAB, has_card=False) is Priority.PHASE


@pytest.mark.parametrize(("failed_before", "fails"), [((), True), (("a",), True), (("a", "b"), False)])
def test_only_newly_failed_steps_count(failed_before: tuple[str, ...], fails: bool) -> None:
    """A failed step is one failure, not another one with each step that finishes after it."""

    def seen(failed: tuple[str, ...], finished: int) -> Execution:
        steps = [Step(name=name, phase="Failed" if name in failed else "Running") for name in "abc"]
        return Execution(id="e1", phase="Running", steps=tuple(steps), steps_total=3, steps_finished=finished)

    before = Snapshot(execution=seen(failed_before, 0), revision=1, seen_at=NOW)
    cadence = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(0), staleness=timedelta(hours=2))
    (found,) = observe(before, seen(("a", "b"), 1), now=NOW, cadence=cadence).changes
    assert found.fails is fails


def test_a_batch_stops_before_an_outcome() -> None:
    """Pending progress is one message; the outcome is one of its own."""
    pending = [
        change(ChangeKind.PROGRESS, revision=2),
        change(ChangeKind.PHASE, revision=3),
        change(ChangeKind.OUTCOME, revision=4),
    ]
    assert [item.revision for item in batch(pending)] == [2, 3]
    assert [item.revision for item in batch(pending[2:])] == [4]


@given(kinds=st.lists(st.sampled_from(ChangeKind), max_size=12))
def test_batches_deliver_everything_once_in_order(kinds: list[ChangeKind]) -> None:
    """Whatever is pending, each change is in exactly one batch, in order."""
    pending = [change(kind, revision=revision) for revision, kind in enumerate(kinds, 1)]
    delivered: list[Change] = []
    while head := batch(pending[len(delivered) :]):
        delivered += head
    assert delivered == pending
