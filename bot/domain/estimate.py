"""How long a run takes, judged by earlier runs: a band that holds 8 of 10 runs, and what is longer than usual.

Lives here: `usual_of`, which sums earlier durations up, and what follows from that: `outlook` (for cards and ends),
`slow_after`, `doubtful_after` (for alarms). Does not live here: Student's distribution (`student`), where durations are
kept (`bot.store.schedule.history`), wording (`bot.blocks`). Pure; called by the watcher's rules and by `bot.blocks`.

The logarithms of durations are taken to be spread normally, with a spread of which a little is known from the
account's other workflows; so the next one follows Student's t-distribution. Time that has passed rules out the part of
it that is over. Coverage and false alarms are measured by `benchmarks/calibration.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import exp, log, sqrt
from statistics import fmean, stdev

from bot.domain import student
from bot.domain.execution import WAITING_PHASES, Execution, Phase, Step
from bot.domain.past import step_keys
from bot.domain.snapshot import Snapshot, Usual

LAST = 20
"""How many durations count: the last ones."""

FEWEST = 3
"""With fewer there is nothing to say."""

PRIOR = 4
"""How many durations the spread of other workflows weighs as much as."""

SPREAD = 0.3
"""The spread where no other workflow is known: about 30 % up or down."""

WAIT_SPREAD = 1.0
"""What is expected of the spread of waits: they depend on what else runs, and differ more than the work does."""

TYPICAL_WAIT = 0.7
"""The share of waits that are no longer than the mean one, which is what the time of whole runs holds of them."""

LOW, MEDIAN, HIGH, SLOW = 0.1, 0.5, 0.9, 0.97
"""Shares of runs: a band from `LOW` to `HIGH` holds 8 of 10; longer than `SLOW` is slow."""

LONGER = 0.99
"""A run that has taken longer than this share of runs is longer than usual, and there is no saying when it ends."""

SHORTEST_DELAY = timedelta(minutes=2)
"""What is less late than this against the median is not called slow."""

FAR = 0.25
"""How far the share of work that is done may be from the share of time before steps shift the median."""

LEAST_DONE = 0.1
"""With less of the work done, steps say nothing about the whole."""

KNOWN = 0.8
"""At least this share of a run's steps must be known for that."""

_SHORTEST, _LONGEST = 1.0, 10 * 365 * 86400.0
_NARROWEST, _WIDEST = 0.05, 2.0
_MINUTE = timedelta(minutes=1)
_STEPS = (
    (timedelta(minutes=10), _MINUTE),
    (timedelta(hours=2), 5 * _MINUTE),
    (timedelta(hours=4), 10 * _MINUTE),
    (timedelta(hours=8), 15 * _MINUTE),
    (timedelta(days=1), 30 * _MINUTE),
)
"""Below each duration, the steps in which it is shown."""
_LARGEST_STEP = timedelta(hours=1)

_STANDING = {
    *(Phase.CANCELLING, Phase.FORCE_CANCELLING, Phase.ABORTING, Phase.DELETING),
    *(Phase.SUSPENDING, Phase.SUSPENDED),
}
"""Phases in which a run gets no nearer to its usual end."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """How long still, and how long usually. All durations are whole minutes at least, in steps that people use."""

    usual_low: timedelta
    usual_high: timedelta
    """8 of 10 runs take from `usual_low` to `usual_high`: rounded down and up."""
    is_open: bool = False
    """Nobody knows how long still: more than 99 of 100 runs had ended by now, or nobody knows when it begins. The next
    three are zero then."""
    median_left: timedelta = timedelta()
    """As likely more as less; rounded up, a minute at least."""
    low: timedelta = timedelta()
    """8 of 10 such runs are over in `low` to `high` from now: rounded down, maybe to zero, and up."""
    high: timedelta = timedelta()

    def done_at(self, now: datetime) -> datetime:
        """The moment at which it is done as likely as not, to the minute; show it where a span would go stale."""
        return (now + self.median_left).replace(second=0, microsecond=0)


def spread_of(seconds: Sequence[float]) -> float | None:
    """The spread of the logarithms of durations; None for fewer than `FEWEST`."""
    if len(seconds) < FEWEST:
        return None
    return min(max(stdev(_logarithm(each) for each in seconds), _NARROWEST), _WIDEST)


def pooled(spreads: Iterable[float]) -> float:
    """What is expected of a workflow's spread, by those of others: their geometric mean."""
    logarithms = [log(min(max(spread, _NARROWEST), _WIDEST)) for spread in spreads if spread > 0]
    return exp(fmean(logarithms)) if logarithms else SPREAD


