"""Buttons of the message about an end: *Why*, and the question before a channel stops following.

Lives here: one function for each. Does not live here: buttons that other messages have as well (`handlers.actions`).
Called by Bolt, through the middleware.
"""

from __future__ import annotations

from asyncio import gather

from bot.blocks import Evidence, loading_why, replies, why_modal
from bot.blocks.buttons import parse_action_value
from bot.domain.acting import offered
from bot.slack.responses import respond
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.modals import open_modal, show
from handlers.request import Request


async def show_why(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Why`: the modal opens at once, because the trigger lives three seconds, and fills when GCS has answered."""
    execution_id = request.execution_id = parse_action_value(request.action_value).execution_id
    await open_modal(request, workspace, loading_why())
    explained, is_operator = await gather(
        subscriptions.explain(workspace.team_id, execution_id, request.asker.id), request.is_operator()
    )
    evidence = Evidence(explained.events, explained.is_refused, explained.past)
    offer = offered(explained.snapshot, is_operator=is_operator)
    view = why_modal(explained.snapshot, evidence, offer=offer)
    await show(request, workspace, view)


async def ask_unsubscribe(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Stop following here …`: asks whether that is meant; the button below the question does it."""
    del subscriptions
    request.execution_id = parse_action_value(request.action_value).execution_id
    await respond(workspace.slack, request.response_url, replies.stop_question(request.action_value))
