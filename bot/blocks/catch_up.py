"""The message about all that has ended while a person wanted to read nothing.

Lives here: `catch_up_message`. Does not live here: which ends it names (`bot.domain.catch_up`), the message about one
end (`bot.blocks.outcome`). Called by the notifier.

What failed comes first, each with its cause; of the rest there are only names, as far as there is room.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from bot.blocks import buttons, text, words
from bot.blocks.language import _
from bot.blocks.links import message_link
from bot.blocks.message import Block, Message, context, message, section
from bot.blocks.outcome import Reason
from bot.domain.catch_up import Caught
from bot.domain.change import ChangeKind
from bot.domain.execution import Phase

MOST_FAILED = 8
"""So many that failed have a paragraph each; of the others there are only names."""

NAMES_LIMIT = 900
"""How long the names of one state may be together, in characters: so that the plain text holds all states."""

_NUMBER = re.compile(r"\d+", re.ASCII)
_MOST_DIGITS = 20
"""A longer number in a name is sorted as text."""

_GONE = "vanished"
"""In place of a phase."""

_STOPPED = (Phase.CANCELLED, Phase.ABORTED)


def catch_up_message(ends: Sequence[Caught], *, address: str) -> Message:
    """What has ended, in one message. `address`: of Slack's messages, or empty if it is unknown."""
    ends = sorted(ends, key=_order)
    failed = [end for end in ends if end.is_failed]
    shape = _("While you were away: {counts}")
    headline = shape.format(counts=text.series(_counts(ends, len(failed))))
    groups, hidden = _groups([*failed[MOST_FAILED:], *(end for end in ends if not end.is_failed)])
    hint = _("The others are on my Home tab; {command} lists what has failed.") if hidden else ""
    hint = hint.format(command="`/execution failed`")
    shown = failed[:MOST_FAILED]
    blocks = [
        section(f"🔔 *{headline}*"),
        *(_failed(end, address) for end in shown),
        *(section(f"{icon} {_named(f'*{state}*', names)}") for icon, state, names in groups),
        context(hint),
    ]
    lines = [line for end in shown for line in _failed_words(end)]
    return message(
        blocks,
        headline,
        *lines,
        *(f"{icon} {_named(state, names)}" for icon, state, names in groups),
        hint,
    )


def _order(end: Caught) -> tuple[datetime, str, str]:
    """The second in which it was seen, then its name, in which numbers count as numbers: `a-2` is before `a-10`."""
    title = end.execution.title
    by_numbers = _NUMBER.sub(lambda number: number[0].zfill(_MOST_DIGITS), title)
    return end.change.at.replace(microsecond=0), by_numbers, title


def _failed(end: Caught, address: str) -> Block | None:
    """Which one, as a link to its card, why, and the way to more."""
    reason, icon = Reason.of(end.change, end.execution), words.icon(end.change.phase)
    name = words.unstarred(words.name(end.execution))
    link = message_link(name, address=address, channel_id=end.channel, ts=end.ts)
    head = f"{icon} *{_named(words.phase_word(end.change.phase), link)}*"
    more = " · ".join(filter(None, (reason.more, reason.note)))
    return section(head, reason.line, more, accessory=buttons.why(end.execution.id))


def _failed_words(end: Caught) -> tuple[str, str]:
    reason = Reason.of(end.change, end.execution)
    line = " · ".join(filter(None, (reason.words, reason.more, reason.note)))
    headline = _named(words.phase_word(end.change.phase), words.name(end.execution))
    return f"{words.icon(end.change.phase)} {headline}", line


def _named(state: str, name: str) -> str:
    return _("{state}: {name}").format(state=state, name=name)


def _counts(ends: Sequence[Caught], failed: int) -> list[str]:
    """How many have ended how, as parts of a sentence."""
    states = [_state(end) for end in ends if not end.is_failed]
    stopped, gone = sum(state in _STOPPED for state in states), states.count(_GONE)
    succeeded = states.count(Phase.SUCCEEDED)
    others = len(states) - stopped - gone - succeeded
    return [
        text.plural("{number} failed", "{number} failed", failed) if failed else "",
        text.plural("{number} cancelled", "{number} cancelled", stopped) if stopped else "",
        text.plural("{number} deleted", "{number} deleted", gone) if gone else "",
        text.plural("{number} ended otherwise", "{number} ended otherwise", others) if others else "",
        text.plural("{number} succeeded", "{number} succeeded", succeeded) if succeeded else "",
    ]


def _state(end: Caught) -> str:
    return _GONE if end.change.kind is ChangeKind.VANISHED else end.change.phase


def _groups(ends: Sequence[Caught]) -> tuple[list[tuple[str, str, str]], int]:
    """Icon, state and names of those that ended alike, successes last; and how many are not named."""
    by_state: dict[str, list[Caught]] = {}
    for end in ends:
        by_state.setdefault(_state(end), []).append(end)
    groups, hidden = [], 0
    for state, those in sorted(by_state.items(), key=lambda group: group[0] == Phase.SUCCEEDED):
        names, left = _names(those)
        word = _(words.DELETED) if state == _GONE else words.phase_word(state)
        groups.append((words.icon(Phase.DELETING if state == _GONE else state), word, names))
        hidden += left
    return groups, hidden


def _names(ends: Sequence[Caught]) -> tuple[str, int]:
    """As many names as there is room for, and how many are left out."""
    taken: list[str] = []
    for end in ends:
        name = words.name(end.execution)
        if taken and sum(map(len, taken)) + 2 * len(taken) + len(name) > NAMES_LIMIT:
            break
        taken.append(name)
    hidden = len(ends) - len(taken)
    named = text.series(taken)
    if hidden:
        named = _("{names} and {number} more").format(names=named, number=text.number(hidden))
    return named, hidden
