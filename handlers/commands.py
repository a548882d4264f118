"""The slash command: understood, done, answered.

Lives here: one function for each verb of `/execution`. Does not live here: what may be typed (`handlers.parsing`), what
the answers look like (`bot.blocks`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from bot.blocks import Message, execution_summary, replies
from bot.domain.model import Subscriber
from bot.subscriptions import Subscriptions
from handlers.answers import answer
from handlers.channels import check_channel
from handlers.parsing import Asked, Verb, parse
from handlers.replies import ended_of, told_of
from handlers.request import Args, Workspace, channel_of, is_direct, person


async def execution(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`/execution …`."""
    asked = parse(str(args.body.get("text") or ""))
    asker = person(args.body, workspace)
    match asked.verb:
        case Verb.HELP:
            message = replies.help_text()
        case Verb.LIST:
            message = await _list(args, asked, asker, subscriptions, workspace)
        case Verb.SUMMARY:
            message = await _summary(asked, asker, subscriptions, workspace)
        case Verb.SUBSCRIBE:
            message = await _subscribe(args, asked, asker, subscriptions, workspace)
        case Verb.UNSUBSCRIBE:
            message = await _unsubscribe(args, asked, asker, subscriptions)
    await answer(args, message)


async def _summary(asked: Asked, asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace) -> Message:
    summary = await subscriptions.summary(workspace.team_id, asked.execution_id, asker.id)
    return execution_summary(summary.snapshot, now=workspace.now(), subscription=summary.subscription)


async def _subscribe(
    args: Args, asked: Asked, asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    subscriber = _meant(args, asked, asker)
    note = "" if subscriber.is_person else await check_channel(args, workspace, subscriber.id)
    done = await subscriptions.subscribe(subscriber, asked.execution_id, level=asked.level, owner=asker.id)
    return told_of(done, now=workspace.now(), note=note)


async def _unsubscribe(args: Args, asked: Asked, asker: Subscriber, subscriptions: Subscriptions) -> Message:
    subscriber = _meant(args, asked, asker)
    done = await subscriptions.unsubscribe(subscriber, asked.execution_id)
    return ended_of(done, subscriber, asked.execution_id)


async def _list(
    args: Args, asked: Asked, asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    subscriber = _meant(args, asked, asker)
    return replies.subscription_list(await subscriptions.of(subscriber), now=workspace.now())


def _meant(args: Args, asked: Asked, asker: Subscriber) -> Subscriber:
    """Whom the command is about: the channel it was typed in, or the person who typed it."""
    channel_id = channel_of(args.body)
    if asked.is_here and not is_direct(channel_id):
        return Subscriber(team_id=asker.team_id, id=channel_id)
    return asker
