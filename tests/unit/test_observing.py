"""Promises of `bot.domain.observing`: what a look means, literally and in general."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.model import TERMINAL_PHASES, Change, ChangeKind, EndReason, Execution, Phase, Snapshot, Step
from bot.domain.observing import (
    CONFIRM_MISSING,
    LONGEST_PAUSE,
    Pace,
    batch,
    expected_at,
    first_poll,
    observe,
    observe_failure,
    observe_missing,
    wait,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PACE = Pace(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))
RUNNING = Execution(id="e1", name="run-1", phase="Running", steps_total=3, steps_finished=1)


def watched(execution: Execution = RUNNING, **update: object) -> Snapshot:
    """A snapshot of `execution`, seen a poll ago."""
    return replace(first_poll(execution, now=NOW - PACE.poll, pace=PACE), **update)


def seen(**update: object) -> Execution:
    """`RUNNING`, moved on."""
    return replace(RUNNING, **update)


def test_nothing_new_is_no_change() -> None:
    """The same execution again brings no change and no edit, but the time of the look is kept."""
    verdict = observe(watched(), RUNNING, now=NOW, pace=PACE)
    assert (verdict.changes, verdict.is_visible, verdict.next_poll) == ((), False, PACE.poll)
    assert (verdict.snapshot.revision, verdict.snapshot.seen_at) == (1, NOW)


def test_a_step_finished_is_progress() -> None:
    """`finished_node_number` moving is one change that names the step."""
    before = watched(seen(steps=(Step(name="bwa", phase="Running"),)))
    after = seen(steps_finished=2, steps=(Step(name="bwa", phase="Succeeded"),))
    (change,) = observe(before, after, now=NOW, pace=PACE).changes
    assert (change.kind, change.finished_before, change.finished, change.total) == (ChangeKind.PROGRESS, 1, 2, 3)
    assert (change.revision, change.at, change.finished_steps) == (2, NOW, ("bwa",))


def test_phase_and_progress_at_once_are_one_change() -> None:
    """One look brings one change; the phase is the more important half of it and carries the counts."""
    (change,) = observe(watched(), seen(phase="Cancelling", steps_finished=2), now=NOW, pace=PACE).changes
    assert (change.kind, change.phase_before, change.phase) == (ChangeKind.PHASE, "Running", "Cancelling")
    assert change.finished == 2


def test_success_is_the_end() -> None:
    """`Succeeded` is an outcome, and nothing follows."""
    verdict = observe(watched(), seen(phase="Succeeded", steps_finished=3), now=NOW, pace=PACE)
    assert [change.kind for change in verdict.changes] == [ChangeKind.OUTCOME]
    assert verdict.next_poll is None


@pytest.mark.parametrize("phase", ["Failed", "Cancelled", "Aborted"])
def test_a_bad_end_is_watched_for_a_retry(phase: str) -> None:
    """Failed and cancelled executions may be re-opened, so the watch goes on for the grace time and says so."""
    verdict = observe(watched(), seen(phase=phase), now=NOW, pace=PACE)
    assert verdict.changes[0].retry_until == NOW + PACE.retry_grace
    assert verdict.next_poll == 2 * PACE.poll
    strict = replace(PACE, staleness=1.5 * PACE.poll)
    assert observe(watched(), seen(phase=phase), now=NOW, pace=strict).next_poll == strict.staleness


def test_without_a_retry_the_watch_ends() -> None:
    """When the grace period passes without a retry, the subscription ends with that reason."""
    before = watched(seen(phase="Failed"), retry_until=NOW)
    verdict = observe(before, seen(phase="Failed"), now=NOW, pace=PACE)
    assert [change.kind for change in verdict.changes] == [ChangeKind.ENDED]
    assert verdict.next_poll is None
    assert verdict.changes[0].why is EndReason.NO_RETRY


def test_a_retry_reopens() -> None:
    """Leaving a terminal phase is told as a re-opening, and the grace is over."""
    before = watched(seen(phase="Failed"), retry_until=NOW + PACE.retry_grace)
    verdict = observe(before, seen(phase="Retrying"), now=NOW, pace=PACE)
    assert verdict.changes[0].kind is ChangeKind.REOPENED
    assert verdict.snapshot.retry_until is None


def test_a_retry_reopens_what_was_never_seen_to_end() -> None:
    """Only a failed or cancelled execution can be retried, so `Retrying` proves an end between two looks."""
    verdict = observe(watched(), seen(phase="Retrying"), now=NOW, pace=PACE)
    assert (verdict.changes[0].kind, verdict.changes[0].phase_before) == (ChangeKind.REOPENED, "Running")


def test_a_retry_that_was_missed_between_two_looks_still_tells_the_new_end() -> None:
    """Failed, then Succeeded: short phases can be missed, ends cannot."""
    before = watched(seen(phase="Failed"), retry_until=NOW + PACE.retry_grace)
    verdict = observe(before, seen(phase="Succeeded"), now=NOW, pace=PACE)
    assert [change.kind for change in verdict.changes] == [ChangeKind.OUTCOME]


def test_counts_of_an_ended_execution_are_no_news() -> None:
    """After the end GCS may still correct counts; nobody is told again."""
    before = watched(seen(phase="Failed"), retry_until=NOW + PACE.retry_grace)
    assert observe(before, seen(phase="Failed", steps_finished=2), now=NOW, pace=PACE).changes == ()


def test_a_denied_end_is_held_until_it_is_seen_again() -> None:
    """A terminal phase that `objectStatus` contradicts is looked at once more before it is told."""
    claim = seen(phase="Failed", witness="Running", action="create")
    held = observe(watched(), claim, now=NOW, pace=PACE)
    assert (held.changes, held.snapshot.execution.phase, held.next_poll) == ((), "Running", PACE.soon)
    assert observe(held.snapshot, claim, now=NOW, pace=PACE).changes[0].kind is ChangeKind.OUTCOME


def test_what_is_to_be_confirmed_goes_ahead() -> None:
    """A look that leaves something open makes the next one urgent; one without an answer leaves that as it was."""
    running = observe(watched(), seen(steps_finished=2), now=NOW, pace=PACE)
    contradicted = observe(watched(), seen(phase="Succeeded", witness="Running"), now=NOW, pace=PACE)
    missing = observe_missing(watched(), now=NOW)
    failed = observe_failure(watched(), pace=PACE)
    assert [each.is_expedited for each in (running, contradicted, missing, failed)] == [False, True, True, None]


def test_error_and_failed_do_not_contradict() -> None:
    """The engine's `Error` is what the service calls `Failed`."""
    verdict = observe(watched(), seen(phase="Failed", witness="Error", action="create"), now=NOW, pace=PACE)
    assert verdict.changes[0].kind is ChangeKind.OUTCOME


