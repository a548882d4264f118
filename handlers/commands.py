"""The slash command: parsed, executed, answered.

Lives here: one function for each verb of `/execution`. Does not live here: what may be typed (`handlers.parsing`), what
the answers look like (`bot.blocks`), what is typed to the bot as a message (`handlers.conversation`, which has it done
here). Called by Bolt, through the middleware.
"""

from __future__ import annotations

from dataclasses import replace

from bot.audit import audit
from bot.blocks import Message, matches, quiet, replies, rules
from bot.blocks.board import with_boards
from bot.blocks.language import speaking
from bot.domain.execution import Phase
from bot.domain.following import Subscriber, rule_id
from bot.domain.quiet import MuteFor, QuietHours, zone_named
from bot.domain.search import Found, begins_an_id
from bot.domain.snapshot import Followed
from bot.errors import InputProblem, InvalidInput, SlackError
from bot.slack.channels import check_channel, check_may_see, note_held, readers
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.answers import answer
from handlers.board import board_reply
from handlers.log import log_reply
from handlers.parsing import parse
from handlers.replies import (
    muted_reply,
    rule_ended_reply,
    rule_made_reply,
    subscribed_reply,
    summary_message,
    unmuted_reply,
    unsubscribed_reply,
)
from handlers.request import Request
from handlers.typed import MAX_WORD
from handlers.vocabulary import Command, Verb


async def execution(  # noqa: C901  # a verb each
    request: Request, *, subscriptions: Subscriptions, workspace: Workspace
) -> None:
    """`/execution …`, and the same words where somebody has typed them to the bot."""
    asker = request.asker
    if request.is_typed:  # each answer is a call that Slack limits, also one that only helps
        await subscriptions.admit(asker)
    command = parse(request.text)
    request.verb = command.verb.value
    if command.verb is not Verb.HELP and not request.is_typed:
        await subscriptions.admit(asker)
    subscriber = _meant(request, command, asker)
    now = workspace.now()
    match command.verb:
        case Verb.HELP:
            message = replies.help_text(await workspace.languages.chosen(workspace.team_id, asker.id))
        case Verb.FORGET:
            message = replies.forget_question(asker.id)
        case Verb.LANGUAGE:
            message = await _language(command, asker, subscriber, workspace)
        case Verb.QUIET:
            message = await _quiet(command, asker, subscriptions, workspace)
        case Verb.OVERVIEW:
            followed = await subscriptions.of(asker)
            message = matches.overview(followed.items, unreadable=followed.unreadable, now=now)
            message = rules.with_rules(message, await subscriptions.rules.of(asker), most=matches.OVERVIEW_SHOWN)
        case Verb.BOARD:
            message = await board_reply(request, command.query, subscriptions, workspace, is_off=command.is_off)
        case Verb.LIST:
            message = await _list(request, subscriber, subscriptions, workspace)
        case Verb.RUNNING | Verb.FAILED:
            phase = Phase.RUNNING if command.verb is Verb.RUNNING else Phase.FAILED
            message = matches.in_phase(await subscriptions.search.in_phase(phase), phase)
        case _ if command.rule is not None:
            message = await _rule(request, command, subscriber, subscriptions, workspace)
        case _:
            message = await _about_one(request, command, subscriber, subscriptions, workspace)
    await answer(request, message, workspace)


