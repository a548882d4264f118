"""What a poll means: examples, and properties that hold for every sequence of answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.cadence import LONGEST_FAILURE_INTERVAL, Cadence
from bot.domain.change import ChangeKind, EndReason
from bot.domain.execution import TERMINAL_PHASES, Execution, Phase, Step
from bot.domain.observing import CONFIRM_MISSING, first_snapshot, observe, observe_failure, observe_missing
from bot.domain.snapshot import Snapshot, Unseen

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))
RUNNING = Execution(id="e1", name="run-1", phase="Running", steps_total=3, steps_finished=1)


def watched(execution: Execution = RUNNING, **update: object) -> Snapshot:
    """A snapshot of `execution`, seen one interval ago."""
    return replace(first_snapshot(execution, now=NOW - CADENCE.poll, cadence=CADENCE), **update)


def seen(**update: object) -> Execution:
    """`RUNNING`, changed."""
    return replace(RUNNING, **update)


def test_nothing_new_is_no_change() -> None:
    """The same execution again brings no change and no edit, but the time of the poll is kept."""
    verdict = observe(watched(), RUNNING, now=NOW, cadence=CADENCE)
    assert (verdict.changes, verdict.is_visible, verdict.next_poll) == ((), False, CADENCE.poll)
    assert (verdict.snapshot.revision, verdict.snapshot.seen_at) == (1, NOW)


def test_a_finished_step_is_progress() -> None:
    """`finished_node_number` moving is one change that names the step."""
    before = watched(seen(steps=(Step(name="bwa", phase="Running"),)))
    after = seen(steps_finished=2, steps=(Step(name="bwa", phase="Succeeded"),))
    (change,) = observe(before, after, now=NOW, cadence=CADENCE).changes
    assert (change.kind, change.finished_before, change.finished, change.total) == (ChangeKind.PROGRESS, 1, 2, 3)
    assert (change.revision, change.at, change.finished_steps) == (2, NOW, ("bwa",))


def test_phase_and_progress_at_once_are_one_change() -> None:
    """One poll brings one change; the phase is the more important half of it and carries the counts."""
    (change,) = observe(watched(), seen(phase="Cancelling", steps_finished=2), now=NOW, cadence=CADENCE).changes
    assert (change.kind, change.phase_before, change.phase) == (ChangeKind.PHASE, "Running", "Cancelling")
    assert change.finished == 2


def test_success_is_the_end() -> None:
    """`Succeeded` is an outcome, and nothing follows."""
    verdict = observe(watched(), seen(phase="Succeeded", steps_finished=3), now=NOW, cadence=CADENCE)
    assert [change.kind for change in verdict.changes] == [ChangeKind.OUTCOME]
    assert verdict.next_poll is None


@pytest.mark.parametrize("phase", ["Failed", "Cancelled", "Aborted"])
def test_a_bad_end_is_watched_for_a_retry(phase: str) -> None:
    """Failed and cancelled executions may be retried, so polling goes on for the grace time and the change says so."""
    verdict = observe(watched(), seen(phase=phase), now=NOW, cadence=CADENCE)
    assert verdict.changes[0].retry_until == NOW + CADENCE.retry_grace
    assert verdict.next_poll == 2 * CADENCE.poll
    strict = replace(CADENCE, staleness=1.5 * CADENCE.poll)
    assert observe(watched(), seen(phase=phase), now=NOW, cadence=strict).next_poll == strict.staleness


DOUBTFUL = [
    ({"phase": "", "witness": "Succeeded"}, "Succeeded"),
    ({"phase": "", "witness": "Failed", "action": "create"}, "Failed"),
    ({"phase": "Error"}, "Error"),
    ({"phase": "Error", "witness": "Running"}, "Error"),
]
"""Ends that one witness names alone, or that GCS does not document."""


@pytest.mark.parametrize(("update", "phase"), DOUBTFUL)
def test_a_doubtful_end_is_polled_twice(update: dict[str, str], phase: str) -> None:
    """A missing status beside a final phase, and `Error`, are an outcome when they are seen again."""
    first = observe(watched(), seen(**update), now=NOW, cadence=CADENCE)
    assert (first.changes, first.next_poll, first.is_expedited) == ((), CADENCE.soon, True)
    (change,) = observe(first.snapshot, seen(**update), now=NOW, cadence=CADENCE).changes
    assert (change.kind, change.phase) == (ChangeKind.OUTCOME, phase)


def test_a_status_that_is_missing_once_ends_nothing() -> None:
    """The next answer has it again, and the execution runs on."""
    first = observe(watched(), seen(phase="", witness="Succeeded"), now=NOW, cadence=CADENCE)
    verdict = observe(first.snapshot, RUNNING, now=NOW, cadence=CADENCE)
    assert (verdict.changes, verdict.snapshot.contradicted) == ((), False)


def test_two_words_for_a_failure_agree() -> None:
    """`Error` beside a failed control object needs no second poll."""
    (change,) = observe(watched(), seen(phase="Error", witness="Failed"), now=NOW, cadence=CADENCE).changes
    assert change.kind is ChangeKind.OUTCOME


def test_another_action_is_no_witness() -> None:
    """The phase under another action than `create` says nothing about the execution."""
    verdict = observe(watched(), seen(phase="", witness="Succeeded", action="scale"), now=NOW, cadence=CADENCE)
    assert (verdict.snapshot.execution.phase, verdict.changes) == ("Running", ())


def test_the_grace_time_ends_with_a_change() -> None:
    """When the grace time passes without a retry, the subscription ends with that reason."""
    before = watched(seen(phase="Failed"), retry_until=NOW)
    verdict = observe(before, seen(phase="Failed"), now=NOW, cadence=CADENCE)
    assert [change.kind for change in verdict.changes] == [ChangeKind.ENDED]
    assert verdict.next_poll is None
    assert verdict.changes[0].why is EndReason.NO_RETRY


def test_a_retry_reopens() -> None:
    """Leaving a terminal phase is a change of its own, and ends the grace time."""
    before = watched(seen(phase="Failed"), retry_until=NOW + CADENCE.retry_grace)
    verdict = observe(before, seen(phase="Retrying"), now=NOW, cadence=CADENCE)
    assert verdict.changes[0].kind is ChangeKind.REOPENED
    assert verdict.snapshot.retry_until is None


def test_a_retry_proves_an_end_never_seen() -> None:
    """Only a failed or cancelled execution can be retried, so `Retrying` proves an end between two polls."""
    verdict = observe(watched(), seen(phase="Retrying"), now=NOW, cadence=CADENCE)
    assert (verdict.changes[0].kind, verdict.changes[0].phase_before) == (ChangeKind.REOPENED, "Running")


def test_a_retry_between_polls_keeps_its_outcome() -> None:
    """Failed, then Succeeded: short phases can be missed, outcomes cannot."""
    before = watched(seen(phase="Failed"), retry_until=NOW + CADENCE.retry_grace)
    verdict = observe(before, seen(phase="Succeeded"), now=NOW, cadence=CADENCE)
    assert [change.kind for change in verdict.changes] == [ChangeKind.OUTCOME]


def test_counts_after_an_end_are_no_change() -> None:
    """GCS may still correct counts after the end; that is not delivered."""
    before = watched(seen(phase="Failed"), retry_until=NOW + CADENCE.retry_grace)
    assert observe(before, seen(phase="Failed", steps_finished=2), now=NOW, cadence=CADENCE).changes == ()


def test_a_denied_end_must_be_seen_twice() -> None:
    """A terminal phase that `objectStatus` contradicts is polled once more before it counts."""
    claim = seen(phase="Failed", witness="Running", action="create")
    unconfirmed = observe(watched(), claim, now=NOW, cadence=CADENCE)
    assert (unconfirmed.changes, unconfirmed.snapshot.execution.phase, unconfirmed.next_poll) == (
        (),
        "Running",
        CADENCE.soon,
    )
    assert observe(unconfirmed.snapshot, claim, now=NOW, cadence=CADENCE).changes[0].kind is ChangeKind.OUTCOME


def test_a_poll_that_confirms_is_expedited() -> None:
    """A poll that must be confirmed expedites the next one; a failed poll leaves that as it was."""
    running = observe(watched(), seen(steps_finished=2), now=NOW, cadence=CADENCE)
    contradicted = observe(watched(), seen(phase="Succeeded", witness="Running"), now=NOW, cadence=CADENCE)
    missing = observe_missing(watched(), now=NOW)
    failed = observe_failure(watched(), cadence=CADENCE)
    assert [each.is_expedited for each in (running, contradicted, missing, failed)] == [False, True, True, None]


def test_error_and_failed_do_not_contradict() -> None:
    """The engine's `Error` is what the service calls `Failed`."""
    verdict = observe(watched(), seen(phase="Failed", witness="Error", action="create"), now=NOW, cadence=CADENCE)
    assert verdict.changes[0].kind is ChangeKind.OUTCOME


