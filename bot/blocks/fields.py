"""Fields of the modals that are submitted.

Lives here: one builder for each kind of field that several modals have. Does not live here: the modals. Called by them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.language import _
from bot.blocks.levels import level_words
from bot.blocks.message import Block
from bot.domain.following import Level

CHANNEL, LEVEL = "channel", "level"
"""The fields that say for whom and how much, by their action ids."""


def entry(name: str, label: str, element: Block, *, hint: str = "", is_optional: bool = False) -> Block:
    """A field with its label; `name` is its action id."""
    shape: Block = {
        "type": "input",
        "block_id": name,
        "label": {"type": "plain_text", "text": label},
        "element": {"action_id": name, **element},
        "optional": is_optional,
    }
    return shape | ({"hint": {"type": "plain_text", "text": hint}} if hint else {})


def typed(start: str, *, most: int, example: str = "", has_focus: bool = False) -> Block:
    """A line to type, at most so long, which begins as `start`; `example` is shown while it is empty."""
    shape: Block = {"type": "plain_text_input", "max_length": most, "focus_on_load": has_focus}
    placeholder = {"placeholder": {"type": "plain_text", "text": example}} if example else {}
    return shape | placeholder | ({"initial_value": start[:most]} if start else {})


def radio(options: Sequence[tuple[str, str]], chosen: str) -> Block:
    """One of several, as pairs of value and label."""
    shown = [{"text": {"type": "plain_text", "text": label}, "value": value} for value, label in options]
    start = [each for each in shown if each["value"] == chosen]
    return {"type": "radio_buttons", "options": shown, **({"initial_option": start[0]} if start else {})}


def channel(chosen: str) -> Block:
    """For whom it is: a channel, or nobody but the person."""
    return entry(
        CHANNEL,
        _("Channel"),
        {
            "type": "conversations_select",
            "filter": {"include": ["public", "private"], "exclude_bot_users": True},
            **({"initial_conversation": chosen} if chosen else {}),
        },
        hint=_("Leave empty to get notifications yourself. Both you and I have to be in the channel."),
        is_optional=True,
    )


def level(chosen: Level) -> Block:
    """The level."""
    return entry(LEVEL, _("Notifications"), radio([(each.value, level_words(each)) for each in Level], chosen.value))
