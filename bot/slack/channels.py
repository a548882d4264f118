"""Whether a channel may be followed, shared with, or decided about: asked before it is done, not found out by silence.

Lives here: one look at a channel, and which problem it has. Does not live here: what a record of a channel means
(`bot.domain.access`), the same question before a message is sent (`bot.workers.notifier.audience`), the sentence for a
problem (`bot.blocks.sentences`). Called by the listeners that act on a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from bot.errors import BotError, InputProblem, InvalidInput, NotAllowed, SlackError, Undeliverable, UnknownRefusal
from bot.slack.calls import call
from bot.slack.client import is_shared
from bot.slack.workspace import Workspace

MEMBER_PAGES = 10
"""At most this many pages of a private channel's members are read, a thousand people each."""

_NOT_A_MEMBER = frozenset({"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"})

log = structlog.get_logger()


async def check_channel(workspace: Workspace, channel_id: str, asker_id: str) -> bool:
    """Make sure that the bot can post in a channel, and that the person may decide for it.

    Returns:
        Whether the bot may post there already: other organisations share the channel, and nobody has approved that.

    Raises:
        InvalidInput: it cannot, or they may not; the problem says why.
        SlackError: Slack could not say.
    """
    channel = await _seen(workspace, channel_id, asker_id)
    if channel.get("is_archived"):
        raise InvalidInput(InputProblem.CHANNEL_ARCHIVED)
    if not channel.get("is_member"):
        raise InvalidInput(InputProblem.NOT_IN_CHANNEL)
    return await is_open(workspace, channel_id, is_shared=is_shared(channel))


async def check_person(workspace: Workspace, channel_id: str, asker_id: str) -> bool:
    """Make sure that a person may see and decide what a channel follows: in a private one only its members may.

    Returns:
        Whether other organisations share the channel.

    Raises:
        InvalidInput: they may not, or the bot cannot see the channel.
        SlackError: Slack could not say.
    """
    shared = is_shared(await _seen(workspace, channel_id, asker_id))
    await workspace.channels.note(workspace.team_id, channel_id, is_shared=shared)
    return shared


async def check_audience(workspace: Workspace, channel_id: str) -> None:
    """Make sure that what the bot shows everyone in a conversation is read by people of ours only, or is approved.

    Raises:
        NotAllowed: others read it, or Slack does not say who does.
    """
    try:
        channel = await call(workspace, "conversations.info", lambda: workspace.slack.channel(channel_id))
    except SlackError as error:
        log.warning("slack.audience_unknown", channel=channel_id, code=error.code)
        raise NotAllowed(InputProblem.AUDIENCE_UNKNOWN) from error
    if not await is_open(workspace, channel_id, is_shared=is_shared(channel)):
        raise NotAllowed(InputProblem.CHANNEL_NOT_APPROVED)


async def is_open(workspace: Workspace, channel_id: str, *, is_shared: bool) -> bool:
    """Whether the bot may write in a channel that Slack has just described."""
    await workspace.channels.note(workspace.team_id, channel_id, is_shared=is_shared)
    record = await workspace.channels.find(workspace.team_id, channel_id)
    return not is_shared or (record is not None and record.is_open)


async def _seen(workspace: Workspace, channel_id: str, asker_id: str) -> Mapping[str, Any]:
    """What Slack says about a channel that the person may see: a public one, or one that they are in."""
    try:
        channel = await call(workspace, "conversations.info", lambda: workspace.slack.channel(channel_id))
        if channel.get("is_private", True) and not await _is_member(workspace, channel_id, asker_id):
            raise NotAllowed(InputProblem.NOT_A_MEMBER)
    except SlackError as error:
        refusal = _refusal(error)
        if refusal is error:
            raise
        raise refusal from error
    return channel


async def _is_member(workspace: Workspace, channel_id: str, user_id: str) -> bool:
    cursor = ""
    for _ in range(MEMBER_PAGES):
        members, cursor = await call(
            workspace,
            "conversations.members",
            lambda cursor=cursor: workspace.slack.members(channel_id, cursor),  # type: ignore[misc]  # bound at once
        )
        if user_id in members or not cursor:
            return user_id in members
    return False


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
