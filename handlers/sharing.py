"""A summary for everyone in a channel, at the wish of one person.

Lives here: `share_with_channel`. Does not live here: where it is asked for (`handlers.actions`, `handlers.views`), who
may read a channel (`bot.slack.channels`), the summary itself (`bot.blocks.cards`). Called by those listeners.
"""

from __future__ import annotations

from contextlib import suppress

from bot.blocks import shared_summary
from bot.blocks.language import speaking
from bot.domain.following import Subscriber
from bot.errors import OutcomeUnknown, SlackError, StoreUnavailable
from bot.slack.channels import check_audience
from bot.slack.responses import respond
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.request import Request


async def share_with_channel(
    request: Request, execution_id: str, subscriptions: Subscriptions, workspace: Workspace
) -> None:
    """Show everyone in the channel of the request a summary, freshly polled, in the channel's language; not twice.

    Raises:
        NotAllowed: others than people of ours read it, or Slack does not say who does.
    """
    asker = request.asker
    await check_audience(workspace, request.channel_id)
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id)
    with speaking(await workspace.languages.of(workspace.team_id, request.channel_id)):
        message = shared_summary(summary.snapshot, now=workspace.now(), shared_by=asker.id)
    channel = Subscriber(team_id=workspace.team_id, id=request.channel_id)
    if not await subscriptions.is_new_share(channel, execution_id, by=asker.id):
        return
    try:
        await respond(workspace.slack, request.response_url, message, is_public=True)
    except OutcomeUnknown:  # it may be there
        raise
    except SlackError:
        with suppress(StoreUnavailable):  # then a press counts again in some seconds
            await subscriptions.forget_share(channel, execution_id, by=asker.id)
        raise
