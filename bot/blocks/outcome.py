"""The message that notifies people: how an execution ended.

Lives here: `outcome_message`, and `Reason`, which a catch-up message shows, too. Does not live here: why steps failed
(`bot.blocks.failed_steps`), changes before the end (`bot.blocks.thread`). Called by the notifier.

State and name come first, then the cause, then counts and time, in the blocks as in the plain text: a notification
shows no more than its beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from bot.blocks import buttons, text, words
from bot.blocks.earlier import earlier_line
from bot.blocks.facts import retry_line
from bot.blocks.failed_steps import Failure, failure_lines, failure_words
from bot.blocks.language import _
from bot.blocks.message import Block, Message, actions, context, message, section
from bot.blocks.warnings import owner_mention
from bot.domain.change import Change, ChangeKind
from bot.domain.estimate import outlook
from bot.domain.execution import FAILED_PHASES, Execution, Phase, Step
from bot.domain.following import Subscription
from bot.domain.past import Past
from bot.domain.snapshot import Snapshot

_STOPPED = frozenset({Phase.CANCELLED, Phase.ABORTED})
NO_PAST = Past()
_NO_TIME = timedelta()


def outcome_message(change: Change, subscription: Subscription, snapshot: Snapshot, *, past: Past = NO_PAST) -> Message:
    """Succeeded, failed, stopped or vanished: what happened, why, how far it was, and whether a retry can follow.

    `past`: how earlier runs of the workflow ended.
    """
    execution, is_vanished = snapshot.execution, change.kind is ChangeKind.VANISHED
    icon = words.icon(Phase.DELETING if is_vanished else change.phase)
    state = _(words.DELETED) if is_vanished else words.phase_word(change.phase)
    headline = _("{state}: {name}").format(state=state, name=words.name(execution))
    reason = Reason.of(change, execution) if _is_failed(change) else _NO_REASON
    earlier = earlier_line(reason.failure, past, execution.id) if reason.failure else ""
    owner = owner_mention([change], subscription)
    facts, small = _facts(change, snapshot, reason, text.bold), _rest(change, execution)
    if reason.failure:  # the cause stands alone; what else there is has one small line
        running = "" if reason.note or earlier else _running_on(change, execution, text.bold)
        facts, small = "", " · ".join(filter(None, (owner, facts, running, reason.note, earlier)))
    # A headline of its own would be a block more, and the message too high for what is read in passing.
    blocks = [
        section(f"{icon} *{words.unstarred(headline)}*", reason.line, facts),
        context(small),
        None if is_vanished else actions(_row(change, subscription)),
    ]
    running = _running_on(change, execution, text.escape) if reason.failure else ""
    plain = " · ".join(filter(None, (_facts(change, snapshot, reason, text.escape), running)))
    return message(blocks, f"{icon} {headline}", reason.words, plain, owner, reason.note, earlier)


class Reason(NamedTuple):
    """Why it failed, in one line."""

    failure: Failure | None = None
    line: str = ""
    words: str = ""
    """The same in plain text."""
    more: str = ""
    """How many other steps failed."""
    note: str = ""
    """That the time limit is a likely cause as well."""

    @classmethod
    def of(cls, change: Change, execution: Execution) -> Reason:
        """Of a failure at `change`."""
        failure, limit = Failure.of_change(change, execution), _limit(change, execution)
        if limit and failure.is_unexplained:
            return cls(failure, limit, limit)
        line, *more = failure_lines(failure, 1)
        return cls(failure, line, failure_words(failure, 1)[0], "".join(more).rstrip(".。"), limit)


_NO_REASON = Reason()


def _row(change: Change, subscription: Subscription) -> list[Block]:
    steps, is_followed = buttons.steps(subscription.execution_id), change.retry_until is not None
    row = [buttons.why(subscription.execution_id), steps] if _is_failed(change) else [steps]
    menu = buttons.end_menu(subscription, is_followed=is_followed) if _is_failed(change) or is_followed else None
    return [*row, menu] if menu else row


def _is_failed(change: Change) -> bool:
    return change.phase in FAILED_PHASES and change.kind is not ChangeKind.VANISHED


def _facts(change: Change, snapshot: Snapshot, reason: Reason, shown: Callable[[str], str]) -> str:
    """How many steps in how long, and what else is worth knowing at this kind of end; steps as they are `shown`."""
    execution = snapshot.execution
    done = words.counts(_finished(change, execution), _total(change, execution))
    if change.kind is ChangeKind.VANISHED:
        phase = words.phase_word(change.phase_before or change.phase or execution.phase)
        return _("GCS no longer knows it. Last seen: {phase}, {steps}.").format(phase=phase, steps=done)
    duration = words.change_elapsed(change, execution)
    if duration is not None:
        done = _("{steps} in {duration}").format(steps=done, duration=text.span(duration))
    is_usual = change.phase == Phase.SUCCEEDED and not snapshot.is_interrupted  # else nothing ran for a while
    if is_usual and (usual := outlook(snapshot.usual, duration or _NO_TIME)):
        low, high = text.span(usual.usual_low), text.span(usual.usual_high)
        done = _("{steps} (usually {low} – {high})").format(steps=done, low=low, high=high)
    if change.phase in _STOPPED:
        more = _("jobs already dispatched may incur charges")
    else:
        more = "" if reason.failure else _longest(change, execution, shown)
    return " · ".join(filter(None, (reason.more, done, more)))


def _finished(change: Change, execution: Execution) -> int | None:
    return change.finished if change.finished is not None else execution.steps_finished


def _total(change: Change, execution: Execution) -> int | None:
    return change.total if change.total is not None else execution.steps_total


def _running_on(change: Change, execution: Execution, shown: Callable[[str], str]) -> str:
    """Which steps GCS does not stop: it hands out no new jobs, and says nothing more about those that run."""
    running = [step for step in _steps(change, execution) if step.is_running]
    if len(running) == 1:
        return _("{step} may still be running").format(step=_named(running[0], shown))
    if not running:
        return ""
    return text.plural("{number} step may still be running", "{number} steps may still be running", len(running))


def _longest(change: Change, execution: Execution, shown: Callable[[str], str]) -> str:
    """The step that took most of the time; of one step alone, the whole time says the same."""
    timed = [(step.elapsed, step) for step in _steps(change, execution) if step.elapsed]
    if len(timed) <= 1:
        return ""
    elapsed, step = max(timed, key=lambda pair: pair[0])
    return _("longest: {step}, {duration}").format(step=_named(step, shown), duration=text.span(elapsed))


def _named(step: Step, shown: Callable[[str], str]) -> str:
    return shown(step.name) or _("(no name)")


def _steps(change: Change, execution: Execution) -> tuple[Step, ...]:
    """The steps at the end; none once the execution shows something else, such as a retry."""
    return execution.steps if execution.phase == change.phase else ()


def _limit(change: Change, execution: Execution) -> str:
    """That the time limit is the likely cause, where GCS does not say so."""
    duration = words.change_elapsed(change, execution)
    is_likely = _is_failed(change) and words.timed_out(change.phase, "", duration, execution.timeout)
    return words.time_out_note(execution.timeout) if is_likely else ""


def _rest(change: Change, execution: Execution) -> str:
    """Whether a retry is waited for, and the workflow: where there is no failure to explain."""
    return " · ".join(filter(None, (retry_line(change.retry_until), text.escape(execution.workflow_name))))
