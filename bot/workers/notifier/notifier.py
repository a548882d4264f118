"""The notifier: claims lanes, delivers each, and puts back what cannot be delivered now.

Lives here: `Notifier`, which has the order in which a lane is delivered. Does not live here: the siblings' parts (see
the package). Called by `bot.app.workspace`.

Nothing is lost and nothing is sent twice: a receipt is recorded after each send, and a send goes out only while the
lease on its lane lasts.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.blocks.language import speaking
from bot.domain.access import AccessRules
from bot.domain.change import Change
from bot.domain.priority import batch
from bot.domain.snapshot import Receipt
from bot.errors import (
    MessageGone,
    NotEditable,
    OutcomeUnknown,
    PayloadRejected,
    SlackError,
    SlackUnavailable,
    StoreUnavailable,
    Undeliverable,
    UnknownRefusal,
)
from bot.slack.errors import is_answer
from bot.slack.languages import Languages
from bot.slack.messages import Messages
from bot.store import Store
from bot.store.brake import undeliverable
from bot.store.keys import Lane, owner_of
from bot.store.log.rows import Sent
from bot.store.outbox import IN_FLIGHT, Claim
from bot.store.slack_limits import SlackLimits
from bot.workers.notifier.audience import Audience
from bot.workers.notifier.card_failures import FAULT_TRIES, CardFailures, fault_pause
from bot.workers.notifier.cards import Cards
from bot.workers.notifier.catch_up import CatchUp
from bot.workers.notifier.changes import post_changes
from bot.workers.notifier.claims import Claims
from bot.workers.notifier.dead_letters import end_rules, give_up
from bot.workers.notifier.delivery import ClaimLost, Deferred, Delivery
from bot.workers.notifier.messenger import REFUSED_PAUSE, Messenger
from bot.workers.notifier.notices import post_notice, post_owner_notice
from bot.workers.notifier.reconcile import reconcile
from bot.workers.notifier.records import Records
from bot.workers.pool import WorkerPool

ALL = AccessRules()
"""Everyone reads everything."""

log = structlog.get_logger()

BRAKED_PAUSE, LONGEST_BRAKED_PAUSE = timedelta(minutes=1), timedelta(minutes=10)
"""How long a lane that only the brake keeps pauses at first, and at most: twice as long after each try."""

FAULTS_GIVEN_UP = timedelta(days=1)
"""How long a message is retried when Slack has a fault at every try."""


class Notifier:
    """Delivers to each subscription what is pending for it."""

    def __init__(
        self,
        messages: Messages,
        store: Store,
        limits: SlackLimits,
        *,
        access: AccessRules = ALL,
        languages: Languages | None = None,
        concurrency: int = 16,
    ) -> None:
        """`access` says which people and channels may read; without `languages` everybody reads the default one."""
        self._outbox, self._brake, self._history, self._rules = store.outbox, store.brake, store.history, store.rules
        self._messenger = Messenger(messages, limits, access, languages)
        self._audience = Audience(store.channels, self._messenger, access)
        self._catch_up = CatchUp(store.outbox, self._messenger)
        self._failures = CardFailures()
        self._records = Records(store.outbox, store.rules, store.homes)
        self._cards = Cards(self._messenger, self._failures, self._records)
        self._claims = Claims(store.outbox, self._messenger.outage)
        self._pool = WorkerPool(
            "notifier",
            ready=self._claims.ready,
            claim=self._claims.claim,
            do=self._deliver,
            wakeup=store.outbox.deliveries,
            concurrency=concurrency,
        )

    @property
    def problem(self) -> str | None:
        """Why Slack did not take the last message; None when it did."""
        return self._messenger.condition.text

    async def run_once(self) -> int:
        """Deliver everything that is due now, once."""
        return await self._pool.run_once()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set."""
        await self._pool.run(stop)

    async def _deliver(self, claim: Claim) -> None:
        """Deliver one lane, in the language of its reader."""
        delivery = Delivery(claim)
        try:
            with speaking(await self._messenger.language(delivery, claim.lane.subscriber_id)):
                await self._deliver_lane(delivery)
        finally:
            self._claims.done(claim)

    async def _deliver_lane(self, delivery: Delivery) -> None:
        """Deliver one lane. Whatever Slack answers, the lane is tried again or its owner reads why not."""
        claim = delivery.claim
        delivery.refused_edits = self._failures.refused(delivery.lane)
        delivery.refused_posts = self._failures.refused_posts(delivery.lane)
        try:
            try:
                if await self._audience.check(delivery):
                    await self._deliver_all(delivery)
                else:
                    await self._end_unseen(delivery)
            except Undeliverable as error:
                if not delivery.has_only_goodbyes:
                    await self._give_up(delivery, error)
                else:  # what somebody has ended needs no other end
                    await self._end_unseen(delivery)
            except (OutcomeUnknown, SlackUnavailable) as error:
                if not self._is_hopeless(delivery, error):
                    raise
                await self._give_up(delivery, Undeliverable(error.code))
            else:
                await self._recovered(claim.lane)
        except Deferred as deferred:
            await self._claims.defer(claim, deferred.wait, in_doubt=delivery.is_in_doubt, code=deferred.code)
        except ClaimLost:
            log.warning("notifier.claim_lost", lane=str(claim.lane))
        except SlackError as error:
            await self._put_back(delivery, error)

    async def _deliver_all(self, delivery: Delivery) -> None:
        if delivery.claim.notification.snapshot.is_catch_up:
            await self._catch_up.deliver(delivery)
            return
        if delivery.is_in_doubt and (delivery.pending or delivery.receipt is None or delivery.is_stopped):
            await reconcile(delivery, self._messenger, self._records)
        if not delivery.is_quiet and await self._is_caught_up(delivery):
            await self._records.leave(delivery)
            return
        while not delivery.is_quiet and (changes := batch(delivery.pending)):
            receipt = delivery.receipt or await self._cards.post(delivery)
            if changes[0].kind.is_notice:
                await post_notice(delivery, receipt, changes[0], self._messenger)
                await self._records.record(delivery, receipt, notices=1)
            else:
                await self._post_changes(delivery, receipt, changes)
        await self._cards.deliver(delivery)
        await self._records.leave(delivery)

    async def _is_caught_up(self, delivery: Delivery) -> bool:
        """Report an end that waited for quiet in a message with others; whether its lane has nothing left to do."""
        handed_over = await self._catch_up.hand_over(delivery)
        if handed_over is None:
            return False
        is_without_card = delivery.receipt is None and delivery.is_over  # it would be one more message
        card = replace(handed_over, ts="") if is_without_card else delivery.receipt or await self._cards.post(delivery)
        shown = replace(card, delivered_through=handed_over.delivered_through)
        await self._records.record(delivery, shown, sent=Sent(handed_over.ts, is_in_thread=False))
        return is_without_card

    async def _post_changes(self, delivery: Delivery, receipt: Receipt, changes: tuple[Change, ...]) -> None:
        try:
            sent = await post_changes(delivery, receipt, changes, self._messenger, self._history)
        except MessageGone:  # someone deleted the card: post a new one, and the change in its thread
            if delivery.is_without_thread:
                raise
            if self._failures.was_reposted(delivery.lane):
                delivery.is_without_thread = True
            else:
                await self._cards.post_again(delivery)
            return
        self._failures.clear_posts(delivery.lane)
        await self._records.record(delivery, replace(receipt, delivered_through=changes[-1].revision), sent=sent)

    async def _end_unseen(self, delivery: Delivery) -> None:
        """End a subscription whose channel gets nothing; its owner still reads who ended it."""
        for notice in delivery.pending:
            await post_owner_notice(delivery, notice, self._messenger)
            if delivery.receipt is not None:
                await self._records.record(delivery, delivery.receipt, notices=1)
        await self._records.leave(delivery)

    async def _recovered(self, lane: Lane) -> None:
        """Slack took everything of a lane, which may be one that the brake keeps."""
        with suppress(StoreUnavailable):  # then the brake forgets it by itself, later
            await self._brake.recovered(owner_of(lane.execution), str(lane))

    def _is_hopeless(self, delivery: Delivery, error: SlackError) -> bool:
        """Whether a message has waited for a day, and Slack has had a fault at every try."""
        tries = self._failures.post_faults(delivery.lane)
        return is_answer(error) and delivery.waited > FAULTS_GIVEN_UP and tries >= FAULT_TRIES

    async def _give_up(self, delivery: Delivery, error: Undeliverable) -> None:
        """End a subscription whose destination is dead, unless too many are about to end for the same reason."""
        claim, lane = delivery.claim, delivery.claim.lane
        if claim.notification.snapshot.is_catch_up:
            await self._catch_up.let_go(delivery, error.code)
            return
        loses_nothing = delivery.subscription.is_ending and not delivery.pending
        if loses_nothing or await self._brake.may_end(owner_of(lane.execution), undeliverable(error.code), str(lane)):
            await give_up(delivery, error, self._messenger, self._outbox)
            await end_rules(delivery, error, self._rules)
            return
        tries = self._failures.note_post_fault(delivery.lane)
        wait = min(BRAKED_PAUSE * (1 << min(tries - 1, 8)), LONGEST_BRAKED_PAUSE)
        log.info("notifier.braked", lane=str(lane), code=error.code, wait_s=wait.total_seconds())
        is_in_doubt = claim.in_doubt_since is not None and not delivery.is_recorded
        await self._outbox.release(claim, wait=wait, in_doubt=is_in_doubt, code=error.code)

    async def _put_back(self, delivery: Delivery, error: SlackError) -> None:
        """Release a lane that Slack did not take now, to be tried again."""
        is_unknown = isinstance(error, OutcomeUnknown)
        result = "unknown" if is_unknown else "unavailable" if isinstance(error, SlackUnavailable) else error.code
        wait = IN_FLIGHT if isinstance(error, OutcomeUnknown | SlackUnavailable) else REFUSED_PAUSE
        is_unlisted = isinstance(error, UnknownRefusal) and not is_answer(error)
        if isinstance(error, UnknownRefusal | NotEditable | MessageGone):
            wait = delivery.refused_pause
            if not delivery.is_edit_refused:
                self._failures.note_refused_post(delivery.lane, wait)
            result = "unknown_code" if is_unlisted else result
        elif delivery.is_edit_refused and isinstance(error, PayloadRejected):
            wait = delivery.refused_pause
        elif delivery.is_edit_fault:  # nothing else of the lane waits for it
            wait = fault_pause(self._failures.edit_faults(delivery.lane))
        elif is_answer(error) and isinstance(error, OutcomeUnknown | SlackUnavailable):
            wait = fault_pause(self._failures.note_post_fault(delivery.lane))
        if isinstance(error, PayloadRejected):  # even the plainest version
            self._messenger.condition.set(str(error))
        is_in_doubt = (is_unknown and not delivery.is_edit_fault) or delivery.is_in_doubt
        if isinstance(error, UnknownRefusal) and not delivery.is_edit_refused:
            # perhaps the channel could not be read back for the same reason
            is_in_doubt |= delivery.claim.in_doubt_since is not None and not delivery.is_recorded
        wait = max(wait, self._claims.wait_after(delivery.claim, delivery.pause, in_doubt=is_in_doubt))
        metrics.NOTIFIER_MESSAGES.labels("any", result).inc()
        log.warning("notifier.put_back", lane=str(delivery.claim.lane), error=str(error), wait_s=wait.total_seconds())
        code = "" if delivery.is_edit_refused or delivery.is_edit_fault else error.code  # edits report nothing new
        await self._outbox.release(delivery.claim, wait=wait, in_doubt=is_in_doubt, code=code)
