"""The room that tells people: claim a lane → settle doubts → render → send → record.

Lives here: the order of sending and recording, and what each of Slack's refusals means for a subscription. Does not
live here: how messages look (`bot.blocks`), the calls (`bot.slack`), the writing (`bot.store.outbox`). Started by the
service; meets the other rooms in the store only. The only room that posts or edits.

Nothing lost, nothing doubled: a receipt is recorded after each send. Where a send may have happened without its receipt
(no answer came, or a worker died), the channel is read back for our mark first. One rule remains where reading back is
not allowed for lack of a scope: then it is sent again, because a repeat is better than silence; the metric
`execution_bot_notifier_doubts_total{settled="unreadable"}` counts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TypeVar

import structlog

from bot import metrics
from bot.blocks import (
    Message,
    Style,
    change_message,
    ended_message,
    execution_card,
    outcome_message,
    undeliverable_message,
)
from bot.changes import batch
from bot.errors import (
    MessageGone,
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackBadCredentials,
    SlackError,
    SlackUnavailable,
    Undeliverable,
)
from bot.loops import Crew
from bot.model import Change, ChangeKind, Receipt, Subscription
from bot.slack import Delivered, Mark, SlackClient
from bot.store.outbox import LEASE, Claim, Outbox

log = structlog.get_logger()

IN_FLIGHT = timedelta(seconds=3)
"""After a send without an answer: how long to wait before looking whether it arrived."""

SEND = timedelta(seconds=12)
"""The longest that one send takes: the time-out of a call, and some."""

CLOCKS_APART = timedelta(minutes=2)
"""How far Slack's clock may be from the store's when messages are read back."""

LONGEST_PAUSE = timedelta(minutes=1)
"""The longest that failures of Slack in a row put off a lane."""

REFUSED_PAUSE = timedelta(minutes=1)
"""Pause of a lane while Slack refuses our token."""


Sent = TypeVar("Sent")


class ClaimLost(Exception):
    """The lease ran out meanwhile; whoever holds the lane now goes on."""


class Notifier:
    """Tells each subscription what it is still to be told."""

    def __init__(self, slack: SlackClient, outbox: Outbox, *, at_once: int = 16) -> None:
        self._slack, self._outbox = slack, outbox
        self._crew = Crew("notifier", ready=outbox.ready, claim=outbox.claim, do=self._tell, at_once=at_once)
        self._failing_since: float | None = None
        self._style = Style.RICH
        self.trouble: str | None = None
        """Why Slack did not take the last message; None when it did."""

    async def run_once(self) -> int:
        """Tell everything that is to be told, once."""
        return await self._crew.run_once()

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until told to stop."""
        await self._crew.run(stop)

    async def _tell(self, claim: Claim) -> None:
        """Tell one lane; whatever Slack answers, the lane comes back or its owner hears why not."""
        told = _Told(claim)
        try:
            if told.is_in_doubt:
                await self._settle_doubt(told)
            await self._tell_changes(told)
            await self._tell_card(told)
            await self._leave(told)
            self._failing_since = self.trouble = None
        except Undeliverable as error:
            await self._bury(told, error)
        except (ClaimLost, SlackError) as error:
            await self._put_back(told, error)

    async def _tell_changes(self, told: _Told) -> None:
        while changes := batch(told.pending):
            receipt = told.receipt or await self._post_card(told)
            await self._post_changes(told, receipt, changes)

    async def _post_changes(self, told: _Told, receipt: Receipt, changes: tuple[Change, ...]) -> None:
        last = changes[-1]
        is_alone = last.kind.is_final and told.subscription.subscriber.is_person
        message = _change_message(told.claim, changes)
        try:
            await self._send(
                told,
                last.kind.value,
                [message, message.plain()],
                lambda tried: self._slack.post(
                    receipt.channel,
                    text=tried.text,
                    blocks=tried.blocks,
                    mark=told.mark("change", last.revision),
                    thread_ts=None if is_alone else receipt.ts,
                    is_broadcast=last.kind.is_final,
                ),
            )
        except MessageGone as error:  # somebody deleted the card: begin a new one, and tell it there
            if told.is_reposted:
                raise Undeliverable(error.code) from error
            told.is_reposted = True
            await self._post_card(told)
            return
        metrics.NOTIFIER_DELAY_SECONDS.labels(last.kind.value).observe((_now() - last.at).total_seconds())
        await self._record(told, receipt.model_copy(update={"told": last.revision}))

    async def _tell_card(self, told: _Told) -> None:
        """Post the card, or edit it when it shows less than the snapshot."""
        receipt, revision = told.receipt, told.claim.notification.snapshot.revision
        if receipt is None:
            if not told.subscription.is_ending:  # ended before it was ever shown: nothing to show
                await self._post_card(told)
            return
        if receipt.revision >= revision and not told.subscription.is_ending:
            return
        try:
            await self._send(
                told,
                "card",
                self._cards(told),
                lambda tried: self._slack.update(
                    receipt.channel,
                    receipt.ts,
                    text=tried.text,
                    blocks=tried.blocks,
                    mark=told.mark("card", 0),
                ),
            )
        except MessageGone:
            if not told.subscription.is_ending:
                await self._post_card(told)
            return
        await self._record(told, receipt.model_copy(update={"revision": revision}))

    async def _post_card(self, told: _Told) -> Receipt:
        channel = await self._channel(told.subscription)
        ts = await self._send(
            told,
            "card",
            self._cards(told),
            lambda tried: self._slack.post(channel, text=tried.text, blocks=tried.blocks, mark=told.mark("card", 0)),
        )
        told_before = told.receipt.told if told.receipt else 0
        receipt = Receipt(channel=channel, ts=ts, revision=told.claim.notification.snapshot.revision, told=told_before)
        await self._record(told, receipt)
        return receipt

    async def _send(
        self, told: _Told, kind: str, versions: Sequence[Message], send: Callable[[Message], Awaitable[Sent]]
    ) -> Sent:
        """Send the first of `versions` that Slack accepts; a later one is plainer."""
        refused = ""
        for number, tried in enumerate(versions, start=1):
            told.check_lease()
            try:
                sent = await send(tried)
            except PayloadRejected as error:
                metrics.NOTIFIER_MESSAGES.labels(kind, "rejected").inc()
                log.warning("notifier.payload_rejected", lane=str(told.claim.lane), kind=kind, code=error.code)
                if number == len(versions):
                    raise
                refused = error.code
            else:
                if kind == "card" and refused.startswith("invalid_blocks") and number == len(versions) - 1:
                    self._style = Style.CLASSIC  # this workspace does not take the rich style, but this one
                metrics.NOTIFIER_MESSAGES.labels(kind, "sent").inc()
                return sent
        raise AssertionError("unreachable")

    def _cards(self, told: _Told) -> list[Message]:
        """The card, in each version that Slack may accept, the best one first."""
        notification = told.claim.notification
        styles = [Style.RICH, Style.CLASSIC] if self._style is Style.RICH else [Style.CLASSIC]
        cards = [
            execution_card(notification.snapshot, notification.subscription, now=told.claim.now, style=style)
            for style in styles
        ]
        return [*cards, cards[-1].plain()]

    async def _channel(self, subscription: Subscription) -> str:
        subscriber = subscription.subscriber
        return await self._slack.open_dm(subscriber.id) if subscriber.is_person else subscriber.id

    async def _record(self, told: _Told, receipt: Receipt) -> None:
        if not await self._outbox.record(told.claim, receipt):
            raise ClaimLost
        told.recorded(receipt)

    async def _leave(self, told: _Told) -> None:
        if told.subscription.is_ending and await self._outbox.forget(told.claim):
            log.info("notifier.forgotten", lane=str(told.claim.lane))
            return
        await self._outbox.release(told.claim)

    async def _settle_doubt(self, told: _Told) -> None:
        """Find out what a send without a receipt came to."""
        claim = told.claim
        since = (claim.in_doubt_since or claim.now) - CLOCKS_APART
        channel = told.receipt.channel if told.receipt else await self._channel(told.subscription)
        try:
            found = await self._read_back(channel, told, since)
        except (SlackBadCredentials, Undeliverable) as error:
            # Whether the destination is dead is for the send to find out, not for reading.
            if isinstance(error, SlackBadCredentials) and error.code != "missing_scope":
                raise
            log.warning("notifier.cannot_read_back", channel=channel, code=error.code)
            metrics.NOTIFIER_DOUBTS.labels("unreadable").inc()
            told.is_in_doubt = False
            return
        card = _latest_card(found)
        through = max((message.mark.told for message in found if message.mark.part == "change"), default=0)
        receipt = told.receipt
        if card > (receipt.ts if receipt else ""):  # posted, or posted anew
            receipt = Receipt(channel=channel, ts=card, revision=0, told=receipt.told if receipt else 0)
        metrics.NOTIFIER_DOUBTS.labels("sent" if found else "not_sent").inc()
        log.info("notifier.doubt_settled", lane=str(claim.lane), found=len(found), through=through)
        if receipt is not None:
            await self._record(told, receipt.model_copy(update={"told": max(receipt.told, through)}))
        told.is_in_doubt = False

    async def _read_back(self, channel: str, told: _Told, since: datetime) -> list[Delivered]:
        lane = told.mark("card", 0).lane
        found = await self._slack.delivered(channel, lane, since=since)
        root = max(told.receipt.ts if told.receipt else "", _latest_card(found))
        if root:
            try:
                found += await self._slack.delivered(channel, lane, since=since, thread_ts=root)
            except MessageGone:
                log.info("notifier.card_gone", lane=str(told.claim.lane))
        return found

    async def _put_back(self, told: _Told, error: ClaimLost | SlackError) -> None:
        """Slack did not take it now; the lane comes again."""
        if isinstance(error, ClaimLost):
            log.warning("notifier.claim_lost", lane=str(told.claim.lane))
            return
        wait = self._pause(error)
        is_unknown = isinstance(error, OutcomeUnknown)
        result = "unknown" if is_unknown else "unavailable" if isinstance(error, SlackUnavailable) else error.code
        metrics.NOTIFIER_MESSAGES.labels("any", result).inc()
        log.warning("notifier.put_back", lane=str(told.claim.lane), error=str(error), wait_s=wait.total_seconds())
        await self._outbox.release(told.claim, wait=wait, in_doubt=is_unknown or told.is_in_doubt)

    def _pause(self, error: SlackError) -> timedelta:
        """How long to leave a lane alone after `error`."""
        if isinstance(error, RateLimited):
            return error.retry_after
        if isinstance(error, SlackBadCredentials):
            self.trouble = f"Slack refuses the token: {error.code}"
            return REFUSED_PAUSE
        self.trouble = str(error)
        if isinstance(error, PayloadRejected):  # the plainest version too
            return LONGEST_PAUSE
        now = monotonic()
        self._failing_since = self._failing_since or now
        for_so_long = timedelta(seconds=now - self._failing_since)  # as long again: doubles, however many lanes fail
        return min(max(for_so_long, IN_FLIGHT), LONGEST_PAUSE)

    async def _bury(self, told: _Told, error: Undeliverable) -> None:
        """The destination is dead: tell the owner, then end the subscription."""
        subscription = told.subscription
        log.warning("notifier.undeliverable", lane=str(told.claim.lane), code=error.code)
        metrics.NOTIFIER_MESSAGES.labels("any", "undeliverable").inc()
        if subscription.owner != subscription.subscriber.id:
            try:
                await self._tell_owner(told, error)
            except Undeliverable as second:
                log.warning("notifier.owner_undeliverable", lane=str(told.claim.lane), code=second.code)
            except (ClaimLost, SlackError) as second:
                await self._put_back(told, second)
                return
        await self._outbox.forget(told.claim, is_dead=True)

    async def _tell_owner(self, told: _Told, error: Undeliverable) -> None:
        mark = told.mark("dead", 0)
        channel = await self._slack.open_dm(told.subscription.owner)
        try:  # a worker may have died between this message and the end of the subscription
            found = await self._slack.delivered(channel, mark.lane, since=told.claim.now - timedelta(days=1))
        except SlackBadCredentials:
            found = []
        if any(message.mark.part == "dead" for message in found):
            return
        execution = told.claim.notification.snapshot.execution
        message = undeliverable_message(told.subscription, execution, error.reason)
        await self._send(
            told,
            "undeliverable",
            [message, message.plain()],
            lambda tried: self._slack.post(channel, text=tried.text, blocks=tried.blocks, mark=mark),
        )


