"""Time alone makes news: a run or a step that takes longer than usual, and a time limit that comes before the end.

Lives here: what is reported about time and when (`ring`), what the card says of a long wait, and the next moment at
which there may be something to report (`next_at`). Does not live here: how long something usually takes (`estimate`),
what a poll means otherwise (`observing`, which calls this module), waking for it (`bot.store.schedule`). Pure.

Everything is reported once a run: `Snapshot.raised` remembers it, so neither restarts nor copies of the bot repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from bot.domain import estimate
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Step
from bot.domain.past import Typical, step_keys
from bot.domain.snapshot import SlowStep, Snapshot, Usual

SLOW, DEADLINE = "slow", "deadline"
"""What `Snapshot.raised` holds once that was reported of the run."""

MOST_STEPS = 20
"""At most how many steps of a run are reported as slow: beyond that, the run is what is slow."""

NAMED = 5
"""At most how many slow steps are kept for the card."""

BEFORE_LIMIT = timedelta(minutes=30)
"""How long before its time limit a run is reported to stop soon, at the latest."""

LIMIT_PART = 10
"""But not before the last tenth of its time."""


class _Watched(NamedTuple):
    """A step that runs, and how long it usually takes."""

    step: Step
    elapsed: timedelta
    mark: str
    """What `Snapshot.raised` holds once it was reported as slow."""
    usual: Usual
    slow_after: timedelta


class Rung(NamedTuple):
    """The news that time alone has brought."""

    snapshot: Snapshot
    """Remembers what was reported, and names the steps that are slow."""
    changes: tuple[Change, ...]
    next_at: datetime | None
    """When there may be something to report next though GCS shows nothing new; None if never."""


def ring(snapshot: Snapshot, typical: Typical, *, revision: int) -> Rung:
    """Find the news that time alone brings to a snapshot that was just seen; `revision` is that of the changes."""
    watched = tuple(_watched(snapshot, typical))
    changes, raised = [], list(snapshot.raised)
    if SLOW not in raised and (at := _slow_at(snapshot)) and at <= snapshot.seen_at and snapshot.usual:
        taken = estimate.time_since_start(snapshot, now=snapshot.seen_at)
        changes.append(_slow(snapshot, revision, taken=taken, usual=snapshot.usual))
        raised.append(SLOW)
    slow = sorted((each for each in watched if each.elapsed >= each.slow_after), key=lambda each: -each.elapsed)
    for each in slow:
        if each.mark not in raised and sum(mark not in {SLOW, DEADLINE} for mark in raised) < MOST_STEPS:
            changes.append(_slow(snapshot, revision, step=each.step.name, taken=each.elapsed, usual=each.usual))
            raised.append(each.mark)
    if DEADLINE not in raised and (at := _deadline_at(snapshot)) and at <= snapshot.seen_at:
        changes.append(_change(ChangeKind.DEADLINE, snapshot, revision, deadline=snapshot.execution.deadline))
        raised.append(DEADLINE)
    named = tuple(SlowStep(each.step.name, usual_most(each.usual)) for each in slow[:NAMED])
    wait_at = _wait_at(snapshot, typical)
    usual_wait = usual_most(typical.wait) if wait_at and wait_at <= snapshot.seen_at and typical.wait else None
    snapshot = replace(snapshot, slow_steps=named, raised=tuple(raised), usual_wait=usual_wait)
    return Rung(snapshot, tuple(changes), _next_at(snapshot, watched, typical))


def known_from_the_start(snapshot: Snapshot, typical: Typical) -> Snapshot:
    """A first snapshot: what is slow already is on the first card, and is not reported again; a near limit is."""
    known = ring(snapshot, typical, revision=snapshot.revision).snapshot
    return replace(known, raised=tuple(mark for mark in known.raised if mark != DEADLINE))


def next_at(snapshot: Snapshot, typical: Typical) -> datetime | None:
    """When there may first be something to report about a snapshot from which a subscription starts; None if never."""
    return _next_at(snapshot, tuple(_watched(snapshot, typical)), typical)


def _next_at(snapshot: Snapshot, watched: Iterable[_Watched], typical: Typical) -> datetime | None:
    moments = [] if SLOW in snapshot.raised else [_slow_at(snapshot)]
    moments += [] if snapshot.usual_wait else [_wait_at(snapshot, typical)]
    moments += [] if DEADLINE in snapshot.raised else [_deadline_at(snapshot)]
    moments += [
        snapshot.seen_at + each.slow_after - each.elapsed
        for each in watched
        if each.mark not in snapshot.raised and each.elapsed < each.slow_after
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def usual_most(usual: Usual) -> timedelta:
    """How long something takes at most, 97 of 100 times; rounded up."""
    return estimate.rounded_up(estimate.duration(usual, estimate.SLOW))


def _slow_at(snapshot: Snapshot) -> datetime | None:
    """When the run is slower than usual."""
    created, usual = snapshot.execution.created_at, snapshot.usual
    if created is None or usual is None or not estimate.is_running(snapshot):
        return None
    return created + estimate.slow_after(usual)


def _wait_at(snapshot: Snapshot, typical: Typical) -> datetime | None:
    """When the run has waited for its start longer than usual; only the card says so, no message does."""
    created = snapshot.execution.created_at
    if created is None or typical.wait is None or not estimate.is_waiting(snapshot):
        return None
    return created + estimate.slow_after(typical.wait)


def _deadline_at(snapshot: Snapshot) -> datetime | None:
    """When to report that the time limit comes before the end; None without a limit, or when it is over."""
    created, limit, deadline = snapshot.execution.created_at, snapshot.execution.timeout, snapshot.execution.deadline
    if created is None or limit is None or deadline is None or deadline <= snapshot.seen_at:
        return None
    if snapshot.execution.is_terminal or snapshot.is_vanished:
        return None
    latest = deadline - min(BEFORE_LIMIT, limit / LIMIT_PART)
    if snapshot.usual is None or not estimate.is_running(snapshot):
        return latest
    return min(latest, created + estimate.doubtful_after(snapshot.usual, limit))


def _watched(snapshot: Snapshot, typical: Typical) -> Iterator[_Watched]:
    """The running steps whose usual duration is known."""
    steps = snapshot.execution.steps
    if not estimate.is_running(snapshot) or not typical.steps:
        return
    keys = step_keys(steps)
    among = len(typical.steps.keys() & set(keys.values()))
    for step in steps:
        usual = typical.steps.get(key := keys[step.name])
        if step.is_running and step.elapsed is not None and usual is not None:
            yield _Watched(step, step.elapsed, f"step:{key}", usual, estimate.slow_after(usual, among=among))


def _slow(snapshot: Snapshot, revision: int, *, usual: Usual, taken: timedelta | None, step: str = "") -> Change:
    return _change(ChangeKind.SLOW, snapshot, revision, step=step, taken=taken, usual=usual_most(usual))


def _change(kind: ChangeKind, snapshot: Snapshot, revision: int, **fields: object) -> Change:
    seen = snapshot.execution
    change = Change(
        kind=kind,
        revision=revision,
        at=snapshot.seen_at,
        phase_before=seen.phase,
        phase=seen.phase,
        finished_before=seen.steps_finished,
        finished=seen.steps_finished,
        total=seen.steps_total,
        elapsed=estimate.time_taken(snapshot),
    )
    return replace(change, **fields)
