"""Cards that are left as they are, because Slack does not take their edits: one line in the thread says so.

Lives here: that line, once per card, also across restarts and copies of the bot: the thread itself is read back. Does
not live here: when a card is left (`cards`), the words (`bot.blocks`). Called by `cards`.
"""

from __future__ import annotations

import structlog

from bot.blocks import board_left, card_left_message
from bot.domain.snapshot import Receipt
from bot.errors import MessageGone, SlackBadCredentials, Undeliverable, UnknownRefusal
from bot.workers.notifier.delivery import Delivery
from bot.workers.notifier.messenger import Messenger
from bot.workers.notifier.reconcile import CLOCKS_APART, read_back, unreadable

log = structlog.get_logger()

PART = "left"
"""What marks the line."""


async def say_left(delivery: Delivery, receipt: Receipt, messenger: Messenger) -> None:
    """Say in the thread of a card that it is no longer kept up to date, unless it says so already.

    Raises:
        SlackError: the line could not be posted.
    """
    try:
        if await _is_said(delivery, receipt, messenger):
            return
        shown = delivery.claim.notification.snapshot
        message = board_left(shown.board) if shown.board is not None else card_left_message(shown.execution)
        ts = await messenger.post(
            delivery,
            PART,
            [lambda: message, message.plain],
            lambda tried: messenger.messages.post(
                receipt.channel,
                text=tried.text,
                blocks=tried.blocks,
                mark=delivery.mark(PART),
                thread_ts=receipt.ts,
            ),
        )
    except MessageGone:  # there is no card, and so no thread to say it in
        log.info("notifier.card_gone", lane=str(delivery.claim.lane))
    else:
        delivery.log_sent(PART, receipt.channel, ts, attempt=messenger.attempts(delivery))


async def _is_said(delivery: Delivery, receipt: Receipt, messenger: Messenger) -> bool:
    since = delivery.subscription.created_at - CLOCKS_APART
    try:
        found = await read_back(delivery, messenger, receipt.channel, since, receipt.ts)
    except (SlackBadCredentials, Undeliverable, UnknownRefusal) as error:
        unreadable(error, receipt.channel)
        return False
    return any(message.mark.part == PART for message in found)
