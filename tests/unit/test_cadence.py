"""When to poll next: what is expected, and the intervals around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.cadence import Cadence, expected_at, failure_interval, grace_interval, running_interval
from bot.domain.execution import Execution, Step
from bot.domain.snapshot import Snapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))


def snapshot_of(**fields: object) -> Snapshot:
    """A running execution that was just polled."""
    execution = replace(Execution(id="e1", phase="Running"), **fields)
    return Snapshot(execution=execution, revision=1, seen_at=NOW)


def test_a_step_is_expected_to_end_as_usual() -> None:
    """Of several steps, the one nearest to its usual end counts; without history nothing is expected."""
    steps = (
        Step(name="bwa", phase="Running", elapsed=timedelta(minutes=30)),
        Step(name="sort", phase="Running", elapsed=timedelta(minutes=5)),
        Step(name="call", phase="Pending"),
    )
    snapshot = snapshot_of(steps=steps)
    typical = {"bwa": timedelta(minutes=40), "sort": timedelta(minutes=7), "call": timedelta(minutes=1)}
    assert expected_at(snapshot, typical) == snapshot.seen_at + timedelta(minutes=2)
    assert expected_at(snapshot, {}) is None


def test_a_deadline_is_expected() -> None:
    """GCS ends the execution then."""
    snapshot = snapshot_of(created_at=NOW - timedelta(hours=1), timeout=timedelta(hours=2))
    assert expected_at(snapshot, {}) == NOW + timedelta(hours=1)


@given(st.none() | st.integers(-(10**6), 10**6), st.integers(1, 3600))
def test_no_interval_is_longer_than_usual(seconds: int | None, poll: int) -> None:
    """Around an expected change polls are more frequent, within a bound."""
    cadence = replace(CADENCE, poll=timedelta(seconds=poll))
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert cadence.soon <= running_interval(expected, now=NOW, cadence=cadence) <= cadence.poll


@given(
    expected=st.lists(st.none() | st.integers(-600, 3600), min_size=1, max_size=40),
    calls=st.integers(1, 6),
)
def test_expected_changes_starve_no_execution(expected: list[int | None], calls: int) -> None:
    """With the longest due polled first, `calls` per second, each is polled within its interval and one round."""
    moments = [None if seconds is None else NOW + timedelta(seconds=seconds) for seconds in expected]
    due = dict.fromkeys(range(len(moments)), NOW)
    seen = dict.fromkeys(range(len(moments)), NOW)
    round_ = timedelta(seconds=-(-len(moments) // calls))
    for tick in range(120):
        now = NOW + timedelta(seconds=tick)
        polled = sorted((each for each in due if due[each] <= now), key=lambda each: due[each])[:calls]
        for each in polled:
            assert now - seen[each] <= CADENCE.poll + round_
            seen[each] = now
            due[each] = now + running_interval(moments[each], now=now, cadence=CADENCE)
    assert all(NOW + timedelta(seconds=119) - at <= CADENCE.poll + round_ for at in seen.values())


def test_grace_polls_are_rare_until_its_end() -> None:
    """Every second interval, at most the allowed staleness, and once more when the grace time ends."""
    assert grace_interval(NOW + timedelta(hours=1), now=NOW, cadence=CADENCE) == 2 * CADENCE.poll
    assert grace_interval(NOW + timedelta(seconds=4), now=NOW, cadence=CADENCE) == timedelta(seconds=4)
    assert grace_interval(NOW, now=NOW, cadence=CADENCE) == timedelta(seconds=1)


def test_failures_double_the_interval() -> None:
    """From a third of the interval to five minutes; to the usual interval where GCS answers other calls."""

    def intervals(*, others_answered: bool) -> list[float]:
        found = [
            failure_interval(misses, cadence=CADENCE, others_answered=others_answered, retry_after=None)
            for misses in range(1, 9)
        ]
        return [each.total_seconds() for each in found]

    assert intervals(others_answered=False) == [5, 10, 20, 40, 80, 160, 300, 300]
    assert intervals(others_answered=True) == [5, 10, *[15] * 6]
