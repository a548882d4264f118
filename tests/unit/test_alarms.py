"""Slow and deadline: reported in time, once, and never without a reason."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain import alarms, estimate
from bot.domain.cadence import Cadence
from bot.domain.change import ChangeKind
from bot.domain.execution import Execution, Phase, Step
from bot.domain.observing import Verdict, first_snapshot, observe
from bot.domain.past import Typical
from bot.domain.snapshot import Snapshot, Usual

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))
RUNNING = Execution(id="e1", phase="Running", created_at=BEGAN)


def usual(hours: float) -> Usual:
    """Ten runs of about so long."""
    found = estimate.usual_of([3600 * hours * factor for factor in (0.9, 0.95, 1, 1, 1, 1, 1, 1, 1.05, 1.1)])
    assert found
    return found


TYPICAL = Typical(usual(2), {"align": usual(1), "call": usual(0.5)})
SLOW_AFTER = estimate.slow_after(usual(2))
STEP_SLOW_AFTER = estimate.slow_after(usual(1), among=2)


def after(**span: float) -> datetime:
    """A moment of the run."""
    return BEGAN + timedelta(**span)


def aligning(elapsed: timedelta) -> Execution:
    """The first of two steps runs."""
    steps = (Step(name="align", phase="Running", elapsed=elapsed), Step(name="call"))
    return replace(RUNNING, steps=steps)


def polled(*moments: datetime, seen: Execution = RUNNING, typical: Typical = TYPICAL) -> list[Verdict]:
    """The verdicts of polls that show nothing new; followed from the start."""
    snapshot, verdicts = first_snapshot(seen, now=BEGAN, cadence=CADENCE, typical=typical), []
    for moment in moments:
        verdicts.append(observe(snapshot, seen, now=moment, cadence=CADENCE, typical=typical))
        snapshot = verdicts[-1].snapshot
    return verdicts


def kinds(verdicts: list[Verdict]) -> list[list[ChangeKind]]:
    """What each of them reports."""
    return [[change.kind for change in verdict.changes] for verdict in verdicts]


def test_a_slow_run_is_reported_once() -> None:
    """By a poll that shows nothing new, when more than 97 of 100 runs had ended."""
    before, at, later = polled(BEGAN + SLOW_AFTER - timedelta(seconds=1), BEGAN + SLOW_AFTER, BEGAN + 2 * SLOW_AFTER)
    assert kinds([before, at, later]) == [[], [ChangeKind.SLOW], []]
    assert (before.alarm_at, at.alarm_at) == (BEGAN + SLOW_AFTER, None)
    (change,) = at.changes
    assert (change.step, change.taken, change.usual) == ("", SLOW_AFTER, alarms.usual_most(usual(2)))
    assert at.is_visible
    assert change.revision == at.snapshot.revision == before.snapshot.revision + 1


def test_a_slow_step_is_reported_once() -> None:
    """While it runs; the card knows for as long as it does."""
    typical = Typical(None, TYPICAL.steps)
    (verdict,) = polled(after(hours=3), seen=aligning(STEP_SLOW_AFTER - timedelta(minutes=1)), typical=typical)
    assert verdict.changes == ()
    assert verdict.alarm_at == after(hours=3, minutes=1)
    known = observe(
        verdict.snapshot, aligning(STEP_SLOW_AFTER), now=after(hours=3, minutes=1), cadence=CADENCE, typical=typical
    )
    assert [(change.step, change.taken) for change in known.changes] == [("align", STEP_SLOW_AFTER)]
    assert [step.name for step in known.snapshot.slow_steps] == ["align"]
    again = observe(known.snapshot, aligning(2 * STEP_SLOW_AFTER), now=after(hours=4), cadence=CADENCE, typical=typical)
    assert again.changes == ()
    assert [step.name for step in again.snapshot.slow_steps] == ["align"]
    over = replace(RUNNING, steps=(Step(name="align", phase="Succeeded"), Step(name="call")))
    assert observe(again.snapshot, over, now=after(hours=5), cadence=CADENCE, typical=typical).snapshot.slow_steps == ()


def test_many_steps_make_an_alarm_rarer() -> None:
    """With 100 of them, one that is among the slowest 3 of 100 proves nothing."""
    names = [f"{name}-x" for name in map(str, range(100))]
    steps = (Step(name=names[0], phase="Running", elapsed=STEP_SLOW_AFTER), *(Step(name=name) for name in names[1:]))
    typical = Typical(None, dict.fromkeys(names, usual(1)))
    (verdict,) = polled(after(hours=3), seen=replace(RUNNING, steps=steps), typical=typical)
    assert verdict.changes == ()


def test_steps_of_one_stem_are_reported_once() -> None:
    """The longest one stands for them."""
    steps = [Step(name=f"call-{number}", phase="Running", elapsed=timedelta(hours=4 + number)) for number in range(40)]
    typical = Typical(None, {"call*": usual(1)})
    (verdict,) = polled(after(hours=50), typical=typical)
    seen = replace(RUNNING, steps=tuple(steps))
    later = observe(verdict.snapshot, seen, now=after(hours=50), cadence=CADENCE, typical=typical)
    assert [change.step for change in later.changes] == ["call-39"]


def test_so_many_steps_and_no_more() -> None:
    """Of a run on which everything is slow."""
    names = [f"{number}-x" for number in range(100)]
    steps = [Step(name=name, phase="Running", elapsed=timedelta(days=3)) for name in names]
    typical = Typical(None, dict.fromkeys(names, usual(1)))
    (verdict,) = polled(after(hours=1), typical=typical)
    later = observe(
        verdict.snapshot, replace(RUNNING, steps=tuple(steps)), now=after(days=3), cadence=CADENCE, typical=typical
    )
    assert len(later.changes) == alarms.MOST_STEPS
    assert len(later.snapshot.slow_steps) == alarms.NAMED


def limited(**limit: float) -> Execution:
    """A run with a time limit."""
    return replace(RUNNING, timeout=timedelta(**limit))


def test_a_near_limit_is_reported_once() -> None:
    """Half an hour before, where nothing is known of the workflow; no more once it is over."""
    seen = limited(hours=24)
    verdicts = polled(
        after(hours=23, minutes=29),
        after(hours=23, minutes=30),
        after(hours=23, minutes=45),
        seen=seen,
        typical=Typical(),
    )
    assert kinds(verdicts) == [[], [ChangeKind.DEADLINE], []]
    assert verdicts[0].alarm_at == after(hours=23, minutes=30)
    assert verdicts[1].changes[0].deadline == after(hours=24)
    (late,) = polled(after(hours=25), seen=seen, typical=Typical())
    assert (late.changes, late.alarm_at) == ((), None)


def test_a_short_limit_is_reported_late() -> None:
    """An hour's, 6 minutes before."""
    assert kinds(polled(after(minutes=53), after(minutes=54), seen=limited(hours=1), typical=Typical())) == [
        [],
        [ChangeKind.DEADLINE],
    ]