def test_success_of_a_deletion_is_no_success() -> None:
    """While the control object deletes, `Succeeded` describes the deletion (reference 3.2)."""
    claim = seen(phase="Succeeded", witness="Succeeded", action="delete")
    verdict = observe(watched(), claim, now=NOW, cadence=CADENCE)
    assert (verdict.changes[0].kind, verdict.changes[0].phase) == (ChangeKind.PHASE, "Deleting")


def test_a_failed_deletion_leaves_the_phase_alone() -> None:
    """A failed deletion deletes nothing: the execution's own status counts."""
    claim = seen(witness="Failed", action="delete")
    assert observe(watched(), claim, now=NOW, cadence=CADENCE).changes == ()


def test_vanishing_must_be_confirmed() -> None:
    """One 404 may be a temporary fault; a second one in a row, 20 s later, is the end."""
    first = observe_missing(watched(), now=NOW)
    assert (first.changes, first.next_poll) == ((), CONFIRM_MISSING)
    second = observe_missing(first.snapshot, now=NOW + CONFIRM_MISSING)
    assert [change.kind for change in second.changes] == [ChangeKind.VANISHED]
    assert second.next_poll is None


@given(seconds=st.lists(st.floats(0, 30), max_size=10))
def test_extra_polls_do_not_confirm_vanishing_sooner(seconds: list[float]) -> None:
    """Pressing Refresh again and again adds no evidence, and does not restart the 20 s either."""
    verdict, now = observe_missing(watched(), now=NOW), NOW
    for pause in seconds:
        now += timedelta(seconds=pause)
        verdict = observe_missing(verdict.snapshot, now=now)
        assert bool(verdict.changes) == (now - NOW >= CONFIRM_MISSING)
        if verdict.changes:
            return
        assert verdict.next_poll == NOW + CONFIRM_MISSING - now
        assert verdict.is_expedited


