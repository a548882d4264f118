"""Sends without a receipt: no answer came, or a worker died between sending and recording.

Lives here: reading the channel back for our mark, which settles them. Called by the room before anything is posted (the
same edit twice is as good as once, so edits need none of it); `dead_letters` reads back its own word.

One rule remains where reading back is not allowed for lack of a scope: then it is sent again, because a repeat is
better than silence; the metric `execution_bot_notifier_reconciled_total{settled="unreadable"}` counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.domain.model import Change, Receipt
from bot.domain.priority import Priority
from bot.errors import MessageGone, SlackBadCredentials, SlackError, Undeliverable
from bot.slack.client import Delivered, Mark, SlackClient
from bot.store.rows import EPOCH, milliseconds
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Sending

log = structlog.get_logger()

CLOCKS_APART = timedelta(minutes=2)
"""How far Slack's clock may be from the store's when messages are read back."""

PAGES = 5
"""Most pages that are read: a channel that is busier than 5,000 messages in a few minutes is none."""


async def reconciled(delivery: Delivery, slack: SlackClient, sending: Sending) -> Receipt | None:
    """Find out what a send without a receipt came to: the receipt to record, None when there was no send."""
    since = (delivery.claim.in_doubt_since or delivery.claim.now) - CLOCKS_APART
    channel = delivery.receipt.channel if delivery.receipt else await sending.channel(delivery)
    try:
        found = await _found(delivery, slack, sending, channel, since)
    except (SlackBadCredentials, Undeliverable) as error:
        unreadable(error, channel)
        return None
    card = _latest_card(found)
    through = _delivered_through(delivery.pending, [message.mark for message in found if message.mark.part == "change"])
    metrics.NOTIFIER_RECONCILED.labels("sent" if found else "not_sent").inc()
    log.info("notifier.reconciled", lane=str(delivery.claim.lane), found=len(found), through=through)
    receipt = delivery.receipt
    if card > (receipt.ts if receipt else ""):  # posted, or posted anew
        receipt = Receipt(
            channel=channel, ts=card, revision=0, delivered_through=receipt.delivered_through if receipt else 0
        )
    return receipt and replace(receipt, delivered_through=max(receipt.delivered_through, through))


def unreadable(error: SlackError, channel: str) -> None:
    """Note that a channel cannot be read back, and go on; whether it is dead is for the send to find out.

    Raises:
        SlackError: `error` is none of this channel.
    """
    if isinstance(error, SlackBadCredentials) and error.code != "missing_scope":
        raise error
    log.warning("notifier.cannot_read_back", channel=channel, code=error.code)
    metrics.NOTIFIER_RECONCILED.labels("unreadable").inc()


def _delivered_through(pending: Sequence[Change], marks: Sequence[Mark]) -> int:
    """The last revision of `pending` that one of `marks` tells; one from before the change tells another."""

    def covers(mark: Mark, change: Change) -> bool:
        return mark.delivered_through >= change.revision and mark.at >= milliseconds(change.at - EPOCH)

    return max((change.revision for change in pending if any(covers(mark, change) for mark in marks)), default=0)


async def read_back(
    delivery: Delivery,
    slack: SlackClient,
    sending: Sending,
    channel: str,
    since: datetime,
    thread_ts: str | None = None,
) -> list[Delivered]:
    """Our messages for a lane in a channel, or in one thread of it."""
    method = "conversations.history" if thread_ts is None else "conversations.replies"
    lane, cursor = delivery.mark("card").lane, ""
    found: list[Delivered] = []

    async def page() -> tuple[list[Delivered], str]:
        return await slack.delivered(channel, lane, since=since, thread_ts=thread_ts, cursor=cursor)

    for number in range(PAGES):
        priority = Priority.OUTCOME_TO_PERSON if number else None  # who has begun goes through
        messages, cursor = await sending.call(delivery, method, page, priority=priority)
        found += messages
        if not cursor:
            break
    return found


async def _found(
    delivery: Delivery, slack: SlackClient, sending: Sending, channel: str, since: datetime
) -> list[Delivered]:
    """Our messages of the lane. Calls are scarce: the thread of a card that is still there mostly says all."""
    card = delivery.receipt.ts if delivery.receipt else ""
    found = await _thread(delivery, slack, sending, channel, since, card) if card else []
    is_alone = delivery.subscription.subscriber.is_person and any(change.kind.is_final for change in delivery.pending)
    if is_alone or not any(message.ts == card for message in found):  # told outside the thread, or the card is gone
        found += await read_back(delivery, slack, sending, channel, since)
        if (newest := _latest_card(found)) > card:
            found += await _thread(delivery, slack, sending, channel, since, newest)
    return found


async def _thread(
    delivery: Delivery, slack: SlackClient, sending: Sending, channel: str, since: datetime, card: str
) -> list[Delivered]:
    try:
        return await read_back(delivery, slack, sending, channel, since, card)
    except MessageGone:
        log.info("notifier.card_gone", lane=str(delivery.claim.lane))
        return []


def _latest_card(found: Sequence[Delivered]) -> str:
    """The ts of the last card among `found`; empty if there is none."""
    return max((message.ts for message in found if message.mark.part == "card"), default="")
