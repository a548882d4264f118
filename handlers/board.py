"""`/execution board`: a board in the channel where it is typed, and its end.

Lives here: what the words do. Does not live here: what may be typed (`handlers.parsing`), the button that ends a board
(`handlers.actions`). Called by `handlers.commands`.
"""

from __future__ import annotations

from bot.blocks import Message
from bot.blocks.board import COMMAND, board_made
from bot.blocks.language import _
from bot.blocks.sentences import NOT_APPROVED, UNSAFE_SUBSCRIBED
from bot.blocks.text import sentences
from bot.domain.access import NOBODY_ELSE
from bot.domain.following import Subscriber
from bot.errors import InputProblem, InvalidInput
from bot.slack.channels import check_channel, check_may_see, note_held
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.replies import board_ended_reply
from handlers.request import Request


async def board_reply(
    request: Request, workflow: str, subscriptions: Subscriptions, workspace: Workspace, *, is_off: bool
) -> Message:
    """Give the channel a board of a workflow, of all that it follows without one; or end that.

    Raises:
        InvalidInput, NotAllowed: it is no channel, or not one that the person may have written to.
    """
    if request.is_direct:
        raise InvalidInput(InputProblem.BOARD_NEEDS_CHANNEL, line=COMMAND)
    asker = request.asker
    channel = Subscriber(team_id=asker.team_id, id=request.channel_id)
    if is_off:
        await check_may_see(workspace, channel.id, asker.id)
        ended, is_safe = await subscriptions.boards.end_named(channel, workflow, by=asker.id)
        return board_ended_reply(ended, is_safe=is_safe)
    is_open = await check_channel(workspace, channel.id, asker.id)
    made = await subscriptions.boards.make(channel, workflow, owner=asker.id)
    shown = NOBODY_ELSE if is_open else await note_held(workspace, channel.id, asker.id)
    notes = ("" if is_open else _(NOT_APPROVED), "" if made.is_safe else _(UNSAFE_SUBSCRIBED))
    return board_made(
        made.record,
        is_new=made.is_new,
        note=sentences(notes),
        is_held=not is_open,
        readers=shown,
    )