def test_a_limit_below_the_usual_is_reported() -> None:
    """Although it is far."""
    assert kinds(polled(after(minutes=1), after(minutes=2), seen=limited(hours=1, minutes=50))) == [
        [ChangeKind.DEADLINE],
        [],
    ]


def test_a_limit_becomes_too_short() -> None:
    """For a run that goes on longer than usual: then, and at no poll's convenience."""
    seen = limited(hours=2, minutes=20)
    (first,) = polled(after(minutes=1), seen=seen)
    assert first.alarm_at
    assert after(hours=1) < first.alarm_at < after(hours=2, minutes=6)
    assert kinds(polled(first.alarm_at - timedelta(seconds=1), first.alarm_at, seen=seen)) == [
        [],
        [ChangeKind.DEADLINE],
    ]


def test_what_the_first_card_shows_is_not_reported() -> None:
    """The first card shows what is slow already; a limit that is near is news all the same."""
    seen = replace(aligning(timedelta(days=1)), timeout=timedelta(days=1, minutes=20))
    snapshot = first_snapshot(seen, now=after(days=1), cadence=CADENCE, typical=TYPICAL)
    assert [step.name for step in snapshot.slow_steps] == ["align"]
    verdict = observe(snapshot, seen, now=after(days=1, minutes=1), cadence=CADENCE, typical=TYPICAL)
    assert kinds([verdict]) == [[ChangeKind.DEADLINE]]


@pytest.mark.parametrize("phase", [Phase.SUSPENDED, Phase.CANCELLING, Phase.FAILED])
def test_what_does_not_run_is_not_slow(phase: Phase) -> None:
    """Nor is what stood still meanwhile, ever after."""
    (running,) = polled(after(minutes=1))
    stopped = observe(
        running.snapshot,
        replace(RUNNING, phase=phase, witness=phase),
        now=after(hours=9),
        cadence=CADENCE,
        typical=TYPICAL,
    )
    assert ChangeKind.SLOW not in kinds([stopped])[0]
    again = observe(stopped.snapshot, RUNNING, now=after(hours=10), cadence=CADENCE, typical=TYPICAL)
    assert (ChangeKind.SLOW in kinds([again])[0]) == (phase is Phase.CANCELLING)


def test_another_attempt_may_be_reported_again() -> None:
    """A step that is slow after a retry, too."""
    slow = aligning(timedelta(hours=9))
    typical = Typical(None, TYPICAL.steps)
    (before,) = polled(after(minutes=1), typical=typical)
    later = observe(before.snapshot, slow, now=after(hours=9), cadence=CADENCE, typical=typical)
    assert later.snapshot.raised == ("step:align",)
    failed = replace(slow, phase="Failed", witness="Failed")
    ended = observe(later.snapshot, failed, now=after(hours=10), cadence=CADENCE, typical=typical)
    retried = observe(ended.snapshot, RUNNING, now=after(hours=11), cadence=CADENCE, typical=typical)
    assert retried.snapshot.raised == ()
    assert retried.snapshot.is_interrupted


