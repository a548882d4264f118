"""Destinations that cannot be reached: the owner reads why, once; the subscription ends and leaves a dead letter.

Lives here: giving up on a lane. Does not live here: why a destination cannot be reached (`bot.blocks.sentences`), the
letter itself (`bot.store.outbox`). Called by `bot.workers.notifier.notifier`.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from bot import metrics
from bot.blocks import undeliverable_message
from bot.domain.priority import Priority
from bot.errors import SlackBadCredentials, Undeliverable, UnknownRefusal
from bot.store.outbox import Outbox
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Messenger
from bot.workers.notifier.reconcile import CLOCKS_APART, read_back, unreadable

log = structlog.get_logger()


async def give_up(delivery: Delivery, error: Undeliverable, messenger: Messenger, outbox: Outbox) -> None:
    """Tell the owner why no more messages come, then end the subscription.

    When a person's own direct messages cannot be reached, only the dead letter is left.
    """
    log.warning("notifier.undeliverable", lane=str(delivery.claim.lane), code=error.code)
    metrics.NOTIFIER_MESSAGES.labels("any", "undeliverable").inc()
    delivery.is_in_doubt = delivery.claim.in_doubt_since is not None  # an earlier worker may have notified the owner
    owner = "same"
    if delivery.subscription.owner != delivery.subscription.subscriber.id:
        try:
            await _notify_owner(delivery, error, messenger)
            owner = "notified"
        except Undeliverable as second:
            log.warning("notifier.owner_undeliverable", lane=str(delivery.claim.lane), code=second.code)
            owner = "unreachable"
    if await outbox.forget(delivery.claim, reason=error.code):
        delivery.log_ended("undeliverable", code=error.code)
        metrics.NOTIFIER_DEAD_LETTERS.labels(owner).inc()


async def _notify_owner(delivery: Delivery, error: Undeliverable, messenger: Messenger) -> None:
    owner = delivery.subscription.owner
    channel = await messenger.dm(delivery, owner)
    since = delivery.claim.in_doubt_since
    if since and await _is_notified(delivery, messenger, channel, since - CLOCKS_APART):
        return
    message = undeliverable_message(delivery.subscription, delivery.claim.notification.snapshot.execution, error.code)
    ts = await messenger.post(
        delivery,
        "undeliverable",
        [lambda: message, message.plain],
        lambda tried: messenger.messages.post(
            channel, text=tried.text, blocks=tried.blocks, mark=delivery.mark("dead")
        ),
        place=owner,
        priority=min(delivery.priority, Priority.FAILURE),
    )
    delivery.log_sent("undeliverable", channel, ts, attempt=messenger.attempts(delivery))


async def _is_notified(delivery: Delivery, messenger: Messenger, channel: str, since: datetime) -> bool:
    try:
        found = await read_back(delivery, messenger, channel, since)
    except (SlackBadCredentials, Undeliverable, UnknownRefusal) as error:
        unreadable(error, channel)
        return False
    return any(message.mark.part == "dead" for message in found)
