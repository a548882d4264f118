"""Ends that waited for a quiet time to be over: handed over to one message about them all, which is posted here.

Lives here: `CatchUp`. Does not live here: which ends these are (`bot.domain.catch_up`), what becomes of the lane of
such an end once it is reported (`notifier`), the words (`bot.blocks.catch_up`). Called by `notifier`.

A lane keeps its end until the message is posted. So an end is in exactly one place: it waits for the message that it
has joined, or its lane reports it. Whatever keeps the message from being posted, the lanes report their ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cache, partial

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.blocks import catch_up_message
from bot.domain.catch_up import Caught, HeldEnd, caught, held_end
from bot.domain.priority import Priority, priority_of
from bot.domain.snapshot import Receipt
from bot.errors import OutcomeUnknown, PayloadRejected, SlackError, StoreUnavailable, Undeliverable, UnknownRefusal
from bot.store.catch_ups import Entered
from bot.store.outbox import Outbox
from bot.workers.notifier import reconcile
from bot.workers.notifier.delivery import ClaimLost, Deferred, Delivery
from bot.workers.notifier.messenger import Messenger

log = structlog.get_logger()

POSTED_IN = timedelta(seconds=1.5)
"""How soon after its due time a message is probably posted: then the lanes of its ends look again."""

KIND = "catch_up"
"""What it is called in metrics and logs."""


class CatchUp:
    """Hands ends over to messages about several of them, and posts these messages."""

    def __init__(self, outbox: Outbox, messenger: Messenger) -> None:
        self._outbox, self._catch_ups, self._messenger = outbox, outbox.catch_ups, messenger

    async def hand_over(self, delivery: Delivery) -> Receipt | None:
        """Hand an end that has waited for the end of quiet over to a catch-up message.

        Returns:
            The posted message, and through which revision it reports the changes of the lane; None if the lane itself
            is to report them.

        Raises:
            Deferred: the message is not posted yet.
            ClaimLost: another worker has the lane.
        """
        end = held_end(delivery.pending, delivery.subscription, now=delivery.claim.now)
        entered = await self._enter(delivery, end) if end else None
        if end is None or entered is None:
            return None
        label = priority_of(end.change, delivery.subscription.subscriber).label
        delay = delivery.now - delivery.late_since(end.change)
        metrics.NOTIFIER_DELAY_SECONDS.labels(label).observe(delay.total_seconds())
        return Receipt(channel=entered.channel, ts=entered.ts, revision=0, delivered_through=end.through)

    async def _enter(self, delivery: Delivery, end: HeldEnd) -> Entered | None:
        """The message that reports an end; None if its lane is to report it."""
        snapshot, receipt = delivery.claim.notification.snapshot, delivery.receipt
        if end.change.caught_up is None:  # first: the quiet time may be another one when the lane is claimed next
            known = replace(end.change, caught_up=end.until)
            if not await self._outbox.amend(delivery.claim, known):
                raise ClaimLost
        item = caught(end.change, snapshot, receipt)
        entered = await self._catch_ups.enter(delivery.claim.lane, item, until=end.until)
        if entered.wait is not None:
            raise Deferred(entered.wait + POSTED_IN, entered.code)
        return entered if entered.ts else None

    async def deliver(self, delivery: Delivery) -> None:
        """Post the message that a lane stands for, unless an earlier worker has.

        Raises:
            SlackError: Slack does not answer, or takes no message at all.
            Deferred: it is not admitted now.
            ClaimLost: another worker has the lane.
        """
        if delivery.is_in_doubt:
            receipt, _, _ = await reconcile.reconciled(delivery, self._messenger)
            delivery.is_in_doubt = False
            if receipt is not None:
                await self._record_posted(delivery, receipt.channel, receipt.ts)
                return
        ends = await self._catch_ups.close(delivery.claim.lane, delivery.claim.token)
        if ends is None:
            raise ClaimLost
        if ends:
            try:
                await self._post(delivery, ends)
            except (PayloadRejected, UnknownRefusal, Undeliverable) as error:
                if isinstance(error, UnknownRefusal) and not delivery.is_overdue:  # it may pass
                    await self._note_refused(delivery, error)
                    raise
                await self.let_go(delivery, error.code)
            except SlackError as error:
                await self._note_refused(delivery, error)
                raise

    async def _note_refused(self, delivery: Delivery, error: SlackError) -> None:
        if isinstance(error, OutcomeUnknown):  # perhaps it is there
            return
        with suppress(StoreUnavailable):  # the log of its ends says less
            await self._catch_ups.refused(delivery.claim.lane, delivery.claim.token, error.code)

    async def let_go(self, delivery: Delivery, code: str) -> None:
        """Leave each end to its own lane, since the message cannot be posted; `code` says why.

        Raises:
            ClaimLost: another worker has the lane.
        """
        log.warning("notifier.catch_up_let_go", lane=str(delivery.claim.lane), code=code)
        if not await self._catch_ups.let_go(delivery.claim.lane, delivery.claim.token):
            raise ClaimLost

    async def _post(self, delivery: Delivery, ends: Sequence[Caught]) -> None:
        channel, address = await self._messenger.channel(delivery), self._messenger.messages.address
        draw = cache(partial(catch_up_message, ends, address=address))
        ts = await self._messenger.post(
            delivery,
            KIND,
            [draw, lambda: draw().plain()],
            lambda tried: self._messenger.messages.post(
                channel, text=tried.text, blocks=tried.blocks, mark=delivery.mark("card")
            ),
            priority=Priority.OUTCOME_TO_PERSON,
        )
        delivery.log_sent(KIND, channel, ts, attempt=self._messenger.attempts(delivery))
        await self._record_posted(delivery, channel, ts)

    async def _record_posted(self, delivery: Delivery, channel: str, ts: str) -> None:
        if not await self._catch_ups.posted(delivery.claim.lane, delivery.claim.token, channel=channel, ts=ts):
            raise ClaimLost
