"""Whether a channel may be subscribed, shared with, or decided about, checked before anything is done.

Lives here: looking at a channel, and the problems that it may have. Does not live here: what a record of a channel
means (`bot.domain.access`), the same question before a message is sent (`bot.workers.notifier.audience`), the sentence
for a problem (`bot.blocks.sentences`). Called by the listeners that act on a channel.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import structlog

from bot.domain.access import Readers
from bot.errors import BotError, InputProblem, InvalidInput, NotAllowed, SlackError, Undeliverable, UnknownRefusal
from bot.slack.calls import NO_PATIENCE, call
from bot.slack.client import is_shared, organisations_of
from bot.slack.workspace import Workspace

MEMBER_PAGES = 10
"""At most this many pages of a private channel's members are read, a thousand people each."""

CONVERSATION_PAGES = 5
"""At most this many pages of the channels that a person is in are read."""

NAMES_SCOPE = "team:read"
"""The optional scope without which other organisations are counted, not named."""

MOST_NAMES = 5
"""At most this many organisations are named."""

_CHANNEL = re.compile(r"[CG][A-Z0-9]{1,63}")

_NOT_A_MEMBER = frozenset({"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"})

log = structlog.get_logger()


async def check_channel(workspace: Workspace, channel_id: str, asker_id: str) -> bool:
    """Make sure that the bot can post in a channel, and that the person may decide for it.

    Returns:
        Whether the bot may post there already; False if other organisations share the channel and nobody approved that.

    Raises:
        InvalidInput: it cannot, or they may not; the problem says why.
        SlackError: Slack could not say.
    """
    channel = await _seen(workspace, channel_id, asker_id)
    if channel.get("is_archived"):
        raise InvalidInput(InputProblem.CHANNEL_ARCHIVED)
    if not channel.get("is_member"):
        raise InvalidInput(InputProblem.NOT_IN_CHANNEL)
    return await _is_open(workspace, channel_id, channel)


async def check_chosen(workspace: Workspace, channel_id: str, asker_id: str) -> bool:
    """Like `check_channel`, for a channel that a person chose elsewhere: the bot may be used there, and they are in it.

    Raises:
        InvalidInput: the rules forbid it, the bot cannot post there, or the person is not in it.
        SlackError: Slack could not say.
    """
    _check_listed(workspace, channel_id)
    is_open = await check_channel(workspace, channel_id, asker_id)
    await check_membership(workspace, channel_id, asker_id)
    return is_open


async def check_may_decide(workspace: Workspace, channel_id: str, asker_id: str) -> None:
    """Make sure that a person may decide for a channel from elsewhere: the bot may be used there, and they are in it.

    Raises:
        InvalidInput: the rules forbid it, or the person is not in it.
        SlackError: Slack could not say.
    """
    _check_listed(workspace, channel_id)
    await check_membership(workspace, channel_id, asker_id)


def _check_listed(workspace: Workspace, channel_id: str) -> None:
    if not _CHANNEL.fullmatch(channel_id):
        raise InvalidInput(InputProblem.CHANNEL_KIND)
    if not workspace.rules.allows_channel(channel_id):
        raise NotAllowed(InputProblem.CHANNEL_NOT_LISTED)


async def check_membership(workspace: Workspace, channel_id: str, asker_id: str) -> None:
    """Make sure that a person is in a channel that they chose elsewhere.

    Raises:
        NotAllowed: they are not.
        SlackError: Slack could not say.
    """
    if not await _is_member(workspace, channel_id, asker_id):
        raise NotAllowed(InputProblem.NOT_THEIR_CHANNEL)


async def check_may_see(workspace: Workspace, channel_id: str, asker_id: str) -> bool:
    """Make sure that a person may see and decide what a channel follows: in a private one only its members may.

    Returns:
        Whether other organisations share the channel.

    Raises:
        InvalidInput: they may not, or the bot cannot see the channel.
        SlackError: Slack could not say.
    """
    return await _noted(workspace, channel_id, await _seen(workspace, channel_id, asker_id))