def test_succeeded_under_delete_is_no_success() -> None:
    """While the control object deletes, `Succeeded` speaks of the deletion (reference 3.2)."""
    claim = seen(phase="Succeeded", witness="Succeeded", action="delete")
    verdict = observe(watched(), claim, now=NOW, pace=PACE)
    assert (verdict.changes[0].kind, verdict.changes[0].phase) == (ChangeKind.PHASE, "Deleting")


def test_a_failed_deletion_leaves_the_phase_alone() -> None:
    """A deletion that failed deletes nothing: the execution's own status counts."""
    claim = seen(witness="Failed", action="delete")
    assert observe(watched(), claim, now=NOW, pace=PACE).changes == ()


def test_vanishing_is_confirmed_and_told() -> None:
    """One 404 may be a hiccup; the second in a row, a while later, is the end."""
    first = observe_missing(watched(), now=NOW)
    assert (first.changes, first.next_poll) == ((), CONFIRM_MISSING)
    second = observe_missing(first.snapshot, now=NOW + CONFIRM_MISSING)
    assert [change.kind for change in second.changes] == [ChangeKind.VANISHED]
    assert second.next_poll is None


@given(seconds=st.lists(st.floats(0, 30), max_size=10))
def test_however_often_looks_are_hurried_vanishing_takes_its_time(seconds: list[float]) -> None:
    """Somebody who presses a button again and again is no second witness; and the first one counts all the same."""
    verdict, now = observe_missing(watched(), now=NOW), NOW
    for pause in seconds:
        now += timedelta(seconds=pause)
        verdict = observe_missing(verdict.snapshot, now=now)
        assert bool(verdict.changes) == (now - NOW >= CONFIRM_MISSING)
        if verdict.changes:
            return
        assert verdict.next_poll == NOW + CONFIRM_MISSING - now
        assert verdict.is_expedited


