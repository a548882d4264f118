"""Events that Slack sends on its own: someone opens the Home tab, a channel is shared, the app is removed.

Lives here: one function for each event of manifest.yaml. Called by Bolt, through the middleware.
"""

from __future__ import annotations

import structlog

from bot.domain.following import Subscriber
from bot.slack.channels import refresh_sharing
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.home import publish_home
from handlers.request import Request

log = structlog.get_logger()


async def app_home_opened(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """The Home tab shows what there is to see for the person; the tab of messages needs nothing."""
    if request.body["event"].get("tab") == "home":
        await publish_home(request.asker, subscriptions, workspace)


async def app_gone(request: Request, *, workspace: Workspace) -> None:
    """The app was uninstalled, or its token was revoked: log and `/readyz` say so to those who run the bot."""
    event = request.body["event"]
    tokens = event.get("tokens")
    if isinstance(tokens, dict) and not tokens.get("bot"):  # somebody's own, which the bot has no use for
        return
    workspace.removal.note(str(event["type"]))
    log.error("handlers.app_gone", reason=workspace.removal.event, team_id=workspace.team_id)


async def sharing_changed(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Another organisation shares a channel from now on, or no longer: noted for the notifier."""
    event = request.body["event"]
    channel_id = str(event.get("channel") or "")
    if event.get("type") == "channel_shared":
        joined = event.get("connected_team_id")
        organisations = {joined} - workspace.identity.own if isinstance(joined, str) and joined else set()
        await workspace.channels.note(
            workspace.team_id, channel_id, is_shared=True, organisations=organisations, has_joined=True
        )
        log.info("handlers.sharing_changed", channel=channel_id, is_shared=True, organisations=sorted(organisations))
        return
    # An event may come late, so only what Slack says now opens a channel.
    shared = await refresh_sharing(workspace, channel_id)
    log.info("handlers.sharing_changed", channel=channel_id, is_shared=shared)
    record = await workspace.channels.find(workspace.team_id, channel_id)
    if record is not None and record.is_open:  # what has waited for an approval needs none any more
        await subscriptions.resume(Subscriber(team_id=workspace.team_id, id=channel_id))
