"""The Web API's `chat.*`: post, update, post ephemeral, delete.

Does not live here: tokens, scopes, limits (`web_api`). Called through the `catalogue`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sandbox.slack.arguments import Args, is_on
from sandbox.slack.blockkit import MESSAGE_TEXT, problems, text_size
from sandbox.slack.refusal import Refused, invalid
from sandbox.slack.rows import message_row
from sandbox.slack.state import Channel, Ephemeral, Message, Workspace

_POST_TEXT = 40_000
_UPDATE_TEXT = 4_000
_METADATA = 8_000
_EVENT_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


def post_message(workspace: Workspace, args: Args) -> dict[str, Any]:
    """chat.postMessage."""
    channel = _writable(workspace, args)
    text, blocks = content(args, _POST_TEXT)
    message = Message(
        channel=channel.id,
        ts=workspace.next_ts(),
        user=workspace.bot_user,
        text=text,
        blocks=blocks,
        thread_ts=_thread(workspace, channel, args),
        is_broadcast=is_on(args, "reply_broadcast") and bool(args.get("thread_ts")),
        metadata=_metadata(args) or {},
    )
    workspace.post(message)
    row = message_row(workspace, message, with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": row}


def update(workspace: Workspace, args: Args) -> dict[str, Any]:
    """chat.update: fields that are not sent stay unchanged."""
    channel = visible(workspace, args)
    if channel.is_archived:
        raise Refused("is_inactive")
    message = _own(workspace, channel, args, "cant_update_message")
    if "text" not in args and "blocks" not in args:
        raise Refused("no_text")
    has_rich_text = any(block.get("type") == "rich_text" for block in message.blocks)
    text, blocks = content({"text": message.text, "blocks": message.blocks, **args}, _UPDATE_TEXT)
    if has_rich_text and blocks and not any(block["type"] == "rich_text" for block in blocks):
        raise Refused("block_mismatch")
    metadata = _metadata(args)
    message.metadata = message.metadata if metadata is None else metadata
    workspace.edit(message, text=text, blocks=blocks)
    row = message_row(workspace, message, with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": text, "message": row}


def post_ephemeral(workspace: Workspace, args: Args) -> dict[str, Any]:
    """chat.postEphemeral."""
    channel = _writable(workspace, args)
    if args.get("user") not in channel.members:
        raise Refused("user_not_in_channel")
    text, blocks = content(args, _POST_TEXT)
    thread_ts = _thread(workspace, channel, args)
    shown = Ephemeral(channel.id, workspace.next_ts(), args["user"], text, blocks, thread_ts)
    return {"message_ts": workspace.show_ephemeral(shown).ts}


def delete(workspace: Workspace, args: Args) -> dict[str, Any]:
    """chat.delete."""
    channel = visible(workspace, args)
    message = _own(workspace, channel, args, "cant_delete_message")
    workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def visible(workspace: Workspace, args: Args) -> Channel:
    """The channel of a call; `Refused` if the bot cannot see it."""
    channel = workspace.channels.get(str(args.get("channel")))
    if channel is None or (channel.is_private and workspace.bot_user not in channel.members):
        raise Refused("channel_not_found")
    return channel


def content(args: Args, most: int) -> tuple[str, list[dict[str, Any]]]:
    """Validated text and blocks of a message; text has at most `most` characters."""
    text, blocks = args.get("text") or "", args.get("blocks") or []
    if not text and not blocks:
        raise Refused("no_text")
    if len(text) > most:
        raise Refused("msg_too_long")
    if text_size(blocks) > MESSAGE_TEXT:
        raise Refused("msg_blocks_too_long")
    found = problems(blocks, "message")
    if found:
        raise invalid("invalid_blocks", found)
    return text, blocks


def _writable(workspace: Workspace, args: Args) -> Channel:
    user = workspace.users.get(str(args.get("channel")))
    if user is not None and not user.deleted and not user.is_bot:
        args["channel"] = workspace.im(user.id).id
    channel = visible(workspace, args)
    if channel.is_im and workspace.messages_tab_disabled:
        raise Refused("messages_tab_disabled")
    if channel.is_archived or (channel.is_im and workspace.users[channel.user].deleted):
        raise Refused("is_archived")
    if workspace.bot_user not in channel.members:
        raise Refused("not_in_channel")
    return channel


def _thread(workspace: Workspace, channel: Channel, args: Args) -> str | None:
    if not args.get("thread_ts"):
        return None
    parent = workspace.message(channel.id, str(args["thread_ts"]))
    if parent is None:
        raise Refused("thread_not_found")
    return parent.thread_ts or parent.ts


def _own(workspace: Workspace, channel: Channel, args: Args, otherwise: str) -> Message:
    message = workspace.message(channel.id, str(args.get("ts")))
    if message is None:
        raise Refused("message_not_found")
    if message.user != workspace.bot_user:
        raise Refused(otherwise)
    return message


def _metadata(args: Args) -> dict[str, Any] | None:
    metadata = args.get("metadata")
    if metadata is None or metadata == {}:
        return metadata
    if not isinstance(metadata, dict) or metadata.keys() != {"event_type", "event_payload"}:
        raise Refused("invalid_metadata_format")
    if not isinstance(metadata["event_payload"], dict):
        raise Refused("invalid_metadata_schema")
    if not isinstance(metadata["event_type"], str) or not _EVENT_TYPE.fullmatch(metadata["event_type"]):
        raise Refused("invalid_metadata_format")
    if len(json.dumps(metadata)) > _METADATA:
        raise Refused("metadata_too_large")
    return metadata
