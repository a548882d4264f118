"""The modal about quiet hours: the same as `/execution quiet …`.

Lives here: opening it, what its submission does, and ending quiet hours. Does not live here: the modal
(`bot.blocks.hours_modal`), what quiet hours do (`bot.quiet`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from bot.blocks.hours_modal import Chosen, hours_modal, hours_saved, parse_chosen, saving
from bot.blocks.language import speaking
from bot.blocks.message import Block
from bot.blocks.modals import parse_language
from bot.blocks.quiet import hours_reply
from bot.blocks.sentences import sentence
from bot.domain.quiet import QuietHours, zone_named
from bot.errors import InputProblem, InvalidInput
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.modals import open_modal, show
from handlers.request import Request


async def open_hours(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """*Quiet hours …* on the Home tab: those that the person has, or usual ones in the zone of their Slack."""
    request.verb = "modal"
    hours = await subscriptions.quiet.hours(request.asker)
    zone = hours.zone if hours else await workspace.languages.zone(request.asker.id)
    await open_modal(request, workspace, hours_modal(Chosen.of(hours, zone), is_on=hours is not None))


def waiting(request: Request) -> Block:
    """What the modal shows from its submission on, in its own language."""
    language = parse_language(request.private_metadata)
    if language is None:
        return saving()
    with speaking(language):
        return saving()


async def submit(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Keep the hours that were entered; where the zone is none, the modal asks again."""
    request.verb = "quiet"
    try:
        chosen = parse_chosen(request.entered)
    except ValueError:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON) from None
    zone = zone_named(chosen.zone or await workspace.languages.zone(request.asker.id))
    if not zone:
        error, is_on = InvalidInput(InputProblem.UNKNOWN_ZONE), await subscriptions.quiet.hours(request.asker)
        await show(request, workspace, hours_modal(chosen, is_on=is_on is not None, problem=sentence(error)))
        request.is_answered = True
        raise error
    hours = QuietHours(begins=chosen.begins, ends=chosen.ends, zone=zone, holds_failures=chosen.holds_failures)
    await _keep(request, hours, subscriptions, workspace)


async def end_hours(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """*No quiet hours* in the modal: what was waiting comes now."""
    request.verb = "quiet"
    await _keep(request, None, subscriptions, workspace)


async def _keep(request: Request, hours: QuietHours | None, subscriptions: Subscriptions, workspace: Workspace) -> None:
    await subscriptions.quiet.choose_hours(request.asker, hours)
    await show(request, workspace, hours_saved(hours_reply(hours, workspace.now(), is_new=True)))
    workspace.homes.hurry(request.asker.id)
