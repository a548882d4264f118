"""What differs between two polls of an execution: the kind of change, and all that is delivered of it later.

Lives here: `kind_of`, `between`, `share_of`, `newly_failed`. Does not live here:
whether an answer is believed, and what follows from it (`bot.domain.observing`, the caller). Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.estimate import time_taken
from bot.domain.execution import FAILED_PHASES, Execution, Phase, Step
from bot.domain.snapshot import Snapshot

NAMED_STEPS = 5
"""At most how many steps a change names; the rest is a count."""

SHARE_STEP = 5
"""How exactly the share of finished steps is kept, in percent."""

ONE_ALERT = timedelta(minutes=10)
"""How long further failures of one execution belong to a burst that was announced already."""


def kind_of(before: Execution, seen: Execution) -> ChangeKind | None:
    """What happened between two polls; None if nothing worth a message."""
    if seen.phase != before.phase:
        return _kind_of_phase(before, seen)
    if seen.is_terminal:
        return None
    if newly_failed(before, seen):
        return ChangeKind.STEP_FAILED
    if (seen.steps_finished, seen.steps_total) != (before.steps_finished, before.steps_total):
        return ChangeKind.PROGRESS if seen.steps_finished is not None else None
    return None


def _kind_of_phase(before: Execution, seen: Execution) -> ChangeKind:
    if seen.is_terminal:
        return ChangeKind.OUTCOME
    # Only an ended execution can be retried, so a retry proves an end, even one that was never seen.
    if seen.phase == Phase.RETRYING or (before.is_terminal and seen.phase != Phase.DELETING):
        return ChangeKind.REOPENED
    return ChangeKind.PHASE


def between(kind: ChangeKind, last: Snapshot, snapshot: Snapshot, *, why: EndReason | None = None) -> Change:
    """The change from the `last` snapshot to this one; `why` comes with `ENDED`."""
    before, seen = last.execution, snapshot.execution
    finished = _added(_finished(before.steps), _finished(seen.steps))
    failed = newly_failed(before, seen)
    change = Change(
        kind=kind,
        revision=snapshot.revision,
        at=snapshot.seen_at,
        phase_before=before.phase,
        phase=seen.phase,
        finished_before=before.steps_finished,
        finished=seen.steps_finished,
        total=seen.steps_total,
        share_before=last.share,
        share=snapshot.share,
        elapsed=time_taken(snapshot),
        reason=seen.reason if seen.phase in FAILED_PHASES else "",
        message=seen.message if seen.phase in FAILED_PHASES else "",
        reason_zh=seen.reason_zh if seen.phase in FAILED_PHASES else "",
        message_zh=seen.message_zh if seen.phase in FAILED_PHASES else "",
        finished_steps=tuple(step.name for step in finished[:NAMED_STEPS]),
        failed_steps=seen.failed_steps[:NAMED_STEPS],
        failed_steps_total=len(seen.failed_steps),
        newly_failed=failed[:NAMED_STEPS],
        newly_failed_total=len(failed),
        retry_until=snapshot.retry_until,
        why=why,
    )
    return replace(change, is_alert=change.fails and _is_alert(snapshot))


def share_of(execution: Execution) -> int:
    """The share of the steps that is done, in percent, rounded down to a multiple of `SHARE_STEP`."""
    if not execution.steps_total or not execution.steps_finished:
        return 0
    percent = 100 * execution.steps_finished // execution.steps_total
    return max(0, min(percent, 100)) // SHARE_STEP * SHARE_STEP


def newly_failed(before: Execution, seen: Execution) -> tuple[Step, ...]:
    """The steps that failed between two polls."""
    return _added(before.failed_steps, seen.failed_steps)


def _is_alert(snapshot: Snapshot) -> bool:
    """Whether a failure that is seen now is announced: not one of a burst that was announced already."""
    return snapshot.alerted_at is None or snapshot.seen_at - snapshot.alerted_at >= ONE_ALERT


def _finished(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.is_finished and not step.is_failed]


def _added(before: Sequence[Step], now: Sequence[Step]) -> tuple[Step, ...]:
    """The steps of `now` that were not among those `before`. Names are counted, since several steps may share one."""
    known = Counter(step.name for step in before)
    if not Counter(step.name for step in now) - known:
        return ()
    # Of those that share a name, the ones that look as before are the old ones.
    looks = {_look(step) for step in before}
    added = []
    for place, step in sorted(enumerate(now), key=lambda each: _look(each[1]) not in looks):
        if known[step.name]:
            known[step.name] -= 1
        else:
            added.append(place)
    return tuple(now[place] for place in sorted(added))


def _look(step: Step) -> tuple[object, ...]:
    return step.name, step.reason, step.message, step.elapsed
