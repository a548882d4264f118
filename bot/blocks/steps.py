"""The steps of an execution inside a message: failed first, then running, the rest as a count.

Lives here: the classic lines, Slack's plan block, and the words for the twin. Does not live here: the list of every
step (`bot.blocks.modal`). Called by `bot.blocks.cards` and `bot.blocks.outcome`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from bot.blocks import text, words
from bot.blocks.message import Block, rich_text, section
from bot.domain.model import FAILED_PHASES, TERMINAL_PHASES, WAITING_PHASES, Snapshot, Step

LINES_SHOWN = 5
"""Failed, and also running, steps that a message names; the others are in the list behind «Steps»."""
_TITLE_LIMIT = 140


class Sorted(NamedTuple):
    """Steps by what people want to know of them, each in GCS's order."""

    failed: tuple[Step, ...]
    running: tuple[Step, ...]
    waiting: tuple[Step, ...]
    finished: tuple[Step, ...]


_PLACES = dict.fromkeys(TERMINAL_PHASES, 3) | dict.fromkeys(WAITING_PHASES, 2) | dict.fromkeys(FAILED_PHASES, 0)
"""Where in `Sorted` a step of a phase stands; one of any other phase is running (`Step.is_running`)."""


def by_priority(steps: Iterable[Step]) -> Sorted:
    """The steps, sorted."""
    kinds: tuple[list[Step], ...] = ([], [], [], [])
    for step in steps:
        kinds[_PLACES.get(step.phase, 1)].append(step)
    return Sorted(*map(tuple, kinds))


def step_line(step: Step, *, at_rest: bool, reason_limit: int = text.STEP_MESSAGE_LIMIT) -> str:
    """One step with sign and word; in an execution that rests, a running step `was` running (reference 3.4)."""
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
    """The steps worth naming, and a count of the others; None where GCS sent no steps."""
    steps = snapshot.execution.steps
    if not steps:
        return None
    kinds = by_priority(steps)
    at_rest = _at_rest(snapshot)
    lines = [
        *(step_line(step, at_rest=at_rest) for step in kinds.failed[:LINES_SHOWN]),
        _more(kinds.failed, "failed"),
        *(step_line(step, at_rest=at_rest) for step in kinds.running[:LINES_SHOWN]),
        _more(kinds.running, "that were running" if at_rest else "running"),
        _folded(kinds, at_rest=at_rest),
    ]
    return section(*lines)


def plan(snapshot: Snapshot) -> Block | None:
    """The same as Slack's own plan block, at most a dozen tasks; None where GCS sent no steps."""
    execution = snapshot.execution
    if not execution.steps:
        return None
    # Slack trades plan blocks by title and task ids: both depend on nothing but the snapshot.
    tasks = [{"type": "task_card", **task} for task in _tasks(by_priority(execution.steps), at_rest=_at_rest(snapshot))]
    return {"type": "plan", "title": words.counts(execution.steps_finished, execution.steps_total), "tasks": tasks}


def failed_words(steps: Sequence[Step], total: int | None = None) -> str:
    """The failed steps for the twin: «2 steps failed: job-b (OOMKilled: …), job-c.»; empty without any."""
    total = max(len(steps), total or 0)
    if not total:
        return ""
    named = [_with_reason(step) for step in steps[:LINES_SHOWN]]
    if total > len(named):
        named.append(f"{total - len(named):,} more")
    return f"{text.count(total, 'step')} failed: {', '.join(named)}."


def failed_names(steps: Sequence[Step], total: int) -> str:
    """The failed steps as one clause; their reasons stand on the card and in the outcome."""
    total = max(len(steps), total)
    if not total:
        return ""
    named = [words.step_name(step) for step in steps[:LINES_SHOWN]]
    if total > len(named):
        named.append(f"{total - len(named):,} more")
    return f"❌ {text.count(total, 'step')} failed: {', '.join(named)}"


def step_words(snapshot: Snapshot) -> list[str]:
    """The same as `steps_section`, for the twin."""
    kinds = by_priority(snapshot.execution.steps)
    lines = [failed_words(kinds.failed)]
    if kinds.running:
        named = ", ".join(words.step_name(step) for step in kinds.running[:LINES_SHOWN])
        verb = "Was running" if _at_rest(snapshot) else "Running"
        rest = len(kinds.running) - LINES_SHOWN
        lines.append(f"{verb}: {named}{f' and {rest:,} more' if rest > 0 else ''}.")
    lines.append(_folded(kinds, at_rest=_at_rest(snapshot)))
    return lines


def _at_rest(snapshot: Snapshot) -> bool:
    return snapshot.execution.is_terminal or snapshot.is_vanished


def _tasks(kinds: Sorted, *, at_rest: bool) -> Iterator[dict[str, Any]]:
    for place, step in enumerate(kinds.failed[:LINES_SHOWN]):
        reason = text.plain(f"{step.reason}: {step.message}".strip(": "), text.STEP_MESSAGE_LIMIT)
        task = {"task_id": f"failed-{place}", "title": _task_title(step, "failed"), "status": "error"}
        yield {**task, "details": rich_text(reason)} if reason else task
    if more := _more(kinds.failed, "failed"):
        yield {"task_id": "failed-more", "title": more, "status": "error"}
    # A plan has no word for «stopped»; a spinner on an execution that rests would be a lie.
    status = "pending" if at_rest else "in_progress"
    for place, step in enumerate(kinds.running[: LINES_SHOWN - 2]):
        yield {
            "task_id": f"running-{place}",
            "title": _task_title(step, _running_word(step, at_rest)),
            "status": status,
        }
    if more := _more(kinds.running, "that were running" if at_rest else "running", LINES_SHOWN - 2):
        yield {"task_id": "running-more", "title": more, "status": status}
    if kinds.finished:
        title = f"{text.count(len(kinds.finished), 'step')} finished"
        yield {"task_id": "finished", "title": title, "status": "complete"}
    if kinds.waiting:
        title = f"{text.count(len(kinds.waiting), 'step')} {_waiting_word(at_rest=at_rest)}"
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


def _folded(kinds: Sorted, *, at_rest: bool) -> str:
    waiting = f"{len(kinds.waiting):,} {_waiting_word(at_rest=at_rest)}" if kinds.waiting else ""
    finished = f"{len(kinds.finished):,} finished" if kinds.finished else ""
    return " · ".join(filter(None, (waiting, finished)))


def _waiting_word(*, at_rest: bool) -> str:
    return "never started" if at_rest else "waiting"


def _with_reason(step: Step) -> str:
    reason = words.why_words(step.reason, step.message, text.STEP_MESSAGE_LIMIT)
    return f"{words.step_name(step)} ({reason})" if reason else words.step_name(step)


def without_echo(steps: Iterable[Step], reason: str, message: str) -> tuple[Step, ...]:
    """`steps` without reasons that say just what the execution's own says: once is enough."""
    said = {"reason": "", "message": ""}
    return tuple(replace(step, **said) if (step.reason, step.message) == (reason, message) else step for step in steps)


def failed_lines(steps: Sequence[Step], total: int) -> list[str]:
    """Failed steps of an outcome with their reasons, and how many more there are."""
    lines = [step_line(step, at_rest=True) for step in steps[:LINES_SHOWN]]
    rest = total - len(lines)
    if rest > 0:
        lines.append(f"… and {rest:,} more failed")
    return lines
