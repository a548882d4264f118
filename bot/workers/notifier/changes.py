"""The messages about changes: in the thread of the card, and in a conversation of its own for a person.

Lives here: `post_changes`. Does not live here: what they say (`bot.blocks`), which changes one message reports
(`bot.domain.priority`), what people did (`notices`). Called by `notifier`, which records each message after it was
posted.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache, partial

from bot import metrics
from bot.blocks import Message, change_message, ended_message, outcome_message
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import FAILED_PHASES
from bot.domain.past import Past
from bot.domain.priority import is_announced, priority_of
from bot.domain.snapshot import Receipt
from bot.errors import StoreUnavailable
from bot.store.log.rows import Sent
from bot.store.outbox import Claim
from bot.store.schedule.history import History
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Messenger


async def post_changes(
    delivery: Delivery, receipt: Receipt, changes: tuple[Change, ...], messenger: Messenger, history: History
) -> Sent:
    """Post one message about `changes`, beside the card that `receipt` names.

    Raises:
        MessageGone: the card does not exist.
        SlackError: Slack refuses, or does not answer.
        Deferred: it is not admitted now.
    """
    last, subscriber = changes[-1], delivery.subscription.subscriber
    announced = is_announced(changes, delivery.subscription)
    is_alone = announced and subscriber.is_person
    is_in_thread = not (is_alone or delivery.is_without_thread)
    draw = cache(partial(_message, delivery.claim, changes, await _past(delivery, last, history)))
    ts = await messenger.post(
        delivery,
        last.kind.value,
        [draw, lambda: draw().plain()],
        lambda tried: messenger.messages.post(
            receipt.channel,
            text=tried.text,
            blocks=tried.blocks,
            mark=delivery.mark("change", last),
            thread_ts=receipt.ts if is_in_thread else None,
            is_broadcast=announced,
        ),
    )
    label = priority_of(last, subscriber).label
    metrics.NOTIFIER_DELAY_SECONDS.labels(label).observe((delivery.now - delivery.late_since(last)).total_seconds())
    kind = "dm" if is_alone else "thread" if is_in_thread else "message"
    delivery.log_sent(kind, receipt.channel, ts, attempt=messenger.attempts(delivery), change=last)
    return Sent(ts, is_in_thread=is_in_thread)


async def _past(delivery: Delivery, change: Change, history: History) -> Past:
    """How earlier runs ended, to compare a failure with."""
    if change.kind.is_final and change.phase in FAILED_PHASES:
        with suppress(StoreUnavailable):  # it is a help only
            return await history.past(delivery.claim.lane.team_id, delivery.claim.notification.snapshot.execution)
    return Past()


def _message(claim: Claim, changes: tuple[Change, ...], past: Past) -> Message:
    last, notification = changes[-1], claim.notification
    execution = notification.snapshot.execution
    if last.kind.is_final:
        return outcome_message(last, notification.subscription, notification.snapshot, past=past)
    if last.kind is ChangeKind.ENDED:
        return ended_message(last, execution)
    return change_message(changes, notification.subscription, execution, now=claim.now)
