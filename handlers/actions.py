"""Buttons of messages and of the Home tab, and their menu: subscribe, unsubscribe, steps, details, refresh, share.

Lives here: one function for each button and entry that a message shows. Does not live here: buttons inside modals
(`handlers.views`), how buttons look and what they carry (`bot.blocks`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from asyncio import gather

from bot.audit import audit
from bot.blocks import (
    Message,
    details_modal,
    levels_modal,
    loading_modal,
    replies,
    rules,
    share_modal,
    steps_modal,
)
from bot.blocks.buttons import ActionValue, parse_action_value, parse_span
from bot.blocks.facts import TITLE as DETAILS_TITLE
from bot.blocks.language import _
from bot.blocks.sentences import UNSAFE_DECIDED
from bot.blocks.step_list import TITLE as STEPS_TITLE
from bot.domain.acting import offered
from bot.domain.following import Level, Subscriber
from bot.errors import InputProblem, InvalidInput
from bot.slack.channels import check_channel, check_may_decide, check_may_see, note_held, readers
from bot.slack.responses import respond
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.home import publish_again
from handlers.log import channel_of
from handlers.modals import open_modal, show
from handlers.replies import (
    board_ended_reply,
    muted_reply,
    rule_ended_reply,
    subscribed_reply,
    summary_message,
    unmuted_reply,
    unsubscribed_reply,
)
from handlers.request import Request
from handlers.sharing import share_with_channel


async def subscribe_execution(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Follow`: the person who pressed. `Follow again` on a channel's card: that channel."""
    asker, value = request.asker, _value(request)
    subscriber = _meant(request, value, asker)
    is_open = subscriber.is_person or await check_channel(workspace, subscriber.id, asker.id)
    level = Level(value.level) if value.level in set(Level) else None
    done = await subscriptions.subscribe(subscriber, value.execution_id, level=level, owner=asker.id)
    held_from = None if is_open else await note_held(workspace, subscriber.id, asker.id)
    reply = await subscribed_reply(request, done, subscriptions, workspace, held_from=held_from)
    await _reply(request, reply, subscriptions, workspace)


