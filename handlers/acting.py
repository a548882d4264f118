"""Cancel and retry: the question, and what is done once an operator has confirmed it.

Lives here: one function for each of the two buttons. Does not live here: where they are shown
(`bot.domain.acting.offered`), the order of things (`bot.acting`), who may (`bot.slack.access`), the modals
(`bot.blocks.acting`). Called by Bolt, through the middleware, and only where operators are set.
"""

from __future__ import annotations

from bot.acting import Acting
from bot.blocks import acted_modal, loading_action, question_modal
from bot.blocks.buttons import parse_asking, parse_question
from bot.blocks.sentences import sentence
from bot.domain.acting import Action
from bot.errors import InputProblem, InvalidInput
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.modals import open_modal, show
from handlers.request import Request


async def ask_action(request: Request, *, acting: Acting, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Cancel …` and `Retry …`: what the execution is now, and whether that is meant."""
    del subscriptions
    try:
        execution_id, action = parse_asking(request.action_value)
    except ValueError:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON) from None
    request.execution_id, request.verb = execution_id, action.value
    await _wait(request, workspace, action)
    await request.check_operator()
    current = await acting.current(workspace.team_id, execution_id)
    await show(request, workspace, question_modal(action, current.snapshot, current.act, now=workspace.now()))


async def do_action(request: Request, *, acting: Acting, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """The button below the question: done, if nothing has changed since then; else it is asked again."""
    del subscriptions
    try:
        question = parse_question(request.action_value)
    except ValueError:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON) from None
    action = question.action
    request.execution_id, request.verb = question.execution_id, action.value
    await request.check_operator()
    await _wait(request, workspace, action)
    acted = await acting.act(workspace.team_id, question, request.asker.id)
    current = acted.current
    if acted.result is None:
        view = question_modal(action, current.snapshot, current.act, now=workspace.now(), has_changed=True)
    else:
        refusal = sentence(acted.refusal) if acted.refusal else ""
        view = acted_modal(action, acted.result, current.snapshot, refusal=refusal)
    await show(request, workspace, view)


async def _wait(request: Request, workspace: Workspace, action: Action) -> None:
    """Show that something is under way: in the modal that was pressed in, or in a new one."""
    if request.view_id:
        await show(request, workspace, loading_action(action))
    else:
        await open_modal(request, workspace, loading_action(action))
