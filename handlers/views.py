"""Buttons inside modals: the pages of the steps.

Lives here: one function for each button that a modal shows. Does not live here: buttons of messages and of the Home tab
(`handlers.actions`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from bot.blocks import parse_metadata, steps_modal
from bot.subscriptions import Subscriptions
from handlers.calls import call
from handlers.middleware import VIEW_ID
from handlers.request import Args, Workspace, person


async def turn_page(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """«Previous», «Next» and «Refresh» of the steps modal: the page named by the button, from a fresh look."""
    asker, view = person(args.body, workspace), args.body["view"]
    args.context[VIEW_ID] = view["id"]
    execution_id = parse_metadata(view["private_metadata"]).execution_id
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id)
    page = int(args.body["actions"][0].get("value") or 0)
    drawn = steps_modal(summary.snapshot, page=page, now=workspace.now(), execution_id=execution_id)
    await call(workspace, "views.update", lambda: args.client.views_update(view_id=view["id"], view=drawn))
