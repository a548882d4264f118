"""Calls to Slack under its limits: each waits for its admission, and all copies of the bot learn from each failure.

Lives here: `Messenger`. Does not live here: admission itself (`bot.store.slack_limits`), the rule for a 429
(`bot.slack.calls`), what is sent and when (the siblings). Called by the siblings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog

from bot import metrics
from bot.blocks import Message
from bot.blocks.language import Language
from bot.domain.access import AccessRules
from bot.domain.priority import Priority
from bot.domain.snapshot import Receipt
from bot.errors import (
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackBadCredentials,
    SlackError,
    SlackUnavailable,
    StoreUnavailable,
    Undeliverable,
    UnknownRefusal,
)
from bot.slack.calls import remember_pause
from bot.slack.errors import is_about_token, is_answer
from bot.slack.languages import Languages
from bot.slack.messages import Messages
from bot.store.keys import Lane
from bot.store.slack_limits import POST, Admission, SlackLimits
from bot.workers.notifier.card_failures import MOST_LANES
from bot.workers.notifier.delivery import Deferred, Delivery
from bot.workers.notifier.token_check import TokenCheck
from bot.workers.pool import STORE_AWAY_SECONDS, Condition

log = structlog.get_logger()

REFUSED_PAUSE = timedelta(minutes=1)
"""How long nobody calls Slack after it refused the token, or calls a method for which the app lacks a scope."""

EDIT = "chat.update"

SENDS = frozenset({POST, EDIT})
"""Methods that send a message."""

FAULTY_LANES = 3
"""For how many lanes a method must have a fault, and success for none, until Slack counts as away."""

READ_BACK = frozenset({"conversations.history", "conversations.replies"})
"""Methods without whose scope messages are delivered all the same (`reconcile`)."""

INFO = "conversations.info"
"""The method that says who reads a channel. The scope that it needs depends on the kind of channel."""

Answer = TypeVar("Answer")


def is_about_one_edit(error: SlackError) -> bool:
    """Whether a failed edit says nothing about Slack as a whole: Slack, or a proxy before it, did answer."""
    return is_answer(error) or error.code.startswith("http_")


Render = Callable[[], Message]

Fallbacks = Sequence[Render]
"""Renders a message, each time plainer. Only what is tried is rendered."""


class Messenger:
    """Slack, as the notifier uses it."""

    def __init__(
        self, messages: Messages, limits: SlackLimits, rules: AccessRules, languages: Languages | None = None
    ) -> None:
        self.messages, self._limits, self._rules, self._languages = messages, limits, rules, languages
        self._token = TokenCheck(messages)
        self._dms: dict[str, str] = {}
        self._attempts: dict[str, int] = {}
        """Lane → calls since a message of it was last sent, in this process."""
        self._faulty: dict[str, set[str]] = {}
        """Method → lanes with a fault since the method last succeeded."""
        self.condition = Condition()
        """Why Slack does not take calls."""
        self._away_from: str | None = None
        """The workspace for which Slack did not answer, as the store said last."""

    async def language(self, delivery: Delivery, reader_id: str) -> Language:
        """What a person or channel reads, at the time of sending."""
        if self._languages is None:
            return Language.ENGLISH
        return await self._languages.of(delivery.claim.lane.team_id, reader_id)

    async def may_read(self, user_id: str) -> bool:
        """Whether a person may still ask, as far as that is known; who is in which group is not looked up here."""
        rules = self._rules
        if rules.unlisted(user_id, is_in_group=bool(rules.groups), is_group_unreadable=False):
            return False
        return rules.guests or self._languages is None or not await self._languages.is_guest(user_id)

    async def call(
        self,
        delivery: Delivery,
        method: str,
        call: Callable[[], Awaitable[Answer]],
        *,
        place: str = "",
        priority: Priority | None = None,
    ) -> Answer:
        """Call `method` about a lane if it is admitted now; `place` is who reads what the call posts.

        Raises:
            Deferred: it is not admitted now, or the store does not say.
            ClaimLost: the lease ends before the call would.
            SlackError: Slack refuses, or does not answer.
        """
        leads_up = priority is None and delivery.leads_up
        priority = delivery.priority if priority is None else priority
        lane = delivery.claim.lane
        admission = await self._admission(lane, method, priority, place, leads_up=leads_up)
        if admission.wait:
            metrics.NOTIFIER_WAITS.labels(priority.label).inc()
            raise Deferred(admission.wait)
        delivery.check_lease()
        if method in SENDS:
            self._note_attempt(str(lane))
        try:
            answer = await call()
        except SlackError as error:
            meant = await self._meant(error)
            await self._learn(delivery, method, meant, is_away=admission.is_away)
            if isinstance(meant, RateLimited):  # back into the queue, at the same place
                again = await self._admission(lane, method, priority, place, leads_up=leads_up)
                raise Deferred(again.wait) from error
            raise meant from error.__cause__
        if admission.is_away:
            await self._limits.back(lane.team_id)
        self.condition.clear()
        self.condition.clear(about=method)
        self._faulty.pop(method, None)
        return answer

    async def outage(self) -> timedelta | None:
        """While Slack does not answer, as this process has noticed: for how long nobody calls it, as in the store."""
        if self._away_from is None:
            return None
        wait = await self._limits.outage(self._away_from)
        if wait is None:
            self._away_from = None
        return wait

    def attempts(self, delivery: Delivery) -> int:
        """How many calls the message that was just sent took; those of other copies of the bot do not count."""
        return self._attempts.pop(str(delivery.claim.lane), 1)

    def _note_attempt(self, lane: str) -> None:
        self._attempts[lane] = self._attempts.pop(lane, 0) + 1
        if len(self._attempts) > MOST_LANES:
            del self._attempts[next(iter(self._attempts))]

    async def _admission(self, lane: Lane, method: str, priority: Priority, place: str, *, leads_up: bool) -> Admission:
        try:
            admission = await self._limits.admit(lane, method, priority=priority, leads_up=leads_up, place=place)
        except StoreUnavailable as error:
            # Release the lane, or it would wait for its lease to end. Pause first: the node of a cluster that holds the
            # lanes may be up, and would hand this one out again at once.
            log.warning("notifier.not_admitted", lane=str(lane), error=str(error))
            await asyncio.sleep(STORE_AWAY_SECONDS)
            raise Deferred(timedelta(0)) from error
        if admission.is_away:
            self._away_from = lane.team_id
        return admission

    async def _meant(self, error: SlackError) -> SlackError:
        """`error`; a refusal of this call only, if it is about the token and `auth.test` does not say the same."""
        if not is_about_token(error) or await self._token.is_refused():
            return error
        return UnknownRefusal(error.code, error.detail)

    async def _learn(self, delivery: Delivery, method: str, error: SlackError, *, is_away: bool) -> None:
        """Share with all copies of the bot what a failure means for their calls."""
        team_id = delivery.claim.lane.team_id
        is_fault = isinstance(error, SlackUnavailable | OutcomeUnknown)
        if is_fault and not self._concerns_one_lane(delivery, method, error, is_away=is_away):
            self.condition.set(str(error))
            delivery.pause = await self._limits.away(team_id)
            if delivery.pause:
                self._away_from = team_id
                self._log_pause("away", team_id, delivery.pause)
            return
        if is_away:  # a refusal is an answer, and so is a fault that Slack itself reports
            await self._limits.back(team_id)
        if isinstance(error, RateLimited):
            metrics.NOTIFIER_MESSAGES.labels("any", "ratelimited").inc()
            metrics.NOTIFIER_PAUSES.labels("ratelimited").inc()
            await remember_pause(self._limits, team_id, method, error)
        elif error.code == "missing_scope":
            if method not in READ_BACK:
                self.condition.set(f"Slack refuses {method}: {error}", about=method)
                await self._pause_refused(team_id, method)
        elif isinstance(error, UnknownRefusal):
            if method not in READ_BACK:
                about = "and accepts the token" if is_about_token(error) else "a code that I do not know"
                why = f"Slack refuses {method} with {error.words}, {about}"
                self.condition.set(why, about=method, next_try=delivery.refused_pause)
        elif isinstance(error, SlackBadCredentials):
            self.condition.set(f"Slack refuses the token: {error.code}")
            await self._pause_refused(team_id, "*")

    def _concerns_one_lane(self, delivery: Delivery, method: str, error: SlackError, *, is_away: bool) -> bool:
        """Whether a fault at a call says nothing about Slack as a whole: only its lane waits then."""
        if method == EDIT:
            return is_answer(error) or (is_about_one_edit(error) and not is_away)
        if not is_answer(error):
            return False
        lanes = self._faulty.setdefault(method, set())
        lanes.add(str(delivery.claim.lane))
        return len(lanes) < FAULTY_LANES

    async def _pause_refused(self, team_id: str, method: str) -> None:
        if method == INFO:  # channels of another kind can be looked at
            return
        await self._limits.pause(team_id, method, REFUSED_PAUSE)
        self._log_pause("refused", team_id if method == "*" else method, REFUSED_PAUSE)

    @staticmethod
    def _log_pause(why: str, what: str, pause: timedelta) -> None:
        metrics.NOTIFIER_PAUSES.labels(why).inc()
        log.warning("notifier.paused", why=why, what=what, wait_s=pause.total_seconds())

    async def dm(self, delivery: Delivery, user_id: str) -> str:
        """The channel of the direct messages with a person. It never changes, so Slack is asked once."""
        if user_id not in self._dms:
            self._dms[user_id] = await self.call(delivery, "conversations.open", lambda: self.messages.open_dm(user_id))
        return self._dms[user_id]

    async def channel(self, delivery: Delivery) -> str:
        """The channel in which a lane's subscriber reads."""
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
        """Post the first of `fallbacks` that Slack takes, to the lane's subscriber or another `place`. Returns its ts.

        `kind` is a label of metrics and logs.
        """
        place = place or delivery.subscription.subscriber.id
        return await self._first(
            delivery,
            kind,
            fallbacks,
            lambda render: self.call(delivery, POST, lambda: post(render()), place=place, priority=priority),
        )

    async def update(self, delivery: Delivery, fallbacks: Fallbacks, receipt: Receipt) -> None:
        """Edit the card into the first of `fallbacks` that Slack takes."""

        async def update(message: Message) -> None:
            await self.messages.update(
                receipt.channel, receipt.ts, text=message.text, blocks=message.blocks, mark=delivery.mark("card")
            )

        await self._first(
            delivery, "card", fallbacks, lambda render: self.call(delivery, EDIT, lambda: update(render()))
        )
        changes = delivery.claim.notification.changes
        attempt, change = self.attempts(delivery), changes[-1] if changes else None
        delivery.log_sent("edit", receipt.channel, receipt.ts, attempt=attempt, change=change)

    async def _first(
        self, delivery: Delivery, kind: str, fallbacks: Fallbacks, send: Callable[[Render], Awaitable[Answer]]
    ) -> Answer:
        """Send the first of `fallbacks` that Slack takes; a later one is plainer.

        `send` renders it once the call is admitted: half of the calls of a busy workspace are deferred first.
        """
        for number, render in enumerate(fallbacks, start=1):
            try:
                sent = await send(render)
            except PayloadRejected as error:
                metrics.NOTIFIER_MESSAGES.labels(kind, "rejected").inc()
                log.warning("notifier.payload_rejected", lane=str(delivery.claim.lane), kind=kind, code=error.code)
                if number == len(fallbacks):
                    if delivery.is_overdue:
                        raise Undeliverable(error.code) from error
                    raise
            else:
                metrics.NOTIFIER_MESSAGES.labels(kind, "sent").inc()
                return sent
        raise AssertionError("unreachable")
