"""What a message says when an execution needs somebody's attention.

Lives here: `warning_words`, `warning_lines` (steps failed, a step or the execution is slow, the time limit is near) and
`owner_mention`. Does not live here: when that is so (`bot.domain`), the message around it. Called by
`bot.blocks.thread` and `bot.blocks.outcome`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks import text, words
from bot.blocks.failed_steps import Failure, failure_lines
from bot.blocks.language import _
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Execution
from bot.domain.following import Subscription
from bot.domain.priority import mentions_owner

_LINES_SHOWN = 3
"""At most this many steps, or groups of steps alike, have a line; the others are counted."""


def warning_words(changes: Sequence[Change]) -> str:
    """The most urgent warning among `changes`, in a few words; empty when there is none."""
    kinds = {change.kind for change in changes}
    failing = [change for change in changes if change.fails]
    if failing:
        total = max(failing[-1].failed_steps_total, 1)
        return text.plural("{number} step failed", "{number} steps failed", total)
    if ChangeKind.DEADLINE in kinds:
        return _("stops soon")
    return _("slower than usual") if ChangeKind.SLOW in kinds else ""


def warning_lines(changes: Sequence[Change], execution: Execution) -> list[str]:
    """What is wrong, the most urgent first: a line for each step, and for the time limit."""
    lines = _failed_lines(changes, words.others_go_on(execution))
    deadlines = [change.deadline for change in changes if change.kind is ChangeKind.DEADLINE and change.deadline]
    if deadlines:
        lines.append(_deadline(deadlines[-1], execution))
    slow = {change.step: change for change in changes if change.kind is ChangeKind.SLOW}
    lines += [_slow(change) for change in list(slow.values())[:_LINES_SHOWN]]
    if (rest := len(slow) - _LINES_SHOWN) > 0:
        lines.append(
            text.plural("{number} more step slower than usual.", "{number} more steps slower than usual.", rest)
        )
    return lines


def _failed_lines(changes: Sequence[Change], others: str) -> list[str]:
    """The steps that failed, those alike in one line, and how many `others` go on."""
    named = tuple(step for change in changes for step in change.newly_failed)
    total = max(sum(change.newly_failed_total for change in changes), len(named))
    if not total:
        return []
    if not named:
        return [text.plural("{number} step failed.", "{number} steps failed.", total)]
    first, *more = (line.rstrip(".。") for line in failure_lines(Failure(named, total), _LINES_SHOWN))
    if others and not more:
        return [_sentence(_("{cause}; {others}").format(cause=first, others=others))]
    return [_sentence(line) for line in (first, *more, others) if line]


def _sentence(words_of_it: str) -> str:
    return _("{sentence}.").format(sentence=words_of_it)


def _deadline(at: datetime, execution: Execution) -> str:
    when = text.date(at)
    if execution.timeout:
        limit = text.span(execution.timeout)
        return _("GCS will stop it {time}: its time limit is {limit}.").format(time=when, limit=limit)
    return _("GCS will stop it {time}, at its time limit.").format(time=when)


def _slow(change: Change) -> str:
    values = {
        "step": text.bold(change.step),
        "taken": text.span(change.taken) if change.taken else "",
        "usual": text.span(change.usual) if change.usual else "",
    }
    if change.step:
        if change.taken and change.usual:
            return _("{step} has taken {taken} so far, usually at most {usual}.").format(**values)
        return _("{step} is taking longer than usual.").format(**values)
    if change.taken and change.usual:
        return _("It has taken {taken} so far, usually at most {usual}.").format(**values)
    return _("It is taking longer than usual.")


def owner_mention(changes: Sequence[Change], subscription: Subscription) -> str:
    """A mention of the owner where a failure is announced in a channel, once for a burst; else empty."""
    if not subscription.owner or not mentions_owner(changes, subscription.subscriber):
        return ""
    return text.person(subscription.owner)
