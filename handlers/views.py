"""Buttons inside modals: the pages of the steps.

Lives here: one function for each button that a modal shows. Does not live here: buttons of messages and of the Home tab
(`handlers.actions`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

import re

from bot.blocks import parse_metadata, steps_modal
from bot.blocks.buttons import REFRESH_STEPS
from bot.errors import InputProblem, InvalidInput
from bot.slack.calls import call
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.request import Request


async def show_page(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Show the page that `Previous`, `Next` or `Refresh` of the steps modal names."""
    asker, execution_id = request.asker, _execution_id(request)
    request.execution_id = execution_id
    is_refresh = request.body["actions"][0].get("action_id") == REFRESH_STEPS
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id, is_refresh=is_refresh)
    view = steps_modal(summary.snapshot, page=_page(request), now=workspace.now(), execution_id=execution_id)
    await call(workspace, "views.update", lambda: workspace.slack.update_view(request.view_id, view))


def _execution_id(request: Request) -> str:
    """The execution that the modal shows.

    Raises:
        InvalidInput: the button was not pressed in a modal of ours.
    """
    modal = request.body.get("view") or {}
    try:
        return parse_metadata(modal.get("private_metadata") or "").execution_id
    except ValueError:
        raise InvalidInput(InputProblem.NOT_A_PAGE) from None


def _page(request: Request) -> int:
    """The page that the button names.

    Raises:
        InvalidInput: it names none.
    """
    value = request.action_value or "0"
    if not re.fullmatch(r"-?\d{1,4}", value, re.ASCII):
        raise InvalidInput(InputProblem.NOT_A_PAGE)
    return int(value)
