"""Messages to the owner of a subscription, in person: once each, also when a worker dies in between.

Lives here: `notify_owner`. Does not live here: what it says (`bot.blocks`), why (`dead_letters`, `audience`,
`notices`). Called by those.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.blocks import Message
from bot.domain.priority import Priority
from bot.errors import SlackBadCredentials, Undeliverable, UnknownRefusal
from bot.slack.messages import Mark
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Messenger
from bot.workers.notifier.reconcile import CLOCKS_APART, read_back, unreadable

log = structlog.get_logger()

_KINDS = {"dead": "undeliverable", "held": "held", "notice": "notice"}
"""What such a message is called in metrics and logs, by its mark."""


async def notify_owner(delivery: Delivery, messenger: Messenger, mark: Mark, message: Message) -> None:
    """Post `message` to the owner of a lane's subscription, with `mark`, unless an earlier worker has.

    Nobody is notified of a subscription without an owner: that person's data was deleted. Nor is an owner who may not
    ask any more.

    Raises:
        SlackError: Slack refuses, or does not answer.
        Deferred: it is not admitted now.
    """
    owner, kind = delivery.subscription.owner, _KINDS[mark.part]
    if not owner or not await messenger.may_read(owner):
        log.info("notifier.no_owner", lane=str(delivery.claim.lane), kind=kind)
        return
    channel = await messenger.dm(delivery, owner)
    since = delivery.claim.in_doubt_since
    if since and await _is_notified(delivery, messenger, mark, channel, since - CLOCKS_APART):
        return
    ts = await messenger.post(
        delivery,
        kind,
        [lambda: message, message.plain],
        lambda tried: messenger.messages.post(channel, text=tried.text, blocks=tried.blocks, mark=mark),
        place=owner,
        priority=min(delivery.priority, Priority.FAILURE),
    )
    delivery.log_sent(kind, channel, ts, attempt=messenger.attempts(delivery))


async def _is_notified(delivery: Delivery, messenger: Messenger, mark: Mark, channel: str, since: datetime) -> bool:
    try:
        found = await read_back(delivery, messenger, channel, since)
    except (SlackBadCredentials, Undeliverable, UnknownRefusal) as error:
        unreadable(error, channel)
        return False
    return mark in (message.mark for message in found)
