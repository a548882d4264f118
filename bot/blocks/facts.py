"""What a card shows about an execution besides its steps: fields, notes, how current it is.

Lives here: the two-column fields, the notes on deadline and retry, the last line. Does not live here: steps
(`bot.blocks.steps`). Called by `bot.blocks.cards`, `bot.blocks.outcome` and `bot.blocks.modal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.blocks import text, words
from bot.blocks.message import Block, context, fields
from bot.domain.model import Execution, Phase, Snapshot, Unseen

_PAIRS_SHOWN = 8
"""At most this many labels, or kinds of resource, are named."""
_UNSEEN = {
    Unseen.AWAY: "GCS unreachable",
    Unseen.REFUSED: "GCS does not let me look",
    Unseen.UNREADABLE: "I cannot read what GCS says about this execution",
    Unseen.TOO_LARGE: "GCS's answer about this execution is larger than I read",
    Unseen.MISSING: "GCS does not show this execution",
}
"""What a card says before "since"."""
_PARTIAL = "⚠️ GCS's answer is larger than I read, so step counts are missing or old"
"""What a card says of an execution that only lists still show."""
_CLOSE = timedelta(hours=1)
"""A deadline within this time has a warning sign."""


def fact_fields(execution: Execution, now: datetime) -> Block | None:
    """The known facts in two columns; what GCS did not send is left out."""
    dates = {"Created": execution.created_at, "Updated": execution.updated_at}
    pairs = [
        ("Workflow", words.workflow(execution)),
        *((label, text.date(moment, now)) for label, moment in dates.items() if moment is not None),
        ("Runs on", _place(execution)),
        ("Deadline", _deadline(execution, now)),
        ("Priority", str(execution.priority) if execution.priority else ""),
        ("Labels", _pairs(execution.labels)),
        ("Resources", _pairs(execution.resources)),
        ("Working time", f"{text.number(execution.time_ratio)} %" if execution.time_ratio is not None else ""),
        ("Enterprise project", text.escape(execution.enterprise_project)),
    ]
    return fields(pairs)


def failure_line(execution: Execution) -> str:
    """Why it failed, and whether the time limit is the likely cause; empty unless it failed."""
    if execution.phase not in {Phase.FAILED, Phase.ERROR}:
        return ""
    lines = [words.why(execution.reason, execution.message)]
    if words.timed_out(execution.phase, execution.reason, execution.elapsed, execution.timeout):
        lines.append(words.time_out_note(execution.timeout))
    return "\n".join(filter(None, lines))


def retry_line(retry_until: datetime | None, now: datetime) -> str:
    """Until when the bot watches for a retry; empty when it does not."""
    return "" if retry_until is None else f"Watching for a retry until {text.date(retry_until, now)}"


def as_of(snapshot: Snapshot, now: datetime, *more: str) -> Block | None:
    """The last line: when GCS was last polled, since when it is unreachable, and the id."""
    since = snapshot.unreachable_since
    stale = f"⚠️ {_unreachable(snapshot)} since {text.date(since, now)}" if since is not None else ""
    partial = _PARTIAL if snapshot.execution.is_partial else ""
    as_of_time = f"As of {text.time_secs(snapshot.seen_at)}"
    return context(as_of_time, partial, stale, *more, text.code(snapshot.execution.id))


def as_of_words(snapshot: Snapshot) -> str:
    """The same in plain text."""
    since = snapshot.unreachable_since
    stale = f" {_unreachable(snapshot)} since {text.utc(since)}." if since is not None else ""
    partial = f" {_PARTIAL}." if snapshot.execution.is_partial else ""
    return f"As of {text.utc_seconds(snapshot.seen_at)}.{partial}{stale} Id: {text.escape(snapshot.execution.id)}"


def _unreachable(snapshot: Snapshot) -> str:
    return _UNSEEN[snapshot.unseen]


def _place(execution: Execution) -> str:
    target = text.escape(execution.target).upper()
    return " · ".join(filter(None, (target, text.escape(execution.cluster))))


def _deadline(execution: Execution, now: datetime) -> str:
    deadline = execution.deadline
    if deadline is None or execution.is_terminal:
        return ""
    left = deadline - now
    if left <= timedelta():
        return f"⚠️ {text.date(deadline, now)} (passed {text.span(-left)} ago)"
    warning = "⚠️ " if left < _CLOSE else ""
    return f"{warning}{text.date(deadline, now)} (in {text.span(left)})"


def _pairs(pairs: Mapping[str, str | int | float]) -> str:
    shown = [f"{text.escape(key, 40)} {_value(value)}" for key, value in list(pairs.items())[:_PAIRS_SHOWN]]
    if len(pairs) > _PAIRS_SHOWN:
        shown.append(f"{len(pairs) - _PAIRS_SHOWN:,} more")
    return ", ".join(shown)


def _value(value: str | float) -> str:
    return text.escape(value, 40) if isinstance(value, str) else text.number(value)