async def unsubscribe_execution(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Stop following`, and `Stop following here` for a channel."""
    subscriber, execution_id = await _bound_to(request, workspace)
    done = await subscriptions.unsubscribe(subscriber, execution_id, by=request.asker.id)
    reply = unsubscribed_reply(done, subscriber, execution_id)
    await _reply(request, reply, subscriptions, workspace)


async def end_rule(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Stop following` of a rule."""
    subscriber, rule_id = await _rule_of(request, workspace)
    ended = await subscriptions.rules.end(subscriber, rule_id, by=request.asker.id)
    await _reply(request, rule_ended_reply(ended), subscriptions, workspace)


async def keep_rule(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Keep following` of a rule that would end soon."""
    subscriber, rule_id = await _rule_of(request, workspace)
    rule = await subscriptions.rules.keep(subscriber, rule_id)
    await _reply(request, rules.rule_kept(rule), subscriptions, workspace)


async def end_board(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Stop this board`: of the channel in which it was pressed."""
    channel, board_id = await _rule_of(request, workspace)
    if channel.is_person:
        raise InvalidInput(InputProblem.OTHER_CHANNEL)
    ended, is_safe = await subscriptions.boards.end(channel, board_id, by=request.asker.id)
    await respond(workspace.slack, request.response_url, board_ended_reply(ended, is_safe=is_safe))


async def show_steps(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Steps`: the modal opens at once, because the trigger lives three seconds, and fills when GCS has answered."""
    asker, execution_id = request.asker, _execution_id(request)
    await open_modal(request, workspace, loading_modal(STEPS_TITLE))
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id)
    view = steps_modal(summary.snapshot, execution_id=execution_id)
    await show(request, workspace, view)


async def show_details(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Details`: all that is known about the execution, in a modal."""
    asker, execution_id = request.asker, _execution_id(request)
    await open_modal(request, workspace, loading_modal(DETAILS_TITLE))
    summary, is_operator = await gather(
        subscriptions.summary(workspace.team_id, execution_id, asker.id), request.is_operator()
    )
    offer = offered(summary.snapshot, is_operator=is_operator)
    view = details_modal(summary.snapshot, now=workspace.now(), offer=offer, channel=channel_of(request))
    await show(request, workspace, view)


async def show_levels(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Notifications …`: the levels of the subscription whose card was pressed on, in a modal."""
    subscriber, execution_id = await _bound_to(request, workspace)
    subscription, snapshot = await subscriptions.following(subscriber, execution_id)
    await open_modal(request, workspace, levels_modal(subscription, snapshot, now=workspace.now()))


async def mute_execution(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Mute` in a list: for as long as was typed."""
    subscriber, execution_id = await _bound_to(request, workspace)
    chosen, asker = parse_span(_value(request).level), request.asker
    if chosen is None:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    zone = await workspace.languages.zone(asker.id)
    done = await subscriptions.quiet.mute(subscriber, execution_id, *chosen, by=asker.id, zone=zone)
    await respond(workspace.slack, request.response_url, muted_reply(done))


async def unmute_execution(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Unmute` on a card or below a reply: what was waiting comes now."""
    subscriber, execution_id = await _bound_to(request, workspace)
    done = await subscriptions.quiet.unmute(subscriber, execution_id, by=request.asker.id)
    await respond(workspace.slack, request.response_url, unmuted_reply(done))


async def show_execution(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Show` in a list: the summary, beside the list."""
    summary = await subscriptions.summary(workspace.team_id, _execution_id(request), request.asker.id)
    message = await summary_message(request, summary, workspace)
    await respond(workspace.slack, request.response_url, message)


async def refresh_summary(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Refresh` on a summary: a new one replaces it."""
    asker, execution_id = request.asker, _execution_id(request)
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id, is_refresh=True)
    message = await summary_message(request, summary, workspace)
    await respond(workspace.slack, request.response_url, message, replace=True)


async def refresh_card(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Refresh` on a card: the notifier edits it, which is all that the person sees; on the Home tab, that."""
    subscriber, execution_id = await _bound_to(request, workspace)
    await subscriptions.refresh_card(subscriber, execution_id)
    if request.is_at_home:
        await publish_again(request, subscriptions, workspace)


async def share_execution(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Share to channel`: a summary that only one person saw, for everyone, freshly polled.

    In a direct message there is nobody to share it with, and who reads a channel's card has it: then a modal asks for
    the channel.
    """
    value = _value(request)
    if request.is_direct or value.subscriber_id:
        await open_modal(request, workspace, share_modal(value.execution_id))
        return
    await share_with_channel(request, value.execution_id, subscriptions, workspace)


async def approve_channel(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Approve this channel`: the bot writes in a channel that other organisations share."""
    channel = await _decided(request, workspace)
    if channel is None:
        raise InvalidInput(InputProblem.CHANNEL_NOT_SHARED)
    shown = await readers(workspace, channel.id)
    if shown.digest != request.action_value.partition("|")[2]:
        raise InvalidInput(InputProblem.CHANNEL_HAS_GROWN)
    organisations = shown.organisations
    is_safe = await workspace.channels.approve(
        workspace.team_id, channel.id, request.asker.id, organisations=organisations
    )
    audit("channel.approved", channel=channel.id, organisations=" ".join(sorted(organisations)))
    note = "" if is_safe else _(UNSAFE_DECIDED)
    reply = replies.channel_approved(channel.id, request.asker.id, note=note, readers=shown)
    await respond(workspace.slack, request.response_url, reply)
    await subscriptions.resume(channel)


async def revoke_channel(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Withdraw approval`: from now on it writes nothing there."""
    del subscriptions
    channel = await _decided(request, workspace)
    if channel is None:
        raise InvalidInput(InputProblem.CHANNEL_NOT_SHARED)
    is_safe = await workspace.channels.approve(workspace.team_id, channel.id, "")
    audit("channel.revoked", channel=channel.id)
    shown = await readers(workspace, channel.id)
    reply = replies.channel_revoked(channel.id, note="" if is_safe else _(UNSAFE_DECIDED), readers=shown)
    await respond(workspace.slack, request.response_url, reply)


async def delete_my_data(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Delete my data`: of the person who presses, if the button is theirs."""
    asker = request.asker
    if request.action_value != asker.id:
        raise InvalidInput(InputProblem.OTHER_PERSON)
    done = await subscriptions.forget(asker)
    workspace.languages.forget(asker.team_id, asker.id)
    workspace.homes.close(asker.id)
    reply = replies.forgotten(done.subscriptions, done.owned, done.letters, done.channels)
    await respond(workspace.slack, request.response_url, reply, replace=True)


async def _bound_to(request: Request, workspace: Workspace) -> tuple[Subscriber, str]:
    """Whose subscription to what is meant: the person's, or that of the channel in which they pressed.

    Raises:
        InvalidInput, NotAllowed: it is another channel's, or of one that they may not see.
    """
    value = _value(request)
    subscriber = _meant(request, value, request.asker)
    if not subscriber.is_person:
        await check_may_see(workspace, subscriber.id, request.asker.id)
    return subscriber, value.execution_id


async def _rule_of(request: Request, workspace: Workspace) -> tuple[Subscriber, str]:
    """Whose rule or board is meant, and its id: the person's, or of the channel where they pressed; at Home, either.

    Raises:
        InvalidInput, NotAllowed: it is another channel's, or of one that they may not see.
    """
    value = parse_action_value(request.action_value)
    bound = Subscriber(team_id=workspace.team_id, id=value.subscriber_id)
    if request.is_at_home and bound.id and not bound.is_person:
        await check_may_decide(workspace, bound.id, request.asker.id)
        return bound, value.execution_id
    subscriber = _meant(request, value, request.asker)
    if not subscriber.is_person:
        await check_may_see(workspace, subscriber.id, request.asker.id)
    return subscriber, value.execution_id


async def _decided(request: Request, workspace: Workspace) -> Subscriber | None:
    """The channel where the button was pressed, if other organisations share it.

    Raises:
        InvalidInput: the button names another channel, or the person is not in it.
    """
    if request.action_value.partition("|")[0] != request.channel_id or request.is_direct:
        raise InvalidInput(InputProblem.OTHER_CHANNEL)
    is_shared = await check_may_see(workspace, request.channel_id, request.asker.id)
    return Subscriber(team_id=workspace.team_id, id=request.channel_id) if is_shared else None


def _execution_id(request: Request) -> str:
    return _value(request).execution_id


def _value(request: Request) -> ActionValue:
    """What the pressed button carries."""
    value = parse_action_value(request.action_value)
    request.execution_id = value.execution_id
    return value


def _meant(request: Request, value: ActionValue, asker: Subscriber) -> Subscriber:
    """The channel in which a channel's button was pressed, else the person who pressed it.

    What a button carries is no authority: nobody decides for another person, nor for a channel from outside it.

    Raises:
        InvalidInput: the button names another channel than the one where it was pressed.
    """
    bound = Subscriber(team_id=asker.team_id, id=value.subscriber_id)
    if not bound.id or bound.is_person:
        return asker
    if bound.id != request.channel_id or request.is_direct:
        raise InvalidInput(InputProblem.OTHER_CHANNEL)
    return bound


async def _reply(request: Request, message: Message, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Answer the person; the Home tab takes no answer, so it is published again instead."""
    if request.is_at_home:
        await publish_again(request, subscriptions, workspace)
    else:
        await respond(workspace.slack, request.response_url, message)
