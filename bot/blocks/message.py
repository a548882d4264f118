"""A message, and the few Block Kit shapes that it is made of.

Lives here: `Message`, and one builder per block type in use, with Slack's limits. Does not live here: any text of a
message (the siblings). `Message` is used by the notifier and the listeners, the builders only by `bot.blocks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from bot.blocks.language import _
from bot.blocks.text import UNBROKEN, cut, spelled_dates, within

Block = dict[str, Any]
"""Block Kit JSON."""

HEADER_LIMIT = 150
SECTION_LIMIT = 2_900
FIELD_LIMIT = 1_900
FIELDS_LIMIT = 10
OPTIONS_LIMIT = 5
OPTION_LIMIT = 150
PLAIN_LIMIT = 3_900
"""How long the plain text may be, in characters: Slack takes 4,000 in an edit."""


@dataclass(frozen=True)
class Message:
    """Blocks, and the same in plain text: for screen readers, notifications, and when Slack refuses the blocks."""

    blocks: tuple[Block, ...]
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text.replace(UNBROKEN, " "))

    def plain(self) -> Self:
        """The plain text without the blocks."""
        return replace(self, blocks=())


def message(blocks: Iterable[Block | None], *words: str) -> Message:
    """A message of `blocks` without the missing ones; `words` are the lines of its plain text, empty ones left out."""
    return Message(
        blocks=tuple(filter(None, blocks)),
        text=within(map(spelled_dates, filter(None, words)), PLAIN_LIMIT),
    )


def header(text: str) -> Block:
    """A headline; plain text only."""
    return {"type": "header", "text": _plain(cut(text, HEADER_LIMIT))}


def section(*lines: str, accessory: Block | None = None) -> Block | None:
    """A paragraph of the lines that are not empty, with a button beside it; None when all are empty."""
    text = within(filter(None, lines), SECTION_LIMIT)
    beside = {"accessory": accessory} if accessory else {}
    return {"type": "section", "text": mrkdwn(text), **beside} if text else None


def fields(pairs: Sequence[tuple[str, str]]) -> Block | None:
    """A two-column list of named values; None when there are none."""
    cells = [mrkdwn(f"*{name}*\n{value}") for name, value in pairs if value and len(value) < FIELD_LIMIT]
    return {"type": "section", "fields": cells[:FIELDS_LIMIT]} if cells else None


def context(*parts: str) -> Block | None:
    """One line in small type of the parts that are not empty; None when all are empty."""
    text = " · ".join(filter(None, parts))
    return {"type": "context", "elements": [mrkdwn(text)]} if text else None


def actions(buttons: Sequence[Block]) -> Block | None:
    """A row of buttons; None when there are none."""
    return {"type": "actions", "elements": list(buttons)} if buttons else None


def mrkdwn(text: str) -> Block:
    """Formatted text; `verbatim` keeps Slack from turning parts of it into links or mentions."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}


def button(label: str, action_id: str, value: str, *, style: str = "", confirm: Block | None = None) -> Block:
    """A button; `style` is empty, `primary` or `danger`."""
    shape: Block = {"type": "button", "text": _plain(label), "action_id": action_id, "value": value}
    if style:
        shape["style"] = style
    if confirm:
        shape["confirm"] = confirm
    return shape


def overflow(action_id: str, options: Sequence[tuple[str, str]]) -> Block:
    """The menu behind three dots, of pairs of label and value: at most five."""
    return {"type": "overflow", "action_id": action_id, "options": [_option(*each) for each in options[:OPTIONS_LIMIT]]}


def choice(action_id: str, options: Sequence[tuple[str, str]], chosen: str) -> Block:
    """A list of pairs of label and value, of which the one with the value `chosen` is marked, if it is there."""
    shape: Block = {"type": "static_select", "action_id": action_id, "options": [_option(*each) for each in options]}
    start = [_option(*each) for each in options if each[1] == chosen]
    return shape | ({"initial_option": start[0]} if start else {})


def pick(action_id: str, placeholder: str, options: Sequence[tuple[str, str]]) -> Block:
    """A list of pairs of label and value, of which none is marked."""
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": _plain(placeholder),
        "options": [_option(*each) for each in options],
    }


def _option(label: str, value: str) -> Block:
    return {"text": _plain(label), "value": value[:OPTION_LIMIT]}


def channel_input(label: str) -> Block:
    """A field in which a channel is chosen; with it comes an address for a message there (`response_urls`)."""
    menu = {
        "type": "conversations_select",
        "action_id": "channel",
        "response_url_enabled": True,
        "filter": {"include": ["public", "private"]},
    }
    return {"type": "input", "label": _plain(label), "element": menu}


def select(action_id: str, placeholder: str, groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Block:
    """A menu that shows what can be chosen, in groups of pairs of label and value."""
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": _plain(placeholder),
        "option_groups": [
            {"label": _plain(label), "options": [{"text": _plain(name), "value": value} for name, value in options]}
            for label, options in groups
        ],
    }


def confirm(title: str, text: str, yes: str, no: str) -> Block:
    """The confirmation dialog of a button."""
    return {"title": _plain(title), "text": _plain(text), "confirm": _plain(yes), "deny": _plain(no)}


def view(title: str, blocks: Iterable[Block | None], *, submit: str = "", close: str = "", **extra: Any) -> Block:
    """A modal; `submit` is the label of the button that sends what was entered, `close` that of the other one."""
    if submit:
        extra["submit"] = _plain(submit)
    return {
        "type": "modal",
        "title": _plain(title),
        "close": _plain(close or _("Close")),
        "blocks": [block for block in blocks if block is not None],
        **extra,
    }
