"""The index: which executions a subscriber follows.

Lives here: `Index`. Does not live here: the subscriptions (`subscribers`). Called by `subscribers` and `outbox`. It is
in another slot than the executions, so it cannot be written in one script with them. It may hold stale entries, never
miss one: an entry is added before and after subscribing, and checked again after its removal.
"""

from __future__ import annotations

from bot.domain.model import Subscriber, Subscription
from bot.store.engine.connection import Connection
from bot.store.keys import Lane, executions_of, lane_of, subscriptions_of
from bot.store.rows import EPOCH, milliseconds, subscription_of


class Index:
    """What each subscriber follows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def enter(self, subscription: Subscription) -> bool:
        """Enter a subscription; returns whether replicas hold the entry, as `Connection.keep` does."""
        subscriber = subscription.subscriber
        key = executions_of(subscriber.team_id, subscriber.id)
        since = milliseconds(subscription.created_at - EPOCH)
        _, is_replicated = await self._connection.keep("subscriptions/enter", key, subscription.execution_id, since)
        return is_replicated

    async def remove(self, lane: Lane) -> None:
        """Remove a subscription that is gone, unless it is there again."""
        async with self._connection.guarded() as redis:
            await redis.zrem(executions_of(lane.team_id, lane.subscriber_id), lane.execution_id)
            row = await redis.hget(subscriptions_of(lane.execution), lane.subscriber_id)
        if row:
            await self.enter(subscription_of(lane, str(row)))

    async def of(self, subscriber: Subscriber) -> list[Lane]:
        """The lanes of a subscriber, the oldest subscription first."""
        async with self._connection.guarded() as redis:
            execution_ids = await redis.zrange(executions_of(subscriber.team_id, subscriber.id), 0, -1)
        return [lane_of(subscriber, str(execution_id)) for execution_id in execution_ids]
