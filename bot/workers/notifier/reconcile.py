"""Sends without a receipt: Slack did not answer, or a worker died between sending and recording.

Lives here: reading the channel back for the bot's own mark, which settles them. Called by `notifier`, `cards` and
`catch_up` before they post anything (an edit needs none of it, since the same edit twice has the effect of one);
`owner` and `left_cards` read back what they post.

Where the channel cannot be read back for lack of a scope, the message is sent again, because a repeat is better than
silence; the metric `execution_bot_notifier_reconciled_total{settled="unreadable"}` counts that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.domain.change import Change
from bot.domain.priority import Priority, is_announced
from bot.domain.snapshot import Receipt
from bot.errors import MessageGone, SlackBadCredentials, SlackError, Undeliverable, UnknownRefusal
from bot.slack.errors import is_about_token
from bot.slack.messages import Delivered, Mark
from bot.store.log.rows import Sent
from bot.store.rows import EPOCH, milliseconds
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Messenger
from bot.workers.notifier.records import Records

log = structlog.get_logger()

CLOCKS_APART = timedelta(minutes=2)
"""How far apart Slack's clock and the store's may be when messages are read back."""

PAGES = 5
"""At most this many pages are read: no channel gets 5,000 messages within a few minutes."""


async def reconcile(delivery: Delivery, messenger: Messenger, records: Records) -> None:
    """Find out whether a send without a receipt arrived, and record what did."""
    receipt, notices, sent = await reconciled(delivery, messenger)
    delivery.is_in_doubt = False
    if receipt is not None:
        await records.record(delivery, receipt, notices=notices, sent=sent)


async def reconciled(delivery: Delivery, messenger: Messenger) -> tuple[Receipt | None, int, Sent | None]:
    """Find out whether a send without a receipt arrived.

    Returns:
        The receipt to record, or None if none arrived; how many of the pending notices arrived; and the message that
        reported the changes which arrived.
    """
    since = (delivery.claim.in_doubt_since or delivery.claim.now) - CLOCKS_APART
    channel = delivery.receipt.channel if delivery.receipt else await messenger.channel(delivery)
    try:
        found = await _found(delivery, messenger, channel, since)
    except (SlackBadCredentials, Undeliverable, UnknownRefusal) as error:
        unreadable(error, channel)
        return None, 0, None
    card = _latest_card(found)
    through = _delivered_through(delivery, [message.mark for message in found if message.mark.part == "change"])
    metrics.NOTIFIER_RECONCILED.labels("sent" if found else "not_sent").inc()
    log.info("notifier.reconciled", lane=str(delivery.claim.lane), found=len(found), through=through)
    receipt = delivery.receipt
    if card > (receipt.ts if receipt else ""):  # posted, or posted again
        receipt = Receipt(
            channel=channel, ts=card, revision=0, delivered_through=receipt.delivered_through if receipt else 0
        )
    marks = [message.mark for message in found]
    notices = [change for change in delivery.pending if change.kind.is_notice]
    arrived = list(takewhile(lambda notice: delivery.mark("notice", notice) in marks, notices))
    last = [message for message in found if message.mark.part == "change" and message.mark.delivered_through == through]
    sent = Sent(last[-1].ts, is_in_thread=last[-1].is_in_thread) if last else None
    shown = receipt and replace(receipt, delivered_through=max(receipt.delivered_through, through))
    return shown, len(arrived), sent


def unreadable(error: SlackError, channel: str) -> None:
    """Note that a channel cannot be read back, and go on: the send will show whether it can be reached.

    Raises:
        SlackError: `error` is about the token, not about this channel.
    """
    if is_about_token(error):
        raise error
    log.warning("notifier.cannot_read_back", channel=channel, code=error.code)
    metrics.NOTIFIER_RECONCILED.labels("unreadable").inc()


def _delivered_through(delivery: Delivery, marks: Sequence[Mark]) -> int:
    """The last pending revision that one of `marks` reports; a mark from before a change is about another one.

    What was in doubt when somebody stopped following is not pending any more, but the log says what became of it.
    """

    def covers(mark: Mark, change: Change) -> bool:
        return mark.delivered_through >= change.revision and mark.at >= milliseconds(change.at - EPOCH)

    pending = [change for change in delivery.pending if not change.kind.is_notice]
    if delivery.is_stopped and not pending:
        return max((mark.delivered_through for mark in marks), default=0)
    return max((each.revision for each in pending if any(covers(mark, each) for mark in marks)), default=0)


async def read_back(
    delivery: Delivery,
    messenger: Messenger,
    channel: str,
    since: datetime,
    thread_ts: str | None = None,
) -> list[Delivered]:
    """The bot's messages for a lane in a channel, or in one thread of it."""
    method = "conversations.history" if thread_ts is None else "conversations.replies"
    lane, cursor = delivery.mark("card").lane, ""
    found: list[Delivered] = []

    async def page() -> tuple[list[Delivered], str]:
        return await messenger.messages.delivered(channel, lane, since=since, thread_ts=thread_ts, cursor=cursor)

    for number in range(PAGES):
        priority = Priority.OUTCOME_TO_PERSON if number else None  # what has begun should finish
        rows, cursor = await messenger.call(delivery, method, page, priority=priority)
        found += rows
        if not cursor:
            break
    return found


async def _found(delivery: Delivery, messenger: Messenger, channel: str, since: datetime) -> list[Delivered]:
    """The bot's messages of the lane. Calls are scarce, so the thread of a card that still exists comes first."""
    card = delivery.receipt.ts if delivery.receipt else ""
    found = await _thread(delivery, messenger, channel, since, card) if card else []
    subscription = delivery.subscription
    # Of what was dropped nobody knows whether it was announced.
    may_be_alone = delivery.is_stopped or is_announced(delivery.pending, subscription)
    is_alone = subscription.subscriber.is_person and may_be_alone
    if is_alone or not any(message.ts == card for message in found):  # posted outside the thread; the card may be gone
        found += await read_back(delivery, messenger, channel, since)
        if (newest := _latest_card(found)) > card:
            found += await _thread(delivery, messenger, channel, since, newest)
    return found


async def _thread(
    delivery: Delivery, messenger: Messenger, channel: str, since: datetime, card: str
) -> list[Delivered]:
    try:
        return await read_back(delivery, messenger, channel, since, card)
    except MessageGone:
        log.info("notifier.card_gone", lane=str(delivery.claim.lane))
        return []


def _latest_card(found: Sequence[Delivered]) -> str:
    """The ts of the last card among `found`; empty if there is none."""
    return max((message.ts for message in found if message.mark.part == "card"), default="")
