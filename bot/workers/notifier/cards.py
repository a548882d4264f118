"""The card of a lane: posted, edited when it shows less than is known, posted again, and left when Slack takes no edit.

Lives here: `Cards`. Does not live here: how a card looks (`bot.blocks`), what went wrong with it before
(`card_failures`), the line that says that it is left (`left_cards`). Called by `notifier`.

A board, and a message about a rule, are cards, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import structlog
from msgspec.structs import replace

from bot.blocks import Message, board_message, execution_card, rule_message
from bot.domain.snapshot import Receipt
from bot.errors import (
    MessageGone,
    NotEditable,
    OutcomeUnknown,
    PayloadRejected,
    SlackError,
    SlackUnavailable,
    Undeliverable,
    UnknownRefusal,
)
from bot.slack.errors import is_about_token, is_answer
from bot.workers.notifier.card_failures import (
    EDIT_TRIES,
    ENDING_FAULT_TRIES,
    ENDING_TRIES,
    FAULT_TRIES,
    PLAINER_EVERY,
    CardFailures,
)
from bot.workers.notifier.delivery import NEVER_EDITED, Delivery
from bot.workers.notifier.left_cards import say_left
from bot.workers.notifier.messenger import Fallbacks, Messenger, is_about_one_edit
from bot.workers.notifier.reconcile import reconcile
from bot.workers.notifier.records import Records

log = structlog.get_logger()


class Cards:
    """Posts and edits the cards of lanes, and records what they show."""

    def __init__(self, messenger: Messenger, failures: CardFailures, records: Records) -> None:
        self._messenger, self._failures, self._records = messenger, failures, records

    async def deliver(self, delivery: Delivery) -> None:
        """Post the card, or edit it when it shows less than the snapshot.

        Raises:
            SlackError: Slack refuses, or does not answer, and has not often enough yet for the card to be left.
            Deferred: it is not admitted now.
            ClaimLost: another worker has the lane.
        """
        receipt, revision = delivery.receipt, delivery.claim.notification.snapshot.revision
        if receipt is None:
            if delivery.shows_card:
                await self.post(delivery)
            return
        if receipt.revision >= revision and not delivery.subscription.is_ending:
            return
        try:
            await self._messenger.update(delivery, self._fallbacks(delivery), receipt)
        except MessageGone as error:
            await self._replace(delivery, receipt, error)
            return
        except (NotEditable, PayloadRejected, UnknownRefusal) as error:
            await self._leave(delivery, receipt, error)
            return
        except Undeliverable as error:  # of one edit: the next post shows whether the destination is dead
            await self._leave(delivery, receipt, UnknownRefusal(error.code, error.detail))
            return
        except (OutcomeUnknown, SlackUnavailable) as error:
            if not is_about_one_edit(error):
                raise
            delivery.is_edit_fault = True
            await self._leave(delivery, receipt, error)
            return
        self._failures.clear(delivery.lane)
        if not await self._records.forget_if_ended(delivery):
            await self._records.record(delivery, replace(receipt, revision=revision))

    async def post(self, delivery: Delivery) -> Receipt:
        """Post the card, and return its receipt."""
        channel = await self._messenger.channel(delivery)
        ts = await self._messenger.post(
            delivery,
            "card",
            self._fallbacks(delivery),
            lambda tried: self._messenger.messages.post(
                channel, text=tried.text, blocks=tried.blocks, mark=delivery.mark("card")
            ),
        )
        self._failures.clear_posts(delivery.lane)
        delivery.log_sent("card", channel, ts, attempt=self._messenger.attempts(delivery))
        delivered_before = delivery.receipt.delivered_through if delivery.receipt else 0
        receipt = Receipt(
            channel=channel,
            ts=ts,
            revision=delivery.claim.notification.snapshot.revision,
            delivered_through=delivered_before,
        )
        await self._records.record(delivery, receipt)
        return receipt

    async def post_again(self, delivery: Delivery) -> None:
        """Post the card again, since Slack says that it does not exist."""
        await self.post(delivery)
        self._failures.note_reposted(delivery.lane)

    async def _replace(self, delivery: Delivery, receipt: Receipt, error: MessageGone) -> None:
        """Post a card again that does not exist any more: once, even if Slack then says the same of the new one."""
        if delivery.is_in_doubt:  # an earlier worker may have posted it again
            await reconcile(delivery, self._messenger, self._records)
        if delivery.receipt != receipt:
            await self.deliver(delivery)
        elif not delivery.subscription.is_ending:
            if self._failures.was_reposted(delivery.lane):
                await self._leave(delivery, receipt, error)
            else:
                await self.post_again(delivery)

    async def _leave(self, delivery: Delivery, receipt: Receipt, error: SlackError) -> None:
        """Leave a card as it is whose edit Slack keeps refusing; its thread goes on.

        Raises:
            SlackError: it has not refused often enough yet.
        """
        if not self._is_enough(delivery, error):
            delivery.is_edit_refused = True
            if delivery.is_in_doubt:  # a lane in doubt could not be woken for the next change
                await reconcile(delivery, self._messenger, self._records)
            raise error
        log.warning("notifier.card_left", lane=str(delivery.claim.lane), code=error.code)
        if not await self._records.forget_if_ended(delivery):
            await say_left(delivery, receipt, self._messenger)
            await self._records.record(delivery, replace(receipt, revision=NEVER_EDITED))

    def _is_enough(self, delivery: Delivery, error: SlackError) -> bool:
        """Whether Slack has refused the edit of a card so often that it is left."""
        is_ending = delivery.subscription.is_ending
        if delivery.is_edit_fault:
            tries = self._failures.note_edit_fault(delivery.lane)
            return tries >= (ENDING_FAULT_TRIES if is_ending else FAULT_TRIES)
        tries = delivery.refused_edits = self._failures.note_refused(delivery.lane)
        if isinstance(error, UnknownRefusal | PayloadRejected):  # it may pass
            is_certain = is_answer(error) and not is_about_token(error)
            return is_ending and (is_certain or tries >= ENDING_TRIES)
        return is_ending or tries >= EDIT_TRIES

    def _fallbacks(self, delivery: Delivery) -> Fallbacks:
        """The card, and without its blocks in case Slack does not take them."""
        shown = delivery.claim.notification
        if (news := shown.snapshot.rule_news) is not None:
            draw = cache(partial(rule_message, news, shown.subscription.subscriber))
        elif shown.snapshot.board is not None:
            board, address = shown.snapshot.board, self._messenger.messages.address
            draw = cache(partial(board_message, board, shown.subscription, now=delivery.claim.now, address=address))
        else:
            draw = cache(partial(execution_card, shown.snapshot, shown.subscription, now=delivery.claim.now))
        cards: list[Callable[[], Message]] = [draw, lambda: draw().plain()]
        plainer = self._failures.edit_faults(delivery.lane) // PLAINER_EVERY
        return cards[min(plainer, len(cards) - 1) :]
