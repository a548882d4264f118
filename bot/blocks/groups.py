"""The steps of an execution inside a message, grouped: what failed, what runs, what waits, what is done.

Lives here: `step_lines`, the same for mrkdwn and for plain text. Steps that are numbered alike are one line, such as
the 190 of `haplotype-caller-chr1-1`; failed ones stand beside it. Does not live here: the list of all steps
(`bot.blocks.step_list`), the stem of a name (`bot.domain.past`). Called by `bot.blocks.cards`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from bot.blocks import causes, text, words
from bot.blocks.language import _
from bot.blocks.steps import by_priority, more_steps
from bot.domain.execution import Phase, Step
from bot.domain.past import stem_of
from bot.domain.snapshot import Snapshot

LEAST_MEMBERS = 3
"""At least so many steps with one stem are a group."""
FAILED_SHOWN = 2
"""At most this many failed steps of one group are named one by one; of more, their reasons are counted. Also at most
this many lines about failed steps."""
SHOWN = (3, 2, 1)
"""At most this many running steps or groups have a line, and as many that wait, or are done, are named: fewer where
names are so long that the card would be higher than a phone."""
ROOM = 10
"""How many rows on a phone the steps may take."""
_NAME_LIMIT = 40
_SHORT_NAME_LIMIT, _TINY_NAME_LIMIT = 32, 26
_REASONS_SHOWN = 2


class Ink(NamedTuple):
    """How a line is written."""

    bold: Callable[[str, int], str]
    """A name, up to so many characters."""
    moment: Callable[[datetime], str]


MRKDWN = Ink(text.bold, text.ago)
PLAIN = Ink(text.escape, text.utc)


class Group(NamedTuple):
    """Steps with one stem, or one step; each part in GCS's order."""

    name: str
    failed: tuple[Step, ...]
    running: tuple[Step, ...]
    waiting: tuple[Step, ...]
    done: tuple[Step, ...]

    @property
    def size(self) -> int:
        """How many steps it has that did not fail."""
        return len(self.running) + len(self.waiting) + len(self.done)

    @property
    def longest(self) -> Step:
        """Of those that run, the one that has done so for longest."""
        return max(self.running, key=lambda step: step.elapsed or timedelta())


def grouped(steps: Sequence[Step]) -> list[Group]:
    """The steps in groups, in GCS's order."""
    stems = [stem_of(step.name) for step in steps]
    sizes = Counter(stems)
    members: dict[str, list[Step]] = {}
    for step, stem in zip(steps, stems, strict=True):
        members.setdefault(stem if sizes[stem] >= LEAST_MEMBERS else step.name, []).append(step)
    return [Group(name, *by_priority(those)) for name, those in members.items()]


def step_lines(
    snapshot: Snapshot,
    groups: Sequence[Group],
    *,
    ink: Ink = MRKDWN,
    is_cause_shown: bool = False,
    room: int = ROOM,
) -> list[str]:
    """The most important steps first; no lines when GCS sent no steps.

    `groups`: those of its steps that have lines. `is_cause_shown`: the cause of the largest group of failed steps, else
    that of the first one, stands above already. `room`: rows that the lines may take.
    """
    at_rest = snapshot.execution.is_terminal or snapshot.is_vanished
    lines: list[str] = []
    for most in SHOWN:
        lines = [
            *_failed_lines(groups, ink, is_cause_shown=is_cause_shown, most=min(most, FAILED_SHOWN)),
            *_running_lines(groups, snapshot, ink, at_rest=at_rest, most=most),
            *_folded_lines(groups, at_rest=at_rest, most=most),
            *([] if at_rest else filter(None, [more_steps(snapshot)])),
        ]
        if sum(map(text.rows, lines)) <= room:
            break
    return lines


def _failed_lines(groups: Iterable[Group], ink: Ink, *, is_cause_shown: bool, most: int) -> list[str]:
    failing = [group for group in groups if group.failed]
    largest = max(failing, key=lambda group: len(group.failed), default=None)
    if is_cause_shown and largest and len(largest.failed) > FAILED_SHOWN:
        failing.remove(largest)
        is_cause_shown = False
    drawn = (line for group in failing for line in _failed(group, ink, is_short=most == 1))
    if is_cause_shown and failing:
        next(drawn)
    lines = list(islice(drawn, most + 1))
    return lines if len(lines) <= most else [*lines[:most], _("… and more that failed")]


def _failed(group: Group, ink: Ink, *, is_short: bool) -> Iterator[str]:
    if len(group.failed) > FAILED_SHOWN:
        yield _failures(group, ink, is_short=is_short)
    else:
        yield from (_failure(step, ink, is_short=is_short) for step in group.failed)


def _failure(step: Step, ink: Ink, *, is_short: bool) -> str:
    if is_short:
        return _line("❌", ink.bold(step.name, _TINY_NAME_LIMIT), _("failed"))
    says = (step.reason, step.message, step.message_zh, step.reason_zh)
    why = causes.cause_alone(*says) if any(says) else ""
    return _line("❌", ink.bold(step.name, _NAME_LIMIT), _("failed"), words.sub_jobs(step), why)


