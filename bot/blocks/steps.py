"""Single steps: one line each, and in which order they matter.

Lives here: the line of a step, and the order. Does not live here: the list of all steps
(`bot.blocks.step_list`), steps in groups (`bot.blocks.groups`). Called by the other modules of `bot.blocks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bot.blocks import text, words
from bot.blocks.language import _, own_half
from bot.domain.execution import FAILED_PHASES, TERMINAL_PHASES, WAITING_PHASES, Step
from bot.domain.snapshot import Snapshot


class StepGroups(NamedTuple):
    """Steps in four groups, the most important first; each group is in GCS's order."""

    failed: tuple[Step, ...]
    running: tuple[Step, ...]
    waiting: tuple[Step, ...]
    finished: tuple[Step, ...]


_PLACES = dict.fromkeys(TERMINAL_PHASES, 3) | dict.fromkeys(WAITING_PHASES, 2) | dict.fromkeys(FAILED_PHASES, 0)
"""The index in `StepGroups` of each known phase; any other phase counts as running (`Step.is_running`)."""


def by_priority(steps: Iterable[Step]) -> StepGroups:
    """The steps in groups, the most important first."""
    groups: tuple[list[Step], ...] = ([], [], [], [])
    for step in steps:
        groups[_PLACES.get(step.phase, 1)].append(step)
    return StepGroups(*map(tuple, groups))


def step_line(step: Step, *, at_rest: bool, reason_limit: int = text.STEP_MESSAGE_LIMIT) -> str:
    """One step with its sign and phase. In an ended execution, a running step "was running" (reference 3.4)."""
    word = words.phase_word(step.phase) if step.phase else _("Waiting")
    if at_rest and step.is_running:
        sign, word = "▫️", _("was running")
    else:
        sign = words.icon(step.phase) if step.phase else "⏳"
    duration = text.span(step.elapsed) if step.elapsed else ""
    details = [part for part in (word, words.sub_jobs(step), duration) if part]
    line = f"{sign} *{words.unstarred(words.step_name(step))}* · {' · '.join(details)}"
    said = own_half(step.reason, step.reason_zh), own_half(step.message, step.message_zh)
    reason = words.why(*said, reason_limit) if step.is_failed else ""
    return f"{line}\n{reason}" if reason else line


def more_steps(snapshot: Snapshot) -> str:
    """How many steps there are besides those that are kept; empty when all are."""
    rest = snapshot.execution.steps_left_out
    if not rest:
        return ""
    return text.plural(
        "… and {number} more step, more than I list", "… and {number} more steps, more than I list", rest
    )
