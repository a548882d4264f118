"""The modal in which a person chooses the channel that a summary is shared with.

Lives here: `share_modal`, `sharing_modal`, `shared_modal`, and what they remember. Does not live here: the summary
(`bot.blocks.cards`), who reads a channel (`bot.slack.channels`). Called by `handlers`.
"""

from __future__ import annotations

import json

from bot.blocks import text
from bot.blocks.language import N_, Language, _, spoken
from bot.blocks.message import Block, channel_input, context, section, view
from bot.blocks.modal import ID_LIMIT

CALLBACK_ID = "share"
_TITLE = N_("Share")


def share_modal(execution_id: str) -> Block:
    """Asks where. With the choice comes an address for one message there, whether the bot is in it or not."""
    return view(
        _(_TITLE),
        [channel_input(_("Channel")), context(text.code(execution_id))],
        submit=_("Share"),
        callback_id=CALLBACK_ID,
        private_metadata=json.dumps({"execution_id": execution_id[:ID_LIMIT], "language": spoken().value}),
    )


def parse_about(private_metadata: str) -> tuple[str, Language]:
    """The execution that a modal of this module is about, and its language.

    Raises:
        ValueError: it was not written by this module.
    """
    try:
        fields = json.loads(private_metadata)
        return str(fields["execution_id"]), Language(fields["language"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not the metadata of a modal to share an execution") from error


def sharing_modal() -> Block:
    """While GCS is asked."""
    return view(_(_TITLE), [section(_("⏳ Asking GeneContainer Service …"))], callback_id=CALLBACK_ID)


def shared_modal(channel_id: str) -> Block:
    """It is there."""
    line = _("✅ Everybody in {channel} can read it now.").format(channel=f"<#{text.identifier(channel_id)}>")
    return view(_(_TITLE), [section(line)], callback_id=CALLBACK_ID)
