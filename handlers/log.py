"""The log of an execution: `/execution log …`, and `Log` in *Details* and in a list.

Lives here: whose log it is: that of the person who asks, and of the channel where they do. Does not live here: what it
says (`bot.blocks.log`), what is kept (`bot.store.log`). Called by `handlers.commands`, and by Bolt through the
middleware.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks import Message, log_message, log_modal
from bot.blocks.buttons import parse_action_value
from bot.domain.fates import LaneState, Log
from bot.domain.following import Subscriber
from bot.errors import InvalidInput, SlackError
from bot.slack.channels import check_may_see
from bot.slack.responses import respond
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.modals import show
from handlers.request import Request


def channel_of(request: Request) -> Subscriber | None:
    """The channel in which somebody asks; None in direct messages, and where there is none."""
    channel = Subscriber(team_id=request.asker.team_id, id=request.channel_id)
    return None if request.is_direct or not channel.id or channel.is_person else channel


async def log_reply(request: Request, execution_id: str, subscriptions: Subscriptions, workspace: Workspace) -> Message:
    """The log as a reply."""
    log, lanes = await _read(request, execution_id, channel_of(request), subscriptions, workspace)
    return log_message(log, lanes, execution_id, address=workspace.identity.address)


async def show_log(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Log`: in the place of the modal in which it was pressed, or as a reply."""
    value = parse_action_value(request.action_value)
    request.execution_id = value.execution_id
    if not request.view_id:
        reply = await log_reply(request, value.execution_id, subscriptions, workspace)
        await respond(workspace.slack, request.response_url, reply)
        return
    named = Subscriber(team_id=request.asker.team_id, id=value.subscriber_id)
    channel = None if named.is_person or not named.id else named
    log, lanes = await _read(request, value.execution_id, channel, subscriptions, workspace)
    view = log_modal(log, lanes, value.execution_id, address=workspace.identity.address)
    await show(request, workspace, view)


async def _read(
    request: Request,
    execution_id: str,
    channel: Subscriber | None,
    subscriptions: Subscriptions,
    workspace: Workspace,
) -> tuple[Log, Sequence[LaneState]]:
    """The log, and the lanes that the person may see: their own, and that of a channel that they see."""
    asker = request.asker
    log = await subscriptions.log(execution_id, asker, *([channel] if channel else []))
    lanes = [lane for lane in log.lanes if log.knows(lane)]
    if channel and any(lane.subscriber_id == channel.id for lane in lanes):
        try:
            await check_may_see(workspace, channel.id, asker.id)
        except (InvalidInput, SlackError):  # their own part is theirs anyway
            lanes = [lane for lane in lanes if lane.subscriber_id != channel.id]
    return log, lanes
