"""The modal in which a person chooses the channel that a summary is shared with.

Lives here: `share_modal`, `sharing_modal`, `shared_modal`, and what the first one carries. Does not live here: the
summary (`bot.blocks.cards`), who reads a channel (`bot.slack.channels`). Called by `handlers`.
"""

from __future__ import annotations

from bot.blocks import text
from bot.blocks.language import N_, Language, _, spoken
from bot.blocks.message import Block, channel_input, context, section, view
from bot.blocks.modals import ID_LIMIT, asking, metadata
from bot.domain.execution import Value

CALLBACK_ID = "share"
_TITLE = N_("Share")


class Sharing(Value, frozen=True):
    """What the modal carries until it is submitted."""

    execution_id: str
    language: Language


def share_modal(execution_id: str) -> Block:
    """Asks where. With the choice comes an address for one message there, whether the bot is in it or not."""
    return view(
        _(_TITLE),
        [channel_input(_("Channel")), context(text.code(execution_id))],
        submit=_("Share"),
        callback_id=CALLBACK_ID,
        private_metadata=metadata(Sharing(execution_id[:ID_LIMIT], spoken())),
    )


def sharing_modal() -> Block:
    """While GCS is asked."""
    return view(_(_TITLE), [asking()], callback_id=CALLBACK_ID)


def shared_modal(channel_id: str) -> Block:
    """It is there."""
    line = _("✅ Everybody in {channel} can read it now.").format(channel=text.channel(channel_id))
    return view(_(_TITLE), [section(line)], callback_id=CALLBACK_ID)
