"""The index: which executions a subscriber follows.

Lives here: `Index`. Does not live here: the subscriptions (`subscribers`). Called by `subscribers` and `outbox`. It is
in another slot than the executions, so it cannot be written in one script with them. It may hold stale entries, never
miss one: an entry is added before and after subscribing, and checked again after its removal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.following import Subscriber
from bot.store.engine.connection import Connection
from bot.store.keys import Lane, lane_of
from bot.store.rows import EPOCH, milliseconds, subscription_of
from bot.store.unreadable import Unreadable

SUBSCRIBING_FOR = timedelta(minutes=1)
"""How long an entry may be there before its subscription is written, and is not stale."""


class Index:
    """What each subscriber follows."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys

    async def enter(
        self, lane: Lane, since: datetime, *, most: int | None = None, is_by_rule: bool = False
    ) -> bool | None:
        """Enter a subscription; with `most`, one that is about to be written, if there are no more than that with it.

        Those that only a rule has made do not count.

        Returns:
            Whether replicas hold the entry, as `Connection.keep` does; None if it was not entered.
        """
        key = self._keys.executions_of(lane.account, lane.team_id, lane.subscriber_id)
        is_entered, is_replicated = await self._connection.keep(
            "subscriptions/enter",
            key,
            lane.execution_id,
            milliseconds(since - EPOCH),
            most or "",
            "1" if is_by_rule else "",
        )
        return is_replicated if is_entered else None

    async def remove(self, lane: Lane) -> None:
        """Remove a subscription that is gone or ending, unless it goes on."""
        async with self._connection.guarded() as redis:
            await redis.zrem(
                self._keys.executions_of(lane.account, lane.team_id, lane.subscriber_id), lane.execution_id
            )
            row = await redis.hget(self._keys.subscriptions_of(lane.execution), lane.subscriber_id)
        if row:
            try:
                subscription = subscription_of(lane, str(row))
            except Unreadable:
                await self.enter(lane, EPOCH)
            else:
                if not subscription.is_ending:
                    await self.enter(lane, subscription.created_at, is_by_rule=subscription.is_by_rule_only)

    async def of(self, account: str, subscriber: Subscriber) -> list[tuple[Lane, bool]]:
        """The lanes of a subscriber, the oldest subscription first, and whether each is just being subscribed to."""
        async with self._connection.guarded() as redis:
            key = self._keys.executions_of(account, subscriber.team_id, subscriber.id)
            found: Any = await redis.zrange(key, 0, -1, withscores=True)
        begun_after = milliseconds(datetime.now(UTC) - SUBSCRIBING_FOR - EPOCH)
        return [
            (lane_of(account, subscriber, execution_id), score < 0 and -score > begun_after)
            for execution_id, score in found
        ]
