"""Buttons inside modals: the pages of the steps.

Lives here: one function for each button that a modal shows. Does not live here: buttons of messages and of the Home tab
(`handlers.actions`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from bot.blocks import parse_metadata, steps_modal
from bot.slack.calls import call
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.request import Request


async def show_page(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Show the page that `Previous`, `Next` or `Refresh` of the steps modal names, freshly polled."""
    asker, modal = request.asker, request.body["view"]
    request.execution_id = execution_id = parse_metadata(modal["private_metadata"]).execution_id
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id)
    view = steps_modal(
        summary.snapshot, page=int(request.action_value or 0), now=workspace.now(), execution_id=execution_id
    )
    await call(workspace, "views.update", lambda: workspace.slack.update_view(request.view_id, view))
