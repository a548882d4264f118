"""Calls to Slack under its limits: each takes its turn, and what it meets is learned by all copies of the bot.

Lives here: `Sending`. Does not live here: whose turn it is (`bot.store.slack_limits`), what is sent and when (the
siblings). Called by the siblings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog

from bot import metrics
from bot.blocks import Message, Style
from bot.domain.model import Receipt
from bot.domain.priority import Priority
from bot.errors import (
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackBadCredentials,
    SlackError,
    SlackUnavailable,
    StoreUnavailable,
    Undeliverable,
)
from bot.slack.client import SlackClient
from bot.store.keys import Lane
from bot.store.slack_limits import POST, Admission, SlackLimits
from bot.workers.notifier.delivery import Deferred, Delivery
from bot.workers.pool import STORE_AWAY_SECONDS, Condition

log = structlog.get_logger()

REFUSED_PAUSE = timedelta(minutes=1)
"""How long nobody calls after Slack refused our token, or nobody a method for which the app lacks a scope."""

READ_BACK = frozenset({"conversations.history", "conversations.replies"})
"""Where a scope is missing for these, it is told all the same (`reconcile`)."""

Answer = TypeVar("Answer")

Fallbacks = Sequence[Callable[[], Message]]
"""What draws a message, each time plainer; only what is tried is drawn."""


class Sending:
    """Slack, as the notifier uses it."""

    def __init__(self, slack: SlackClient, limits: SlackLimits) -> None:
        self._slack, self._limits = slack, limits
        self._dms: dict[str, str] = {}
        self.style = Style.RICH
        """The best style of cards that this workspace takes."""
        self.condition = Condition()
        """Why Slack does not take calls."""

    async def call(
        self,
        delivery: Delivery,
        method: str,
        call: Callable[[], Awaitable[Answer]],
        *,
        place: str = "",
        priority: Priority | None = None,
    ) -> Answer:
        """Call `method` about a lane when it is its turn; `place` is who reads what it posts.

        Raises:
            Deferred: it is not, or the store does not say.
            ClaimLost: the lane is no longer ours for long enough.
            SlackError: what Slack said.
        """
        priority = delivery.priority if priority is None else priority
        lane = delivery.claim.lane
        admission = await self._admission(lane, method, priority, place)
        if admission.wait:
            metrics.NOTIFIER_WAITS.labels(priority.label).inc()
            raise Deferred(admission.wait)
        delivery.check_lease()
        try:
            answer = await call()
        except SlackError as error:
            await self._learn(lane.team_id, method, error, is_away=admission.is_away)
            if isinstance(error, RateLimited):  # back to the queue, and in the same place
                again = await self._admission(lane, method, priority, place)
                raise Deferred(again.wait) from error
            raise
        if admission.is_away:
            await self._limits.back(lane.team_id)
        self.condition.clear()
        self.condition.clear(about=method)
        return answer

    async def _admission(self, lane: Lane, method: str, priority: Priority, place: str) -> Admission:
        try:
            return await self._limits.admit(lane, method, priority=priority, place=place)
        except StoreUnavailable as error:
            # Nothing is sent: the lane is given back, or it would wait for its lease to end. After a pause, since the
            # node of a cluster that holds the lanes may be well, and would hand it out again at once.
            log.warning("notifier.not_admitted", lane=str(lane), error=str(error))
            await asyncio.sleep(STORE_AWAY_SECONDS)
            raise Deferred(timedelta(0)) from error

    async def _learn(self, team_id: str, method: str, error: SlackError, *, is_away: bool) -> None:
        """What a failure means for everybody."""
        if isinstance(error, SlackUnavailable | OutcomeUnknown):
            self.condition.set(str(error))
            pause = await self._limits.away(team_id)
            if pause:
                self._note_pause("away", team_id, pause)
            return
        if is_away:  # it is an answer
            await self._limits.back(team_id)
        if isinstance(error, RateLimited):
            metrics.NOTIFIER_MESSAGES.labels("any", "ratelimited").inc()
            await self._limits.pause(team_id, method, error.retry_after)
            self._note_pause("ratelimited", method, error.retry_after)
        elif error.code == "missing_scope":
            if method not in READ_BACK:
                self.condition.set(f"Slack refuses {method}: {error}", about=method)
                await self._limits.pause(team_id, method, REFUSED_PAUSE)
                self._note_pause("refused", method, REFUSED_PAUSE)
        elif isinstance(error, SlackBadCredentials):
            self.condition.set(f"Slack refuses the token: {error.code}")
            await self._limits.pause(team_id, "*", REFUSED_PAUSE)
            self._note_pause("refused", team_id, REFUSED_PAUSE)

    @staticmethod
    def _note_pause(why: str, what: str, pause: timedelta) -> None:
        metrics.NOTIFIER_PAUSES.labels(why).inc()
        log.warning("notifier.paused", why=why, what=what, wait_s=pause.total_seconds())

    async def dm(self, delivery: Delivery, user_id: str) -> str:
        """The channel of our direct messages with a person; it never changes, so Slack is asked once."""
        if user_id not in self._dms:
            self._dms[user_id] = await self.call(delivery, "conversations.open", lambda: self._slack.open_dm(user_id))
        return self._dms[user_id]

    async def channel(self, delivery: Delivery) -> str:
        """Where the subscriber of a lane is told."""
        subscriber = delivery.subscription.subscriber
        return await self.dm(delivery, subscriber.id) if subscriber.is_person else subscriber.id

    async def post(
        self,
        delivery: Delivery,
        kind: str,
        fallbacks: Fallbacks,
        post: Callable[[Message], Awaitable[str]],
        *,
        place: str = "",
        priority: Priority | None = None,
    ) -> str:
        """Post the first of `versions` that Slack takes, to the lane's subscriber or another `place`; its ts."""
        place = place or delivery.subscription.subscriber.id
        return await self._first(
            delivery,
            kind,
            fallbacks,
            lambda tried: self.call(delivery, POST, lambda: post(tried), place=place, priority=priority),
        )

    async def update(self, delivery: Delivery, fallbacks: Fallbacks, receipt: Receipt) -> None:
        """Edit the card into the first of `versions` that Slack takes."""

        async def update(tried: Message) -> None:
            await self._slack.update(
                receipt.channel, receipt.ts, text=tried.text, blocks=tried.blocks, mark=delivery.mark("card")
            )

        await self._first(
            delivery, "card", fallbacks, lambda tried: self.call(delivery, "chat.update", lambda: update(tried))
        )

    async def _first(
        self, delivery: Delivery, kind: str, fallbacks: Fallbacks, send: Callable[[Message], Awaitable[Answer]]
    ) -> Answer:
        """Send the first of `versions` that Slack accepts; a later one is plainer."""
        refused = ""
        for number, draw in enumerate(fallbacks, start=1):
            try:
                sent = await send(draw())
            except PayloadRejected as error:
                metrics.NOTIFIER_MESSAGES.labels(kind, "rejected").inc()
                log.warning("notifier.payload_rejected", lane=str(delivery.claim.lane), kind=kind, code=error.code)
                if number == len(fallbacks):
                    if delivery.is_overdue:
                        raise Undeliverable(error.code) from error
                    raise
                refused = error.code
            else:
                if kind == "card" and refused.startswith("invalid_blocks") and number == len(fallbacks) - 1:
                    self.style = Style.CLASSIC  # this workspace does not take the rich style, but this one
                metrics.NOTIFIER_MESSAGES.labels(kind, "sent").inc()
                return sent
        raise AssertionError("unreachable")