def test_a_404_between_two_answers_is_forgotten() -> None:
    """An execution that is there again was never gone."""
    once = observe_missing(watched(), now=NOW).snapshot
    assert observe(once, RUNNING, now=NOW, pace=PACE).snapshot.missing == 0


def test_deleting_what_had_ended_is_no_second_outcome() -> None:
    """The end was told; its deletion only ends the subscription."""
    before = watched(seen(phase="Failed"), missing=1, retry_until=NOW + PACE.retry_grace)
    verdict = observe_missing(before, now=before.seen_at + CONFIRM_MISSING)
    assert [(change.kind, change.why) for change in verdict.changes] == [(ChangeKind.ENDED, EndReason.DELETED)]


def test_counts_that_gcs_leaves_out_stay_known() -> None:
    """GCS omits an empty `status`; that is neither a change now nor one when the counts come back."""
    without = observe(watched(), seen(steps_total=None, steps_finished=None), now=NOW, pace=PACE)
    assert without.changes == ()
    assert observe(without.snapshot, RUNNING, now=NOW, pace=PACE).changes == ()


def test_unknown_phases_are_told_and_never_terminal() -> None:
    """A phase that nobody has heard of is a change like any other, and the watch goes on."""
    verdict = observe(watched(), seen(phase="Hibernating"), now=NOW, pace=PACE)
    assert (verdict.changes[0].kind, verdict.next_poll is None) == (ChangeKind.PHASE, False)


def test_sub_jobs_move_the_card_only() -> None:
    """What is visible but not newsworthy edits the card and tells nobody."""
    before = watched(seen(steps=(Step(name="bwa", phase="Running", sub_jobs=4),)))
    after = seen(steps=(Step(name="bwa", phase="Running", sub_jobs=4, sub_jobs_finished=1),))
    verdict = observe(before, after, now=NOW, pace=PACE)
    assert (verdict.changes, verdict.is_visible, verdict.snapshot.revision) == ((), True, 2)


def test_elapsed_time_alone_is_not_worth_an_edit() -> None:
    """What moves with every look would edit every card with every look."""
    assert not observe(watched(), seen(elapsed=timedelta(hours=1)), now=NOW, pace=PACE).is_visible


def test_gcs_unreachable_is_said_after_three_misses_and_taken_back() -> None:
    """Cards say since when GCS is silent, and no longer once it answers."""
    snapshot = watched()
    for _ in range(3):
        verdict = observe_failure(snapshot, pace=PACE)
        snapshot = verdict.snapshot
    assert (verdict.is_visible, snapshot.unreachable_since) == (True, NOW - PACE.poll)
    back = observe(snapshot, RUNNING, now=NOW, pace=PACE)
    assert (back.is_visible, back.snapshot.unreachable_since, back.changes) == (True, None, ())


def test_a_gcs_that_refuses_is_not_called_away() -> None:
    """Cards say that it does not let us look; and which of both it is now, if it turns from one to the other."""
    snapshot, said = watched(), []
    for is_refused in (True, True, True, True, False, False):
        verdict = observe_failure(snapshot, pace=PACE, is_refused=is_refused)
        snapshot = verdict.snapshot
        said.append((verdict.is_visible, snapshot.is_refused, snapshot.revision))
    assert said == [(False, False, 1)] * 2 + [(True, True, 2), (False, True, 2), (True, False, 3), (False, False, 3)]
    assert snapshot.unreachable_since == NOW - PACE.poll
    assert not observe(snapshot, RUNNING, now=NOW, pace=PACE).snapshot.is_refused


@given(misses=st.integers(0, 10_000), wait=st.none() | st.timedeltas(timedelta(0), timedelta(minutes=4)))
def test_failures_are_put_off_within_bounds(misses: int, wait: timedelta | None) -> None:
    """The pause grows, is never longer than its bound, and never shorter than GCS asks."""
    verdict = observe_failure(watched(misses=misses), pace=PACE, wait=wait)
    assert verdict.next_poll is not None
    assert max(PACE.soon, wait or PACE.soon) <= verdict.next_poll <= LONGEST_PAUSE


def change(kind: ChangeKind, revision: int) -> Change:
    """A change, of which only kind and order matter."""
    return Change(kind=kind, revision=revision, at=NOW)


