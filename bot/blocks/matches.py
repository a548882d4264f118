"""Lists of executions to pick from: what a name may mean, what runs, what has failed; and what to type.

Lives here: these lists, with a button for each execution, and the reply to `/execution` alone. Does not live here: the
list of what is followed (`bot.blocks.replies`), where executions are found (`bot.search`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from bot.blocks import buttons, replies, text, words
from bot.blocks.items import Item
from bot.blocks.language import N_, _
from bot.blocks.message import Block, Message, actions, context, message, section
from bot.domain.execution import Phase
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.quiet import MuteFor
from bot.domain.search import Found, Match

SHOWN = 8
"""At most this many executions in one list."""

OVERVIEW_SHOWN = 5
"""At most this many in the reply to `/execution` alone."""

EXAMPLES = (
    ("germline", N_("finds executions by part of their name")),
    ("running", N_("shows what is running")),
    ("subscribe germline here", N_("makes this channel follow one")),
)
"""Lines that parse, and what they do."""

COMMAND = "/execution"


def to_show(found: Found) -> Message:
    """Executions of which one is to be shown."""
    return _to_pick(found, lambda match: buttons.show(match.execution_id))


def to_log(found: Found) -> Message:
    """Executions of which the log of one is to be shown."""
    return _to_pick(found, lambda match: buttons.show_log(match.execution_id))


def to_follow(found: Found, subscriber: Subscriber, *, level: Level | None = None) -> Message:
    """Executions of which one is to be followed, at `level`; one that has succeeded can only be shown."""

    def follow(match: Match) -> Block:
        if match.phase == Phase.SUCCEEDED:
            return buttons.show(match.execution_id)
        return buttons.follow_this(match.execution_id, subscriber, level)

    return _to_pick(found, follow)


def to_stop(found: Found, subscriber: Subscriber, *, now: datetime) -> Message:
    """Executions of which one is to be followed no longer."""

    def stop(match: Match) -> Block:
        return buttons.unsubscribe(
            Subscription(execution_id=match.execution_id, subscriber=subscriber, owner="", created_at=now)
        )

    return _to_pick(found, stop)


def to_mute(found: Found, subscriber: Subscriber, span: MuteFor, *, is_silent: bool) -> Message:
    """Executions of which one is to be muted; `is_silent`: failures, too."""
    return _to_pick(found, lambda match: buttons.mute(match.execution_id, subscriber, span, is_silent=is_silent))


def to_unmute(found: Found, subscriber: Subscriber, *, now: datetime) -> Message:
    """Executions of which one is to be muted no longer."""

    def unmute(match: Match) -> Block:
        return buttons.unmute(
            Subscription(execution_id=match.execution_id, subscriber=subscriber, owner="", created_at=now)
        )

    return _to_pick(found, unmute)


def in_phase(found: Found, phase: Phase) -> Message:
    """The newest executions that run, or that have failed."""
    total = len(found.matches) + found.unread
    if not total:
        none = _("No execution is running.") if phase == Phase.RUNNING else _("No execution has failed.")
        return message([section(none)], none)
    title = (
        text.plural("{number} execution is running", "{number} executions are running", total)
        if phase == Phase.RUNNING
        else text.plural("{number} execution has failed", "{number} executions have failed", total)
    )
    hidden = max(0, total - SHOWN)
    more = _("… and {number} more").format(number=text.number(hidden)) if hidden else ""
    return _list(title, found, lambda match: buttons.show(match.execution_id), more)


def overview(items: Sequence[Item], *, now: datetime, unreadable: Sequence[str] = ()) -> Message:
    """What the person follows, three lines to type, and the way for those who type none."""
    followed = replies.subscription_list(items, now=now, unreadable=unreadable, most=OVERVIEW_SHOWN, is_person=True)
    shape = _("{line}: {meaning}")
    lines = [shape.format(line=f"`{COMMAND} {line}`", meaning=_(meaning)) for line, meaning in EXAMPLES]
    more = _("{command} shows everything I understand.").format(command=f"`{COMMAND} help`")
    examples = [section(*lines, more), actions([buttons.open_follow()])]
    return Message((*followed.blocks, *filter(None, examples)), "\n".join((followed.text, *lines, more)))


def _to_pick(found: Found, pick: Callable[[Match], Block]) -> Message:
    total = len(found.matches) + found.unread
    hidden = max(0, total - SHOWN)
    shape = _("… and {number} more: type more of the name.")
    more = shape.format(number=text.number(hidden)) if hidden else ""
    title = text.plural("{number} execution matches. This one?", "{number} executions match. Which one?", total)
    return _list(title, found, pick, more)


def _list(title: str, found: Found, pick: Callable[[Match], Block], more: str) -> Message:
    shown = found.matches[:SHOWN]
    rows = [_row(match, pick(match)) for match in shown]
    return message([section(f"*{title}*"), *rows, context(more)], title, *map(_words, shown), more)


def _row(match: Match, pick: Block) -> Block | None:
    facts = [
        words.phase_word(match.phase),
        text.escape(match.workflow_name),
        text.date(match.created_at) if match.created_at else "",
        text.code(match.execution_id[:8]),
    ]
    row = section(f"{words.icon(match.phase)} *{words.unstarred(_name(match))}*", " · ".join(filter(None, facts)))
    return {**row, "accessory": pick} if row else None


def _words(match: Match) -> str:
    shape = _("{name}: {phase}")
    return shape.format(name=_name(match), phase=words.phase_word(match.phase))


def _name(match: Match) -> str:
    return text.escape(match.name) or text.escape(match.execution_id)
