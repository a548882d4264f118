"""response_url: how an app responds to an interaction, whether it is a member of the channel or not.

Lives here: `answer`, also for the body of a command's acknowledgement. Does not live here: how long the URL is valid
(`passes`). Called by `server` and `interactions`.
"""

from __future__ import annotations

from typing import Any

from sandbox.slack.chat import content
from sandbox.slack.passes import Reply
from sandbox.slack.state import Ephemeral, Message, Workspace

_TEXT = 40_000


def answer(workspace: Workspace, reply: Reply, body: dict[str, Any]) -> None:
    """Show, replace or delete a message, as the body says. Raises `Refused` for invalid content."""
    if body.get("delete_original") is True:
        _remove(workspace, reply)
        return
    text, blocks = content(body, _TEXT)
    if body.get("replace_original") is True and reply.ts:
        _replace(workspace, reply, text, blocks)
    elif body.get("response_type") == "in_channel":
        ts, thread_ts = workspace.next_ts(), body.get("thread_ts")
        workspace.post(Message(reply.channel, ts, workspace.bot_user, text, blocks, thread_ts))
    else:
        ts, thread_ts = workspace.next_ts(), body.get("thread_ts")
        workspace.show_ephemeral(Ephemeral(reply.channel, ts, reply.user, text, blocks, thread_ts))


def _replace(workspace: Workspace, reply: Reply, text: str, blocks: list[dict[str, Any]]) -> None:
    message = workspace.message(reply.channel, reply.ts)
    if message is not None:
        workspace.edit(message, text=text, blocks=blocks)
    for shown in workspace.ephemerals.get(reply.user, ()):
        if shown.ts == reply.ts:
            shown.text, shown.blocks = text, workspace.named(blocks)
    workspace.touch()


def _remove(workspace: Workspace, reply: Reply) -> None:
    messages = workspace.messages.get(reply.channel, [])
    messages[:] = [message for message in messages if message.ts != reply.ts]
    seen = workspace.ephemerals.get(reply.user, [])
    seen[:] = [shown for shown in seen if shown.ts != reply.ts]
    workspace.touch()
