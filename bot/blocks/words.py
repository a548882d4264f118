"""What several messages say about one execution: its phase, its names, how far it is and how long it took.

Lives here: phrases, as mrkdwn or (where the name ends in `_words`) for the plain-text twin. Does not live here: layout.
Called by the other modules of `bot.blocks`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.blocks import text
from bot.domain.model import Change, Execution, Phase, Snapshot, Step

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
NO_PHASE = "phase not reported yet"
DELETED = "Deleted"
_DELETE_ACTION = "delete"


def icon(phase: str) -> str:
    """The sign of a phase; it never stands without the word."""
    return _ICONS.get(phase, "❔")


def phase_word(phase: str) -> str:
    """The phase as GCS spells it, an unknown one as it came."""
    return text.escape(phase) or NO_PHASE


def snapshot_icon(snapshot: Snapshot) -> str:
    """The sign of what a snapshot shows."""
    return icon(Phase.DELETING) if snapshot.is_vanished else icon(snapshot.execution.phase)


def snapshot_word(snapshot: Snapshot) -> str:
    """The phase; of a vanished execution, that it is gone and what it was."""
    word = phase_word(snapshot.execution.phase)
    if snapshot.is_vanished:
        return f"{DELETED} (was {word})"
    if snapshot.execution.action == _DELETE_ACTION and snapshot.execution.phase != Phase.DELETING:
        return f"{word}, being deleted"
    return word


def name(execution: Execution) -> str:
    """What people call the execution, for mrkdwn."""
    return text.escape(execution.title) or text.escape(execution.id) or "(no name)"


def plain_name(execution: Execution) -> str:
    """What people call the execution, for headers and other plain text."""
    return text.plain(execution.title) or text.plain(execution.id) or "(no name)"


def subject_words(execution: Execution) -> str:
    """The execution at the start of a sentence: «deepvariant execution gcs-exec-3»."""
    workflow = text.escape(execution.workflow_name)
    return f"{workflow} execution {name(execution)}" if workflow else f"Execution {name(execution)}"


def workflow(execution: Execution) -> str:
    """The workflow's name; an execution submitted from a file has none."""
    named = text.escape(execution.workflow_name) or text.code(execution.workflow_id)
    return named or "from file"


def counts(done: int | None, total: int | None) -> str:
    """How many steps are done, as far as that is known."""
    if total is None:
        return "step counts not reported yet" if done is None else f"{text.count(done, 'step')} done"
    return f"{done or 0:,} of {text.count(total, 'step')}"


def progress(execution: Execution) -> str:
    """Bar, counts and percentage; the percentage reads 100 only when all is done."""
    done, total = execution.steps_finished, execution.steps_total
    if total is None or total <= 0:
        return counts(done, total)
    share = max(0, min(100, (done or 0) * 100 // total))
    return f"{text.bar(done or 0, total)} {counts(done, total)} ({share} %)"


def elapsed(execution: Execution, now: datetime) -> timedelta | None:
    """How long it took or takes: by GCS's own word, else from creation until the last change, or until now."""
    if execution.elapsed is not None:
        return execution.elapsed
    end = execution.updated_at if execution.is_terminal else now
    if execution.created_at is None or end is None:
        return None
    return max(end - execution.created_at, timedelta())


def elapsed_words(execution: Execution, now: datetime) -> str:
    """The same in words; empty where it is not known."""
    duration = elapsed(execution, now)
    return "" if duration is None else text.span(duration)


def change_elapsed(change: Change, execution: Execution) -> timedelta | None:
    """How long it had taken at the change; short of GCS's word, from the creation until the change was seen."""
    if change.elapsed is not None:
        return change.elapsed
    return None if execution.created_at is None else max(change.at - execution.created_at, timedelta())


def why(reason: str, message: str, limit: int = text.MESSAGE_LIMIT) -> str:
    """Reason and English message of a failure; empty without both."""
    return ": ".join(filter(None, (text.code(reason), text.escape(message, limit))))


def why_words(reason: str, message: str, limit: int = text.MESSAGE_LIMIT) -> str:
    """The same without a code span."""
    return ": ".join(filter(None, (text.escape(reason), text.escape(message, limit))))


def unstarred(phrase: str) -> str:
    """An escaped phrase that can stand in bold."""
    return phrase.replace("*", "∗")


def step_name(step: Step) -> str:
    """A step's name, for mrkdwn."""
    return text.escape(step.name) or "(no name)"


def sub_jobs(step: Step) -> str:
    """How far a step is inside; empty where it is one single job."""
    if step.sub_jobs <= 1:
        return ""
    return f"{step.sub_jobs_finished:,} of {step.sub_jobs:,} sub-jobs"


def timed_out(phase: str, reason: str, duration: timedelta | None, limit: timedelta | None) -> bool:
    """Whether a failure looks like the time limit, which GCS reports as any other failure (reference 3.4)."""
    if phase != Phase.FAILED:
        return False
    if "timeout" in reason.casefold():
        return True
    if not limit or duration is None:
        return False
    return duration >= limit - min(timedelta(minutes=1), limit / 20)


def time_out_note(limit: timedelta | None) -> str:
    """What to say then."""
    return f"It looks like the time limit{f' of {text.span(limit)}' if limit else ''} was reached."
