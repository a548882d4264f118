"""Phrases about an execution that several messages share: phase, names, progress and duration.

Lives here: phrases, as mrkdwn or (if the name ends in `_words`) as plain text. Does not live here: layout. Called by
the other modules of `bot.blocks`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.blocks import text
from bot.blocks.language import N_, _, ngettext
from bot.domain.change import Change
from bot.domain.estimate import time_taken
from bot.domain.execution import Execution, Phase, Step
from bot.domain.snapshot import Snapshot

_ICONS: dict[str, str] = {
    Phase.PENDING: "⏳",
    Phase.SUBMITTED: "⏳",
    Phase.RUNNING: "🔄",
    Phase.RETRYING: "♻️",
    Phase.CANCELLING: "🛑",
    Phase.FORCE_CANCELLING: "🛑",
    Phase.CANCELLED: "🛑",
    Phase.ABORTING: "🛑",
    Phase.ABORTED: "🛑",
    Phase.DELETING: "🗑",
    Phase.SUSPENDING: "⏸",
    Phase.SUSPENDED: "⏸",
    Phase.SUCCEEDED: "✅",
    Phase.FAILED: "❌",
    Phase.ERROR: "❌",
}
_PHASES: dict[str, str] = {
    Phase.PENDING: N_("Pending"),
    Phase.SUBMITTED: N_("Submitted"),
    Phase.RUNNING: N_("Running"),
    Phase.RETRYING: N_("Retrying"),
    Phase.CANCELLING: N_("Cancelling"),
    Phase.FORCE_CANCELLING: N_("ForceCancelling"),
    Phase.CANCELLED: N_("Cancelled"),
    Phase.ABORTING: N_("Aborting"),
    Phase.ABORTED: N_("Aborted"),
    Phase.DELETING: N_("Deleting"),
    Phase.SUSPENDING: N_("Suspending"),
    Phase.SUSPENDED: N_("Suspended"),
    Phase.SUCCEEDED: N_("Succeeded"),
    Phase.FAILED: N_("Failed"),
    Phase.ERROR: N_("Error"),
    Phase.UNKNOWN: N_("Unknown"),
}
"""GCS's own spelling, in Chinese the words of its pages."""
NO_PHASE = N_("phase not reported yet")
DELETED = N_("Deleted")
_NOT_STARTED = frozenset({Phase.PENDING, Phase.SUBMITTED, ""})
_DELETE_ACTION = "delete"


def icon(phase: str) -> str:
    """The sign of a phase; it is never shown without the word."""
    return _ICONS.get(phase, "❔")


def phase_word(phase: str) -> str:
    """The phase in the reader's words; an unknown one as GCS sent it."""
    known = _PHASES.get(phase)
    return _(known) if known else text.escape(phase) or _(NO_PHASE)


def snapshot_icon(snapshot: Snapshot) -> str:
    """The sign of what a snapshot shows."""
    return icon(Phase.DELETING) if snapshot.is_vanished else icon(snapshot.execution.phase)


def plain_phase_word(phase: str) -> str:
    """The same for headers and other plain text."""
    known = _PHASES.get(phase)
    return _(known) if known else text.plain(phase) or _(NO_PHASE)


def snapshot_word(snapshot: Snapshot) -> str:
    """The phase; of a vanished execution, that it is deleted."""
    return _state(snapshot, phase_word)


def plain_snapshot_word(snapshot: Snapshot) -> str:
    """The same for headers and other plain text."""
    return _state(snapshot, plain_phase_word)


def _state(snapshot: Snapshot, phase_words: Callable[[str], str]) -> str:
    execution = snapshot.execution
    if snapshot.is_vanished:
        return _(DELETED)
    word = phase_words(execution.phase)
    if execution.action.casefold() == _DELETE_ACTION and execution.phase != Phase.DELETING:
        return _("{phase}, deletion failed").format(phase=word)
    return word


def name(execution: Execution) -> str:
    """The name of the execution, else its id, for mrkdwn."""
    return text.escape(execution.title) or text.escape(execution.id) or _("(no name)")


def plain_name(execution: Execution) -> str:
    """The name of the execution, else its id, for headers and other plain text."""
    return text.plain(execution.title) or text.plain(execution.id) or _("(no name)")


def subject_words(execution: Execution) -> str:
    """The execution at the start of a sentence: "deepvariant execution gcs-exec-3"."""
    shape = _("{workflow} execution {name}") if execution.workflow_name else _("Execution {name}")
    return shape.format(workflow=text.escape(execution.workflow_name), name=name(execution))


def workflow(execution: Execution) -> str:
    """The workflow's name or id; an execution that was submitted from a file has neither."""
    named = text.escape(execution.workflow_name) or text.code(execution.workflow_id)
    return named or _("from file")


