"""The notifier: claims lanes, delivers each, and puts back what cannot be delivered now.

Lives here: `Notifier`. Does not live here: the siblings' parts (see the package). Called by `bot.app.workspace`.

Nothing is lost and nothing is sent twice: a receipt is recorded after each send, and a send goes out only while the
lease on its lane lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cache, partial

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.audit import audit
from bot.blocks import (
    Message,
    board_message,
    change_message,
    ended_message,
    execution_card,
    outcome_message,
    rule_message,
)
from bot.blocks.language import speaking
from bot.domain.access import AccessRules
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import FAILED_PHASES
from bot.domain.past import Past
from bot.domain.priority import batch, is_announced, priority_of
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
from bot.slack.errors import is_about_token, is_answer, slack_error
from bot.slack.languages import Languages
from bot.slack.messages import Messages
from bot.store.brake import Brake, undeliverable
from bot.store.channels import Channels
from bot.store.engine.connection import Ready
from bot.store.homes import Homes
from bot.store.keys import Lane, owner_of
from bot.store.log.rows import Sent
from bot.store.outbox import IN_FLIGHT, Claim, Outbox
from bot.store.rules import Rules
from bot.store.schedule.history import History
from bot.store.slack_limits import SlackLimits
from bot.workers.notifier import reconcile
from bot.workers.notifier.audience import Audience
from bot.workers.notifier.card_failures import (
    EDIT_TRIES,
    ENDING_FAULT_TRIES,
    ENDING_TRIES,
    FAULT_TRIES,
    PLAINER_EVERY,
    CardFailures,
    fault_pause,
)
from bot.workers.notifier.catch_up import CatchUp
from bot.workers.notifier.dead_letters import give_up
from bot.workers.notifier.delivery import NEVER_EDITED, ClaimLost, Deferred, Delivery
from bot.workers.notifier.left_cards import say_left
from bot.workers.notifier.messenger import REFUSED_PAUSE, Fallbacks, Messenger, is_about_one_edit
from bot.workers.notifier.notices import post_notice, tell_owner
from bot.workers.pool import WorkerPool

ALL = AccessRules()
"""Everyone reads everything."""

log = structlog.get_logger()

BRAKED_PAUSE, LONGEST_BRAKED_PAUSE = timedelta(minutes=1), timedelta(minutes=10)
"""How long a lane pauses at first, and at most, that would end but for the brake: twice as long after each try."""

FAULTS_GIVEN_UP = timedelta(days=1)
"""How long a message is retried at whose every try Slack has a fault."""


class Notifier:
    """Delivers to each subscription what is pending for it."""

    def __init__(  # noqa: PLR0913  # what the composition root has
        self,
        messages: Messages,
        outbox: Outbox,
        limits: SlackLimits,
        channels: Channels,
        brake: Brake,
        *,
        rules: AccessRules = ALL,
        languages: Languages | None = None,
        history: History | None = None,
        followed_rules: Rules | None = None,
        homes: Homes | None = None,
        concurrency: int = 16,
    ) -> None:
        """`history`: what failures are compared with; without one they are told by themselves.

        `followed_rules` end where their destination cannot be reached. `homes`: where people see what has ended.
        """
        self._outbox, self._brake, self._history, self._rules = outbox, brake, history, followed_rules
        self._homes = homes
        self._messenger = Messenger(messages, limits, languages)
        self._audience = Audience(channels, self._messenger, rules)
        self._catch_up = CatchUp(outbox, self._messenger)
        self._failures = CardFailures()
        self._pool = WorkerPool(
            "notifier",
            ready=self._ready,
            claim=outbox.claim,
            do=self._deliver,
            wakeup=outbox.deliveries,
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

    async def _ready(self) -> Ready:
        ready = await self._outbox.ready()
        metrics.NOTIFIER_BACKLOG_LANES.set(ready.size)
        return ready

    async def _deliver(self, claim: Claim) -> None:
        """Deliver one lane, in the language of its reader."""
        delivery = Delivery(claim)
        with speaking(await self._messenger.language(delivery, claim.lane.subscriber_id)):
            await self._deliver_lane(delivery)

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
                await self._give_up(delivery, error)
            except (OutcomeUnknown, SlackUnavailable) as error:
                if not self._is_hopeless(delivery, error):
                    raise
                await self._give_up(delivery, Undeliverable(error.code))
            else:
                await self._recovered(claim.lane)
        except Deferred as deferred:
            await self._outbox.release(claim, wait=deferred.wait, in_doubt=delivery.is_in_doubt, code=deferred.code)
        except ClaimLost:
            log.warning("notifier.claim_lost", lane=str(claim.lane))
        except SlackError as error:
            await self._put_back(delivery, error)

    async def _give_up(self, delivery: Delivery, error: Undeliverable) -> None:
        """End a subscription whose destination is dead, unless too many are about to end for the same reason."""
        claim, lane = delivery.claim, delivery.claim.lane
        if claim.notification.snapshot.is_catch_up:
            await self._catch_up.let_go(delivery, error.code)
            return
        loses_nothing = delivery.subscription.is_ending and not delivery.pending
        if loses_nothing or await self._brake.may_end(owner_of(lane.execution), undeliverable(error.code), str(lane)):
            await give_up(delivery, error, self._messenger, self._outbox)
            await self._end_rules(delivery, error)
            return
        tries = self._failures.note_post_fault(delivery.lane)
        wait = min(BRAKED_PAUSE * (1 << min(tries - 1, 8)), LONGEST_BRAKED_PAUSE)
        log.info("notifier.braked", lane=str(lane), code=error.code, wait_s=wait.total_seconds())
        is_in_doubt = claim.in_doubt_since is not None and not delivery.is_recorded
        await self._outbox.release(claim, wait=wait, in_doubt=is_in_doubt, code=error.code)

    async def _end_rules(self, delivery: Delivery, error: Undeliverable) -> None:
        """End the rules of a destination that is dead: each new execution would be given up, and told to the owner."""
        is_about_content = not isinstance(slack_error(error.code), Undeliverable | UnknownRefusal)
        if self._rules is None or not delivery.subscription.is_by_rule_only or is_about_content:
            return
        subscriber = delivery.subscription.subscriber
        with suppress(StoreUnavailable):  # then the next execution ends them
            for rule in await self._rules.of(subscriber):
                await self._rules.end(subscriber, rule.id, code=error.code)
                audit(
                    "rule.ended",
                    why="undeliverable",
                    code=error.code,
                    team=subscriber.team_id,
                    subscriber=subscriber.id,
                    rule=rule.id,
                    owner=rule.owner,
                )

    async def _recovered(self, lane: Lane) -> None:
        """Slack took everything of a lane, which may be one that the brake keeps."""
        with suppress(StoreUnavailable):  # then the brake forgets it by itself, later
            await self._brake.recovered(owner_of(lane.execution), str(lane))

    def _is_hopeless(self, delivery: Delivery, error: SlackError) -> bool:
        """Whether a message has waited for a day at whose every try Slack has a fault."""
        tries = self._failures.post_faults(delivery.lane)
        return is_answer(error) and delivery.waited > FAULTS_GIVEN_UP and tries >= FAULT_TRIES

    async def _deliver_all(self, delivery: Delivery) -> None:
        if delivery.claim.notification.snapshot.is_catch_up:
            await self._catch_up.deliver(delivery)
            return
        if delivery.is_in_doubt and (delivery.pending or delivery.receipt is None):
            await self._reconcile(delivery)
        if not delivery.is_quiet and await self._is_caught_up(delivery):
            await self._leave(delivery)
            return
        while not delivery.is_quiet and (changes := batch(delivery.pending)):
            receipt = delivery.receipt or await self._post_card(delivery)
            if changes[0].kind.is_notice:
                await post_notice(delivery, receipt, changes[0], self._messenger)
                await self._record(delivery, receipt, notices=1)
            else:
                await self._post_changes(delivery, receipt, changes)
        await self._deliver_card(delivery)
        await self._leave(delivery)

    async def _is_caught_up(self, delivery: Delivery) -> bool:
        """Have an end that waited for quiet to be over told with others; whether nothing is left to do for its lane."""
        told = await self._catch_up.told(delivery)
        if told is None:
            return False
        is_without_card = delivery.receipt is None and delivery.is_over  # it would be one more message
        card = replace(told, ts="") if is_without_card else delivery.receipt or await self._post_card(delivery)
        shown = replace(card, delivered_through=told.delivered_through)
        await self._record(delivery, shown, sent=Sent(told.ts, is_in_thread=False))
        return is_without_card

    async def _reconcile(self, delivery: Delivery) -> None:
        receipt, notices, sent = await reconcile.reconciled(delivery, self._messenger)
        delivery.is_in_doubt = False
        if receipt is not None:
            await self._record(delivery, receipt, notices=notices, sent=sent)

    async def _post_changes(self, delivery: Delivery, receipt: Receipt, changes: tuple[Change, ...]) -> None:
        last, subscriber = changes[-1], delivery.subscription.subscriber
        announced = is_announced(changes, delivery.subscription)
        is_alone = announced and subscriber.is_person
        draw = cache(partial(_change_message, delivery.claim, changes, await self._past(delivery, last)))
        try:
            ts = await self._messenger.post(
                delivery,
                last.kind.value,
                [draw, lambda: draw().plain()],
                lambda tried: self._messenger.messages.post(
                    receipt.channel,
                    text=tried.text,
                    blocks=tried.blocks,
                    mark=delivery.mark("change", last),
                    thread_ts=None if is_alone or delivery.is_without_thread else receipt.ts,
                    is_broadcast=announced,
                ),
            )
        except MessageGone:  # someone deleted the card: post a new one, and the change in its thread
            if delivery.is_without_thread:
                raise
            if self._failures.was_reposted(delivery.lane):
                delivery.is_without_thread = True
            else:
                await self._post_card_again(delivery)
            return
        self._failures.clear_posts(delivery.lane)
        label = priority_of(last, subscriber).label
        metrics.NOTIFIER_DELAY_SECONDS.labels(label).observe((delivery.now - delivery.late_since(last)).total_seconds())
        kind = "dm" if is_alone else "message" if delivery.is_without_thread else "thread"
        attempt = self._messenger.attempts(delivery)
        delivery.log_sent(kind, receipt.channel, ts, attempt=attempt, change=last)
        sent = Sent(ts, is_in_thread=not (is_alone or delivery.is_without_thread))
        await self._record(delivery, replace(receipt, delivered_through=last.revision), sent=sent)

    async def _past(self, delivery: Delivery, change: Change) -> Past:
        """How earlier runs ended, to compare a failure with."""
        if self._history is not None and change.kind.is_final and change.phase in FAILED_PHASES:
            with suppress(StoreUnavailable):  # it is a help only
                return await self._history.past(
                    delivery.claim.lane.team_id, delivery.claim.notification.snapshot.execution
                )
        return Past()

    async def _deliver_card(self, delivery: Delivery) -> None:
        """Post the card, or edit it when it shows less than the snapshot."""
        receipt, revision = delivery.receipt, delivery.claim.notification.snapshot.revision
        if receipt is None:
            if delivery.shows_card:
                await self._post_card(delivery)
            return
        if receipt.revision >= revision and not delivery.subscription.is_ending:
            return
        try:
            await self._messenger.update(delivery, self._cards(delivery), receipt)
        except MessageGone as error:
            await self._replace_card(delivery, receipt, error)
            return
        except (NotEditable, PayloadRejected, UnknownRefusal) as error:
            await self._leave_card(delivery, receipt, error)
            return
        except Undeliverable as error:  # of one edit: the next post shows whether the destination is dead
            await self._leave_card(delivery, receipt, UnknownRefusal(error.code, error.detail))
            return
        except (OutcomeUnknown, SlackUnavailable) as error:
            if not is_about_one_edit(error):
                raise
            delivery.is_edit_fault = True
            await self._leave_card(delivery, receipt, error)
            return
        self._failures.clear(delivery.lane)
        if not await self._is_forgotten(delivery):
            await self._record(delivery, replace(receipt, revision=revision))

    async def _replace_card(self, delivery: Delivery, receipt: Receipt, error: MessageGone) -> None:
        """Post a card again that does not exist any more: once, even if Slack then says the same of the new one."""
        if delivery.is_in_doubt:  # an earlier worker may have posted it again
            await self._reconcile(delivery)
        if delivery.receipt != receipt:
            await self._deliver_card(delivery)
        elif not delivery.subscription.is_ending:
            if self._failures.was_reposted(delivery.lane):
                await self._leave_card(delivery, receipt, error)
            else:
                await self._post_card_again(delivery)

    async def _leave_card(self, delivery: Delivery, receipt: Receipt, error: SlackError) -> None:
        """Leave a card as it is whose edit Slack keeps refusing; its thread goes on.

        Raises:
            SlackError: it has not refused often enough yet.
        """
        if not self._is_enough(delivery, error):
            delivery.is_edit_refused = True
            if delivery.is_in_doubt:  # a lane in doubt could not be woken for the next change
                await self._reconcile(delivery)
            raise error
        log.warning("notifier.card_left", lane=str(delivery.claim.lane), code=error.code)
        if not await self._is_forgotten(delivery):
            await say_left(delivery, receipt, self._messenger)
            await self._record(delivery, replace(receipt, revision=NEVER_EDITED))

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

    async def _post_card_again(self, delivery: Delivery) -> None:
        await self._post_card(delivery)
        self._failures.note_reposted(delivery.lane)

    async def _post_card(self, delivery: Delivery) -> Receipt:
        channel = await self._messenger.channel(delivery)
        ts = await self._messenger.post(
            delivery,
            "card",
            self._cards(delivery),
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
        await self._record(delivery, receipt)
        return receipt

    def _cards(self, delivery: Delivery) -> Fallbacks:
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

    async def _record(
        self, delivery: Delivery, receipt: Receipt, *, notices: int = 0, sent: Sent | None = None
    ) -> None:
        is_last = delivery.is_all(receipt, notices=notices)
        if not await self._outbox.record(delivery.claim, receipt, is_last=is_last, notices=notices, sent=sent):
            raise ClaimLost
        delivery.recorded(receipt, notices=notices)

    async def _end_unseen(self, delivery: Delivery) -> None:
        """End a subscription whose channel gets nothing; its owner still reads who ended it."""
        for notice in delivery.pending:
            await tell_owner(delivery, notice, self._messenger)
            if delivery.receipt is not None:
                await self._record(delivery, delivery.receipt, notices=1)
        await self._leave(delivery)

    async def _leave(self, delivery: Delivery) -> None:
        if not delivery.is_left and not await self._is_forgotten(delivery):
            await self._outbox.release(delivery.claim)

    async def _is_forgotten(self, delivery: Delivery) -> bool:
        """Forget a subscription that has ended and whose last message is delivered."""
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
        """Whether rules might find an execution yet that was followed by hand until it ended."""
        if self._rules is None or not delivery.is_over or delivery.subscription.is_by_rule:
            return False
        return bool(await self._rules.of(delivery.subscription.subscriber))

    async def _note_end(self, delivery: Delivery) -> None:
        """Have a person's Home tab, or a channel's board, show how an execution ended that was followed until then."""
        if self._homes is not None and delivery.is_over:
            subscriber, snapshot = delivery.subscription.subscriber, delivery.claim.notification.snapshot
            if delivery.receipt is not None and not subscriber.is_person:
                snapshot = replace(snapshot, card=delivery.receipt.ts)
            with suppress(StoreUnavailable):  # it is a help only
                await self._homes.note_end(subscriber, snapshot)

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
        metrics.NOTIFIER_MESSAGES.labels("any", result).inc()
        log.warning("notifier.put_back", lane=str(delivery.claim.lane), error=str(error), wait_s=wait.total_seconds())
        is_in_doubt = (is_unknown and not delivery.is_edit_fault) or delivery.is_in_doubt
        if isinstance(error, UnknownRefusal) and not delivery.is_edit_refused:
            # perhaps the channel could not be read back for the same reason
            is_in_doubt |= delivery.claim.in_doubt_since is not None and not delivery.is_recorded
        code = "" if delivery.is_edit_refused or delivery.is_edit_fault else error.code  # edits tell nothing new
        await self._outbox.release(delivery.claim, wait=wait, in_doubt=is_in_doubt, code=code)


def _change_message(claim: Claim, changes: tuple[Change, ...], past: Past) -> Message:
    last, notification = changes[-1], claim.notification
    execution = notification.snapshot.execution
    if last.kind.is_final:
        return outcome_message(last, notification.subscription, notification.snapshot, past=past)
    if last.kind is ChangeKind.ENDED:
        return ended_message(last, execution)
    return change_message(changes, notification.subscription, execution, now=claim.now)
