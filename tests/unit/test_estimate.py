"""How long still: what earlier durations say, in the words' own steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import exp, log, sqrt
from random import Random
from statistics import fmean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain import estimate
from bot.domain.execution import Execution, Phase, Step
from bot.domain.snapshot import Snapshot, Usual
from bot.domain.student import quantile

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOURS = [9500.0, 10400.0, 11000.0, 9900.0, 10100.0]
"""Five runs of two and a half to three hours."""

spans = st.floats(1, 10**7)
histories = st.lists(spans, min_size=3, max_size=30)


def usual(seconds: list[float] | None = None, spread: float = 0.1) -> Usual:
    """What a history says."""
    found = estimate.usual_of(seconds or HOURS, spread=spread)
    assert found
    return found


def minutes(number: float) -> timedelta:
    """So many."""
    return timedelta(minutes=number)


def taken(**fields: object) -> timedelta | None:
    """How long the execution of `running` has taken."""
    return estimate.time_taken(running(**fields))


def running(**fields: object) -> Snapshot:
    """An execution that began an hour ago."""
    execution = replace(Execution(id="e1", phase="Running", created_at=NOW - minutes(60)), **fields)
    return Snapshot(execution=execution, revision=1, seen_at=NOW, usual=usual())


def test_two_runs_say_nothing() -> None:
    """The third one does."""
    assert estimate.usual_of(HOURS[:2]) is None
    assert estimate.outlook(None, minutes(5)) is None
    assert usual(HOURS[:3]).count == 3


def test_the_sum_is_that_of_the_method() -> None:
    """Mean and spread of the logarithms; four durations' worth of the others' spread."""
    values = [log(each) for each in HOURS]
    center = fmean(values)
    variance = (4 * 0.1**2 + sum((value - center) ** 2 for value in values)) / 8
    assert (usual().count, usual().freedom) == (5, 8)
    assert (usual().center, usual().scale) == pytest.approx((center, sqrt(variance * 1.2)), abs=1e-4)


def test_the_last_twenty_count() -> None:
    """A workflow that has become faster is believed."""
    assert usual([10.0] * 50 + [1000.0] * 20).center == pytest.approx(log(1000), abs=1e-3)


def test_others_spreads_are_pooled() -> None:
    """By their geometric mean; 0.3 where there are none."""
    assert estimate.pooled([]) == 0.3
    assert estimate.pooled([0.1, 0.4]) == pytest.approx(0.2)
    assert estimate.spread_of([10, 20]) is None
    assert estimate.spread_of([exp(1), exp(2), exp(3)]) == pytest.approx(1)


def test_a_band_at_the_start() -> None:
    """Rounded outward to steps that people use; nothing has passed, so what is left is the whole."""
    found = estimate.outlook(usual(), timedelta())
    assert found
    assert (found.usual_low, found.usual_high) == (minutes(140), minutes(200))
    assert (found.low, found.high, found.median_left) == (minutes(140), minutes(200), minutes(170))
    assert found.done_at(NOW) == NOW + minutes(170)


def test_time_that_passed_is_ruled_out() -> None:
    """In the middle of the band, the run ends later than one that has just begun would."""
    found = estimate.outlook(usual(), minutes(180))
    assert found
    assert minutes(180) + found.median_left > estimate.duration(usual(), 0.5)
    assert (found.usual_low, found.usual_high) == (minutes(140), minutes(200))


def test_longer_than_usual_has_no_end() -> None:
    """Beyond 99 of 100 runs nobody knows."""
    found = estimate.outlook(usual(), timedelta(hours=6))
    assert found
    assert found.is_open
    assert found.median_left == timedelta()


@given(histories, st.floats(0, 10**7), st.floats(0.02, 1))
def test_a_band_is_a_band(seconds: list[float], elapsed: float, spread: float) -> None:
    """Low, median and high in order, and at least a minute left."""
    found = estimate.outlook(usual(seconds, spread), timedelta(seconds=elapsed))
    assert found
    assert timedelta() <= found.usual_low <= found.usual_high
    if not found.is_open:
        assert timedelta() <= found.low <= found.median_left <= found.high
        assert found.median_left >= minutes(1)


@given(histories, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_later_shares_take_longer(seconds: list[float], one: float, other: float) -> None:
    """And what has passed makes the whole longer, never shorter."""
    low, high = sorted((one, other))
    known = usual(seconds)
    assert estimate.duration(known, low) <= estimate.duration(known, high)
    elapsed = estimate.duration(known, 0.3)
    assert estimate.duration(known, low) <= estimate.duration(known, low, elapsed=elapsed) + timedelta(milliseconds=1)


@given(histories, st.floats(0.05, 0.9), st.floats(0.05, 0.95))
def test_conditions_are_those_of_the_method(seconds: list[float], over: float, share: float) -> None:
    """F⁻¹(c + (1 - c)·q)."""
    known = usual(seconds)
    elapsed = estimate.duration(known, over)
    wanted = exp(known.center + known.scale * quantile(over + (1 - over) * share, known.freedom))
    assume(1 < wanted < 10**8)
    assert estimate.duration(known, share, elapsed=elapsed).total_seconds() == pytest.approx(wanted, rel=1e-3)


@given(st.integers(0, 10**6))
def test_rounding_is_outward_and_human(seconds: int) -> None:
    """Never by more than a quarter from an hour on, and in whole minutes."""
    span = timedelta(seconds=seconds)
    low, high = estimate.rounded_down(span), estimate.rounded_up(span)
    assert low <= span <= high
    assert low % minutes(1) == high % minutes(1) == timedelta()
    if span >= minutes(60):
        assert high - low <= span / 4


@pytest.mark.parametrize(
    ("exact", "down", "up"),
    [(0.5, 0, 1), (7.5, 7, 8), (17, 15, 20), (62, 60, 65), (121, 120, 130), (250, 240, 255), (500, 480, 510)],
)
def test_steps_people_use(exact: float, down: int, up: int) -> None:
    """1, 5, 10, 15 and 30 minutes."""
    assert (estimate.rounded_down(minutes(exact)), estimate.rounded_up(minutes(exact))) == (minutes(down), minutes(up))


def test_slow_is_beyond_97_of_100() -> None:
    """Rounded up; later where many are watched at once; and never for less than two minutes."""
    known = usual()
    assert estimate.duration(known, 0.97) < estimate.slow_after(known) < estimate.duration(known, 0.98) + minutes(10)
    assert estimate.slow_after(known, among=100) > estimate.slow_after(known)
    assert estimate.slow_after(usual([10.0, 10.0, 10.0], 0.05)) == minutes(3)


@given(histories, st.floats(0.05, 0.97))
def test_a_limit_becomes_doubtful_in_time(seconds: list[float], share: float) -> None:
    """From then on, the median of the runs that go on is beyond the limit."""
    known = usual(seconds)
    limit = estimate.duration(known, share)
    at = estimate.doubtful_after(known, limit)
    assert at <= limit
    if share > 0.51:
        assert estimate.duration(known, 0.5, elapsed=at).total_seconds() == pytest.approx(
            limit.total_seconds(), rel=0.01, abs=1
        )
    elif share < 0.49:
        assert at == timedelta()


STEPS = [Step(name=name) for name in ("a", "b", "c", "d")]
EACH = {step.name: usual([2500.0, 2500.0, 2500.0]) for step in STEPS}
"""Four steps of a quarter each."""


def judged(done: int, elapsed: timedelta) -> timedelta | None:
    """What is said of the whole once `done` steps have finished."""
    steps = tuple(replace(step, phase="Succeeded" if place < done else "") for place, step in enumerate(STEPS))
    return estimate.judged_by_steps(running(steps=steps), EACH, elapsed=elapsed)


def test_steps_that_lag_shift_the_median() -> None:
    """A quarter of the work in three quarters of the time; nothing is said where both agree, or little is known."""
    assert judged(1, minutes(120)) == minutes(480)
    assert judged(2, minutes(85)) is None
    assert judged(0, minutes(120)) is None
    found, shifted = (estimate.outlook(usual(), minutes(120), by_steps=by) for by in (None, minutes(480)))
    assert found
    assert shifted
    assert found.median_left < shifted.median_left <= shifted.high == found.high


def test_unknown_steps_say_nothing() -> None:
    """Of the whole, where a quarter of the steps is unknown."""
    steps = tuple(replace(step, phase="Succeeded") for step in STEPS)
    known = {name: each for name, each in EACH.items() if name != "a"}
    assert estimate.judged_by_steps(running(steps=steps), known, elapsed=minutes(10)) is None


def ended_early(extra: float, *, waits_are_known: bool = True) -> float:
    """The share of runs that end before they are likely done, said when they begin after `extra` s of waiting more."""
    chance, early = Random(7), 0  # noqa: S311  # a simulation
    for _ in range(200):
        works = [chance.lognormvariate(log(7200), 0.1) for _ in range(21)]
        waits = [chance.lognormvariate(log(300), 1.0) for _ in range(21)]
        waited = timedelta(seconds=waits[-1] + extra)
        wait = estimate.usual_of(waits[:-1], spread=estimate.WAIT_SPREAD) if waits_are_known else None
        seen = replace(
            running(created_at=NOW - waited),
            usual=usual([work + each for work, each in zip(works[:-1], waits[:-1], strict=True)]),
            waited=waited,
            typical_wait=estimate.duration(wait, estimate.TYPICAL_WAIT) if wait else None,
        )
        found = estimate.outlook_of(seen, now=NOW)
        early += found is not None and timedelta(seconds=works[-1]) <= found.median_left
    return early / 200


def test_long_waits_do_not_hasten_the_end() -> None:
    """Runs that waited for an hour end as often before they are likely done as those that began as usual."""
    assert 0.5 < ended_early(0) < 0.8  # the time is rounded up
    assert 0.5 < ended_early(3600) < 0.8
    assert 0.5 < ended_early(3600, waits_are_known=False) < 0.9


def test_what_has_not_begun_has_no_end() -> None:
    """While it waits for longer than usual, and where nobody knows how long such runs wait."""
    pending = replace(running(phase="Pending"), typical_wait=minutes(3))
    ends = [estimate.outlook_of(seen, now=NOW) for seen in (pending, replace(pending, usual_wait=minutes(20)))]
    assert [found.is_open for found in ends if found] == [False, True]
    found, unknown = ends[0], estimate.outlook_of(replace(pending, typical_wait=None), now=NOW)
    assert unknown
    assert unknown.is_open
    assert found
    assert found.median_left == minutes(170)


@pytest.mark.parametrize("phase", [Phase.SUSPENDED, Phase.CANCELLING, Phase.SUCCEEDED, Phase.DELETING])
def test_what_does_not_run_has_no_end(phase: Phase) -> None:
    """Nor a run that was retried, nor one whose start is unknown."""
    assert estimate.outlook_of(running(), now=NOW)
    assert estimate.outlook_of(running(phase=phase), now=NOW) is None
    assert estimate.outlook_of(replace(running(), is_interrupted=True), now=NOW) is None
    assert estimate.outlook_of(running(created_at=None), now=NOW) is None


def test_a_run_takes_from_start_to_end() -> None:
    """By GCS's clock; where that says nothing, or less, by its own duration."""
    ended = {"phase": "Succeeded", "updated_at": NOW - minutes(10), "elapsed": minutes(33)}
    assert taken(**ended) == minutes(50)
    assert taken(**ended | {"updated_at": None}) == minutes(33)
    assert taken(**ended | {"updated_at": None, "elapsed": None}) == minutes(60)
    assert taken(**ended | {"updated_at": NOW + minutes(10)}) == minutes(60)
    assert taken(**ended | {"created_at": None}) == minutes(33)
    assert taken(**ended | {"updated_at": NOW - minutes(60)}) == minutes(33)
    assert taken(**ended | {"updated_at": NOW - minutes(70), "elapsed": None}) == minutes(0)


def test_what_runs_has_taken_time_since_its_start() -> None:
    """By the clock, unless GCS says more; a run that was retried or suspended goes by GCS's own duration."""
    assert taken(elapsed=minutes(33)) == minutes(60)
    assert taken(elapsed=minutes(62)) == minutes(62)
    assert taken(elapsed=minutes(33), created_at=None) == minutes(33)
    retried = replace(running(elapsed=minutes(33)), is_interrupted=True)
    assert estimate.time_taken(retried) == minutes(33)
    assert estimate.time_taken(replace(running(), is_interrupted=True)) == minutes(60)