def usual_of(seconds: Sequence[float], *, spread: float = SPREAD) -> Usual | None:
    """What durations, the newest last, say about the next one; `spread` is that of others. None for too few."""
    values = [_logarithm(each) for each in seconds[-LAST:]]
    count = len(values)
    if count < FEWEST:
        return None
    center, freedom = fmean(values), PRIOR + count - 1
    squares = PRIOR * spread * spread + sum((value - center) ** 2 for value in values)
    scale = sqrt(squares / freedom * (1 + 1 / count))
    return Usual(count, round(center, 4), round(scale, 4), freedom)  # more digits only take room


def share_by(usual: Usual, elapsed: timedelta) -> float:
    """The share of runs that take no longer than `elapsed`."""
    seconds = elapsed.total_seconds()
    return student.cdf((log(seconds) - usual.center) / usual.scale, usual.freedom) if seconds > 0 else 0.0


def duration(usual: Usual, share: float, *, elapsed: timedelta = timedelta()) -> timedelta:
    """How long `share` of the runs take at most, of those that take longer than `elapsed`; from the start, exact."""
    over = share_by(usual, elapsed)
    return max(_duration(usual, over + (1 - over) * share), elapsed)


def outlook(usual: Usual | None, elapsed: timedelta, *, by_steps: timedelta | None = None) -> Outlook | None:
    """How long still after `elapsed`; `by_steps` is what the steps say of the whole. None where too few are known.

    The band is that of whole runs. The steps move the median half way (`by_steps` is rough), and not out of the band.
    """
    if usual is None:
        return None
    usual_low, usual_high = rounded_down(duration(usual, LOW)), rounded_up(duration(usual, HIGH))
    if share_by(usual, elapsed) > LONGER:
        return Outlook(usual_low, usual_high, is_open=True)
    low, median, high = (duration(usual, share, elapsed=elapsed) for share in (LOW, MEDIAN, HIGH))
    if by_steps is not None:
        median = min(max(_between(median, by_steps), low), high)
    return Outlook(
        usual_low,
        usual_high,
        median_left=max(rounded_up(median - elapsed), _MINUTE),
        low=rounded_down(low - elapsed),
        high=max(rounded_up(high - elapsed), _MINUTE),
    )


def outlook_of(snapshot: Snapshot, *, now: datetime) -> Outlook | None:
    """How long an execution still takes; None where that is unknown, or it does not run towards its end."""
    elapsed = time_on_the_way(snapshot, now=now)
    if elapsed is None or not is_running(snapshot):
        return None
    found = outlook(snapshot.usual, elapsed, by_steps=snapshot.by_steps)
    is_stuck = is_waiting(snapshot) and (snapshot.typical_wait is None or snapshot.usual_wait is not None)
    return Outlook(found.usual_low, found.usual_high, is_open=True) if found and is_stuck else found


def is_running(snapshot: Snapshot) -> bool:
    """Whether an execution runs towards its end, and the time since its start says how far it is."""
    execution = snapshot.execution
    return not (
        execution.is_terminal or execution.phase in _STANDING or snapshot.is_interrupted or snapshot.is_vanished
    )


def is_waiting(snapshot: Snapshot) -> bool:
    """Whether the run has not begun."""
    return snapshot.execution.phase in WAITING_PHASES and is_running(snapshot)


def time_on_the_way(snapshot: Snapshot, *, now: datetime) -> timedelta | None:
    """The time since its start, as if it had waited no longer than such runs do; None if its start is unknown.

    A wait brings no run nearer to its end. Where too few were seen to wait, they hardly do.
    """
    elapsed = time_since_start(snapshot, now=now)
    waited = elapsed if is_waiting(snapshot) else snapshot.waited
    if elapsed is None or waited is None:
        return elapsed
    return elapsed - max(waited - (snapshot.typical_wait or timedelta()), timedelta())


def time_since_start(snapshot: Snapshot, *, now: datetime) -> timedelta | None:
    """How long an execution has been there, its wait for machines included; None if its start is unknown."""
    created = snapshot.execution.created_at
    return None if created is None else max(now - created, timedelta())


