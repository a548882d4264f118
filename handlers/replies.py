"""Which reply fits the result of subscribing or unsubscribing, of one execution or by a rule; and summaries.

Lives here: the choice. Does not live here: what replies look like (`bot.blocks.replies`). Called by the listeners of
commands and of buttons.
"""

from __future__ import annotations

from bot.blocks import Message, board, execution_summary, quiet, replies, rules
from bot.blocks.language import _
from bot.blocks.replies import ONCE, Twice
from bot.blocks.sentences import NOT_APPROVED, UNSAFE_MUTED, UNSAFE_SUBSCRIBED, UNSAFE_UNSUBSCRIBED
from bot.blocks.text import sentences
from bot.domain.access import NOBODY_ELSE, Readers
from bot.domain.acting import offered
from bot.domain.board import BoardRecord
from bot.domain.following import Subscriber, Subscription
from bot.errors import InputProblem, InvalidInput, StoreUnavailable
from bot.quiet import Muted
from bot.rules import RuleEnded, RuleMade
from bot.slack.channels import channels_of
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscribed, Subscriptions, Summary, Unsubscribed
from handlers.request import Request


async def summary_message(request: Request, summary: Summary, workspace: Workspace) -> Message:
    """The summary that the person who asks reads alone; operators may cancel and retry from it."""
    offer = offered(summary.snapshot, is_operator=await request.is_operator())
    return execution_summary(summary.snapshot, now=workspace.now(), subscription=summary.subscription, offer=offer)


async def subscribed_reply(
    request: Request,
    done: Subscribed,
    subscriptions: Subscriptions,
    workspace: Workspace,
    *,
    held_from: Readers | None = None,
) -> Message:
    """The reply to the person who subscribed; `held_from`: who reads a channel that nobody approved."""
    if not done.followed:
        return replies.nothing_to_follow(done.snapshot)
    unsafe = "" if done.is_safe else _(UNSAFE_SUBSCRIBED)
    also = await _twice(done.subscription, request.asker, subscriptions, workspace)
    if done.was is None:
        return replies.subscribed(
            done.subscription,
            done.snapshot,
            note=sentences(("" if held_from is None else _(NOT_APPROVED), unsafe)),
            is_held=held_from is not None,
            readers=held_from or NOBODY_ELSE,
            is_above_card=request.is_typed and request.is_direct,
            twice=also,
        )
    if done.was.level is not done.subscription.level:
        return replies.level_changed(done.subscription, done.snapshot, was=done.was.level, note=unsafe, twice=also)
    return replies.already_subscribed(done.subscription, done.snapshot, note=unsafe, twice=also)


async def _twice(
    subscription: Subscription, asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace
) -> Twice:
    """Where else the person who subscribed reads of it. They learn of no channel that they are not in."""
    try:
        others = await subscriptions.that_follow(asker.team_id, subscription.execution_id) - {
            subscription.subscriber.id
        }
    except StoreUnavailable:  # it is followed, which is what they asked for
        return ONCE
    if not subscription.subscriber.is_person:
        return Twice(in_person=asker.id in others)
    channels = {each for each in others if not Subscriber(team_id=asker.team_id, id=each).is_person}
    theirs = await channels_of(workspace, asker.id) if channels else None
    return Twice(channels=sorted(channels & theirs) if theirs else ())


def unsubscribed_reply(done: Unsubscribed, subscriber: Subscriber, execution_id: str) -> Message:
    """The reply to the person who unsubscribed."""
    reply = replies.unsubscribed if done.was_followed else replies.not_subscribed
    return reply(subscriber, execution_id, note="" if done.is_safe else _(UNSAFE_UNSUBSCRIBED))


def rule_made_reply(made: RuleMade, *, held_from: Readers | None = None) -> Message:
    """The reply to the person who made a rule; `held_from`: who reads a channel that nobody approved."""
    unsafe = "" if made.is_safe else _(UNSAFE_SUBSCRIBED)
    if made.was is not None:
        return rules.rule_changed(made.rule, was=made.was.level, note=unsafe)
    return rules.rule_made(
        made.rule,
        workflows=made.workflows if made.has_run else 0,
        note=sentences(("" if held_from is None else _(NOT_APPROVED), unsafe)),
        is_held=held_from is not None,
        readers=held_from or NOBODY_ELSE,
    )


def rule_ended_reply(ended: RuleEnded) -> Message:
    """The reply to the person who ended a rule.

    Raises:
        InvalidInput: there was none.
    """
    if ended.rule is None:
        raise InvalidInput(InputProblem.RULE_ENDED)
    return rules.rule_ended(ended.rule, ended.executions, note="" if ended.is_safe else _(UNSAFE_UNSUBSCRIBED))


def board_ended_reply(ended: BoardRecord | None, *, is_safe: bool) -> Message:
    """The reply to the person who ended a board."""
    if ended is None:
        return board.no_such_board()
    return board.board_ended(note="" if is_safe else _(UNSAFE_UNSUBSCRIBED))


def muted_reply(done: Muted) -> Message:
    """The reply to the person who muted an execution."""
    note = "" if done.is_safe else _(UNSAFE_MUTED)
    return quiet.muted_reply(done.subscription, done.snapshot, note=note)


def unmuted_reply(done: Muted) -> Message:
    """The reply to the person who ended that."""
    note = "" if done.is_safe else _(UNSAFE_MUTED)
    return quiet.unmuted_reply(done.subscription, done.snapshot, now=done.now, is_changed=done.is_changed, note=note)
