"""Where the answer to a request goes: through its `response_url`, or into the conversation in which somebody typed.

Lives here: the choice. Does not live here: sending (`bot.slack.responses`, `bot.slack.conversation`). Called by the
listeners and by the middleware.
"""

from __future__ import annotations

from bot.blocks import Message
from bot.slack.conversation import Place, say
from bot.slack.responses import respond
from bot.slack.workspace import Workspace
from handlers.request import Request


async def answer(request: Request, message: Message, workspace: Workspace) -> None:
    """Answer the person who asks, and nobody else."""
    if request.is_typed:
        place = Place(request.channel_id, request.user_id, request.ts, request.thread_ts)
        await say(workspace, place, message)
    else:
        await respond(workspace.slack, request.response_url, message)
