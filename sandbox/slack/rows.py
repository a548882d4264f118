"""The state in the form of Slack's answers and payloads. Called by the Web API's methods and by `interactions`."""

from __future__ import annotations

from typing import Any

from sandbox.slack.state import Channel, Message, User, View, Workspace

Row = dict[str, Any]


def message_row(workspace: Workspace, message: Message, *, with_metadata: bool = False) -> Row:
    """A message; a thread's parent also counts its replies."""
    row: Row = {"type": "message", "user": message.user, "ts": message.ts, "text": message.text}
    if message.user == workspace.bot_user:
        row |= {"bot_id": workspace.bot_id, "app_id": workspace.app_id, "team": workspace.team_id}
    elif message.bot_id:
        row |= {"bot_id": message.bot_id, "team": workspace.team_id}
    if message.blocks:
        row["blocks"] = message.blocks
    if message.edits:
        row["edited"] = {"user": message.user, "ts": f"{message.edits[-1].at:.6f}"}
    if with_metadata and message.metadata:
        row["metadata"] = message.metadata
    if message.is_broadcast:
        row["subtype"] = "thread_broadcast"
    replies = workspace.replies(message)
    if replies:
        row |= {"thread_ts": message.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
    elif message.thread_ts:
        row["thread_ts"] = message.thread_ts
    return row


def channel_row(workspace: Workspace, channel: Channel) -> Row:
    """A conversation."""
    row: Row = {
        "id": channel.id,
        "is_im": channel.is_im,
        "is_channel": not channel.is_im,
        "is_group": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "context_team_id": workspace.team_id,
        "is_shared": bool(channel.connected),
        "is_ext_shared": bool(channel.connected),
        "is_org_shared": False,
        "is_pending_ext_shared": bool(channel.invited),
        "pending_connected_team_ids": sorted(channel.invited),
    }
    if channel.connected:
        row |= {"connected_team_ids": sorted(channel.connected), "conversation_host_id": workspace.team_id}
    if channel.is_im:
        return row | {"user": channel.user, "is_user_deleted": workspace.users[channel.user].deleted}
    return row | {"name": channel.name, "is_member": workspace.bot_user in channel.members}


def user_row(workspace: Workspace, user: User) -> Row:
    """A person. Somebody of another organisation is a stranger only while no channel of the bot has them."""
    row: Row = {
        "id": user.id,
        "team_id": user.team_id or workspace.team_id,
        "name": user.name,
        "real_name": user.name,
        "tz": user.tz,
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "profile": {"display_name": user.name, "real_name": user.name},
    }
    enterprise_id = user.enterprise_id or ("" if user.team_id else workspace.enterprise_id)
    if enterprise_id:
        row["enterprise_user"] = {"id": user.id, "enterprise_id": enterprise_id, "teams": [row["team_id"]]}
    if user.team_id:
        row["is_stranger"] = not any(
            {user.id, workspace.bot_user} <= channel.members for channel in workspace.channels.values()
        )
        return row
    is_single = user.guest == "single"
    return row | {"is_restricted": bool(user.guest), "is_ultra_restricted": is_single, "is_admin": False}


def view_row(workspace: Workspace, view: View, values: Row | None = None) -> Row:
    """A view with the values entered in it."""
    empty = {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None, "close": None}
    return {
        **empty,
        **view.body,
        "id": view.id,
        "team_id": workspace.team_id,
        "app_id": workspace.app_id,
        "bot_id": workspace.bot_id,
        "app_installed_team_id": workspace.team_id,
        "hash": view.hash,
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id,
        "state": {"values": values or {}},
    }
