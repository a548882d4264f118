"""The Web API's `conversations.*`: read channels, open direct messages, join.

Does not live here: tokens, scopes, limits (`web_api`). Called through the `catalogue`.
"""

from __future__ import annotations

from typing import Any

from sandbox.slack.arguments import Args, integer, is_on
from sandbox.slack.chat import visible
from sandbox.slack.refusal import Refused
from sandbox.slack.rows import Row, channel_row, message_row
from sandbox.slack.state import Message, Workspace

_MOST_MESSAGES = 999
"""At most this many messages in one page."""


_MEMBERS = 1000
"""At most this many members a page."""


def open_im(workspace: Workspace, args: Args) -> dict[str, Any]:
    """conversations.open, with one person."""
    user = workspace.users.get(str(args.get("users")))
    if user is None:
        raise Refused("user_not_found")
    if user.is_bot:
        raise Refused("cannot_dm_bot")
    if user.deleted:
        raise Refused("user_disabled")
    channel = workspace.im(user.id)
    row = channel_row(workspace, channel) if is_on(args, "return_im") else {"id": channel.id}
    return {"channel": row}


def info(workspace: Workspace, args: Args) -> dict[str, Any]:
    """conversations.info."""
    return {"channel": channel_row(workspace, visible(workspace, args))}


def members(workspace: Workspace, args: Args) -> dict[str, Any]:
    """conversations.members, in pages of 100 unless the call says otherwise."""
    found, limit = sorted(visible(workspace, args).members), integer(args, "limit", 100)
    if not 0 < limit <= _MEMBERS:
        raise Refused("invalid_limit")
    cursor = str(args.get("cursor") or "")
    start = found.index(cursor) if cursor in found else 0
    if cursor and cursor not in found:
        raise Refused("invalid_cursor")
    after = found[start + limit : start + limit + 1]
    return {"members": found[start : start + limit], "response_metadata": {"next_cursor": "".join(after)}}


def join(workspace: Workspace, args: Args) -> dict[str, Any]:
    """conversations.join."""
    channel = visible(workspace, args)
    if channel.is_im or channel.is_private:
        raise Refused("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise Refused("is_archived")
    channel.members.add(workspace.bot_user)
    workspace.touch()
    return {"channel": channel_row(workspace, channel)}


def of_person(workspace: Workspace, args: Args) -> dict[str, Any]:
    """users.conversations: of the bot itself, or of a person, private ones only where the bot is, too.

    Public channels only unless the call says otherwise, in pages of 100.
    """
    user = str(args.get("user") or workspace.bot_user)
    if user not in workspace.users:
        raise Refused("user_not_found")
    kinds = set(str(args.get("types") or "public_channel").split(","))
    if kinds - {"public_channel", "private_channel", "mpim", "im"}:
        raise Refused("invalid_types")
    limit = integer(args, "limit", 100)
    if not 0 < limit < _MEMBERS:
        raise Refused("invalid_limit")
    found = [
        channel
        for channel in workspace.channels.values()
        if user in channel.members
        and not channel.is_im
        and ("private_channel" if channel.is_private else "public_channel") in kinds
        and (not channel.is_private or workspace.bot_user in channel.members)
        and not (channel.is_archived and is_on(args, "exclude_archived"))
    ]
    ids, cursor = [channel.id for channel in found], str(args.get("cursor") or "")
    if cursor and cursor not in ids:
        raise Refused("invalid_cursor")
    start = ids.index(cursor) if cursor else 0
    rows = [channel_row(workspace, channel) for channel in found[start : start + limit]]
    return {"channels": rows, "response_metadata": {"next_cursor": "".join(ids[start + limit : start + limit + 1])}}


def history(workspace: Workspace, args: Args) -> dict[str, Any]:
    """conversations.history: messages of the channel without thread replies, newest first."""
    found = [message for message in _readable(workspace, args) if message.thread_ts is None or message.is_broadcast]
    return _page(workspace, args, found[::-1])


def replies(workspace: Workspace, args: Args) -> dict[str, Any]:
    """conversations.replies: a message and its thread, oldest first; the message itself is always included."""
    thread_ts = str(args.get("ts"))
    parent = workspace.message(str(args.get("channel")), thread_ts)
    found = [message for message in _readable(workspace, args) if message.thread_ts == thread_ts]
    if parent is None:
        raise Refused("thread_not_found")
    return _page(workspace, args, [parent, *found])


def _readable(workspace: Workspace, args: Args) -> list[Message]:
    channel = visible(workspace, args)
    if workspace.bot_user not in channel.members:
        raise Refused("not_in_channel")
    oldest, latest = _moment(args, "oldest", 0.0), _moment(args, "latest", float("inf"))
    edges = {oldest, latest} if is_on(args, "inclusive") else set()
    return [
        message
        for message in workspace.messages[channel.id]
        if oldest < float(message.ts) < latest or float(message.ts) in edges
    ]


def _moment(args: Args, key: str, default: float) -> float:
    try:
        return float(args.get(key) or default)
    except (TypeError, ValueError):
        raise Refused(f"invalid_ts_{key}") from None


def _page(workspace: Workspace, args: Args, found: list[Message]) -> dict[str, Any]:
    limit = integer(args, "limit", 100)
    if not 1 <= limit <= _MOST_MESSAGES:
        raise Refused("invalid_limit")
    cursor = str(args.get("cursor") or "")
    start = 0
    if cursor:
        names = [message.ts for message in found]
        if cursor.removeprefix("next:") not in names:
            raise Refused("invalid_cursor")
        start = names.index(cursor.removeprefix("next:"))
    with_metadata = is_on(args, "include_all_metadata")
    rows: list[Row] = [
        message_row(workspace, message, with_metadata=with_metadata) for message in found[start : start + limit]
    ]
    has_more = start + limit < len(found)
    metadata = {"next_cursor": f"next:{found[start + limit].ts}" if has_more else ""}
    return {"messages": rows, "has_more": has_more, "response_metadata": metadata}
