"""Slack's requests, inbound: every listener, registered in one place.

Lives here: `register`, which binds each listener to what it needs and wraps it in the middleware. Does not live here:
what listeners do (`commands`, `conversation`, `actions`, `ends`, `views`, `home`, `follow`, `follow_workflow`, `hours`,
`log`, `acting`, `events`), how errors are shown (`middleware`). Called by `bot.app.workspace`.

Listeners answer, and open or publish views; they never post a message. Catch-alls at the end ack everything else,
because Slack shows people an error, or repeats the request, when nobody acks.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.acting import Acting
from bot.blocks import buttons, error_modal, follow_modal, hours_modal, rule_modal, share
from bot.blocks.language import Language, speaking
from bot.blocks.message import Block
from bot.blocks.modals import parse_language
from bot.blocks.sentences import sentence
from bot.errors import InputProblem, InvalidInput
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers import actions, commands, conversation, ends, events, follow, follow_workflow, home, hours, views
from handlers.acting import ask_action, do_action
from handlers.conversation import Once
from handlers.live import LiveHomes
from handlers.log import show_log
from handlers.middleware import App, Listener, Middleware, Who
from handlers.request import Request
from handlers.vocabulary import COMMAND

__all__ = ["COMMANDS", "EVENTS", "App", "LiveHomes", "Middleware", "register"]

COMMANDS = (COMMAND,)
"""The slash commands, as in manifest.yaml."""

EVENTS = (
    *("app_home_opened", "app_mention", "app_uninstalled"),
    *("channel_shared", "channel_unshared", "message.im", "tokens_revoked"),
)
"""The events with a listener of their own, as in manifest.yaml."""

SHORTCUTS = {follow.FOLLOW: "global", follow.FOLLOW_FOUND: "message"}
"""The shortcuts, each with its type, as in manifest.yaml."""

_MODALS = (
    ("follow_submitted", follow_modal.CALLBACK_ID, follow.submit, follow.waiting),
    ("workflow_submitted", rule_modal.CALLBACK_ID, follow_workflow.submit, follow_workflow.waiting),
    ("hours_submitted", hours_modal.CALLBACK_ID, hours.submit, hours.waiting),
)
"""The modals that are submitted: the name of the listener, its callback id, what it does, and shows meanwhile."""

_ONLY_IF_NEW = frozenset({buttons.SHARE_EXECUTION, buttons.DO_ACTION})
"""Buttons of which a press does nothing unless the store says that it is new."""

_ANY = re.compile(r".*", re.DOTALL)


def register(
    app: AsyncApp,
    *,
    subscriptions: Subscriptions,
    workspace: Workspace,
    requests: Once,
    acting: Acting | None = None,
) -> Middleware:
    """Register every listener with `app`; returns the middleware, which knows the running ones.

    Without `acting` nobody may cancel or retry, and who presses a button for that, on an old message, reads so.
    """
    middleware = Middleware(workspace, requests)
    listeners = _buttons() | (_refused_acting() if acting is None else _acting(acting))

    def bind(listener: Callable[..., Awaitable[None]]) -> Listener:
        return partial(listener, subscriptions=subscriptions, workspace=workspace)

    def counted(listener: Callable[..., Awaitable[None]]) -> Listener:
        """The same for a button: each press counts against what one person may ask."""

        async def admitted(request: Request) -> None:
            await subscriptions.admit(request.asker)
            await bind(listener)(request)

        return admitted

    app.command(COMMAND)(middleware.guard("execution_command", bind(commands.execution)))  # counts unless it is `help`
    for action_id, listener in listeners.items():
        is_public = action_id in _ONLY_IF_NEW
        app.action(action_id)(middleware.guard(action_id, counted(listener), is_public=is_public))
    menu = counted(partial(_chosen, listeners=listeners))
    app.action(buttons.CHOOSE)(middleware.guard(buttons.CHOOSE, menu, is_public=True))  # one choice shows it to all
    for action_id, listener in _decisions().items():
        app.action(action_id)(middleware.guard(action_id, counted(listener), who=Who.MEMBERS))
    shared = middleware.guard("share_into", counted(views.share_into), is_public=True, shows=views.sharing)
    app.view(share.CALLBACK_ID)(shared)
    app.event("app_home_opened")(middleware.guard("app_home_opened", bind(events.app_home_opened)))
    for event in ("app_uninstalled", "tokens_revoked"):
        app.event(event)(middleware.guard(event, partial(events.app_gone, workspace=workspace), who=Who.SLACK))
    for event in ("channel_shared", "channel_unshared"):
        app.event(event)(middleware.guard(event, bind(events.sharing_changed), who=Who.SLACK))
    for callback_id, listener in ((follow.FOLLOW, follow.open_modal), (follow.FOLLOW_FOUND, follow.open_found)):
        app.shortcut(callback_id)(middleware.guard(callback_id, counted(listener)))
    _submissions(app, middleware, counted)
    for event in ("app_mention", "message"):
        _converse(app, event, middleware, bind(commands.execution), requests)
    app.action(_ANY)(middleware.guard("unknown_button", counted(_unknown)))
    app.view(_ANY)(middleware.guard("unknown_modal", counted(_unknown), shows=_unknown_modal))
    _ack_the_rest(app, middleware)
    return middleware


def _converse(app: AsyncApp, event: str, middleware: Middleware, listener: Listener, once: Once) -> None:
    """What somebody has typed is worked on as a command; all other messages, this bot's own among them, are only acked.

    These are many, so they leave no line in the log and nothing in the store.
    """
    workspace = middleware.workspace

    async def is_heard(body: dict[str, Any]) -> bool:
        return conversation.is_heard(body.get("event"), workspace.identity)

    said = partial(conversation.said, listener=listener, once=once, workspace=workspace)
    app.event(event, matchers=[is_heard])(middleware.guard(event, said))
    app.event(event)(_ack)


def _submissions(
    app: AsyncApp, middleware: Middleware, counted: Callable[[Callable[..., Awaitable[None]]], Listener]
) -> None:
    """What somebody has filled in and sent, of which only they read what becomes of it."""
    for name, callback_id, submit, waiting in _MODALS:
        app.view(callback_id)(middleware.guard(name, counted(submit), shows=waiting))


async def _ack(ack: AsyncAck) -> None:
    await ack()


def _decisions() -> dict[str, Callable[..., Awaitable[None]]]:
    """The same for buttons about a channel's audience."""
    return {
        buttons.APPROVE_CHANNEL: actions.approve_channel,
        buttons.REVOKE_CHANNEL: actions.revoke_channel,
    }


