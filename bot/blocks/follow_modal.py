"""The modal in which an execution is chosen, and who is to follow it at which level: for people who type no commands.

Lives here: the modal, what it says while the bot works and at the end, and what was entered. Does not live here: what
the entries mean and do (`handlers.follow`). Called by `handlers`, from shortcuts and from wherever a button opens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.blocks import fields, text, words
from bot.blocks.fields import CHANNEL, LEVEL
from bot.blocks.language import N_, Language, _, spoken
from bot.blocks.message import Block, Message, context, section, view
from bot.blocks.modals import asking, metadata, parse_metadata, without_buttons
from bot.domain.execution import Value
from bot.domain.following import Level
from bot.domain.search import Match

CALLBACK_ID = "follow_execution"
TITLE = N_("Follow an execution")
MOST_CHOICES = 10
"""At most this many executions to choose from: Slack shows no more in one group."""

QUERY, CHOICE = "query", "execution"
"""The fields of this modal, by their action ids."""

_OPTION_LIMIT, _QUERY_LIMIT, _NAME_LIMIT = 75, 200, 64


class Entered(NamedTuple):
    """What stands in the modal."""

    query: str = ""
    """A name, a part of one, or an id, as somebody typed it."""
    choice: str = ""
    """The id of the execution that was picked."""
    channel_id: str = ""
    """Who is to follow it; empty for the person themselves."""
    level: str = ""
    """Empty for the level that is used where nobody names one."""
    choices: tuple[Match, ...] = ()
    """What there was to pick from."""


class _Carried(Value, frozen=True):
    """What the modal carries until it is submitted."""

    language: Language
    choices: list[tuple[str, str, str]]
    """Of each: id, name, phase."""
    query: str


EMPTY = Entered()


def follow_modal(entered: Entered = EMPTY, *, level: Level, problem: str = "", more: int = 0) -> Block:
    """The modal, filled in with `entered`: with a field for a name, or with `choices` to pick from.

    `level` is the one that is used where nobody names one. `problem` is a sentence, escaped here. `more`: so many
    executions fit besides the choices.
    """
    chosen = Level(entered.level) if entered.level in set(Level) else level
    shown = entered.choices[:MOST_CHOICES]
    hidden = len(entered.choices) - len(shown) + more
    blocks = [
        section(f"⚠️ {text.prose(problem)}" if problem else ""),
        _which(shown, entered.choice) if shown else _name(entered.query),
        context(_("… and {number} more: type more of the name.").format(number=text.number(hidden)) if hidden else ""),
        fields.channel(entered.channel_id),
        fields.level(chosen),
    ]
    return _modal(blocks, entered, submit=_("Follow"))


def working(entered: Entered = EMPTY) -> Block:
    """While the bot looks."""
    return _modal([asking()], entered)


def followed(reply: Message, entered: Entered) -> Block:
    """What became of it: the reply that a command would have, without its buttons, which a modal has no place for."""
    return _modal(without_buttons(reply), entered)


def parse_entered(values: Mapping[str, str], private_metadata: str) -> tuple[Entered, Language]:
    """What was entered, and the language of the modal.

    Raises:
        ValueError: the metadata was not written by this module.
    """
    carried = parse_metadata(private_metadata, _Carried)
    choices = tuple(Match(*each) for each in carried.choices)
    query = values.get(QUERY, "") or carried.query
    entered = Entered(query, values.get(CHOICE, ""), values.get(CHANNEL, ""), values.get(LEVEL, ""), choices)
    return entered, carried.language


def _modal(blocks: Sequence[Block | None], entered: Entered, *, submit: str = "") -> Block:
    choices = [(each.execution_id, each.name[:_NAME_LIMIT], each.phase[:20]) for each in entered.choices[:MOST_CHOICES]]
    carried = metadata(_Carried(spoken(), choices, entered.query[:_QUERY_LIMIT] if choices else ""))
    return view(_(TITLE), blocks, callback_id=CALLBACK_ID, private_metadata=carried, submit=submit)


def _name(query: str) -> Block:
    field = fields.typed(query, most=_QUERY_LIMIT, example="germline-wgs", has_focus=True)
    return fields.entry(QUERY, _("Execution"), field, hint=_("Its name, part of its name, or its id."))


def _which(choices: Sequence[Match], chosen: str) -> Block:
    options = [(each.execution_id, _option(each)) for each in choices]
    ids = [each.execution_id for each in choices]
    start = chosen if chosen in ids else ids[0] if len(ids) == 1 else ""
    return fields.entry(CHOICE, _("Execution"), fields.radio(options, start))


def _option(match: Match) -> str:
    state = f" · {words.phase_word(match.phase)}" if match.phase else ""
    name = text.plain(match.name, _NAME_LIMIT)
    if not name:
        return text.plain(match.execution_id, _OPTION_LIMIT)
    end = text.cut(f"{state} · {match.execution_id[:8]}", _OPTION_LIMIT // 2)
    return text.cut(name, _OPTION_LIMIT - len(end)) + end
