"""Which steps failed, and why: a line for each step, one for many steps whose names differ in a number.

Lives here: `failure_lines`, `failure_words`, `group_line`. Does not live here: words for causes (`bot.blocks.causes`).
Called by `bot.blocks.outcome`, `bot.blocks.trouble`, `bot.blocks.warnings` and `bot.blocks.why`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bot.blocks import causes, text
from bot.blocks.language import _, ngettext
from bot.domain.change import Change
from bot.domain.execution import MOST_STEPS, Execution, Step
from bot.domain.past import stem_of

LEAST_GROUP = 3
"""So many steps with one stem share a line."""
_LONG_NAME = 30
"""Beside a longer name there is no room for the time that a step took: the cause should stand on one line."""
_MOST_READ = 200
"""The causes of at most so many steps of a group are looked for: of a larger one they are named, and not counted."""
_CAUSES_SHOWN = 3
"""At most this many causes of a group are named."""


class Failure(NamedTuple):
    """How an execution, or some of its steps, failed."""

    steps: tuple[Step, ...]
    total: int
    """How many steps failed, as far as they are known; more than `steps` where the others are not known any more."""
    reason: str = ""
    """The execution's own, as are the following."""
    message: str = ""
    reason_zh: str = ""
    message_zh: str = ""

    @classmethod
    def of_execution(cls, execution: Execution) -> Failure:
        """As GCS shows it now."""
        failed = execution.failed_steps
        texts = execution.reason, execution.message, execution.reason_zh, execution.message_zh
        return cls(failed, len(failed), *texts)

    @classmethod
    def of_change(cls, change: Change, execution: Execution) -> Failure:
        """As it was at `change`, which names a few steps only; `execution` names all while it shows the same end."""
        known = execution.failed_steps if execution.phase == change.phase else ()
        failed = known if len(known) >= change.failed_steps_total else change.failed_steps
        texts = change.reason, change.message, change.reason_zh, change.message_zh
        return cls(failed, max(len(failed), change.failed_steps_total), *texts)

    def says(self, step: Step) -> tuple[str, str, str, str]:
        """Reason, message, and their Chinese halves, the message's first.

        A step's; the execution's where GCS says nothing of its only one.
        """
        of = step if step.reason or step.message or self.total > 1 else self
        return of.reason, of.message, of.message_zh, of.reason_zh

    def counted(self, steps: int) -> str:
        """How many `steps` of those that failed, and a plus sign where so many failed that not all are known."""
        return text.number(steps) + ("+" if self.total >= MOST_STEPS else "")

    @property
    def is_unexplained(self) -> bool:
        """Whether GCS says nothing at all."""
        return not (self.steps or self.reason or self.message)


def failure_lines(failure: Failure, most: int) -> list[str]:
    """Why it failed, as mrkdwn: at most `most` lines, the largest group first, and how many steps are left out."""
    return _lines(failure, most, causes.cause, text.bold)


def failure_words(failure: Failure, most: int) -> list[str]:
    """The same in plain text."""
    return _lines(failure, most, causes.cause_words, text.escape)


def group_line(failure: Failure, shown: Callable[[str], str]) -> str:
    """The largest group of steps on one line; empty where none shares a line. `shown` writes a name."""
    groups = _groups(failure.steps)
    return _group(failure, groups[0], shown) if groups and len(groups[0]) >= LEAST_GROUP else ""


def _lines(failure: Failure, most: int, cause: Callable[..., str], shown: Callable[[str], str]) -> list[str]:
    if not failure.steps:
        if failure.is_unexplained:
            return [_("GCS gives no reason.")]
        return [cause("", failure.reason, failure.message, failure.message_zh, failure.reason_zh)]
    groups = _groups(failure.steps)[:most]
    lines = [_group(failure, group, shown) if len(group) >= LEAST_GROUP else "" for group in groups]
    lines = [line or _alone(failure, group[0], cause) for line, group in zip(lines, groups, strict=True)]
    rest = failure.total - sum(map(len, groups))
    if rest > 0:
        shape = ngettext("{number} more step failed.", "{number} more steps failed.", rest)
        lines.append(text.unbroken(shape.format(number=failure.counted(rest))))
    return lines


def _groups(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps with one stem together where they are many, else alone; the largest group first, else in GCS's order."""
    stems: dict[str, list[Step]] = {}
    for step in steps:
        stems.setdefault(stem_of(step.name), []).append(step)
    groups = [
        group for stem in stems.values() for group in ([stem] if len(stem) >= LEAST_GROUP else [[s] for s in stem])
    ]
    return sorted(groups, key=len, reverse=True)


def _group(failure: Failure, group: Sequence[Step], shown: Callable[[str], str]) -> str:
    """`29 × haplotype-caller: exit 1 (19), ran out of memory (10)`."""
    read = group[:_MOST_READ]
    counted = Counter(causes.cause_alone(*failure.says(step)) for step in read).most_common(_CAUSES_SHOWN)
    if len(read) < len(group) or counted[0][1] == len(group):
        why = [cause for cause, _count in counted]
    else:
        why = [_("{cause} ({number})").format(cause=cause, number=text.number(count)) for cause, count in counted]
    line = _("{number} × {step}: {causes}")
    stem = stem_of(group[0].name)
    return line.format(number=failure.counted(len(group)), step=shown(stem) or _("(no name)"), causes=text.clauses(why))


def _alone(failure: Failure, step: Step, cause: Callable[..., str]) -> str:
    says = failure.says(step)
    line, retries = cause(step.name, *says), causes.retries(says[1])
    if not step.elapsed or len(step.name) > _LONG_NAME:
        return line
    shape = _("{cause}, after {duration}")
    if retries:
        shape = ngettext(
            "{cause}, after {duration} and {number} retry", "{cause}, after {duration} and {number} retries", retries
        )
    return shape.format(cause=line, duration=text.span(step.elapsed), number=text.number(retries))