def counts(done: int | None, total: int | None) -> str:
    """How many steps are done, as far as known."""
    if total is None and done is None:
        return _("step counts not reported yet")
    if total is None:
        return text.plural("{number} step done", "{number} steps done", done or 0)
    shape = ngettext("{done} of {total} step", "{done} of {total} steps", total)
    return text.unbroken(shape.format(done=text.number(done or 0), total=text.number(total)))


def progress(execution: Execution) -> str:
    """Bar, counts and percentage; the percentage is 100 only when all steps are done."""
    done, total = execution.steps_finished, execution.steps_total
    if total is None or total <= 0:
        return counts(done, total)
    share = max(0, min(100, (done or 0) * 100 // total))
    shape = _("{bar} {counts} ({percent})")
    return shape.format(bar=text.bar(done or 0, total), counts=counts(done, total), percent=text.percent(share))


def started_at(snapshot: Snapshot) -> datetime | None:
    """When it began: when it was created, else by how long GCS says it has run; None if neither is known."""
    execution = snapshot.execution
    if execution.created_at is not None:
        return execution.created_at
    return None if execution.elapsed is None else back(snapshot.seen_at, execution.elapsed)


def back(moment: datetime, duration: timedelta) -> datetime | None:
    """So long before `moment`; None where that is before all calendars."""
    try:
        return moment - max(duration, timedelta())
    except OverflowError:
        return None


def time_words(snapshot: Snapshot, moment: Callable[[datetime], str] = text.ago) -> str:
    """How long it took, or when it started: a span would be wrong a minute later. Empty where that is unknown.

    `moment` writes when: `text.ago`, or `text.utc` for plain text.
    """
    execution = snapshot.execution
    if execution.is_terminal:
        duration = time_taken(snapshot)
        return "" if duration is None else text.span(duration)
    started = started_at(snapshot)
    if started is None:
        return ""
    shape = _("submitted {time}") if execution.phase in _NOT_STARTED else _("started {time}")
    return shape.format(time=moment(started))


def change_elapsed(change: Change, execution: Execution) -> timedelta | None:
    """How long it had taken at the change, or until that was seen."""
    if change.elapsed is not None:
        return change.elapsed
    return None if execution.created_at is None else max(change.at - execution.created_at, timedelta())


def why(reason: str, message: str, limit: int = text.MESSAGE_LIMIT) -> str:
    """Reason and message of a failure; empty when both are."""
    return _reason_and_message(text.code(reason), text.escape(message, limit))


def _reason_and_message(reason: str, message: str) -> str:
    if reason and message:
        return _("{reason}: {message}").format(reason=reason, message=message)
    return reason or message


def labels(execution: Execution, most: int) -> str:
    """The first `most` labels, in one line."""
    pairs = [f"{text.escape(key, 20)} {text.escape(value, 20)}" for key, value in list(execution.labels.items())[:most]]
    if len(execution.labels) > most:
        pairs.append(text.plural("{number} more label", "{number} more labels", len(execution.labels) - most))
    return text.series(pairs)


def unstarred(phrase: str) -> str:
    """An escaped phrase that is safe in bold."""
    return phrase.replace("*", "∗")


def step_name(step: Step) -> str:
    """A step's name, for mrkdwn."""
    return text.escape(step.name) or _("(no name)")


def others_go_on(execution: Execution) -> str:
    """How many steps run beside one that failed; empty when none does, or the execution does not run either."""
    running = sum(step.is_running for step in execution.steps) if execution.phase == Phase.RUNNING else 0
    return text.plural("{number} other goes on", "{number} others go on", running) if running else ""


def sub_jobs(step: Step) -> str:
    """How many sub-jobs of a step are done; empty when it has only one."""
    if step.sub_jobs <= 1:
        return ""
    shape = _("{done} of {total} sub-jobs")
    return text.unbroken(shape.format(done=text.number(step.sub_jobs_finished), total=text.number(step.sub_jobs)))


def timed_out(phase: str, reason: str, duration: timedelta | None, limit: timedelta | None) -> bool:
    """Whether the time limit is the likely cause of a failure: GCS does not report it as such (reference 3.4)."""
    if phase != Phase.FAILED:
        return False
    if "timeout" in reason.casefold():
        return True
    if not limit or duration is None:
        return False
    return duration >= limit - min(timedelta(minutes=1), limit / 20)


def time_out_note(limit: timedelta | None) -> str:
    """The note for that case."""
    if not limit:
        return _("It looks like the time limit was reached.")
    return _("It looks like the time limit of {limit} was reached.").format(limit=text.span(limit))
