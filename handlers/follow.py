"""Shortcuts, and the modal that they open: an execution is chosen, and who is to follow it at which level.

Lives here: opening the modal, also filled in from a message, and what its submission does. Does not live here: the
modal (`bot.blocks.follow_modal`), what a message names (`handlers.mentioned`). Called by Bolt, through the
middleware.

A modal says nothing about where it was opened, and its fields can hold anything: the rules for a channel are asked
again for the one that was chosen, and the person has to be in it.
"""

from __future__ import annotations

import asyncio
import re

from bot.blocks.follow_modal import Entered, follow_modal, followed, parse_entered, working
from bot.blocks.language import speaking
from bot.blocks.message import Block
from bot.blocks.sentences import sentence
from bot.domain.following import Level, Subscriber
from bot.domain.search import Match, newest_first
from bot.errors import BotError, GCSError, InputProblem, InvalidInput, TooManySubscriptions
from bot.slack.channels import check_chosen, note_held
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers import modals
from handlers.mentioned import named_in
from handlers.modals import show
from handlers.parsing import named
from handlers.replies import subscribed_reply
from handlers.request import Request
from handlers.typed import MAX_WORD

FOLLOW, FOLLOW_FOUND = "follow_execution", "follow_this_execution"
"""The callback ids of the global shortcut and of the one on messages, as in manifest.yaml."""

_ID = re.compile(r"[0-9a-f-]{1,36}")


async def open_modal(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """*Follow an execution*, from everywhere and from the Home tab: the empty modal."""
    request.verb = "modal"
    await modals.open_modal(request, workspace, follow_modal(level=await subscriptions.level_of(request.asker)))


async def open_found(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """*Follow this execution* on a message: the modal, with what the message names."""
    request.verb = "modal"
    await modals.open_modal(request, workspace, working())
    entered, problem = await _found(request, subscriptions, workspace)
    view = follow_modal(entered, level=await subscriptions.level_of(request.asker), problem=problem)
    await show(request, workspace, view)


def waiting(request: Request) -> Block:
    """What the modal shows from its submission on, in its own language."""
    try:
        entered, language = parse_entered(request.entered, request.private_metadata)
    except ValueError:
        return working()
    with speaking(language):
        return working(entered)


async def submit(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Follow what was chosen; where a name means several, or nothing, the modal asks again."""
    request.verb = "subscribe"
    try:
        entered, _language = parse_entered(request.entered, request.private_metadata)
    except ValueError:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON) from None
    try:
        view = await _followed(request, entered, subscriptions, workspace)
    except (InvalidInput, GCSError, TooManySubscriptions) as error:  # it can be mended in the modal
        view = follow_modal(entered, level=await subscriptions.level_of(request.asker), problem=sentence(error))
        await show(request, workspace, view)
        request.is_answered = True
        raise
    await show(request, workspace, view)
    workspace.homes.hurry(request.asker.id)


async def _followed(request: Request, entered: Entered, subscriptions: Subscriptions, workspace: Workspace) -> Block:
    asker = request.asker
    is_channel = bool(entered.channel_id)
    is_open = not is_channel or await check_chosen(workspace, entered.channel_id, asker.id)
    execution_id = entered.choice if _ID.fullmatch(entered.choice) else ""
    if not execution_id:
        command = named(entered.query)
        execution_id = command.execution_id
        found = await subscriptions.search.find(asker, command.query) if command.query else None
        if found is not None and len(found.matches) == 1 and not found.unread:
            execution_id = found.matches[0].execution_id
        elif found is not None and found.matches:
            asked = entered._replace(choices=found.matches)
            return follow_modal(asked, level=await subscriptions.level_of(request.asker), more=found.unread)
        elif found is not None:
            raise InvalidInput(InputProblem.NOT_NAMED, word=command.query[:MAX_WORD])
    request.execution_id = execution_id
    subscriber = Subscriber(team_id=asker.team_id, id=entered.channel_id) if is_channel else asker
    level = Level(entered.level) if entered.level in set(Level) else None
    done = await subscriptions.subscribe(subscriber, execution_id, level=level, owner=asker.id)
    held_from = None if is_open else await note_held(workspace, subscriber.id, asker.id)
    reply = await subscribed_reply(request, done, subscriptions, workspace, held_from=held_from)
    return followed(reply, entered)


async def _found(request: Request, subscriptions: Subscriptions, workspace: Workspace) -> tuple[Entered, str]:
    """What a message names: one execution, several to choose from, or none and a sentence that says so."""
    meant = named_in(request.body.get("message"))
    if len(meant.ids) == 1:
        request.execution_id = meant.ids[0]
        summary = await subscriptions.summary(workspace.team_id, meant.ids[0], request.asker.id)
        execution = summary.snapshot.execution
        return Entered(choices=(Match(meant.ids[0], execution.name, execution.phase),)), ""
    if meant.ids:
        return Entered(choices=await _with_names(meant.ids, request, subscriptions)), ""
    searches = await asyncio.gather(
        *(subscriptions.search.find(request.asker, name) for name in meant.names), return_exceptions=True
    )
    errors = [each for each in searches if isinstance(each, BaseException)]
    matches = newest_first(match for each in searches if not isinstance(each, BaseException) for match in each.matches)
    if matches:
        return Entered(choices=matches), ""
    for error in errors:
        if not isinstance(error, BotError):
            raise error
        return Entered(), sentence(error)
    return Entered(), sentence(InvalidInput(InputProblem.NOTHING_NAMED))


async def _with_names(ids: tuple[str, ...], request: Request, subscriptions: Subscriptions) -> tuple[Match, ...]:
    """The executions with these ids, named where the person follows them: GCS is not asked about each."""
    followed_ones = (await subscriptions.of(request.asker)).items
    names = {item.execution_id: snapshot.execution for item, snapshot in followed_ones if snapshot is not None}
    return tuple(Match(each, names[each].name, names[each].phase) if each in names else Match(each) for each in ids)
