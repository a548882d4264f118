"""What a message in the thread says when a running execution needs somebody's attention.

Lives here: `warning_words`, `warning_lines`: a step or the execution is slow, the time limit is near. Does not live
here: when that is so (`bot.domain`), the message around it (`bot.blocks.thread`). Called by `bot.blocks.thread`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks import text
from bot.domain.model import Change, ChangeKind, Execution

_WORDS = {ChangeKind.DEADLINE: "stops soon", ChangeKind.SLOW: "slower than usual"}
"""What the headline says, the most urgent first."""

_LINES_SHOWN = 3


def warning_words(changes: Sequence[Change]) -> str:
    """The most urgent warning among `changes`, in two or three words; empty when there is none."""
    kinds = {change.kind for change in changes}
    return next((said for kind, said in _WORDS.items() if kind in kinds), "")


def warning_lines(changes: Sequence[Change], execution: Execution, *, now: datetime) -> list[str]:
    """What is wrong, one line for each warning among `changes`, the most urgent first."""
    deadlines = [change.deadline for change in changes if change.kind is ChangeKind.DEADLINE and change.deadline]
    lines = [_deadline(deadlines[-1], execution, now)] if deadlines else []
    slow = {change.step: change for change in changes if change.kind is ChangeKind.SLOW}
    lines += [_slow(change) for change in list(slow.values())[:_LINES_SHOWN]]
    if len(slow) > _LINES_SHOWN:
        lines.append(f"{text.count(len(slow) - _LINES_SHOWN, 'more step')} slower than usual.")
    return lines


def _deadline(at: datetime, execution: Execution, now: datetime) -> str:
    if execution.timeout:
        return f"GCS stops it at {text.date(at, now)}: its time limit is {text.span(execution.timeout)}."
    return f"GCS stops it at {text.date(at, now)}, its time limit."


def _slow(change: Change) -> str:
    subject = text.bold(change.step) or "It"
    taken = f"{subject} has taken {text.span(change.taken)} so far" if change.taken else f"{subject} takes long"
    return f"{taken}, usually at most {text.span(change.usual)}." if change.usual else f"{taken}."
