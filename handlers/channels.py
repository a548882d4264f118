"""Whether a channel can be told anything: asked before it is subscribed, not found out by silence.

Lives here: one look at the channel, and the sentences for what is wrong with it. Does not live here: subscribing
(`bot.subscriptions`). Called by the listeners that subscribe a channel.
"""

from __future__ import annotations

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError

from bot.errors import InvalidInput, SlackUnavailable, Undeliverable
from bot.slack.errors import call_error, undeliverable_reason
from handlers.answers import code_of
from handlers.calls import call
from handlers.request import Args, Workspace

UNINVITED = "I am not in this channel, so it would never hear from me. Invite me with `/invite`, then ask again."
SHARED_WARNING = "This channel is shared with another organisation: its people will see what I tell here."

log = structlog.get_logger()


async def check_channel(args: Args, workspace: Workspace, channel_id: str) -> str:
    """Make sure that the bot can write to a channel; returns a warning, or nothing.

    Raises:
        InvalidInput: it cannot; the sentence says what to do.
        SlackError: Slack could not say.
    """
    try:
        response = await call(
            workspace, "conversations.info", lambda: args.client.conversations_info(channel=channel_id)
        )
    except SlackApiError as error:
        code = code_of(error)
        if code in {"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"}:
            raise InvalidInput(UNINVITED) from error
        if code == "missing_scope":
            log.warning("handlers.scope_missing", needed=error.response.get("needed"))
            raise InvalidInput(
                "I cannot follow for this kind of conversation. Leave out `here`, and I tell you alone."
            ) from error
        refused = call_error(error)
        if isinstance(refused, Undeliverable):
            raise InvalidInput(f"I cannot follow for this channel: {undeliverable_reason(code)}.") from error
        raise refused from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SlackUnavailable("no_answer", type(error).__name__) from error
    channel = response["channel"]
    if channel.get("is_archived"):
        raise InvalidInput("This channel is archived, so I cannot tell it anything.")
    if not channel.get("is_member"):
        raise InvalidInput(UNINVITED)
    return SHARED_WARNING if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared") else ""