def test_a_batch_stops_before_an_end() -> None:
    """Progress that piled up is one message; the end is one of its own."""
    pending = [change(ChangeKind.PROGRESS, 2), change(ChangeKind.PHASE, 3), change(ChangeKind.OUTCOME, 4)]
    assert [item.revision for item in batch(pending)] == [2, 3]
    assert [item.revision for item in batch(pending[2:])] == [4]


@given(kinds=st.lists(st.sampled_from(ChangeKind), max_size=12))
def test_batches_tell_everything_once_in_order(kinds: list[ChangeKind]) -> None:
    """However changes pile up, batch by batch each is told once, in order."""
    pending = [change(kind, revision) for revision, kind in enumerate(kinds, 1)]
    told: list[Change] = []
    while head := batch(pending[len(told) :]):
        told += head
    assert told == pending


phases = st.sampled_from([*Phase, "Hibernating", ""])


@given(steps=st.lists(st.tuples(phases, st.none() | st.integers(0, 5), phases), min_size=1, max_size=15))
def test_every_end_is_told_exactly_once(steps: list[tuple[str, int | None, str]]) -> None:
    """Whatever GCS says in whatever order: revisions grow, and each arrival at an end is one outcome."""
    snapshot = watched()
    for phase, finished, witness in steps:
        before = snapshot
        verdict = observe(before, seen(phase=phase, steps_finished=finished, witness=witness), now=NOW, pace=PACE)
        snapshot = verdict.snapshot
        arrived = snapshot.execution.phase in TERMINAL_PHASES and snapshot.execution.phase != before.execution.phase
        assert sum(change.kind is ChangeKind.OUTCOME for change in verdict.changes) == arrived
        assert all(change.revision == snapshot.revision > before.revision for change in verdict.changes)


def test_the_next_change_is_expected_when_a_running_step_usually_ends() -> None:
    """Of several steps, the one that is nearest to its usual end; without history nobody knows."""
    steps = (
        Step(name="bwa", phase="Running", elapsed=timedelta(minutes=30)),
        Step(name="sort", phase="Running", elapsed=timedelta(minutes=5)),
        Step(name="call", phase="Pending"),
    )
    snapshot = watched(seen(steps=steps))
    typical = {"bwa": timedelta(minutes=40), "sort": timedelta(minutes=7), "call": timedelta(minutes=1)}
    assert expected_at(snapshot, typical) == snapshot.seen_at + timedelta(minutes=2)
    assert expected_at(snapshot, {}) is None


def test_a_deadline_is_a_change_that_is_expected() -> None:
    """GCS will end it then."""
    execution = seen(created_at=NOW - timedelta(hours=1), timeout=timedelta(hours=2))
    assert expected_at(watched(execution), {}) == NOW + timedelta(hours=1)


@given(st.none() | st.integers(-(10**6), 10**6), st.integers(1, 3600))
def test_a_running_execution_never_waits_longer_than_the_interval(seconds: int | None, poll: int) -> None:
    """About an expected change it is looked at sooner, but not without pause."""
    pace = replace(PACE, poll=timedelta(seconds=poll))
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert pace.soon <= wait(expected, now=NOW, pace=pace) <= pace.poll


@given(
    expected=st.lists(st.none() | st.integers(-600, 3600), min_size=1, max_size=40),
    calls=st.integers(1, 6),
)
def test_whatever_is_expected_nobody_starves(expected: list[int | None], calls: int) -> None:
    """The longest due is looked at first, so many a tick as the quota allows: each one's turn comes within a round."""
    moments = [None if seconds is None else NOW + timedelta(seconds=seconds) for seconds in expected]
    due = dict.fromkeys(range(len(moments)), NOW)
    seen = dict.fromkeys(range(len(moments)), NOW)
    round_ = timedelta(seconds=-(-len(moments) // calls))
    for tick in range(120):
        now = NOW + timedelta(seconds=tick)
        turn = sorted((each for each in due if due[each] <= now), key=lambda each: due[each])[:calls]
        for each in turn:
            assert now - seen[each] <= PACE.poll + round_
            seen[each] = now
            due[each] = now + wait(moments[each], now=now, pace=PACE)
    assert all(NOW + timedelta(seconds=119) - at <= PACE.poll + round_ for at in seen.values())
