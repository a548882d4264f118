"""Buttons inside modals: the pages of the steps.

Lives here: one function for each button that a modal shows. Does not live here: buttons of messages and of the Home tab
(`handlers.actions`). Called by Bolt, through the funnel.
"""

from __future__ import annotations

from bot.blocks import parse_metadata, steps_modal
from bot.subscriptions import Subscriptions
from handlers.asking import Args, Us, person
from handlers.calls import call
from handlers.funnel import VIEW_ID


async def turn_page(args: Args, *, subscriptions: Subscriptions, us: Us) -> None:
    """«Previous», «Next» and «Refresh» of the steps modal: the page named by the button, from a fresh look."""
    asker, view = person(args.body, us), args.body["view"]
    args.context[VIEW_ID] = view["id"]
    execution_id = parse_metadata(view["private_metadata"]).execution_id
    summary = await subscriptions.summary(us.team_id, execution_id, asker.id)
    page = int(args.body["actions"][0].get("value") or 0)
    drawn = steps_modal(summary.snapshot, page=page, now=us.now(), execution_id=execution_id)
    await call(us, "views.update", lambda: args.client.views_update(view_id=view["id"], view=drawn))
