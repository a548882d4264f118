"""Whether a channel can be told anything: asked before it is subscribed, not found out by silence.

Lives here: one look at the channel, and the sentences for what is wrong with it. Does not live here: subscribing
(`bot.subscriptions`). Called by the listeners that subscribe a channel.
"""

from __future__ import annotations

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError

from bot.blocks.sentences import SHARED_CHANNEL
from bot.errors import InputProblem, InvalidInput, SlackUnavailable, Undeliverable
from bot.slack.errors import call_error
from handlers.answers import code_of
from handlers.calls import call
from handlers.request import Args, Workspace

log = structlog.get_logger()


async def check_channel(args: Args, workspace: Workspace, channel_id: str) -> str:
    """Make sure that the bot can write to a channel; returns a warning, or nothing.

    Raises:
        InvalidInput: it cannot; the problem says why.
        SlackError: Slack could not say.
    """
    try:
        response = await call(
            workspace, "conversations.info", lambda: args.client.conversations_info(channel=channel_id)
        )
    except SlackApiError as error:
        code = code_of(error)
        if code in {"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"}:
            raise InvalidInput(InputProblem.NOT_IN_CHANNEL) from error
        if code == "missing_scope":
            log.warning("handlers.scope_missing", needed=error.response.get("needed"))
            raise InvalidInput(InputProblem.CHANNEL_KIND) from error
        refused = call_error(error)
        if isinstance(refused, Undeliverable):
            raise InvalidInput(InputProblem.CHANNEL_REFUSED, code=code) from error
        raise refused from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SlackUnavailable("no_answer", type(error).__name__) from error
    channel = response["channel"]
    if channel.get("is_archived"):
        raise InvalidInput(InputProblem.CHANNEL_ARCHIVED)
    if not channel.get("is_member"):
        raise InvalidInput(InputProblem.NOT_IN_CHANNEL)
    return SHARED_CHANNEL if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared") else ""
