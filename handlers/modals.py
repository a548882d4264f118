"""Opening modals, and changing what they show.

Lives here: both, and the order of what a modal shows after its submission. Does not live here: modals (`bot.blocks`),
what their fields mean (their listeners). Called by the listeners and by the middleware.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.blocks.message import Block
from bot.errors import SlackError
from bot.slack.calls import NO_PATIENCE, PATIENCE, call
from bot.slack.workspace import Workspace
from handlers.request import Request

HASH_CONFLICT = "hash_conflict"
"""Slack's word for a view that shows something else than the call supposes."""

_WAITS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds before each look whether Slack shows the answer to a submission: it takes answers for three."""


async def open_modal(request: Request, workspace: Workspace, view: Block) -> None:
    """Open a modal, in which errors are shown from then on."""
    trigger_id = request.trigger_id
    request.view_id = await call(
        workspace, "views.open", lambda: workspace.slack.open_view(trigger_id, view), patience=NO_PATIENCE
    )


async def show(request: Request, workspace: Workspace, view: Block, *, patience: timedelta = PATIENCE) -> None:
    """Replace what the modal of a request shows.

    The answer to a submission, which says that the bot works, and this call reach Slack on two ways: a quick result
    could come first, and be replaced by the answer. As long as the modal still shows what was submitted, the answer is
    yet to come, and the result is shown again after it.
    """
    before, request.submitted = request.submitted, ""
    if not before:
        await _update(request, workspace, view, patience=patience)
        return
    for seconds in _WAITS:
        await asyncio.sleep(seconds)
        try:
            before = await _update(request, workspace, view, before=before, patience=patience)
        except SlackError as error:
            if error.code != HASH_CONFLICT:
                raise
            await _update(request, workspace, view, patience=patience)
            return


async def _update(
    request: Request, workspace: Workspace, view: Block, *, before: str = "", patience: timedelta = PATIENCE
) -> str:
    view_id = request.view_id
    return await call(
        workspace, "views.update", lambda: workspace.slack.update_view(view_id, view, before=before), patience=patience
    )