async def _about_one(  # noqa: PLR0911  # a verb each
    request: Request, command: Command, subscriber: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    """What is about one execution; where a name may mean several, nothing is done but to ask which."""
    asker = request.asker
    is_followed = command.verb in {Verb.UNSUBSCRIBE, Verb.MUTE, Verb.UNMUTE}
    if is_followed and not subscriber.is_person:
        await check_may_see(workspace, subscriber.id, asker.id)
    if not command.execution_id:
        found = await subscriptions.search.find(
            subscriber if is_followed else asker, command.query, is_followed=is_followed
        )
        if len(found.matches) != 1 or found.unread:
            return _which(command, found, subscriber, workspace)
        command = replace(command, execution_id=found.matches[0].execution_id)
    request.execution_id = command.execution_id
    match command.verb:
        case Verb.SUBSCRIBE:
            return await _subscribe(request, command, subscriber, subscriptions, workspace)
        case Verb.UNSUBSCRIBE:
            done = await subscriptions.unsubscribe(subscriber, command.execution_id, by=asker.id)
            return unsubscribed_reply(done, subscriber, command.execution_id)
        case Verb.MUTE:
            return await _mute(command, asker, subscriber, subscriptions, workspace)
        case Verb.LOG:
            return await log_reply(request, command.execution_id, subscriptions, workspace)
        case Verb.UNMUTE:
            return unmuted_reply(await subscriptions.quiet.unmute(subscriber, command.execution_id, by=asker.id))
        case _:
            summary = await subscriptions.summary(workspace.team_id, command.execution_id, asker.id)
            return await summary_message(request, summary, workspace)


async def _rule(
    request: Request, command: Command, subscriber: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    """What is about all new executions of a kind."""
    assert command.rule is not None  # noqa: S101  # the caller has looked
    (kind, values), asker = command.rule, request.asker
    if command.verb is Verb.UNSUBSCRIBE:
        if not subscriber.is_person:
            await check_may_see(workspace, subscriber.id, asker.id)
        ended = await subscriptions.rules.end(subscriber, rule_id(subscriber, kind, values), by=asker.id)
        return rule_ended_reply(ended) if ended.rule else rules.no_such_rule(subscriber, kind, values)
    is_open = subscriber.is_person or await check_channel(workspace, subscriber.id, asker.id)
    made = await subscriptions.rules.make(subscriber, kind, values, level=command.level, owner=asker.id)
    held_from = None if is_open else await note_held(workspace, subscriber.id, asker.id)
    return rule_made_reply(made, held_from=held_from)


def _which(command: Command, found: Found, subscriber: Subscriber, workspace: Workspace) -> Message:
    """What a name may mean.

    Raises:
        InvalidInput: nothing.
    """
    now = workspace.now()
    if not found.matches:
        if begins_an_id(command.query):
            raise InvalidInput(InputProblem.NOT_NAMED_NOR_BEGUN, word=command.query)
        raise InvalidInput(InputProblem.NOT_NAMED, word=command.query[:MAX_WORD])
    if command.verb is Verb.SUBSCRIBE:
        return matches.to_follow(found, subscriber, level=command.level)
    if command.verb is Verb.UNSUBSCRIBE:
        return matches.to_stop(found, subscriber, now=now)
    if command.verb is Verb.MUTE:
        return matches.to_mute(found, subscriber, command.span or MuteFor.HOUR, is_silent=command.is_for_everything)
    if command.verb is Verb.LOG:
        return matches.to_log(found)
    if command.verb is Verb.UNMUTE:
        return matches.to_unmute(found, subscriber, now=now)
    return matches.to_show(found)


async def _subscribe(
    request: Request, command: Command, subscriber: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    asker = request.asker
    is_open = subscriber.is_person or await check_channel(workspace, subscriber.id, asker.id)
    done = await subscriptions.subscribe(subscriber, command.execution_id, level=command.level, owner=asker.id)
    held_from = None if is_open else await note_held(workspace, subscriber.id, asker.id)
    return await subscribed_reply(request, done, subscriptions, workspace, held_from=held_from)


async def _mute(
    command: Command, asker: Subscriber, subscriber: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    done = await subscriptions.quiet.mute(
        subscriber,
        command.execution_id,
        command.span or MuteFor.HOUR,
        command.is_for_everything,
        by=asker.id,
        zone=await workspace.languages.zone(asker.id),
    )
    return muted_reply(done)


async def _quiet(command: Command, asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace) -> Message:
    hours = await subscriptions.quiet.hours(asker)
    if command.hours is not None:
        begins, ends = command.hours
        slack = "" if command.zone else await workspace.languages.zone(asker.id)
        zone = zone_named(command.zone or slack or (hours.zone if hours else ""))
        if not zone:
            raise InvalidInput(InputProblem.WHICH_ZONE, verb=command.verb)
        hours = QuietHours(begins=begins, ends=ends, zone=zone, holds_failures=command.is_for_everything)
    elif command.is_off:
        hours = None
    is_new = command.hours is not None or command.is_off
    if is_new:
        await subscriptions.quiet.choose_hours(asker, hours)
    return quiet.hours_reply(hours, workspace.now(), is_new=is_new)


async def _language(command: Command, asker: Subscriber, subscriber: Subscriber, workspace: Workspace) -> Message:
    if not subscriber.is_person:
        await check_may_see(workspace, subscriber.id, asker.id)
    language = await workspace.languages.choose(subscriber.team_id, subscriber.id, command.language)
    audit("language.chosen", subscriber=subscriber.id, language=command.language or "auto")
    with speaking(language):
        return replies.language_chosen(subscriber)


async def _list(
    request: Request, subscriber: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Message:
    asker = request.asker
    is_shared = not subscriber.is_person and await check_may_see(workspace, subscriber.id, asker.id)
    followed = await subscriptions.of(subscriber)
    message = replies.subscription_list(
        followed.items, unreadable=followed.unreadable, now=workspace.now(), is_person=subscriber.is_person
    )
    message = rules.with_rules(message, await subscriptions.rules.of(subscriber))
    if subscriber.is_person:
        here = await _followed_here(request, subscriptions, workspace)
        return replies.also_here(message, here.items, now=workspace.now())
    boards = await subscriptions.boards.of(subscriber)
    message = with_boards(message, subscriber, boards, workspace.identity.address)
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


async def _followed_here(request: Request, subscriptions: Subscriptions, workspace: Workspace) -> Followed:
    """What the channel follows in which a person asks, if they may know."""
    if request.is_direct or not request.channel_id:
        return Followed()
    followed = await subscriptions.of(Subscriber(team_id=request.asker.team_id, id=request.channel_id))
    if followed.items:
        try:
            await check_may_see(workspace, request.channel_id, request.asker.id)
        except (InvalidInput, SlackError):  # their own list is what they asked for
            return Followed()
    return followed


def _meant(request: Request, command: Command, asker: Subscriber) -> Subscriber:
    """Whom the command is about: the channel it was typed in, or the person who typed it."""
    if command.is_here and not request.is_direct:
        return Subscriber(team_id=asker.team_id, id=request.channel_id)
    return asker
