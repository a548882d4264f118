"""Which reply fits the result of subscribing or unsubscribing, of one execution or by a rule; and summaries.

Lives here: the choice. Does not live here: what replies look like (`bot.blocks.replies`). Called by the listeners of
commands and of buttons.
"""

from __future__ import annotations

from bot.blocks import Message, board, execution_summary, quiet, replies, rules
from bot.blocks.conversation import following
from bot.blocks.language import _
from bot.blocks.sentences import NOT_APPROVED, UNSAFE_MUTED, UNSAFE_SUBSCRIBED, UNSAFE_UNSUBSCRIBED
from bot.blocks.text import sentences
from bot.domain.access import NOBODY_ELSE, Readers
from bot.domain.acting import offered
from bot.domain.board import BoardRecord
from bot.domain.following import Subscriber
from bot.errors import InputProblem, InvalidInput
from bot.quiet import Muted
from bot.rules import RuleEnded, RuleMade
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscribed, Summary, Unsubscribed
from handlers.request import Request


async def summary_message(request: Request, summary: Summary, workspace: Workspace) -> Message:
    """The summary that the person who asks reads alone; operators may cancel and retry from it."""
    offer = offered(summary.snapshot, is_operator=await request.is_operator())
    return execution_summary(summary.snapshot, now=workspace.now(), subscription=summary.subscription, offer=offer)


def subscribed_reply(
    done: Subscribed, *, is_open: bool = True, readers: Readers = NOBODY_ELSE, is_above_card: bool = False
) -> Message:
    """The reply to the person who subscribed; `is_open` is False for a channel of `readers` that nobody approved.

    `is_above_card`: it stays in direct messages, where the new card says the rest.
    """
    if not done.followed:
        return replies.nothing_to_follow(done.snapshot)
    unsafe = "" if done.is_safe else _(UNSAFE_SUBSCRIBED)
    if done.was is None:
        note = "" if is_open else _(NOT_APPROVED)
        notes = sentences((note, unsafe))
        if is_above_card:
            return following(notes)
        return replies.subscribed(done.subscription, done.snapshot, note=notes, is_held=not is_open, readers=readers)
    if done.was.level is not done.subscription.level:
        return replies.level_changed(done.subscription, done.snapshot, was=done.was.level, note=unsafe)
    return replies.already_subscribed(done.subscription, done.snapshot, note=unsafe)


def unsubscribed_reply(done: Unsubscribed, subscriber: Subscriber, execution_id: str) -> Message:
    """The reply to the person who unsubscribed."""
    reply = replies.unsubscribed if done.was_followed else replies.not_subscribed
    return reply(subscriber, execution_id, note="" if done.is_safe else _(UNSAFE_UNSUBSCRIBED))


def rule_made_reply(made: RuleMade, *, is_open: bool = True, readers: Readers = NOBODY_ELSE) -> Message:
    """The reply to the person who made a rule; `is_open` is False for a channel of `readers` that nobody approved."""
    unsafe = "" if made.is_safe else _(UNSAFE_SUBSCRIBED)
    if made.was is not None:
        return rules.rule_changed(made.rule, was=made.was.level, note=unsafe)
    notes = sentences(("" if is_open else _(NOT_APPROVED), unsafe))
    return rules.rule_made(
        made.rule, workflows=made.workflows if made.has_run else 0, note=notes, is_held=not is_open, readers=readers
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
    return quiet.unmuted_reply(done.subscription, done.snapshot, is_changed=done.is_changed, note=note)
