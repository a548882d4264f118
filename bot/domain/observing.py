"""The rules: what a look at GCS means, what is newsworthy for whom, when to look next.

Lives here: pure functions from (last snapshot, what was seen, now) to a `Verdict`. Does not live here: fetching,
storing, wording. Called by the watcher, by `subscriptions` (first look) and by the notifier (`batch`); calls only
`model`; time is an argument.

The rules rest on section 3 of the GCS reference: `execution.status` is the primary witness, a terminal phase that the
second witness denies is told only when it is seen again, short phases can be missed, step counts never decide success.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from bot.domain.model import (
    FAILED_PHASES,
    TERMINAL_PHASES,
    Change,
    ChangeKind,
    EndReason,
    Execution,
    Phase,
    Snapshot,
    Value,
)

NAMED_STEPS = 5
"""Steps that a change calls by name; the rest is a count."""

CONFIRM_MISSING = timedelta(seconds=20)
"""«No such execution» must be heard twice in a row, so long apart: a GCS in trouble may say it, for seconds."""

MISSES_BEFORE_UNREACHABLE = 3
"""So many looks in a row must fail before cards say that GCS is unreachable, or does not let us look."""

LONGEST_PAUSE = timedelta(minutes=5)
"""The longest that failures in a row put off the next look."""


_NOTHING: Mapping[str, timedelta] = {}


class Pace(Value, frozen=True):
    """How often to look, and for how long after a bad end."""

    poll: timedelta
    retry_grace: timedelta
    staleness: timedelta
    """The longest between two looks at an execution that lists show, or that is watched for a retry."""

    @property
    def soon(self) -> timedelta:
        """When something is to be confirmed: a third of the usual interval, at most 5 s."""
        return min(self.poll / 3, timedelta(seconds=5))


class Cost(Value, frozen=True):
    """What it costs to watch."""

    watched: int
    """Executions."""
    pages: int
    """Of the lists, for a whole round."""
    calls_per_second: float
    """What the quota allows."""
    changed_per_second: float
    """Executions that lists show as changed, each of which is looked at."""


class Verdict(Value, frozen=True):
    """What one look meant."""

    snapshot: Snapshot
    changes: tuple[Change, ...] = ()
    is_visible: bool = False
    """Whether a card would look different now."""
    next_poll: timedelta | None = None
    """How long until the next look; None: never again, every subscription to it ends."""
    expected_at: datetime | None = None
    """About when the next change is expected."""
    is_expedited: bool | None = False
    """Whether the next look goes ahead of all that is merely due, since it confirms something; None: if this one did,
    since it showed nothing."""


def first_poll(seen: Execution, *, now: datetime, pace: Pace, revision: int = 1) -> Snapshot:
    """The snapshot that a subscription starts from. `revision` continues an earlier watch of the same execution."""
    seen = _under_its_action(seen)
    return Snapshot(
        execution=seen,
        revision=revision,
        seen_at=now,
        retry_until=now + pace.retry_grace if seen.is_reopenable else None,
    )


def observe(
    before: Snapshot, seen: Execution, *, now: datetime, pace: Pace, typical: Mapping[str, timedelta] = _NOTHING
) -> Verdict:
    """GCS answered with `seen`; `typical` says how long the steps of its workflow have taken."""
    seen = _with_counts(_under_its_action(seen), before.execution)
    if _is_contradicted(before, seen):
        held = replace(before, contradicted=True, seen_at=now, misses=0, missing=0)
        return Verdict(snapshot=held, next_poll=pace.soon, is_expedited=True)
    kind = _kind(before.execution, seen)
    is_visible = (
        kind is not None
        or _visible_part(before.execution) != _visible_part(seen)
        or before.unreachable_since is not None
    )
    retry_until = _retry_until(before, seen, kind, now, pace)
    snapshot = Snapshot(execution=seen, revision=before.revision + is_visible, seen_at=now, retry_until=retry_until)
    if kind is not None:
        changes: tuple[Change, ...] = (_change(kind, before.execution, snapshot),)
    elif seen.is_reopenable and retry_until is not None and now >= retry_until:
        return _end(snapshot, EndReason.NO_RETRY)
    else:
        changes = ()
    soon = expected_at(snapshot, typical)
    next_poll = _next_poll(snapshot, soon, now, pace)
    return Verdict(snapshot=snapshot, changes=changes, is_visible=is_visible, next_poll=next_poll, expected_at=soon)


def observe_missing(before: Snapshot, *, now: datetime) -> Verdict:
    """GCS said that it knows no such execution; what it says a second time counts `CONFIRM_MISSING` after the first."""
    since = before.seen_at if before.missing else now
    left = since + CONFIRM_MISSING - now
    if left > timedelta(0):
        snapshot = replace(before, missing=1, misses=0, seen_at=since)
        return Verdict(snapshot=snapshot, next_poll=min(left, CONFIRM_MISSING), is_expedited=True)
    snapshot = replace(before, missing=2, misses=0, seen_at=now, is_vanished=True, unreachable_since=None)
    if before.execution.is_terminal:
        return _end(snapshot, EndReason.DELETED)
    snapshot = replace(snapshot, revision=before.revision + 1)
    change = _change(ChangeKind.VANISHED, before.execution, snapshot)
    return Verdict(snapshot=snapshot, changes=(change,), is_visible=True)


def observe_failure(
    before: Snapshot,
    *,
    pace: Pace,
    is_refused: bool = False,
    others_answered: bool = False,
    wait: timedelta | None = None,
) -> Verdict:
    """GCS did not answer usefully, or refused to; `wait` is how long it asked us to stay away.

    Where `others_answered` just now it is in trouble, not away, and the next try is as likely as any: then failures in
    a row put off no look beyond the usual interval.
    """
    misses = before.misses + 1
    is_expedited = before.unreachable_since is None or before.is_refused is not is_refused
    becomes_unreachable = misses >= MISSES_BEFORE_UNREACHABLE and is_expedited
    update: dict[str, object] = {"misses": misses}
    if becomes_unreachable:
        since, revision = before.seen_at, before.revision + 1
        update |= {"unreachable_since": since, "is_refused": is_refused, "revision": revision}
    longest = pace.poll if others_answered and not is_refused else LONGEST_PAUSE
    pause = min(pace.soon * 2 ** min(misses - 1, 8), longest)
    return Verdict(
        snapshot=replace(before, **update),
        is_visible=becomes_unreachable,
        next_poll=max(pause, wait or pause),
        is_expedited=None,
    )


def expected_at(snapshot: Snapshot, typical: Mapping[str, timedelta]) -> datetime | None:
    """About when the next change is expected; None: nobody knows.

    `typical` says how long the steps of its workflow have taken, by name. A step that takes longer than usual is
    expected to have ended a while ago.
    """
    moments = [
        snapshot.seen_at + typical[step.name] - step.elapsed
        for step in snapshot.execution.steps
        if step.is_running and step.elapsed is not None and step.name in typical
    ]
    if snapshot.execution.deadline is not None:
        moments.append(snapshot.execution.deadline)
    return min(moments, key=lambda moment: abs(moment - snapshot.seen_at), default=None)


def wait(expected_at: datetime | None, *, now: datetime, pace: Pace) -> timedelta:
    """How long until the next poll of a running execution: the usual interval, less around `expected_at`."""
    if expected_at is None:
        return pace.poll
    return min(max(abs(expected_at - now) / 4, pace.soon), pace.poll)


def sweep_pays(cost: Cost, *, pace: Pace) -> bool:
    """Whether reading lists brings every execution in sight sooner than asking for one after the other.

    A few are asked for one by one, which shows more and costs little: as long as a third of the quota is enough.
    """
    if cost.watched / pace.poll.total_seconds() <= cost.calls_per_second / 3:
        return False
    left = cost.calls_per_second - cost.changed_per_second
    one_by_one = max(pace.poll.total_seconds(), cost.watched / cost.calls_per_second)
    return left > 0 and cost.pages / left < one_by_one


def batch(pending: Sequence[Change]) -> tuple[Change, ...]:
    """The first of `pending` changes that make one message: a final one alone, others together up to the next final."""
    if pending and pending[0].kind.is_final:
        return (pending[0],)
    head: list[Change] = []
    for change in pending:
        if change.kind.is_final or (change.kind is ChangeKind.ENDED and head):
            break
        head.append(change)
    return tuple(head)


def _under_its_action(seen: Execution) -> Execution:
    """`seen` as being deleted where the control object deletes: the phases speak of the deletion then (3.2)."""
    if seen.action.casefold() != "delete" or Phase.canonical(seen.witness) in FAILED_PHASES:
        return seen
    return replace(seen, phase=Phase.DELETING.value)


def _with_counts(seen: Execution, before: Execution) -> Execution:
    """`seen` with the last known step counts where GCS left them out: it omits an empty `status` (Table 1)."""
    if seen.steps_total is not None or before.steps_total is None:
        return seen
    counts = {"steps_total": before.steps_total, "steps_finished": before.steps_finished}
    return replace(seen, **counts if seen.steps else {**counts, "steps": before.steps})


def _is_contradicted(before: Snapshot, seen: Execution) -> bool:
    """Whether `seen` claims an end that its second witness denies, for the first time."""
    if before.contradicted or not seen.is_terminal or seen.phase == before.execution.phase or not seen.witness:
        return False
    if seen.phase in FAILED_PHASES and seen.witness in FAILED_PHASES:
        return False
    return seen.witness != seen.phase


def _kind(before: Execution, seen: Execution) -> ChangeKind | None:
    if seen.phase != before.phase:
        if seen.is_terminal:
            return ChangeKind.OUTCOME
        # Only what has ended can be retried: an end that nobody saw, too.
        if seen.phase == Phase.RETRYING or (before.is_terminal and seen.phase != Phase.DELETING):
            return ChangeKind.REOPENED
        return ChangeKind.PHASE
    if seen.is_terminal:
        return None
    if (seen.steps_finished, seen.steps_total) != (before.steps_finished, before.steps_total):
        return ChangeKind.PROGRESS if seen.steps_finished is not None else None
    return None


_UNSEEN: dict[str, object] = {"elapsed": None, "updated_at": None, "resources": {}, "time_ratio": None}


def _visible_part(execution: Execution) -> Execution:
    """`execution` without what moves by itself and is not worth an edit."""
    steps = tuple(replace(step, elapsed=None, resources={}) for step in execution.steps)
    return replace(execution, **_UNSEEN, steps=steps)


def _retry_until(
    before: Snapshot, seen: Execution, kind: ChangeKind | None, now: datetime, pace: Pace
) -> datetime | None:
    if not seen.is_reopenable:
        return None
    if kind is ChangeKind.OUTCOME or before.retry_until is None:
        return now + pace.retry_grace
    return before.retry_until


def _next_poll(snapshot: Snapshot, expected_at: datetime | None, now: datetime, pace: Pace) -> timedelta | None:
    if snapshot.retry_until is not None:
        return max(min(pace.poll * 2, pace.staleness, snapshot.retry_until - now), timedelta(seconds=1))
    return None if snapshot.execution.phase in TERMINAL_PHASES else wait(expected_at, now=now, pace=pace)


def _end(snapshot: Snapshot, why: EndReason) -> Verdict:
    snapshot = replace(snapshot, revision=snapshot.revision + 1)
    change = _change(ChangeKind.ENDED, snapshot.execution, snapshot, why=why)
    return Verdict(snapshot=snapshot, changes=(change,), is_visible=True)


def _change(kind: ChangeKind, before: Execution, snapshot: Snapshot, *, why: EndReason | None = None) -> Change:
    seen = snapshot.execution
    rested = {step.name for step in before.steps if step.is_finished}
    finished = [step.name for step in seen.steps if step.is_finished and step.name not in rested]
    failed = {step.name for step in seen.failed_steps} - {step.name for step in before.failed_steps}
    return Change(
        kind=kind,
        revision=snapshot.revision,
        at=snapshot.seen_at,
        phase_before=before.phase,
        phase=seen.phase,
        finished_before=before.steps_finished,
        finished=seen.steps_finished,
        total=seen.steps_total,
        elapsed=seen.elapsed,
        reason=seen.reason if seen.phase in FAILED_PHASES else "",
        message=seen.message if seen.phase in FAILED_PHASES else "",
        finished_steps=tuple(finished[:NAMED_STEPS]),
        failed_steps=seen.failed_steps[:NAMED_STEPS],
        failed_steps_total=len(seen.failed_steps),
        fails=bool(failed),
        retry_until=snapshot.retry_until,
        why=why,
    )
