"""Whether a channel can be posted to: checked before it is subscribed, not found out by silence.

Lives here: one check of a channel, and which problem it has. Does not live here: subscribing (`bot.subscriptions`), the
sentence for a problem (`bot.blocks.sentences`). Called by the listeners that subscribe a channel.
"""

from __future__ import annotations

import structlog

from bot.blocks.sentences import SHARED_CHANNEL
from bot.errors import BotError, InputProblem, InvalidInput, SlackError, Undeliverable, UnknownRefusal
from bot.slack.calls import call
from bot.slack.workspace import Workspace

_NOT_A_MEMBER = frozenset({"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"})

log = structlog.get_logger()


async def check_channel(workspace: Workspace, channel_id: str) -> str:
    """Make sure that the bot can post in a channel. Returns a warning for the person, or an empty string.

    Raises:
        InvalidInput: it cannot; the problem says why.
        SlackError: Slack could not say.
    """
    try:
        channel = await call(workspace, "conversations.info", lambda: workspace.slack.channel(channel_id))
    except SlackError as error:
        refusal = _refusal(error)
        if refusal is error:
            raise
        raise refusal from error
    if channel.get("is_archived"):
        raise InvalidInput(InputProblem.CHANNEL_ARCHIVED)
    if not channel.get("is_member"):
        raise InvalidInput(InputProblem.NOT_IN_CHANNEL)
    return SHARED_CHANNEL if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared") else ""


def _refusal(error: SlackError) -> BotError:
    """What a refusal says about the channel; the error itself when it says nothing about it."""
    if error.code in _NOT_A_MEMBER:
        return InvalidInput(InputProblem.NOT_IN_CHANNEL)
    if error.code == "missing_scope":
        log.warning("slack.scope_missing", needed=error.detail)
        return InvalidInput(InputProblem.CHANNEL_KIND)
    if isinstance(error, Undeliverable | UnknownRefusal):  # either way nothing is stored, and the person can repeat it
        return InvalidInput(InputProblem.CHANNEL_REFUSED, code=error.code)
    return error
