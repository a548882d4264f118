"""The index: which executions a subscriber follows.

Lives here: `Index`. Does not live here: the subscriptions (`subscribers`). Called by `subscribers` and `outbox`. It is
in another slot than the executions, so it cannot be written in one script with them. It may hold stale entries, never
miss one: an entry is added before and after subscribing, and checked again after its removal.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.model import Subscriber, Subscription
from bot.store.engine.connection import Connection
from bot.store.keys import Lane, executions_of, lane_of, subscriptions_of
from bot.store.rows import EPOCH, milliseconds, subscription_of
from bot.store.unreadable import Unreadable


class Index:
    """What each subscriber follows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def enter(self, subscription: Subscription) -> bool:
        """Enter a subscription; returns whether replicas hold the entry, as `Connection.keep` does."""
        return await self._enter(lane_of(subscription.subscriber, subscription.execution_id), subscription.created_at)

    async def remove(self, lane: Lane) -> None:
        """Remove a subscription that is gone, unless it is there again."""
        async with self._connection.guarded() as redis:
            await redis.zrem(executions_of(lane.team_id, lane.subscriber_id), lane.execution_id)
            row = await redis.hget(subscriptions_of(lane.execution), lane.subscriber_id)
        if row:
            try:
                since = subscription_of(lane, str(row)).created_at
            except Unreadable:
                since = EPOCH
            await self._enter(lane, since)

    async def _enter(self, lane: Lane, since: datetime) -> bool:
        key = executions_of(lane.team_id, lane.subscriber_id)
        _, is_replicated = await self._connection.keep(
            "subscriptions/enter", key, lane.execution_id, milliseconds(since - EPOCH)
        )
        return is_replicated

    async def of(self, subscriber: Subscriber) -> list[Lane]:
        """The lanes of a subscriber, the oldest subscription first."""
        async with self._connection.guarded() as redis:
            execution_ids = await redis.zrange(executions_of(subscriber.team_id, subscriber.id), 0, -1)
        return [lane_of(subscriber, str(execution_id)) for execution_id in execution_ids]
