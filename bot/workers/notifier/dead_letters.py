"""Destinations that cannot be reached: the owner reads why, once; the subscription ends and leaves a dead letter.

Lives here: giving up on a lane, and on the rules that follow for its destination. Does not live here: why a destination
cannot be reached (`bot.blocks.sentences`), the letter itself (`bot.store.outbox`). Called by `notifier`.
"""

from __future__ import annotations

from contextlib import suppress

import structlog

from bot import metrics
from bot.audit import audit
from bot.blocks import Message, board_undeliverable, undeliverable_message
from bot.blocks.language import speaking
from bot.errors import StoreUnavailable, Undeliverable, UnknownRefusal
from bot.slack.errors import slack_error
from bot.store.outbox import Outbox
from bot.store.rules import Rules
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Messenger
from bot.workers.notifier.owner import notify_owner

log = structlog.get_logger()


async def give_up(delivery: Delivery, error: Undeliverable, messenger: Messenger, outbox: Outbox) -> None:
    """Notify the owner why no more messages come, then end the subscription.

    When a person's own direct messages cannot be reached, only the dead letter is left.
    """
    log.warning("notifier.undeliverable", lane=str(delivery.claim.lane), code=error.code)
    metrics.NOTIFIER_MESSAGES.labels("any", "undeliverable").inc()
    delivery.is_in_doubt = delivery.claim.in_doubt_since is not None  # an earlier worker may have notified the owner
    owner = "same" if delivery.subscription.owner else "nobody"
    if delivery.subscription.owner not in {"", delivery.subscription.subscriber.id}:
        try:
            with speaking(await messenger.language(delivery, delivery.subscription.owner)):
                message = _message(delivery, error.code)
            await notify_owner(delivery, messenger, delivery.mark("dead"), message)
            owner = "notified"
        except Undeliverable as second:
            log.warning("notifier.owner_undeliverable", lane=str(delivery.claim.lane), code=second.code)
            owner = "unreachable"
    if await outbox.forget(delivery.claim, reason=error.code):
        delivery.log_ended("undeliverable", code=error.code)
        metrics.NOTIFIER_DEAD_LETTERS.labels(owner).inc()


async def end_rules(delivery: Delivery, error: Undeliverable, rules: Rules) -> None:
    """End the rules of a destination that is dead: each new execution would be given up, and notify the owner."""
    is_about_content = not isinstance(slack_error(error.code), Undeliverable | UnknownRefusal)
    if not delivery.subscription.is_by_rule_only or is_about_content:
        return
    subscriber = delivery.subscription.subscriber
    with suppress(StoreUnavailable):  # then the next execution ends them
        for rule in await rules.of(subscriber):
            await rules.end(subscriber, rule.id, code=error.code)
            audit(
                "rule.ended",
                why="undeliverable",
                code=error.code,
                team=subscriber.team_id,
                subscriber=subscriber.id,
                rule=rule.id,
                owner=rule.owner,
            )


def _message(delivery: Delivery, code: str) -> Message:
    """What the owner reads."""
    subscription, snapshot = delivery.subscription, delivery.claim.notification.snapshot
    if snapshot.board is not None:
        return board_undeliverable(subscription.subscriber, snapshot.board, code)
    return undeliverable_message(subscription, snapshot.execution, code)
