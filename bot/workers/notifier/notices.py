"""Who changed or ended a channel's subscription: a line in its thread, and a message to its owner if it was another.

Lives here: `post_notice`, also for who had GCS do something, and `post_owner_notice`. Does not live here: what they say
(`bot.blocks.thread`, `bot.blocks.acting`), the card (`cards`). Called by `notifier`, which records each notice after
it was posted.
"""

from __future__ import annotations

import structlog

from bot.blocks import acted_notice, notice_message, owner_notice_message
from bot.blocks.language import speaking
from bot.domain.change import Change, ChangeKind
from bot.domain.snapshot import Receipt
from bot.errors import MessageGone, Undeliverable
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Messenger
from bot.workers.notifier.owner import notify_owner

log = structlog.get_logger()


async def post_notice(delivery: Delivery, receipt: Receipt, notice: Change, messenger: Messenger) -> None:
    """Post a notice to the owner of the subscription, if it is about that, then to the thread, if the card exists.

    Raises:
        SlackError: Slack refuses, or does not answer.
        Deferred: it is not admitted now.
    """
    execution, is_act = delivery.claim.notification.snapshot.execution, notice.kind is ChangeKind.ACTED
    await post_owner_notice(delivery, notice, messenger)
    message = acted_notice(notice, execution) if is_act else notice_message(notice, execution)
    try:
        ts = await messenger.post(
            delivery,
            notice.kind.value,
            [lambda: message, message.plain],
            lambda tried: messenger.messages.post(
                receipt.channel,
                text=tried.text,
                blocks=tried.blocks,
                mark=delivery.mark("notice", notice),
                thread_ts=receipt.ts,
            ),
        )
    except MessageGone:
        log.info("notifier.card_gone", lane=str(delivery.claim.lane))
        return
    delivery.log_sent("thread", receipt.channel, ts, attempt=messenger.attempts(delivery), change=notice)


async def post_owner_notice(delivery: Delivery, notice: Change, messenger: Messenger) -> None:
    """Post to the owner of a subscription, in person, what somebody else did to it."""
    is_about_it = notice.kind is not ChangeKind.ACTED  # that is about the execution
    if delivery.is_owner_notified or not is_about_it or notice.by == delivery.subscription.owner:
        return
    execution = delivery.claim.notification.snapshot.execution
    with speaking(await messenger.language(delivery, delivery.subscription.owner)):
        message = owner_notice_message(notice, delivery.subscription, execution)
    try:
        await notify_owner(delivery, messenger, delivery.mark("notice", notice), message)
    except Undeliverable as error:
        log.warning("notifier.owner_undeliverable", lane=str(delivery.claim.lane), code=error.code)
    delivery.is_owner_notified = True
    delivery.is_in_doubt = True  # until the notice is recorded, or the owner would read it again
