"""Events that Slack sends on its own: the Home tab is opened, the app is taken away.

Lives here: one function for each event of manifest.yaml. Called by Bolt, through the middleware.
"""

from __future__ import annotations

import structlog

from bot.subscriptions import Subscriptions
from handlers.home import publish_home
from handlers.request import Args, Workspace, person

log = structlog.get_logger()


async def app_home_opened(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """The Home tab shows what the person follows; the tab of messages needs nothing."""
    if args.body["event"].get("tab") == "home":
        asker = person(args.body, workspace)
        await publish_home(args.client, await subscriptions.of(asker), asker, workspace)


async def app_gone(args: Args) -> None:
    """The app was uninstalled, or its tokens were revoked: whoever reads the log should know."""
    log.error("handlers.app_gone", event=str(args.body["event"].get("type")), team_id=str(args.body.get("team_id")))
