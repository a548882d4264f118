"""The modal in which the level of a subscription is chosen.

Lives here: `levels_modal`, and what it remembers. Does not live here: what a level means
(`bot.domain.following.Level`), what the buttons do (`handlers.views`). Called by `handlers`.
"""

from __future__ import annotations

from datetime import datetime

from bot.blocks import buttons, text, words
from bot.blocks.language import N_, _
from bot.blocks.levels import level_words
from bot.blocks.message import Block, context, section, view
from bot.blocks.modals import ID_LIMIT, metadata
from bot.blocks.quiet import mute_block
from bot.domain.execution import Value
from bot.domain.following import Level, Subscription
from bot.domain.snapshot import Snapshot

CALLBACK_ID = "levels"
TITLE = N_("Notifications")


class About(Value, frozen=True):
    """Which subscription the modal is about; it carries this for its buttons."""

    execution_id: str
    subscriber_id: str


def levels_modal(subscription: Subscription, snapshot: Snapshot | None, *, now: datetime) -> Block:
    """The levels, each with a button; the present one has a mark instead.

    Below them, where a channel reads of a success, and the menu that mutes it.
    """
    is_person = subscription.subscriber.is_person
    where = _("What you get:") if is_person else _("What this channel gets:")
    note = _("The card is always kept up to date.")
    return _modal(
        About(subscription.execution_id[:ID_LIMIT], subscription.subscriber.id),
        [
            section(f"*{_named(subscription.execution_id, snapshot)}*", where),
            *(_level(level, is_present=level is subscription.level) for level in Level),
            _success(subscription),
            context(note),
            *mute_block(subscription, now),
        ],
    )


def _modal(about: About, blocks: list[Block | None]) -> Block:
    return view(_(TITLE), blocks, callback_id=CALLBACK_ID, private_metadata=metadata(about))


def _named(execution_id: str, snapshot: Snapshot | None) -> str:
    return words.unstarred(words.name(snapshot.execution) if snapshot else text.escape(execution_id))


def _level(level: Level, *, is_present: bool) -> Block | None:
    if is_present:
        return section(_("✓ *{level}* · current").format(level=level_words(level)))
    return section(level_words(level), accessory=buttons.choose_level(level))


def _success(subscription: Subscription) -> Block | None:
    """Where a success is posted; nothing for a person, and for a level without successes."""
    if subscription.subscriber.is_person or subscription.level is Level.FAILURES:
        return None
    in_channel = _("✓ Successes also go to the channel.")
    line = in_channel if subscription.announces_success else _("Successes stay in the thread.")
    return section(line, accessory=buttons.choose_success(subscription))
