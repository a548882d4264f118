"""What a poll means: which changes it brings, what a card shows, and whether the execution is polled again.

Lives here: pure functions from (last snapshot, what was seen, now) to a `Verdict`. Does not live here: fetching,
storing, wording, and how long to wait (`bot.domain.cadence`). Called by the watcher and by `bot.reads` (first
snapshot); time is an argument.

The rules follow section 3 of the GCS reference: `execution.status` is the primary witness; a terminal phase that the
second witness denies counts only when it is seen again; short phases can be missed; step counts never decide success.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from bot.domain import alarms, comparing, estimate
from bot.domain.cadence import Cadence, expected_at, failure_interval, grace_interval, running_interval
from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.execution import FAILED_PHASES, TERMINAL_PHASES, Execution, Phase, Value
from bot.domain.past import NOTHING_TYPICAL, Typical
from bot.domain.snapshot import Snapshot, Unseen

CONFIRM_MISSING = timedelta(seconds=20)
"""How long GCS must say "no such execution" before that counts: it may say so for seconds while it has problems."""

MISSING_BEFORE_SHOWN = 2
"""How many times a deletion must be confirmed and not believed before cards say that GCS does not show it."""

MISSES_BEFORE_UNREACHABLE = 3
"""How many polls in a row must fail before cards say that GCS is unreachable, or refuses access."""

MOST_GONE = 100
"""At most how many failed steps are kept that GCS no longer shows."""

_INTERRUPTED = frozenset({Phase.RETRYING, Phase.SUSPENDING, Phase.SUSPENDED})
"""Phases after which the time since the start holds time in which nothing ran."""


class Verdict(Value, frozen=True):
    """What one poll meant."""

    snapshot: Snapshot
    changes: tuple[Change, ...] = ()
    is_visible: bool = False
    """Whether a card would look different now."""
    next_poll: timedelta | None = None
    """How long until the next poll; None: no more polls, every subscription to it ends."""
    expected_at: datetime | None = None
    """About when the next change is expected."""
    alarm_at: datetime | None = None
    """When it is polled in any case, since time alone may be news then."""
    is_expedited: bool | None = False
    """Whether the next poll goes ahead of all that is merely due, since it confirms something; None: if this one did,
    since it showed nothing."""


def first_snapshot(
    seen: Execution,
    *,
    now: datetime,
    cadence: Cadence,
    known: Snapshot | None = None,
    typical: Typical = NOTHING_TYPICAL,
) -> Snapshot:
    """The snapshot that a subscription starts from; `known` is that of an earlier watch of the same execution."""
    reported, seen = seen, _under_its_action(seen)
    snapshot = Snapshot(
        execution=seen,
        revision=known.revision + 1 if known else 1,
        seen_at=now,
        retry_until=now + cadence.retry_grace if seen.is_reopenable else None,
        usual=typical.run or (known.usual if known else None),
        raised=known.raised if known else (),
        is_interrupted=(known is not None and _is_interrupted(known, seen)) or seen.phase in _INTERRUPTED,
        share=comparing.share_of(seen),
        failed_at=known.failed_at if known and not comparing.newly_failed(known.execution, seen) else None,
        contradicted=_is_doubtful(known.execution if known else None, seen, reported),
        waited=known.waited if known else None,
        typical_wait=known.typical_wait if known else None,
    )
    return alarms.known_from_the_start(_judged(snapshot, typical), typical)


def until_confirmed(first: Snapshot) -> Snapshot:
    """A first snapshot to follow from: one whose end is doubtful runs on as the other witness says, if it does."""
    seen = first.execution
    if not first.contradicted or not seen.is_terminal:
        return first
    phase = "" if seen.witness in TERMINAL_PHASES else seen.witness
    return replace(first, execution=replace(seen, phase=phase), retry_until=None)


def observe(
    before: Snapshot, seen: Execution, *, now: datetime, cadence: Cadence, typical: Typical = NOTHING_TYPICAL
) -> Verdict:
    """GCS returned `seen`; `typical` is what its workflow usually takes."""
    reported, seen = seen, _filled(_under_its_action(seen), before.execution)
    kind = comparing.kind_of(before.execution, seen)
    is_old = kind is not None and _is_older(before.execution, seen)
    if (is_old or _is_doubtful(before.execution, seen, reported)) and not before.contradicted:
        unconfirmed = replace(before, contradicted=True, seen_at=now, misses=0, missing=0)
        return Verdict(snapshot=unconfirmed, next_poll=cadence.soon, is_expedited=True)
    is_again = kind is ChangeKind.REOPENED
    snapshot = Snapshot(
        execution=seen,
        revision=before.revision,
        seen_at=now,
        retry_until=_retry_until(before, seen, kind, now, cadence),
        usual=typical.run or before.usual,
        raised=() if is_again else before.raised,
        is_interrupted=_is_interrupted(before, seen),
        share=comparing.share_of(seen) if is_again else max(before.share, comparing.share_of(seen)),
        failed_at=now if comparing.newly_failed(before.execution, seen) else None if is_again else before.failed_at,
        alerted_at=None if is_again else before.alerted_at,
        waited=_waited(before, seen, now),
        typical_wait=before.typical_wait,
    )
    snapshot, warnings, alarm_at = alarms.ring(_judged(snapshot, typical), typical, revision=before.revision + 1)
    waits_as_before = snapshot.usual_wait == before.usual_wait
    is_visible = kind is not None or bool(warnings) or not waits_as_before or _looks_different(before, seen)
    snapshot = replace(snapshot, revision=before.revision + is_visible)
    if kind is None and snapshot.retry_until is not None and now >= snapshot.retry_until:
        return _end(snapshot, EndReason.NO_RETRY)
    found = () if kind is None else (comparing.between(kind, before, snapshot),)
    if any(change.is_alert for change in found):
        snapshot = replace(snapshot, alerted_at=now)
    expected = expected_at(snapshot, estimate.medians(seen.steps, typical.steps))
    return Verdict(
        snapshot=snapshot,
        changes=(*found, *warnings),
        is_visible=is_visible,
        next_poll=_next_poll(snapshot, expected, now, cadence),
        expected_at=expected,
        alarm_at=alarm_at,
    )


def is_confirmed(before: Snapshot, *, now: datetime) -> bool:
    """Whether GCS, which says now that the execution does not exist, said so `CONFIRM_MISSING` ago as well."""
    return _missing_since(before, now) + CONFIRM_MISSING <= now


def observe_missing(before: Snapshot, *, now: datetime) -> Verdict:
    """GCS said that the execution does not exist; that counts when GCS says it again `CONFIRM_MISSING` later."""
    since = _missing_since(before, now)
    if not is_confirmed(before, now=now):
        left = since + CONFIRM_MISSING - now
        snapshot = replace(before, missing=1, misses=0, seen_at=since)
        return Verdict(snapshot=snapshot, next_poll=min(left, CONFIRM_MISSING), is_expedited=True)
    snapshot = replace(before, missing=2, misses=0, seen_at=now, is_vanished=True, unreachable_since=None)
    if before.execution.is_terminal:
        return _end(snapshot, EndReason.DELETED)
    snapshot = replace(snapshot, revision=before.revision + 1)
    change = comparing.between(ChangeKind.VANISHED, before, snapshot)
    return Verdict(snapshot=snapshot, changes=(change,), is_visible=True)


def observe_unbelieved(before: Snapshot, *, cadence: Cadence) -> Verdict:
    """GCS has confirmed that the execution does not exist, and that is not believed: it is polled again, ever later."""
    missing = before.missing + 1
    is_shown = before.unreachable_since is not None and before.unseen is Unseen.MISSING
    becomes_visible = missing > MISSING_BEFORE_SHOWN and not is_shown
    update: dict[str, object] = {"misses": 0, "missing": missing}
    if becomes_visible:
        update |= {
            "unreachable_since": before.seen_at,
            "unseen": Unseen.MISSING,
            "revision": before.revision + 1,
        }
    return Verdict(
        snapshot=replace(before, **update),
        is_visible=becomes_visible,
        next_poll=failure_interval(missing - 1, cadence=cadence, others_answered=False, retry_after=None),
    )


def missed(before: Snapshot, now: Snapshot, *, revision: int) -> Change | None:
    """What happened between two snapshots, for somebody not notified meanwhile; None if nothing worth a message."""
    if now.is_vanished:
        kind: ChangeKind | None = ChangeKind.VANISHED
    else:
        kind = comparing.kind_of(before.execution, now.execution)
    return comparing.between(kind, before, replace(now, revision=revision)) if kind else None


def observe_failure(
    before: Snapshot,
    *,
    cadence: Cadence,
    why: Unseen = Unseen.AWAY,
    others_answered: bool = False,
    retry_after: timedelta | None = None,
) -> Verdict:
    """GCS gave no usable answer, or refused access.

    `others_answered`: other calls succeeded just now, so GCS is not away; `retry_after` is the pause that it asked for.
    """
    misses = before.misses + 1
    is_not_shown = before.unreachable_since is None or before.unseen is not why
    becomes_unreachable = misses >= MISSES_BEFORE_UNREACHABLE and is_not_shown
    update: dict[str, object] = {"misses": misses}
    if becomes_unreachable:
        since, revision = before.seen_at, before.revision + 1
        update |= {"unreachable_since": since, "unseen": why, "revision": revision}
    return Verdict(
        snapshot=replace(before, **update),
        is_visible=becomes_unreachable,
        next_poll=failure_interval(
            misses,
            cadence=cadence,
            others_answered=others_answered and why is not Unseen.REFUSED,
            retry_after=retry_after,
        ),
        is_expedited=None,
    )


def _is_interrupted(before: Snapshot, seen: Execution) -> bool:
    """Whether the run stood still at some time: suspended, or ended and retried."""
    is_reopened = before.execution.is_terminal and not (seen.is_terminal or seen.phase == Phase.DELETING)
    return before.is_interrupted or is_reopened or seen.phase in _INTERRUPTED


def _waited(before: Snapshot, seen: Execution, now: datetime) -> timedelta | None:
    """How long it waited before it began to run, if this poll is the first to see it run, and the last one was read."""
    if before.waited is not None or seen.created_at is None or not before.is_quiet or not estimate.is_waiting(before):
        return before.waited
    has_begun = seen.phase == Phase.RUNNING
    return max(now - seen.created_at, timedelta()) if has_begun else None


def _judged(snapshot: Snapshot, typical: Typical) -> Snapshot:
    """A snapshot with how long such runs wait, and what its steps say about the whole run."""
    if typical.wait is not None:
        snapshot = replace(snapshot, typical_wait=estimate.duration(typical.wait, estimate.TYPICAL_WAIT))
    elapsed = estimate.time_on_the_way(snapshot, now=snapshot.seen_at)
    if elapsed is None or not estimate.is_running(snapshot):
        return snapshot
    return replace(snapshot, by_steps=estimate.judged_by_steps(snapshot, typical.steps, elapsed=elapsed))


def _missing_since(before: Snapshot, now: datetime) -> datetime:
    """When GCS first said that the execution does not exist."""
    return min(before.seen_at, now) if before.missing else now  # clocks are set back


def _under_its_action(seen: Execution) -> Execution:
    """`seen` as being deleted while the control object deletes: the phases then describe the deletion (3.2).

    A phase that GCS leaves out is the control object's, and so is one that it calls unknown, if that is an end.
    """
    is_silent = not seen.phase or (seen.phase == Phase.UNKNOWN and seen.witness in TERMINAL_PHASES)
    if is_silent and seen.action.casefold() in {"", "create"}:
        return replace(seen, phase=seen.witness)
    if seen.action.casefold() != "delete" or Phase.canonical(seen.witness) in FAILED_PHASES:
        return seen
    return replace(seen, phase=Phase.DELETING.value)


def _filled(seen: Execution, before: Execution) -> Execution:
    """`seen` with what was known last in place of what GCS leaves out: that is no change.

    What has ended stays as it was unless GCS shows a phase in which it may run again.
    """
    if before.is_terminal and seen.phase not in _DOCUMENTED:
        return before
    seen = _with_counts(replace(seen, phase=seen.phase or before.phase), before)
    is_again = seen.phase == Phase.RETRYING or (before.is_terminal and not seen.is_terminal)
    return seen if is_again else _with_steps(seen, before)


_DOCUMENTED = frozenset(Phase) - {Phase.UNKNOWN}


def _with_counts(seen: Execution, before: Execution) -> Execution:
    """With counts where it has none: GCS omits an empty `status` (Table 1), and some may be impossible."""
    if seen.steps_total is not None or before.steps_total is None:
        return seen
    counts = {"steps_total": before.steps_total, "steps_finished": before.steps_finished}
    return replace(seen, **counts if seen.steps else {**counts, "steps": before.steps})


def _with_steps(seen: Execution, before: Execution) -> Execution:
    """With all steps if none are shown of a run that goes on, else with those that have failed and are not shown."""
    if not seen.steps and not seen.is_terminal:
        return replace(seen, steps=before.steps)
    if seen.phase == Phase.SUCCEEDED:
        return seen
    names = {step.name for step in seen.steps}
    gone = tuple(step for step in before.failed_steps if step.name not in names)
    return replace(seen, steps=seen.steps + gone[:MOST_GONE]) if gone else seen


def _is_doubtful(before: Execution | None, seen: Execution, reported: Execution) -> bool:
    """Whether `seen` claims an end for the first time that only one witness names, or names unlike the reference."""
    if not seen.is_terminal or (before is not None and seen.phase == before.phase):
        return False
    if reported.phase != seen.phase:  # only the control object names it
        return True
    if seen.phase in FAILED_PHASES and seen.witness in FAILED_PHASES:
        return False
    return seen.witness != seen.phase if seen.witness else seen.phase == Phase.ERROR


def _is_older(before: Execution, seen: Execution) -> bool:
    """Whether it was last updated before what is known: perhaps another server of GCS answers, and lags behind."""
    known, updated = before.updated_at, seen.updated_at
    return known is not None and updated is not None and updated < known


_NOT_VISIBLE: dict[str, object] = {"elapsed": None, "updated_at": None, "resources": {}, "time_ratio": None}


def _looks_different(before: Snapshot, seen: Execution) -> bool:
    return before.unreachable_since is not None or _visible_part(before.execution) != _visible_part(seen)


def _visible_part(execution: Execution) -> Execution:
    """`execution` without the values that change all the time and are not worth an edit."""
    steps = tuple(replace(step, elapsed=None, resources={}) for step in execution.steps)
    return replace(execution, **_NOT_VISIBLE, steps=steps)


def _retry_until(
    before: Snapshot, seen: Execution, kind: ChangeKind | None, now: datetime, cadence: Cadence
) -> datetime | None:
    if not seen.is_reopenable:
        return None
    if kind is ChangeKind.OUTCOME or before.retry_until is None:
        return now + cadence.retry_grace
    return before.retry_until


def _next_poll(snapshot: Snapshot, expected: datetime | None, now: datetime, cadence: Cadence) -> timedelta | None:
    if snapshot.retry_until is not None:
        return grace_interval(snapshot.retry_until, now=now, cadence=cadence)
    return None if snapshot.execution.is_terminal else running_interval(expected, now=now, cadence=cadence)


def _end(snapshot: Snapshot, why: EndReason) -> Verdict:
    snapshot = replace(snapshot, revision=snapshot.revision + 1)
    change = comparing.between(ChangeKind.ENDED, snapshot, snapshot, why=why)
    return Verdict(snapshot=snapshot, changes=(change,), is_visible=True)