def test_vanishing_is_confirmed_though_clocks_go_back() -> None:
    """The store's clock is set back by an hour in between: it takes 20 s more, and not an hour."""
    first = observe_missing(watched(), now=NOW)
    back = NOW - timedelta(hours=1)
    again = observe_missing(first.snapshot, now=back)
    assert [change.kind for change in observe_missing(again.snapshot, now=back + CONFIRM_MISSING).changes] == [
        ChangeKind.VANISHED
    ]


def test_a_404_between_two_answers_is_forgotten() -> None:
    """An execution that GCS shows again was never gone."""
    once = observe_missing(watched(), now=NOW).snapshot
    assert observe(once, RUNNING, now=NOW, cadence=CADENCE).snapshot.missing == 0


def test_deleting_an_ended_execution_is_no_outcome() -> None:
    """Its outcome was a change already; the deletion only ends the subscription."""
    before = watched(seen(phase="Failed"), missing=1, retry_until=NOW + CADENCE.retry_grace)
    verdict = observe_missing(before, now=before.seen_at + CONFIRM_MISSING)
    assert [(change.kind, change.why) for change in verdict.changes] == [(ChangeKind.ENDED, EndReason.DELETED)]


def test_counts_left_out_stay_known() -> None:
    """GCS omits an empty `status`; that is neither a change now nor one when the counts come back."""
    without = observe(watched(), seen(steps_total=None, steps_finished=None), now=NOW, cadence=CADENCE)
    assert without.changes == ()
    assert observe(without.snapshot, RUNNING, now=NOW, cadence=CADENCE).changes == ()


def test_a_phase_left_out_stays_known() -> None:
    """An answer without any phase brings no change, neither while it runs nor after its end."""
    for phase in ("Running", "Cancelling", "Failed", "Succeeded"):
        without = observe(watched(seen(phase=phase)), seen(phase="", witness=""), now=NOW, cadence=CADENCE)
        assert (without.snapshot.execution.phase, without.changes) == (phase, ())


@pytest.mark.parametrize("phase", ["Unknown", "Archived", "失败", ""])
def test_no_unknown_phase_is_a_retry(phase: str) -> None:
    """What has failed stays so: nobody reads of a retry, nor of the failure once more, and it ends in time."""
    before = watched(seen(phase="Failed", reason="OOM"), retry_until=NOW + CADENCE.retry_grace)
    verdict = observe(before, seen(phase=phase), now=NOW, cadence=CADENCE)
    assert (verdict.changes, verdict.snapshot.execution) == ((), before.execution)
    assert observe(verdict.snapshot, before.execution, now=NOW, cadence=CADENCE).changes == ()
    late = observe(before, seen(phase=phase), now=NOW + CADENCE.retry_grace, cadence=CADENCE)
    assert late.changes[0].why is EndReason.NO_RETRY


@pytest.mark.parametrize("shown", [(), (Step(name="bwa", phase="Running"),)])
def test_a_failed_step_that_is_not_shown(shown: tuple[Step, ...]) -> None:
    """It is no news when GCS shows it again; a step that is shown to run and fails again is."""
    failed = Step(name="sort", phase="Failed")
    before = watched(seen(steps=(Step(name="bwa", phase="Running"), failed)))
    without = observe(before, seen(steps=shown), now=NOW, cadence=CADENCE)
    assert without.snapshot.execution.failed_steps == (failed,)
    assert observe(without.snapshot, before.execution, now=NOW, cadence=CADENCE).changes == ()
    running = observe(before, seen(steps=(*shown, Step(name="sort", phase="Running"))), now=NOW, cadence=CADENCE)
    again = observe(running.snapshot, before.execution, now=NOW, cadence=CADENCE)
    assert again.changes[0].kind is ChangeKind.STEP_FAILED


