"""How earlier runs of a workflow ended, beside a run that failed.

Lives here: `earlier_line` for the message about the end, `earlier_lines` for the modal. Does not live here: which runs
are known (`bot.store.schedule.history`). Called by `bot.blocks.outcome` and `bot.blocks.why`.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.blocks import causes, text, words
from bot.blocks.failed_steps import Failure
from bot.blocks.language import _
from bot.domain.execution import FAILED_PHASES
from bot.domain.past import End, Past, stem_of


def earlier_line(failure: Failure, past: Past, execution_id: str) -> str:
    """How many of the last runs failed at the same step for the same reason, and the last one that succeeded.

    Empty where nothing is known, or nothing alike.
    """
    others = _others(past, execution_id)
    alike = sum(_is_alike(end, failure) for end in others)
    parts = []
    if alike and len(others) == 1:
        parts.append(_("same failure as the run before"))
    elif alike:
        line = _("same failure as {number} of the last {total} runs")
        parts.append(line.format(number=text.number(alike), total=text.number(len(others))))
    if past.last_good is not None and past.last_good.id != execution_id:
        parts.append(_("last good: {name}").format(name=_name(past.last_good)))
    return " · ".join(parts)


def earlier_lines(past: Past, execution_id: str) -> list[str]:
    """A line for each of the last runs, the newest first; none where none is known."""
    return [_line(end) for end in _others(past, execution_id)]


def _others(past: Past, execution_id: str) -> list[End]:
    return [end for end in past.ends if end.id != execution_id]


def _is_alike(end: End, failure: Failure) -> bool:
    if end.phase not in FAILED_PHASES or not (end.step or end.reason):
        return False
    step = failure.steps[0] if failure.steps else None
    reason = (step.reason if step else "") or failure.reason
    return stem_of(end.step) == stem_of(step.name if step else "") and end.reason == reason


def _line(end: End) -> str:
    state = f"{words.icon(end.phase)} {words.phase_word(end.phase)}"
    failed = causes.cause(end.step, end.reason, "") if end.phase in FAILED_PHASES and (end.step or end.reason) else ""
    took = text.span(end.elapsed) if end.elapsed else ""
    return " · ".join(_known(state, _name(end), failed, took, text.date(end.at)))


def _known(*parts: str) -> Iterable[str]:
    return filter(None, parts)


def _name(end: End) -> str:
    return text.escape(end.name) or text.code(end.id)
