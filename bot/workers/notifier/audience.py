"""Who reads a message, asked before it is written: other organisations read nothing until that is approved.

Lives here: `Audience`. Does not live here: what a record of a channel means (`bot.domain.access`), the approval
(`handlers.actions`). Called by `notifier` before each delivery.

Somebody who may not ask any more reads nothing either, or a guest would go on reading what they could not even stop.

What is held is not lost: the lane is tried again, sooner when somebody approves the channel, and its owner reads once
what it waits for. After `HELD` it is given up like any other channel that cannot be reached.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

from bot import metrics
from bot.blocks import board_held, held_message
from bot.blocks.language import speaking
from bot.domain.access import AccessRules, ChannelRecord
from bot.errors import Undeliverable
from bot.store.channels import Channels
from bot.workers.notifier.delivery import Deferred, Delivery
from bot.workers.notifier.messenger import INFO, Messenger
from bot.workers.notifier.owner import notify_owner

FRESH = timedelta(hours=6)
"""How long a record of a channel is used without a new look. Slack's events renew it at once."""

FRESH_SHARED = timedelta(minutes=10)
"""The same for a channel that other organisations share: another one may join it, and the event may be lost."""

HELD = timedelta(days=7)
"""At most how long a message waits for an approval."""

NOT_APPROVED, HAS_GROWN, NOT_LISTED = "channel_not_approved", "channel_has_grown", "channel_not_listed"
NOT_ALLOWED = "person_not_allowed"
"""Why messages are held; `bot.blocks.sentences` has a clause for each."""

log = structlog.get_logger()


class Audience:
    """The people and channels of a workspace, as the notifier sees them."""

    def __init__(self, channels: Channels, messenger: Messenger, rules: AccessRules) -> None:
        self._channels, self._messenger, self._rules = channels, messenger, rules

    async def check(self, delivery: Delivery) -> bool:
        """Whether a lane may be delivered; False when there is nothing to deliver because it has ended meanwhile.

        Raises:
            Deferred: it waits for an approval, for a person to be allowed again, or for a look at the channel.
            Undeliverable: it has waited for `HELD`, or Slack knows no such channel.
            SlackError: Slack does not say who reads it.
        """
        subscriber = delivery.subscription.subscriber
        if subscriber.is_person:
            may_read = await self._messenger.may_read(subscriber.id)
            return may_read or await self._hold(delivery, NOT_ALLOWED, {subscriber.id})
        record = await self._channels.find(subscriber.team_id, subscriber.id)
        if not self._rules.allows_channel(subscriber.id):
            return await self._hold(delivery, NOT_LISTED, record.notified if record else frozenset())
        if record is None or self._is_old(record, delivery.claim.now):
            record = await self._look(delivery, record)
        why = HAS_GROWN if record.has_grown else NOT_APPROVED
        return record.is_open or await self._hold(delivery, why, record.notified)

    @staticmethod
    def _is_old(record: ChannelRecord, now: datetime) -> bool:
        fresh = min(FRESH, FRESH_SHARED) if record.is_shared else FRESH
        return record.looked_at is None or now - record.looked_at > fresh

    async def _look(self, delivery: Delivery, known: ChannelRecord | None) -> ChannelRecord:
        """A record from Slack; the old one while Slack's limits leave no room for the call."""
        channel = delivery.subscription.subscriber
        try:
            is_shared, organisations = await self._messenger.call(
                delivery, INFO, lambda: self._messenger.messages.sharing(channel.id)
            )
        except Deferred:
            if known is None or known.looked_at is None:
                raise
            return known
        await self._channels.note(channel.team_id, channel.id, is_shared=is_shared, organisations=organisations)
        found = await self._channels.find(channel.team_id, channel.id)
        if found is not None and found.has_grown:
            joined = sorted(found.organisations - found.approved)
            log.warning("notifier.channel_has_grown", channel=channel.id, organisations=joined)
        return found or ChannelRecord(is_shared=is_shared, looked_at=delivery.claim.now)

    async def _hold(self, delivery: Delivery, why: str, notified: Collection[str]) -> bool:
        if delivery.has_only_goodbyes:
            return False
        if delivery.waited > HELD:
            raise Undeliverable(why)
        metrics.NOTIFIER_HELD.labels(why).inc()
        log.info("notifier.held", lane=str(delivery.claim.lane), why=why)
        if delivery.subscription.owner and delivery.subscription.owner not in notified:
            await self._notify_owner(delivery, why)
        raise Deferred(delivery.held_pause, why)

    async def _notify_owner(self, delivery: Delivery, why: str) -> None:
        subscription, snapshot = delivery.subscription, delivery.claim.notification.snapshot
        try:
            with speaking(await self._messenger.language(delivery, subscription.owner)):
                is_board = snapshot.board is not None
                channel = subscription.subscriber
                message = board_held(channel, why) if is_board else held_message(subscription, snapshot.execution, why)
            await notify_owner(delivery, self._messenger, delivery.mark("held"), message)
        except Undeliverable as error:
            log.warning("notifier.owner_undeliverable", lane=str(delivery.claim.lane), code=error.code)
        await self._channels.note_notified(channel.team_id, channel.id, subscription.owner)
