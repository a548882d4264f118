"""The message that notifies people: how an execution ended.

Lives here: `outcome_message`. Does not live here: changes before the end (`bot.blocks.thread`). Called by the notifier.
"""

from __future__ import annotations

from datetime import datetime

from bot.blocks import buttons, facts, steps, text, words
from bot.blocks.message import Message, actions, context, header, message, section
from bot.blocks.warnings import owner_mention
from bot.domain.model import Change, ChangeKind, Execution, Phase, Step, Subscription

_STOPPED = frozenset({Phase.CANCELLED, Phase.ABORTED})
_JOBS_RUN_ON = (
    "Stopping only keeps new jobs from being handed out: jobs already handed out run on to their end, and may cost, "
    "unless they are deleted in the cluster."
)
_GONE = "GeneContainer Service does not know this execution any more: it was deleted, or taken out of my reach."


def outcome_message(change: Change, subscription: Subscription, execution: Execution, *, now: datetime) -> Message:
    """Succeeded, failed, stopped or vanished: what happened, why, and whether a retry can follow."""
    sign, word = _sign_and_word(change)
    duration = words.change_elapsed(change, execution)
    took = f"after {text.span(duration)}" if duration is not None else ""
    done = words.counts(_finished(change, execution), _total(change, execution))
    why = words.why(change.reason, change.message) if _is_failed(change) else ""
    note = _note(change, execution)
    follow = _follow_up(change, now)
    line = " · ".join(filter(None, (f"*{words.unstarred(words.workflow(execution))}*", done, took)))
    owner = owner_mention([change], subscription)
    row = [] if change.kind is ChangeKind.VANISHED else [buttons.steps(execution.id)]
    if change.retry_until is not None:
        row.append(buttons.unsubscribe(subscription))
    blocks = [
        header(f"{sign} {text.plain(word)}: {words.plain_name(execution)}"),
        section(line, why, note),
        section(*steps.failed_lines(_failed_steps(change), change.failed_steps_total)),
        context(owner, follow, text.code(execution.id)),
        actions(row),
    ]
    return message(blocks, *_plain_lines(change, execution, took, done), owner)


def _plain_lines(change: Change, execution: Execution, took: str, done: str) -> list[str]:
    _, word = _sign_and_word(change)
    reason = words.why_words(change.reason, change.message) if _is_failed(change) else ""
    head = " ".join(filter(None, (words.subject_words(execution), text.escape(word), took)))
    return [
        f"{head}: {reason or done}",
        f"{done}." if reason else "",
        steps.failed_words(_failed_steps(change), change.failed_steps_total),
        _note(change, execution),
        f"Watching for a retry until {text.utc(change.retry_until)}." if change.retry_until else _ENDED,
    ]


_ENDED = "This subscription has ended."


def _sign_and_word(change: Change) -> tuple[str, str]:
    if change.kind is ChangeKind.VANISHED:
        return words.icon(Phase.DELETING), words.DELETED
    return words.icon(change.phase), change.phase or words.NO_PHASE


def _is_failed(change: Change) -> bool:
    return change.phase in {Phase.FAILED, Phase.ERROR} and change.kind is not ChangeKind.VANISHED


def _failed_steps(change: Change) -> tuple[Step, ...]:
    return steps.without_echo(change.failed_steps, change.reason, change.message)


def _finished(change: Change, execution: Execution) -> int | None:
    return change.finished if change.finished is not None else execution.steps_finished


def _total(change: Change, execution: Execution) -> int | None:
    return change.total if change.total is not None else execution.steps_total


def _note(change: Change, execution: Execution) -> str:
    """What people should know beyond the phase."""
    if change.kind is ChangeKind.VANISHED:
        before = change.phase_before or change.phase or execution.phase
        return f"{_GONE} When last seen it was {words.phase_word(before)}."
    if change.phase in _STOPPED:
        return _JOBS_RUN_ON
    duration = words.change_elapsed(change, execution)
    if words.timed_out(change.phase, change.reason, duration, execution.timeout):
        return words.time_out_note(execution.timeout)
    return ""


def _follow_up(change: Change, now: datetime) -> str:
    return facts.retry_line(change.retry_until, now) or _ENDED