async def check_audience(workspace: Workspace, channel_id: str) -> None:
    """Make sure that only our own people read a conversation, or that others were approved.

    Raises:
        NotAllowed: others read it, or Slack does not say who does.
    """
    try:
        channel = await call(workspace, "conversations.info", lambda: workspace.slack.channel(channel_id))
    except SlackError as error:
        log.warning("slack.audience_unknown", channel=channel_id, code=error.code)
        raise NotAllowed(InputProblem.AUDIENCE_UNKNOWN) from error
    if not await _is_open(workspace, channel_id, channel):
        raise NotAllowed(InputProblem.CHANNEL_NOT_APPROVED)


async def readers(workspace: Workspace, channel_id: str) -> Readers:
    """The other organisations that are known to read a channel, with their names if the bot may see them."""
    record = await workspace.channels.find(workspace.team_id, channel_id)
    organisations = record.organisations if record else frozenset()
    if NAMES_SCOPE not in (workspace.identity.scopes or ()):
        return Readers(organisations)
    named = await asyncio.gather(*(_name(workspace, each) for each in sorted(organisations)[:MOST_NAMES]))
    return Readers(organisations, tuple(filter(None, named)))


async def note_held(workspace: Workspace, channel_id: str, asker_id: str) -> Readers:
    """Note that a person reads in a reply that messages to a channel are held, so that no message says it again.

    Returns:
        Who else reads that channel.
    """
    await workspace.channels.note_notified(workspace.team_id, channel_id, asker_id)
    return await readers(workspace, channel_id)


async def channels_of(workspace: Workspace, user_id: str) -> frozenset[str] | None:
    """The channels that a person is in and the bot may see; None if Slack does not say."""

    async def ask() -> frozenset[str]:
        found: frozenset[str] = frozenset()
        cursor = ""
        for _ in range(CONVERSATION_PAGES):
            page, cursor = await call(
                workspace,
                "users.conversations",
                lambda cursor=cursor: workspace.slack.conversations(user_id, cursor),  # type: ignore[misc]  # bound at once
                patience=NO_PATIENCE,
            )
            found |= page
            if not cursor:
                break
        return found

    try:
        return await workspace.memberships.get(user_id, ask)
    except SlackError as error:
        log.info("slack.memberships_unknown", code=error.code)
        return None


async def refresh_sharing(workspace: Workspace, channel_id: str) -> bool:
    """Have Slack describe a channel, and note who reads it. Returns whether other organisations share it.

    Raises:
        SlackError: Slack could not say.
    """
    found = await call(workspace, "conversations.info", lambda: workspace.slack.channel(channel_id))
    return await _noted(workspace, channel_id, found)


async def _name(workspace: Workspace, team_id: str) -> str:
    """The name of an organisation; empty if Slack does not give it."""
    try:
        return await call(workspace, "team.info", lambda: workspace.slack.team_name(team_id), patience=NO_PATIENCE)
    except SlackError as error:
        log.info("slack.organisation_unnamed", team=team_id, code=error.code)
        return ""


async def _noted(workspace: Workspace, channel_id: str, channel: Mapping[str, Any]) -> bool:
    """Note who reads a channel that Slack has just described; returns whether other organisations do."""
    shared, own = is_shared(channel), workspace.identity.own
    organisations = organisations_of(channel, own)
    await workspace.channels.note(workspace.team_id, channel_id, is_shared=shared, organisations=organisations)
    return shared


async def _is_open(workspace: Workspace, channel_id: str, channel: Mapping[str, Any]) -> bool:
    """Whether the bot may write in a channel that Slack has just described."""
    shared = await _noted(workspace, channel_id, channel)
    record = await workspace.channels.find(workspace.team_id, channel_id)
    return not shared or (record is not None and record.is_open)


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
