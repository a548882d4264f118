"""The modal in which a workflow is named whose new runs are followed: for people who type no commands.

Lives here: the modal, and what was entered. Does not live here: the modal for one execution (`follow_modal`), what
the entries do (`handlers.follow_workflow`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.blocks import fields, text
from bot.blocks.language import N_, _
from bot.blocks.message import Block, Message, section, view
from bot.blocks.modals import asking, spoken_metadata, without_buttons
from bot.domain.following import Level

CALLBACK_ID = "follow_workflow"
TITLE = N_("Follow a workflow")
NAME = "workflow"
"""The field for its name, by its action id."""

_NAME_LIMIT = 200


class Wanted(NamedTuple):
    """What stands in the modal."""

    name: str = ""
    channel_id: str = ""
    """Who is to follow it; empty for the person themselves."""
    level: str = ""


def rule_modal(wanted: Wanted = Wanted(), *, problem: str = "") -> Block:  # noqa: B008  # it is immutable
    """The modal, filled in with `wanted`; `problem` is a sentence, escaped here."""
    chosen = Level(wanted.level) if wanted.level in set(Level) else Level.FAILURES
    hint = _("Its name in GeneContainer Service, or its id. I follow every run that starts from now on.")
    name = fields.typed(wanted.name, most=_NAME_LIMIT, example="germline-wgs", has_focus=True)
    blocks = [
        section(f"⚠️ {text.prose(problem)}" if problem else ""),
        fields.entry(NAME, _("Workflow"), name, hint=hint),
        fields.channel(wanted.channel_id),
        fields.level(chosen),
    ]
    return _modal(blocks, submit=_("Follow"))


def looking() -> Block:
    """While the bot looks."""
    return _modal([asking()])


def rule_followed(reply: Message) -> Block:
    """What became of it: the reply that a command would have, without its buttons."""
    return _modal(without_buttons(reply))


def parse_wanted(values: Mapping[str, str]) -> Wanted:
    """What was entered."""
    return Wanted(values.get(NAME, ""), values.get(fields.CHANNEL, ""), values.get(fields.LEVEL, ""))


def _modal(blocks: Sequence[Block | None], *, submit: str = "") -> Block:
    return view(_(TITLE), blocks, callback_id=CALLBACK_ID, private_metadata=spoken_metadata(), submit=submit)
