"""The index: which executions a subscriber follows.

Lives here: `Index`. Does not live here: the subscriptions (`subscribers`). Called by `subscribers` and `outbox`. It is
in another slot than the executions, so it cannot be written in one script with them. It may hold stale entries, never
miss one: an entry is added before and after subscribing, and checked again after its removal.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.model import Subscriber
from bot.store.engine.connection import Connection
from bot.store.keys import Lane, lane_of
from bot.store.rows import EPOCH, milliseconds, subscription_of
from bot.store.unreadable import Unreadable


class Index:
    """What each subscriber follows."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys

    async def enter(self, lane: Lane, since: datetime) -> bool:
        """Enter a subscription; returns whether replicas hold the entry, as `Connection.keep` does."""
        key = self._keys.executions_of(lane.account, lane.team_id, lane.subscriber_id)
        _, is_replicated = await self._connection.keep(
            "subscriptions/enter", key, lane.execution_id, milliseconds(since - EPOCH)
        )
        return is_replicated

    async def remove(self, lane: Lane) -> None:
        """Remove a subscription that is gone, unless it is there again."""
        async with self._connection.guarded() as redis:
            await redis.zrem(
                self._keys.executions_of(lane.account, lane.team_id, lane.subscriber_id), lane.execution_id
            )
            row = await redis.hget(self._keys.subscriptions_of(lane.execution), lane.subscriber_id)
        if row:
            try:
                since = subscription_of(lane, str(row)).created_at
            except Unreadable:
                since = EPOCH
            await self.enter(lane, since)

    async def of(self, account: str, subscriber: Subscriber) -> list[Lane]:
        """The lanes of a subscriber, the oldest subscription first."""
        async with self._connection.guarded() as redis:
            found = await redis.zrange(self._keys.executions_of(account, subscriber.team_id, subscriber.id), 0, -1)
        return [lane_of(account, subscriber, str(execution_id)) for execution_id in found]
