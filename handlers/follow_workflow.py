"""The modal that follows all new runs of a workflow: the same as `/execution subscribe workflow …`.

Lives here: opening it, and what its submission does. Does not live here: the modal (`bot.blocks.rule_modal`), the
modal for one execution (`handlers.follow`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from bot.blocks.language import speaking
from bot.blocks.message import Block
from bot.blocks.modals import parse_language
from bot.blocks.rule_modal import Wanted, looking, parse_wanted, rule_followed, rule_modal
from bot.blocks.sentences import sentence
from bot.domain.following import Level, RuleKind, Subscriber
from bot.errors import GCSError, InvalidInput, TooManyRules
from bot.slack.channels import check_chosen, note_held
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.modals import open_modal, show
from handlers.replies import rule_made_reply
from handlers.request import Request
from handlers.rule_lines import workflow_named


async def open_workflow(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """*Follow a workflow …* on the Home tab: the empty modal."""
    del subscriptions
    request.verb = "modal"
    await open_modal(request, workspace, rule_modal())


def waiting(request: Request) -> Block:
    """What the modal shows from its submission on, in its own language."""
    language = parse_language(request.private_metadata)
    if language is None:
        return looking()
    with speaking(language):
        return looking()


async def submit(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Follow what was entered; where that is nothing, or too much, the modal asks again."""
    request.verb = "subscribe"
    wanted = parse_wanted(request.entered)
    try:
        view = await _followed(request, wanted, subscriptions, workspace)
    except (InvalidInput, GCSError, TooManyRules) as error:  # it can be mended in the modal
        await show(request, workspace, rule_modal(wanted, problem=sentence(error)))
        request.is_answered = True
        raise
    await show(request, workspace, view)
    workspace.homes.hurry(request.asker.id)


async def _followed(request: Request, wanted: Wanted, subscriptions: Subscriptions, workspace: Workspace) -> Block:
    asker, is_channel = request.asker, bool(wanted.channel_id)
    is_open = not is_channel or await check_chosen(workspace, wanted.channel_id, asker.id)
    subscriber = Subscriber(team_id=asker.team_id, id=wanted.channel_id) if is_channel else asker
    level = Level(wanted.level) if wanted.level in set(Level) else None
    values = workflow_named(wanted.name)
    made = await subscriptions.rules.make(subscriber, RuleKind.WORKFLOW, values, level=level, owner=asker.id)
    held_from = None if is_open else await note_held(workspace, subscriber.id, asker.id)
    return rule_followed(rule_made_reply(made, held_from=held_from))
