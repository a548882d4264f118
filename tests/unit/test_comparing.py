"""What differs between two polls: steps that fail while the run goes on, and which failure is announced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from bot.domain.cadence import Cadence
from bot.domain.change import Change, ChangeKind
from bot.domain.comparing import ONE_ALERT, share_of
from bot.domain.execution import Execution, Phase, Step
from bot.domain.observing import first_snapshot, observe
from bot.domain.snapshot import Snapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))


def run(*phases: str, finished: int = 0, phase: str = "Running", names: str = "abcdefgh") -> Execution:
    """An execution whose steps are in these phases."""
    steps = tuple(Step(name=name, phase=each) for name, each in zip(names, phases, strict=False))
    return Execution(id="e1", phase=phase, steps=steps, steps_total=len(steps), steps_finished=finished)


def polls(*seen: Execution, every: timedelta = timedelta(minutes=1)) -> tuple[list[Change], Snapshot]:
    """The changes that polls of these bring, the first one before anybody follows; and the last snapshot."""
    snapshot, changes = first_snapshot(seen[0], now=NOW, cadence=CADENCE), list[Change]()
    for number, each in enumerate(seen[1:], start=1):
        verdict = observe(snapshot, each, now=NOW + number * every, cadence=CADENCE)
        snapshot, changes = verdict.snapshot, [*changes, *verdict.changes]
    return changes, snapshot


GOES, FAILS, DONE = "Running", "Failed", "Succeeded"


def test_a_failed_step_alone_is_a_change() -> None:
    """Phase and counts stay; the change names the step."""
    (change,), _ = polls(run(GOES, GOES), run(FAILS, GOES))
    assert (change.kind, change.phase, change.fails) == (ChangeKind.STEP_FAILED, "Running", True)
    assert [step.name for step in change.newly_failed] == ["a"]


def test_a_failure_beside_progress_is_one_change() -> None:
    """The failure is the more important half of it, and carries the counts."""
    (change,), _ = polls(run(GOES, GOES, GOES), run(FAILS, DONE, GOES, finished=1))
    assert (change.kind, change.finished_before, change.finished) == (ChangeKind.STEP_FAILED, 0, 1)
    assert (change.finished_steps, change.newly_failed_total) == (("b",), 1)


def test_a_failure_beside_a_phase_counts() -> None:
    """The phase is the more important half of it, and says that a step failed."""
    (change,), _ = polls(run(GOES), run(FAILS, phase="Cancelling"))
    assert (change.kind, change.fails) == (ChangeKind.PHASE, True)


def test_each_failure_is_a_change_once() -> None:
    """A failed step is one failure, not another one with each step that ends after it."""
    changes, _ = polls(run(GOES, GOES, GOES), run(FAILS, GOES, GOES), run(FAILS, DONE, GOES, finished=1))
    assert [(change.kind, change.newly_failed_total) for change in changes] == [
        (ChangeKind.STEP_FAILED, 1),
        (ChangeKind.PROGRESS, 0),
    ]


def test_failing_again_is_a_change_again() -> None:
    """GCS may try a step again while the execution goes on."""
    changes, _ = polls(run(GOES), run(FAILS), run(GOES), run(FAILS))
    assert [change.kind for change in changes] == [ChangeKind.STEP_FAILED] * 2


def test_steps_that_share_a_name_are_counted() -> None:
    """7 of 50 steps of one name fail, three before the other four."""
    first, then = [FAILS] * 3 + [GOES] * 47, [FAILS] * 7 + [GOES] * 43
    changes, _ = polls(*(run(*phases, names="a" * 50) for phases in ([GOES] * 50, first, then)))
    assert [change.newly_failed_total for change in changes] == [3, 4]
    assert [len(change.newly_failed) for change in changes] == [3, 4]


def test_a_namesake_that_looks_new_is_new() -> None:
    """Of two steps of one name, the one whose reason was not known before is named."""
    before = run(FAILS, GOES, names="aa")
    old, other = before.steps
    after = replace(before, steps=(replace(other, phase=FAILS, reason="OOMKilled"), old))
    (change,), _ = polls(before, after)
    assert [step.reason for step in change.newly_failed] == ["OOMKilled"]


def test_after_the_end_nothing_fails() -> None:
    """GCS may correct steps after the end; that is not delivered."""
    changes, _ = polls(run(GOES, GOES, phase="Failed"), run(FAILS, GOES, phase="Failed"))
    assert changes == []


def test_one_failure_of_a_burst_is_an_alert() -> None:
    """The first one, and the first one after the burst."""
    failing = [run(*[FAILS] * count, *[GOES] * (8 - count)) for count in range(5)]
    changes, snapshot = polls(*failing, every=ONE_ALERT / 3)
    assert [change.is_alert for change in changes] == [True, False, False, True]
    assert snapshot.alerted_at == changes[-1].at


def test_the_last_failure_has_its_time() -> None:
    """It was seen when it was new; what had failed before anybody followed it, and what is retried, has none."""
    moment = [NOW + timedelta(minutes=each) for each in range(9)]
    polled = run(GOES, GOES, GOES), run(FAILS, GOES, GOES), run(FAILS, DONE, GOES, finished=1), run(FAILS, FAILS, GOES)
    assert [polls(*polled[:last])[1].failed_at for last in (1, 2, 3, 4)] == [None, moment[1], moment[1], moment[3]]
    assert polls(polled[1], polled[2])[1].failed_at is None
    assert polls(*polled, run(GOES, GOES, GOES, phase=Phase.RETRYING))[1].failed_at is None


@pytest.mark.parametrize(("more", "is_known"), [((FAILS, GOES), True), ((FAILS, FAILS), False)])
def test_following_again_keeps_the_known_time(more: tuple[str, ...], is_known: bool) -> None:
    """Unless another step has failed meanwhile: nobody saw when."""
    _, known = polls(run(GOES, GOES), run(FAILS, GOES))
    again = first_snapshot(run(*more), now=NOW + timedelta(hours=1), cadence=CADENCE, known=known)
    assert again.failed_at == (known.failed_at if is_known else None)


def test_the_end_after_a_failure_alerts_nobody() -> None:
    """Its readers have just read why, and were mentioned."""
    soon, _ = polls(run(GOES), run(FAILS), run(FAILS, phase="Failed"))
    assert [(change.fails, change.is_alert) for change in soon] == [(True, True), (True, False)]
    late, _ = polls(run(GOES), run(FAILS), run(FAILS, phase="Failed"), every=ONE_ALERT)
    assert [change.is_alert for change in late] == [True, True]


def test_a_retry_begins_a_new_burst() -> None:
    """The same failure after a retry is announced again."""
    retrying = run("Pending", phase=Phase.RETRYING)
    changes, _ = polls(run(GOES), run(FAILS, phase="Failed"), retrying, run(FAILS, phase="Retrying"))
    assert [change.is_alert for change in changes] == [True, False, True]


@pytest.mark.parametrize(
    ("finished", "total", "share"),
    [(None, None, 0), (0, 20, 0), (1, 20, 5), (1, 21, 0), (9, 20, 45), (20, 20, 100), (30, 20, 100), (1, 0, 0)],
)
def test_shares_are_rounded_down(finished: int | None, total: int | None, share: int) -> None:
    """A multiple of 5 percent that was reached, whatever GCS counts."""
    assert share_of(replace(run(), steps_finished=finished, steps_total=total)) == share


def test_a_share_is_reached_once() -> None:
    """Steps that are added at run time lower it; a retry begins again."""
    counts = [(0, 4), (2, 4), (2, 8), (4, 8), (6, 8)]
    changes, snapshot = polls(*(replace(run(), steps_finished=done, steps_total=all_) for done, all_ in counts))
    assert [(change.share_before, change.share) for change in changes] == [(0, 50), (50, 50), (50, 50), (50, 75)]
    again = observe(snapshot, replace(run(phase="Retrying"), steps_finished=1, steps_total=8), now=NOW, cadence=CADENCE)
    assert again.snapshot.share == 10
