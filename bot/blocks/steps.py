"""The steps of an execution inside a message: failed first, then running, the others as a count.

Lives here: the classic lines, Slack's plan block, and their plain text. Does not live here: the list of all steps
(`bot.blocks.modal`). Called by the other modules of `bot.blocks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from bot.blocks import text, words
from bot.blocks.message import Block, rich_text, section
from bot.domain.model import FAILED_PHASES, TERMINAL_PHASES, WAITING_PHASES, Snapshot, Step

LINES_SHOWN = 5
"""At most this many failed steps, and this many running ones, are named in a message; the modal lists all."""
_TITLE_LIMIT = 140


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
    word = words.phase_word(step.phase) if step.phase else "Waiting"
    if at_rest and step.is_running:
        sign, word = "▫️", f"was {word.lower()}"
    else:
        sign = words.icon(step.phase) if step.phase else "⏳"
    duration = text.span(step.elapsed) if step.elapsed else ""
    details = [part for part in (word, words.sub_jobs(step), duration) if part]
    line = f"{sign} *{words.unstarred(words.step_name(step))}* · {' · '.join(details)}"
    reason = words.why(step.reason, step.message, reason_limit) if step.is_failed else ""
    return f"{line}\n{reason}" if reason else line


def steps_section(snapshot: Snapshot) -> Block | None:
    """The most important steps, and a count of the others; None when GCS sent no steps."""
    steps = snapshot.execution.steps
    if not steps:
        return None
    groups = by_priority(steps)
    at_rest = _at_rest(snapshot)
    lines = [
        *(step_line(step, at_rest=at_rest) for step in groups.failed[:LINES_SHOWN]),
        _more(groups.failed, "failed"),
        *(step_line(step, at_rest=at_rest) for step in groups.running[:LINES_SHOWN]),
        _more(groups.running, "that were running" if at_rest else "running"),
        _folded(groups, at_rest=at_rest),
        more_steps(snapshot),
    ]
    return section(*lines)


def more_steps(snapshot: Snapshot) -> str:
    """How many steps there are besides those that are kept; empty when all are."""
    rest = snapshot.execution.steps_left_out
    return f"… and {text.count(rest, 'more step')}, more than I list" if rest else ""


def plan(snapshot: Snapshot) -> Block | None:
    """The same as Slack's plan block, at most a dozen tasks; None when GCS sent no steps."""
    execution = snapshot.execution
    if not execution.steps:
        return None
    # Slack matches the plan blocks of an edit by title and task ids, so both depend only on the snapshot.
    tasks = [{"type": "task_card", **task} for task in _tasks(by_priority(execution.steps), at_rest=_at_rest(snapshot))]
    if more := more_steps(snapshot):
        tasks.append({"type": "task_card", "task_id": "left-out", "title": more, "status": "pending"})
    return {"type": "plan", "title": words.counts(execution.steps_finished, execution.steps_total), "tasks": tasks}


def failed_words(steps: Sequence[Step], total: int | None = None) -> str:
    """The failed steps in plain text: "2 steps failed: job-b (OOMKilled: …), job-c."; empty when none failed."""
    total = max(len(steps), total or 0)
    if not total:
        return ""
    named = [_with_reason(step) for step in steps[:LINES_SHOWN]]
    if total > len(named):
        named.append(f"{total - len(named):,} more")
    return f"{text.count(total, 'step')} failed: {', '.join(named)}."


def step_words(snapshot: Snapshot) -> list[str]:
    """The same as `steps_section`, in plain text."""
    groups = by_priority(snapshot.execution.steps)
    lines = [failed_words(groups.failed)]
    if groups.running:
        named = ", ".join(words.step_name(step) for step in groups.running[:LINES_SHOWN])
        verb = "Was running" if _at_rest(snapshot) else "Running"
        rest = len(groups.running) - LINES_SHOWN
        lines.append(f"{verb}: {named}{f' and {rest:,} more' if rest > 0 else ''}.")
    lines.extend((_folded(groups, at_rest=_at_rest(snapshot)), more_steps(snapshot)))
    return lines


def _at_rest(snapshot: Snapshot) -> bool:
    return snapshot.execution.is_terminal or snapshot.is_vanished


def _tasks(groups: StepGroups, *, at_rest: bool) -> Iterator[dict[str, Any]]:
    for place, step in enumerate(groups.failed[:LINES_SHOWN]):
        reason = text.plain(f"{step.reason}: {step.message}".strip(": "), text.STEP_MESSAGE_LIMIT)
        task = {"task_id": f"failed-{place}", "title": _task_title(step, "failed"), "status": "error"}
        yield {**task, "details": rich_text(reason)} if reason else task
    if more := _more(groups.failed, "failed"):
        yield {"task_id": "failed-more", "title": more, "status": "error"}
    # A plan has no status for stopped tasks, and a spinner on an ended execution would be wrong.
    status = "pending" if at_rest else "in_progress"
    for place, step in enumerate(groups.running[: LINES_SHOWN - 2]):
        yield {
            "task_id": f"running-{place}",
            "title": _task_title(step, _running_word(step, at_rest)),
            "status": status,
        }
    if more := _more(groups.running, "that were running" if at_rest else "running", LINES_SHOWN - 2):
        yield {"task_id": "running-more", "title": more, "status": status}
    if groups.finished:
        title = f"{text.count(len(groups.finished), 'step')} finished"
        yield {"task_id": "finished", "title": title, "status": "complete"}
    if groups.waiting:
        title = f"{text.count(len(groups.waiting), 'step')} {_waiting_word(at_rest=at_rest)}"
        yield {"task_id": "waiting", "title": title, "status": "pending"}


def _running_word(step: Step, at_rest: bool) -> str:
    word = text.plain(step.phase).lower()
    return f"was {word}" if at_rest else word


def _task_title(step: Step, word: str) -> str:
    parts = [text.plain(step.name) or "(no name)", word, words.sub_jobs(step)]
    return text.cut(" · ".join(filter(None, parts)), _TITLE_LIMIT)


def _more(steps: Sequence[Step], word: str, shown: int = LINES_SHOWN) -> str:
    rest = len(steps) - shown
    return f"… and {rest:,} more {word}" if rest > 0 else ""


def _folded(groups: StepGroups, *, at_rest: bool) -> str:
    waiting = f"{len(groups.waiting):,} {_waiting_word(at_rest=at_rest)}" if groups.waiting else ""
    finished = f"{len(groups.finished):,} finished" if groups.finished else ""
    return " · ".join(filter(None, (waiting, finished)))


def _waiting_word(*, at_rest: bool) -> str:
    return "never started" if at_rest else "waiting"


def _with_reason(step: Step) -> str:
    reason = words.why_words(step.reason, step.message, text.STEP_MESSAGE_LIMIT)
    return f"{words.step_name(step)} ({reason})" if reason else words.step_name(step)


def without_echo(steps: Iterable[Step], reason: str, message: str) -> tuple[Step, ...]:
    """`steps` without the reasons that only repeat the reason of the execution."""
    silent = {"reason": "", "message": ""}
    repeated = (reason, message)
    return tuple(replace(step, **silent) if (step.reason, step.message) == repeated else step for step in steps)