def test_steps_of_the_try_before_are_gone() -> None:
    """What failed in it is not shown of the next one."""
    before = watched(seen(phase="Failed", steps=(Step(name="sort", phase="Failed"),)))
    for phase in ("Retrying", "Running"):
        again = observe(before, seen(phase=phase), now=NOW, cadence=CADENCE)
        assert again.snapshot.execution.failed_steps == ()


def test_unknown_phases_are_changes_and_never_terminal() -> None:
    """A phase that the reference does not list is a change like any other, and polling goes on."""
    verdict = observe(watched(), seen(phase="Hibernating"), now=NOW, cadence=CADENCE)
    assert (verdict.changes[0].kind, verdict.next_poll is None) == (ChangeKind.PHASE, False)


def test_sub_jobs_move_the_card_only() -> None:
    """What is visible but no change edits the card and sends no message."""
    before = watched(seen(steps=(Step(name="bwa", phase="Running", sub_jobs=4),)))
    after = seen(steps=(Step(name="bwa", phase="Running", sub_jobs=4, sub_jobs_finished=1),))
    verdict = observe(before, after, now=NOW, cadence=CADENCE)
    assert (verdict.changes, verdict.is_visible, verdict.snapshot.revision) == ((), True, 2)


def test_elapsed_time_alone_makes_no_edit() -> None:
    """It differs in every poll, so every poll would edit every card."""
    assert not observe(watched(), seen(elapsed=timedelta(hours=1)), now=NOW, cadence=CADENCE).is_visible


def test_three_failures_make_gcs_unreachable() -> None:
    """Cards say since when GCS is unreachable, until it answers again."""
    snapshot = watched()
    for _ in range(3):
        verdict = observe_failure(snapshot, cadence=CADENCE)
        snapshot = verdict.snapshot
    assert (verdict.is_visible, snapshot.unreachable_since) == (True, NOW - CADENCE.poll)
    back = observe(snapshot, RUNNING, now=NOW, cadence=CADENCE)
    assert (back.is_visible, back.snapshot.unreachable_since, back.changes) == (True, None, ())


def test_refused_access_is_not_called_unreachable() -> None:
    """Cards say which of the two it is, also when one turns into the other."""
    snapshot, shown = watched(), []
    refused, away = Unseen.REFUSED, Unseen.AWAY
    for why in (refused, refused, refused, refused, away, away):
        verdict = observe_failure(snapshot, cadence=CADENCE, why=why)
        snapshot = verdict.snapshot
        shown.append((verdict.is_visible, snapshot.unseen, snapshot.revision))
    assert shown == [(False, away, 1)] * 2 + [
        (True, refused, 2),
        (False, refused, 2),
        (True, away, 3),
        (False, away, 3),
    ]
    assert snapshot.unreachable_since == NOW - CADENCE.poll
    assert observe(snapshot, RUNNING, now=NOW, cadence=CADENCE).snapshot.unreachable_since is None


@given(misses=st.integers(0, 10_000), retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(minutes=4)))
def test_failures_delay_polls_within_bounds(misses: int, retry_after: timedelta | None) -> None:
    """The interval grows, never beyond its bound, and is never shorter than GCS asked for."""
    verdict = observe_failure(watched(misses=misses), cadence=CADENCE, retry_after=retry_after)
    assert verdict.next_poll is not None
    assert max(CADENCE.soon, retry_after or CADENCE.soon) <= verdict.next_poll <= LONGEST_FAILURE_INTERVAL


phases = st.sampled_from([*Phase, "Hibernating", ""])


@given(steps=st.lists(st.tuples(phases, st.none() | st.integers(0, 5), phases), min_size=1, max_size=15))
def test_every_end_is_exactly_one_outcome(steps: list[tuple[str, int | None, str]]) -> None:
    """Whatever GCS answers in whatever order: revisions grow, and reaching an end is one outcome."""
    snapshot = watched()
    for phase, finished, witness in steps:
        before = snapshot
        verdict = observe(before, seen(phase=phase, steps_finished=finished, witness=witness), now=NOW, cadence=CADENCE)
        snapshot = verdict.snapshot
        arrived = snapshot.execution.phase in TERMINAL_PHASES and snapshot.execution.phase != before.execution.phase
        assert sum(change.kind is ChangeKind.OUTCOME for change in verdict.changes) == arrived
        assert all(change.revision == snapshot.revision > before.revision for change in verdict.changes)
