"""Buttons of messages and of the Home tab: subscribe, unsubscribe, steps, refresh, share.

Lives here: one function for each button that a message shows. Does not live here: buttons inside modals
(`handlers.views`), how buttons look and what they carry (`bot.blocks`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from datetime import timedelta

from bot.blocks import Message, execution_summary, loading_modal, replies, shared_summary, steps_modal
from bot.blocks.buttons import ActionValue, parse_action_value
from bot.domain.model import Subscriber
from bot.subscriptions import Subscriptions
from handlers.answers import answer
from handlers.calls import call
from handlers.channels import check_channel
from handlers.home import publish_home
from handlers.middleware import VIEW_ID
from handlers.replies import ended_of, told_of
from handlers.request import Args, Workspace, person


async def subscribe_execution(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """«Subscribe»: the person who pressed. «Follow again» on a channel's card: that channel."""
    asker, value = person(args.body, workspace), _pressed(args)
    subscriber = _meant(value, asker)
    note = "" if subscriber.is_person else await check_channel(args, workspace, subscriber.id)
    done = await subscriptions.subscribe(subscriber, value.execution_id, level=None, owner=asker.id)
    await _done(args, told_of(done, now=workspace.now(), note=note), asker, subscriptions, workspace)


async def unsubscribe_execution(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """«Unsubscribe», and «Stop following here» for a channel."""
    asker, value = person(args.body, workspace), _pressed(args)
    subscriber = _meant(value, asker)
    done = await subscriptions.unsubscribe(subscriber, value.execution_id)
    await _done(args, ended_of(done, subscriber, value.execution_id), asker, subscriptions, workspace)


async def show_steps(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """«Steps»: the modal opens at once, since the trigger lives three seconds, and fills when GCS has answered."""
    asker, execution_id = person(args.body, workspace), _pressed(args).execution_id
    trigger, loading = args.body["trigger_id"], loading_modal(execution_id)
    opened = await call(
        workspace, "views.open", lambda: args.client.views_open(trigger_id=trigger, view=loading), patience=timedelta(0)
    )
    view_id = args.context[VIEW_ID] = opened["view"]["id"]
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id)
    view = steps_modal(summary.snapshot, now=workspace.now(), execution_id=execution_id)
    await call(workspace, "views.update", lambda: args.client.views_update(view_id=view_id, view=view))


async def refresh_summary(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """«Refresh» on a summary: a new one takes its place."""
    asker, execution_id = person(args.body, workspace), _pressed(args).execution_id
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id)
    message = execution_summary(summary.snapshot, now=workspace.now(), subscription=summary.subscription)
    await answer(args, message, replace=True)


async def refresh_card(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """«Refresh» on a card: the notifier edits it; the person learns that it is under way."""
    asker, value = person(args.body, workspace), _pressed(args)
    snapshot = await subscriptions.refresh_card(_meant(value, asker), value.execution_id)
    await answer(args, replies.refreshed(snapshot))


async def share_execution(args: Args, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """«Share to channel»: what only one person saw, for all, as it stands now."""
    asker, execution_id = person(args.body, workspace), _pressed(args).execution_id
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id)
    await answer(args, shared_summary(summary.snapshot, now=workspace.now(), shared_by=asker.id), is_public=True)


def _pressed(args: Args) -> ActionValue:
    """What the button that was pressed carries."""
    return parse_action_value(str(args.body["actions"][0].get("value") or ""))


def _meant(value: ActionValue, asker: Subscriber) -> Subscriber:
    """The channel that the button belongs to, else the person who pressed: nobody decides for another person."""
    bound = Subscriber(team_id=asker.team_id, id=value.subscriber_id)
    return asker if not bound.id or bound.is_person else bound


async def _done(
    args: Args, message: Message, asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> None:
    """Answer; the Home tab cannot be answered, it is drawn anew."""
    if (args.body.get("view") or {}).get("type") == "home":
        await publish_home(args.client, await subscriptions.of(asker), asker, workspace)
    else:
        await answer(args, message)