class _Told:
    """How far one claimed lane is told."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.subscription = claim.notification.subscription
        self.receipt = claim.notification.receipt
        self.is_in_doubt = claim.in_doubt_since is not None
        self.is_reposted = False
        """Whether the card had to be posted anew."""
        self._renewed = monotonic()

    def check_lease(self) -> None:
        """Make sure that the lane stays ours for as long as a send may take.

        Raises:
            ClaimLost: it does not.
        """
        if monotonic() - self._renewed > (LEASE - SEND).total_seconds():
            raise ClaimLost

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that are still to be told."""
        through = self.receipt.told if self.receipt else 0
        return tuple(change for change in self.claim.notification.changes if change.revision > through)

    def recorded(self, receipt: Receipt) -> None:
        """The receipt is in the store: what was in doubt is settled."""
        self.receipt = receipt
        self.is_in_doubt = False
        self._renewed = monotonic()

    def mark(self, part: str, told: int) -> Mark:
        """The mark of a message for this lane; a later subscription to the same execution has another."""
        created = int(self.subscription.created_at.timestamp() * 1000)
        return Mark(lane=f"{self.claim.lane}/{created}", part=part, told=told)


def _latest_card(found: Sequence[Delivered]) -> str:
    """The ts of the last card among `found`; empty if there is none."""
    return max((message.ts for message in found if message.mark.part == "card"), default="")


def _change_message(claim: Claim, changes: tuple[Change, ...]) -> Message:
    last, notification = changes[-1], claim.notification
    execution = notification.snapshot.execution
    if last.kind.is_final:
        return outcome_message(last, notification.subscription, execution, now=claim.now)
    if last.kind is ChangeKind.ENDED:
        return ended_message(last, execution, now=claim.now)
    return change_message(changes, execution, now=claim.now)


def _now() -> datetime:
    return datetime.now(UTC)