def _failures(group: Group, ink: Ink, *, is_short: bool) -> str:
    """`haplotype-caller · 29 failed · exit code 1 (20), exit code 137 (9)`."""
    total = text.plural("{number} failed", "{number} failed", len(group.failed))
    if is_short:
        return _line("❌", ink.bold(group.name, _NAME_LIMIT), total)
    reasons = Counter((step.reason, step.message, step.message_zh, step.reason_zh) for step in group.failed)
    shape = _("{reason} ({number})")
    common = [(causes.cause_alone(*why), number) for why, number in reasons.most_common(_REASONS_SHOWN) if any(why)]
    said = text.clauses(shape.format(reason=why, number=text.number(number)) for why, number in common if why)
    return _line("❌", ink.bold(group.name, _NAME_LIMIT), total, said)


def _running_lines(groups: Iterable[Group], snapshot: Snapshot, ink: Ink, *, at_rest: bool, most: int) -> list[str]:
    running = sorted((group for group in groups if group.running), key=_groups_first)
    lines = [_running(group, snapshot, ink, at_rest=at_rest) for group in running[:most]]
    rest = sum(len(group.running) for group in running[most:])
    if rest and at_rest:
        lines.append(text.plural("… and {number} more was running", "… and {number} more were running", rest))
    elif rest:
        lines.append(text.plural("… and {number} more running", "… and {number} more running", rest))
    return lines


def _groups_first(group: Group) -> tuple[bool, timedelta]:
    """Groups first, which most of the run is about; then what has run for longest."""
    return group.size < LEAST_MEMBERS, -(group.longest.elapsed or timedelta())


def _running(group: Group, snapshot: Snapshot, ink: Ink, *, at_rest: bool) -> str:
    name = ink.bold(group.name or _("(no name)"), _NAME_LIMIT)
    if group.size == 1:
        (step,) = group.running
        return _line(
            _sign(step, at_rest), name, _word(step, at_rest), words.sub_jobs(step), _since(step, snapshot, ink)
        )
    parts = [
        text.plural("{number} done", "{number} done", len(group.done)) if group.done else "",
        _number_running(len(group.running), at_rest=at_rest),
        text.plural("{number} waiting", "{number} waiting", len(group.waiting)) if group.waiting else "",
    ]
    return _line("▫️" if at_rest else "🔄", name, text.series(parts), "" if at_rest else _longest(group, snapshot, ink))


def _number_running(number: int, *, at_rest: bool) -> str:
    if at_rest:
        return text.plural("{number} was running", "{number} were running", number)
    return text.plural("{number} running", "{number} running", number)


def _longest(group: Group, snapshot: Snapshot, ink: Ink) -> str:
    """Which one runs for longest, without the part of its name that stands before: `longest: chr1, started …`."""
    step = group.longest
    since = _since(step, snapshot, ink)
    own = step.name.removeprefix(group.name).lstrip("-_. ") or step.name
    return _("longest: {step}, {since}").format(step=text.escape(own, _SHORT_NAME_LIMIT), since=since) if since else ""


def _since(step: Step, snapshot: Snapshot, ink: Ink) -> str:
    """When a step that runs began."""
    if not step.elapsed or snapshot.execution.is_terminal or snapshot.is_vanished:
        return ""
    began = words.back(snapshot.seen_at, step.elapsed)
    return "" if began is None else _("started {time}").format(time=ink.moment(began))


def _sign(step: Step, at_rest: bool) -> str:
    return "▫️" if at_rest else words.icon(step.phase)


def _word(step: Step, at_rest: bool) -> str:
    """Nothing for a step that simply runs, which its sub-jobs or its start say; at rest it was running."""
    if at_rest:
        return _("was running")
    return "" if step.phase == Phase.RUNNING and (step.elapsed or step.sub_jobs > 1) else words.phase_word(step.phase)


def _folded_lines(groups: Iterable[Group], *, at_rest: bool, most: int) -> list[str]:
    """What waits, and what is done: the names of the first ones."""
    waiting = [group for group in groups if group.waiting and not group.running]
    done = [group for group in groups if group.done and not group.running and not group.waiting]
    lines = []
    if most == 1:  # names would take too many rows
        waits, ended = sum(len(group.waiting) for group in waiting), sum(group.size for group in done)
        counted = [
            text.plural("◌ {number} waiting", "◌ {number} waiting", waits) if waits else "",
            text.plural("✓ {number} done", "✓ {number} done", ended) if ended else "",
        ]
        return [line] if (line := " · ".join(filter(None, counted))) else []
    if waiting:
        lines.append(_line("◌", _names(waiting, most), _("never started") if at_rest else _("waiting")))
    if done:
        is_all = all(step.phase == Phase.SUCCEEDED for group in done for step in group.done)
        lines.append(_line("✓", _names(done, most), _("done") if is_all else _("done or stopped")))
    return lines


def _names(groups: Sequence[Group], most: int) -> str:
    shown = [_name(group) for group in groups[:most]]
    rest = sum(group.size for group in groups[most:])
    if rest:
        shown.append(text.plural("{number} more", "{number} more", rest))
    return text.series(shown)


def _name(group: Group) -> str:
    name = text.escape(group.name, _SHORT_NAME_LIMIT) or _("(no name)")
    if group.size == 1:
        return name
    if not group.waiting or not group.done:
        return _("{name} ({number})").format(name=name, number=text.number(group.size))
    shape = _("{name} ({done} of {total} done)")
    return shape.format(name=name, done=text.number(len(group.done)), total=text.number(group.size))


def _line(sign: str, *parts: str) -> str:
    return f"{sign} {' · '.join(filter(None, parts))}"
