"""The slash command: parsed, executed, answered.

Lives here: one function for each verb of `/execution`. Does not live here: what may be typed (`handlers.parsing`), what
the answers look like (`bot.blocks`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from bot.audit import audit
from bot.blocks import Message, execution_summary, replies
from bot.blocks.language import speaking
from bot.domain.access import NOBODY_ELSE
from bot.domain.model import Subscriber
from bot.slack.channels import check_channel, check_person, readers
from bot.slack.responses import respond
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.parsing import Command, Verb, parse
from handlers.replies import subscribed_reply, unsubscribed_reply
from handlers.request import Request


async def execution(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`/execution …`."""
    command = parse(str(request.body.get("text") or ""))
    request.verb, request.execution_id = command.verb.value, command.execution_id
    asker = request.asker
    if command.verb is not Verb.HELP:
        await subscriptions.admit(asker)
    subscriber = _meant(request, command, asker)
    match command.verb:
        case Verb.HELP:
            message = replies.help_text()
        case Verb.FORGET:
            message = replies.forget_question(asker.id)
        case Verb.LANGUAGE:
            message = await _language(command, asker, subscriber, workspace)
        case Verb.LIST:
            message = await _list(asker, subscriber, subscriptions, workspace)
        case Verb.SUMMARY:
            message = await _summary(command, asker, subscriptions, workspace)
        case Verb.SUBSCRIBE:
            message = await _subscribe(command, asker, subscriber, subscriptions, workspace)
        case Verb.UNSUBSCRIBE:
            if not subscriber.is_person:
                await check_person(workspace, subscriber.id, asker.id)
            done = await subscriptions.unsubscribe(subscriber, command.execution_id, by=asker.id)
            message = unsubscribed_reply(done, subscriber, command.execution_id)
    await respond(workspace.slack, request.response_url, message)


async def _summary(command: Command, asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace) -> Message:
    summary = await subscriptions.summary(workspace.team_id, command.execution_id, asker.id)
    return execution_summary(summary.snapshot, now=workspace.now(), subscription=summary.subscription)


async def _subscribe(
    command: Command, asker: Subscriber, subscriber: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    is_open = subscriber.is_person or await check_channel(workspace, subscriber.id, asker.id)
    done = await subscriptions.subscribe(subscriber, command.execution_id, level=command.level, owner=asker.id)
    if not is_open:  # the reply says so
        await workspace.channels.note_told(workspace.team_id, subscriber.id, asker.id)
    shown = NOBODY_ELSE if is_open else await readers(workspace, subscriber.id)
    return subscribed_reply(done, now=workspace.now(), is_open=is_open, readers=shown)


async def _language(command: Command, asker: Subscriber, subscriber: Subscriber, workspace: Workspace) -> Message:
    if not subscriber.is_person:
        await check_person(workspace, subscriber.id, asker.id)
    language = await workspace.languages.choose(subscriber.team_id, subscriber.id, command.language)
    audit("language.chosen", subscriber=subscriber.id, language=command.language or "auto")
    with speaking(language):
        return replies.language_chosen(subscriber)


async def _list(
    asker: Subscriber, subscriber: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    is_shared = not subscriber.is_person and await check_person(workspace, subscriber.id, asker.id)
    followed = await subscriptions.of(subscriber)
    message = replies.subscription_list(followed.items, unreadable=followed.unreadable, now=workspace.now())
    if not is_shared:
        return message
    record = await workspace.channels.find(workspace.team_id, subscriber.id)
    return replies.channel_list(
        message,
        subscriber.id,
        approver=record.approver if record else "",
        readers=await readers(workspace, subscriber.id),
        has_grown=record is not None and record.has_grown,
    )


def _meant(request: Request, command: Command, asker: Subscriber) -> Subscriber:
    """Whom the command is about: the channel it was typed in, or the person who typed it."""
    if command.is_here and not request.is_direct:
        return Subscriber(team_id=asker.team_id, id=request.channel_id)
    return asker
