"""What is written to the store about a delivery: the receipt after each send, and in the end that the lane is done.

Lives here: `Records`. Does not live here: the rows (`bot.store.outbox`), lanes that are put back (`notifier`) or given
up (`dead_letters`). Called by `notifier`, `cards` and `reconcile`.
"""

from __future__ import annotations

from contextlib import suppress

import structlog
from msgspec.structs import replace

from bot.domain.snapshot import Receipt
from bot.errors import StoreFull
from bot.store.homes import Homes
from bot.store.log.rows import Sent
from bot.store.outbox import Outbox
from bot.store.rules import Rules
from bot.workers.notifier.delivery import ClaimLost, Delivery

log = structlog.get_logger()


class Records:
    """Records what Slack shows of a lane, and lets it go."""

    def __init__(self, outbox: Outbox, rules: Rules, homes: Homes) -> None:
        self._outbox, self._rules, self._homes = outbox, rules, homes

    async def record(self, delivery: Delivery, receipt: Receipt, *, notices: int = 0, sent: Sent | None = None) -> None:
        """Record what Slack shows: `receipt`, so many of the pending notices, and the message that reported changes.

        Raises:
            ClaimLost: another worker has the lane.
        """
        is_last = delivery.is_all(receipt, notices=notices)
        if not await self._outbox.record(delivery.claim, receipt, is_last=is_last, notices=notices, sent=sent):
            raise ClaimLost
        delivery.recorded(receipt, notices=notices)

    async def leave(self, delivery: Delivery) -> None:
        """Let a lane go when its work is done, unless that has happened."""
        if not delivery.is_left and not await self.forget_if_ended(delivery):
            await self._outbox.release(delivery.claim)

    async def forget_if_ended(self, delivery: Delivery) -> bool:
        """Forget a subscription that has ended and whose last message is delivered; returns whether it is."""
        if not delivery.subscription.is_ending:
            return False
        await self._note_end(delivery)
        if not await self._outbox.forget(delivery.claim, is_ruled=await self._is_ruled(delivery)):
            return False
        delivery.is_left = True
        log.info("notifier.forgotten", lane=str(delivery.claim.lane))
        if delivery.is_over:
            delivery.log_ended("execution_over")
        return True

    async def _is_ruled(self, delivery: Delivery) -> bool:
        """Whether rules might still find an execution that was followed by hand until it ended."""
        if not delivery.is_over or delivery.subscription.is_by_rule:
            return False
        return bool(await self._rules.of(delivery.subscription.subscriber))

    async def _note_end(self, delivery: Delivery) -> None:
        """Have a person's Home tab, or a channel's board, show how an execution ended that was followed until then.

        Raises:
            StoreUnavailable: it cannot be kept now. The subscription is forgotten later, or it would be on no board.
        """
        if delivery.is_over:
            subscriber, snapshot = delivery.subscription.subscriber, delivery.claim.notification.snapshot
            if delivery.receipt is not None and not subscriber.is_person:
                snapshot = replace(snapshot, card=delivery.receipt.ts)
            with suppress(StoreFull):  # forgetting makes room, so it must not wait for this
                await self._homes.note_end(subscriber, snapshot)