def time_taken(snapshot: Snapshot) -> timedelta | None:
    """How long an execution took, or had taken when it was seen, from its start; None if that is unknown.

    The one measure of cards, messages and history, so that their numbers compare. Where it was retried or suspended, it
    is GCS's own duration, if there is one: the time from its start holds time in which nothing ran.
    """
    execution = snapshot.execution
    if snapshot.is_interrupted and execution.elapsed is not None:
        return execution.elapsed
    if execution.is_terminal:
        return _whole_time(execution, seen_at=snapshot.seen_at)
    since, own = time_since_start(snapshot, now=snapshot.seen_at), execution.elapsed
    return own if since is None else max(since, own or since)  # GCS's own is longer if the clock here is behind


def _whole_time(execution: Execution, *, seen_at: datetime) -> timedelta | None:
    """How long an execution took that has ended: until its last update, which GCS may have left out or behind."""
    created, updated, own = execution.created_at, execution.updated_at, execution.elapsed
    if created is None or (updated is None and own is not None):
        return own
    return max(min(updated or seen_at, seen_at) - created, own or timedelta(), timedelta())


@lru_cache(maxsize=8192)  # for each running step of each poll
def slow_after(usual: Usual, *, among: int = 1) -> timedelta:
    """After how long something is slower than usual; rounded up.

    The fewer runs are known, the less sure is how far the rest may reach: after three runs it takes 98 of 100 to be
    slow, and nearly `SLOW` after twenty. `among`: how many are watched at once. Each is slow later then, so that any of
    them gives a false alarm no more often than one alone. Far out, distributions are known less well: half as often.
    """
    rest = (1 - SLOW) * (1 - 1 / usual.count) / (2 * among - 1)
    longest = duration(usual, 1 - rest)
    return max(rounded_up(longest), rounded_up(duration(usual, MEDIAN) + SHORTEST_DELAY))


def doubtful_after(usual: Usual, limit: timedelta) -> timedelta:
    """After how long it is as likely as not that a run which still goes on takes longer than `limit`."""
    within = share_by(usual, limit)
    return _duration(usual, 2 * within - 1) if within > 1 / 2 else timedelta()


def judged_by_steps(snapshot: Snapshot, steps: Mapping[str, Usual], *, elapsed: timedelta) -> timedelta | None:
    """How long the run takes if its time goes on as the work of its steps; None where that says nothing else.

    `steps` by `step_keys`, `elapsed` by `time_on_the_way`.
    """
    found = snapshot.execution.steps
    if snapshot.usual is None or not found or not elapsed:
        return None
    keys = step_keys(found)
    work = [(exp(usual.center), step) for step in found if (usual := steps.get(keys[step.name])) is not None]
    total = sum(seconds for seconds, _ in work)
    if len(work) < KNOWN * len(found) or not total:
        return None
    done = 0.0
    for seconds, step in work:
        ran = step.elapsed.total_seconds() if step.is_running and step.elapsed else 0.0
        done += seconds if step.is_finished else min(ran, seconds)
    share = done / total
    usual_share = elapsed / duration(snapshot.usual, MEDIAN)
    is_near = abs(share - min(usual_share, 1.0)) < FAR
    return None if is_near or share < LEAST_DONE else min(elapsed / share, timedelta(seconds=_LONGEST))


def medians(steps: Sequence[Step], usual: Mapping[str, Usual]) -> Mapping[str, timedelta]:
    """How long each of the steps that run takes as likely as not, by its name; `usual` by `step_keys`."""
    keys = step_keys(steps) if usual else {}
    found = {step.name: usual.get(keys[step.name]) for step in steps if keys and step.is_running}
    return {name: _median(each) for name, each in found.items() if each is not None}


def rounded_down(span: timedelta) -> timedelta:
    """`span` in steps that people use, rounded down; zero for less than a minute."""
    return span // (step := _step(span)) * step


def rounded_up(span: timedelta) -> timedelta:
    """The same, rounded up."""
    return -(-span // (step := _step(span))) * step


@lru_cache(maxsize=8192)
def _median(usual: Usual) -> timedelta:
    return duration(usual, MEDIAN)


def _step(span: timedelta) -> timedelta:
    return next((step for below, step in _STEPS if span < below), _LARGEST_STEP)


def _logarithm(seconds: float) -> float:
    return log(min(max(seconds, _SHORTEST), _LONGEST))


def _duration(usual: Usual, share: float) -> timedelta:
    if share <= 0:
        return timedelta()
    logarithm = usual.center + usual.scale * student.quantile(min(share, 1 - 1e-12), usual.freedom)
    return timedelta(seconds=exp(min(logarithm, log(_LONGEST))))


def _between(one: timedelta, other: timedelta) -> timedelta:
    """The geometric mean."""
    return timedelta(seconds=sqrt(max(one.total_seconds(), 0.0) * max(other.total_seconds(), 0.0)))