def _buttons() -> dict[str, Callable[..., Awaitable[None]]]:
    """Action id → listener, not yet bound."""
    return {
        buttons.SUBSCRIBE_EXECUTION: actions.subscribe_execution,
        buttons.UNSUBSCRIBE_EXECUTION: actions.unsubscribe_execution,
        buttons.SHOW_STEPS: actions.show_steps,
        buttons.SHOW_WHY: ends.show_why,
        buttons.ASK_UNSUBSCRIBE: ends.ask_unsubscribe,
        buttons.SHOW_EXECUTION: actions.show_execution,
        buttons.REFRESH_SUMMARY: actions.refresh_summary,
        buttons.REFRESH_CARD: actions.refresh_card,
        buttons.SHARE_EXECUTION: actions.share_execution,
        buttons.SHOW_DETAILS: actions.show_details,
        buttons.SHOW_LEVELS: actions.show_levels,
        buttons.SHOW_LOG: show_log,
        buttons.DELETE_MY_DATA: actions.delete_my_data,
        buttons.END_RULE: actions.end_rule,
        buttons.KEEP_RULE: actions.keep_rule,
        buttons.END_BOARD: actions.end_board,
        buttons.PREVIOUS_PAGE: views.show_page,
        buttons.NEXT_PAGE: views.show_page,
        buttons.REFRESH_STEPS: views.show_page,
        buttons.OPEN_FOLLOW: follow.open_modal,
        buttons.OPEN_WORKFLOW: follow_workflow.open_workflow,
        buttons.OPEN_HOURS: hours.open_hours,
        buttons.END_HOURS: hours.end_hours,
        buttons.CHOOSE_MY_LEVEL: home.choose_my_level,
        buttons.CHOOSE_LANGUAGE: home.choose_language,
        buttons.PREVIOUS_HOME: home.show_home_page,
        buttons.NEXT_HOME: home.show_home_page,
        buttons.CHOOSE_LEVEL: views.choose_level,
        buttons.CHOOSE_SUCCESS: views.choose_success,
        buttons.CHOOSE_MUTE: views.choose_mute,
        buttons.MUTE_EXECUTION: actions.mute_execution,
        buttons.UNMUTE_EXECUTION: actions.unmute_execution,
    }


def _acting(acting: Acting) -> dict[str, Callable[..., Awaitable[None]]]:
    """The same for what operators have GCS do."""
    return {
        buttons.ASK_ACTION: partial(ask_action, acting=acting),
        buttons.DO_ACTION: partial(do_action, acting=acting),
    }


def _refused_acting() -> dict[str, Callable[..., Awaitable[None]]]:
    """The same where there are no operators."""

    async def refuse(request: Request, **_dependencies: Any) -> None:
        await request.check_operator()

    return dict.fromkeys((buttons.ASK_ACTION, buttons.DO_ACTION), refuse)


async def _chosen(
    request: Request,
    *,
    listeners: Mapping[str, Callable[..., Awaitable[None]]],
    subscriptions: Subscriptions,
    workspace: Workspace,
) -> None:
    """A choice of a menu does what a button with its action id does.

    Raises:
        InvalidInput: there is no such button.
    """
    request.verb = request.chosen
    if request.chosen not in listeners:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    await listeners[request.chosen](request, subscriptions=subscriptions, workspace=workspace)


def _unknown_modal(request: Request) -> Block:
    """What a modal shows that another version of the bot has opened, instead of closing as if it were done."""
    with speaking(parse_language(request.private_metadata) or Language.ENGLISH):
        return error_modal(sentence(InvalidInput(InputProblem.UNKNOWN_BUTTON)))


async def _unknown(_request: Request, **_dependencies: Any) -> None:
    """What another version of the bot has shown.

    Raises:
        InvalidInput: nothing can be done about it.
    """
    raise InvalidInput(InputProblem.UNKNOWN_BUTTON)


async def _nothing(_request: Request) -> None:
    """For requests that need an ack only: views that are closed, events of no interest."""


def _ack_the_rest(app: AsyncApp, middleware: Middleware) -> None:
    """Ack what no listener takes. Registered last: Bolt asks listeners in the order of their registration."""
    for take in (app.event, app.view_closed, app.shortcut, app.options, app.command):
        take(_ANY)(middleware.guard("rest", _nothing, who=Who.SLACK))