def waits(*minutes: float) -> Typical:
    """What is known of a workflow whose runs have waited for these times."""
    return Typical(None, {}, estimate.usual_of([60 * each for each in minutes], spread=estimate.WAIT_SPREAD))


PENDING = replace(RUNNING, phase="Pending")


def test_a_long_wait_is_on_the_card() -> None:
    """While it lasts: an edit, and no message; polls come in time for it."""
    known = waits(3, 4, 3, 5, 4)
    assert known.wait
    late = estimate.slow_after(known.wait)
    before, at, later = polled(
        BEGAN + late - timedelta(seconds=1), BEGAN + late, BEGAN + 2 * late, seen=PENDING, typical=known
    )
    assert kinds([before, at, later]) == [[], [], []]
    assert (before.snapshot.usual_wait, before.alarm_at) == (None, BEGAN + late)
    assert (at.snapshot.usual_wait, at.alarm_at) == (alarms.usual_most(known.wait), None)
    assert (before.is_visible, at.is_visible, later.is_visible) == (False, True, False)
    begun = observe(later.snapshot, RUNNING, now=BEGAN + 3 * late, cadence=CADENCE, typical=known)
    assert (begun.snapshot.usual_wait, begun.snapshot.waited) == (None, 3 * late)


def test_of_an_unknown_wait_nothing_is_said() -> None:
    """Two runs say too little."""
    (verdict,) = polled(after(hours=20), seen=PENDING, typical=waits(3, 4))
    assert (verdict.snapshot.usual_wait, verdict.alarm_at) == (None, None)


def test_few_waits_are_called_long() -> None:
    """At most 3 of 100, where waits differ as much as they do on a cluster that others use."""
    chance, called, tried = random.Random(7), 0, 3_000  # noqa: S311  # no secret
    for _ in range(tried):
        spread, count = chance.uniform(0.2, 1.3), chance.choice([3, 5, 8, 20])
        drawn = [max(5.0, chance.lognormvariate(5, spread)) for _ in range(count + 1)]
        known = estimate.usual_of([round(each) for each in drawn[:-1]], spread=estimate.WAIT_SPREAD)
        called += known is not None and timedelta(seconds=drawn[-1]) >= estimate.slow_after(known)
    assert called / tried < 0.03


@pytest.mark.parametrize(
    ("before", "seen", "waited"),
    [
        (PENDING, RUNNING, timedelta(minutes=2)),
        (RUNNING, RUNNING, None),
        (PENDING, replace(RUNNING, phase="Succeeded", witness="Succeeded"), None),
        (PENDING, replace(RUNNING, phase="Suspended"), None),
        (PENDING, replace(RUNNING, created_at=None), None),
    ],
)
def test_a_wait_ends_when_the_run_begins(before: Execution, seen: Execution, waited: timedelta | None) -> None:
    """As seen by two polls; whatever follows does not change it."""
    first = first_snapshot(before, now=after(minutes=1), cadence=CADENCE)
    begun = observe(first, seen, now=after(minutes=2), cadence=CADENCE).snapshot
    assert begun.waited == waited
    assert observe(begun, RUNNING, now=after(minutes=9), cadence=CADENCE).snapshot.waited == waited


def test_a_wait_that_was_not_watched_is_unknown() -> None:
    """After polls that failed nobody knows when it began."""
    first = replace(first_snapshot(PENDING, now=after(minutes=1), cadence=CADENCE), misses=2)
    assert observe(first, RUNNING, now=after(hours=2), cadence=CADENCE).snapshot.waited is None


@given(st.lists(st.integers(1, 60 * 60 * 12), min_size=1, max_size=30), st.integers(60, 60 * 60 * 10))
def test_polls_at_any_time_report_once(seconds: list[int], limit: int) -> None:
    """However many, each kind once; and the next alarm is never in the past."""
    seen = limited(seconds=limit)
    verdicts = polled(*(after(seconds=each) for each in sorted(seconds)), seen=seen)
    reported = [kind for each in kinds(verdicts) for kind in each]
    assert len(reported) == len(set(reported))
    assert all(each.alarm_at is None or each.alarm_at > each.snapshot.seen_at for each in verdicts)
    assert (ChangeKind.SLOW in reported) == (after(seconds=max(seconds)) >= BEGAN + SLOW_AFTER)


def test_a_snapshot_keeps_what_it_knew() -> None:
    """Where the history cannot be read, estimates go on."""
    (verdict,) = polled(after(minutes=1))
    lost = observe(verdict.snapshot, RUNNING, now=after(minutes=2), cadence=CADENCE)
    assert lost.snapshot.usual == TYPICAL.run
    assert isinstance(lost.snapshot, Snapshot)
