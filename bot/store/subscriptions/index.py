"""The index: which executions a subscriber follows.

Lives here: `Index`. Does not live here: the subscriptions (`subscribers`), how rules take places (`rules`). Called by
their stores. What somebody follows by hand has an entry of its own. What only a rule follows is in the place that the
rule has taken for it, and once it has ended, in an entry until its last message is delivered.

Both are in other slots than the executions, so they cannot be written in one script with them. They may hold stale
entries, never miss one: an entry is added before and after subscribing, and checked again after its removal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.domain.following import Subscriber
from bot.store.engine.connection import Connection
from bot.store.keys import Lane, lane_of
from bot.store.rows import EPOCH, milliseconds, subscription_of
from bot.store.unreadable import Unreadable

SUBSCRIBING_FOR = timedelta(minutes=1)
"""How long an entry or a place may be there before its subscription is written, and is not stale."""

_ALL, _FIRST = -1, 0
"""The last of the places that a script reads."""


class Index:
    """What each subscriber follows."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys

    async def enter(
        self, lane: Lane, since: datetime, *, most: int | None = None, is_by_rule: bool = False
    ) -> bool | None:
        """Enter a subscription; with `most`, one that is about to be written, if that makes at most so many.

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
        """Remove a subscription that is gone or ending, unless it goes on; rules leave their places for it."""
        home = self._keys.rules_of(lane.account, lane.team_id)
        await self._connection.run("rules/leave", home, lane.subscriber_id, lane.execution_id)
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

    async def keep_ending(self, lane: Lane) -> None:
        """Before rules leave their places for a subscription that does not go on: have it found until it is forgotten.

        Its last message may wait for the end of quiet hours, and comes at once if its subscriber withdraws these.
        """
        async with self._connection.guarded() as redis:
            is_ending = await redis.hexists(self._keys.subscriptions_of(lane.execution), lane.subscriber_id)
        if is_ending:
            await self.enter(lane, EPOCH, is_by_rule=True)

    async def of(self, account: str, subscriber: Subscriber) -> list[tuple[Lane, bool]]:
        """The lanes of a subscriber, each once, and whether it is perhaps just being subscribed to."""
        async with self._connection.guarded() as redis:
            key = self._keys.executions_of(account, subscriber.team_id, subscriber.id)
            found: Any = await redis.zrange(key, 0, -1, withscores=True)
        # Places are read after the entries: one that is not there any more was removed, or a rule had its place before.
        now, (places,) = await self._places(account, subscriber.team_id, [subscriber.id], _ALL)
        begun_after = now - milliseconds(SUBSCRIBING_FOR)
        entries = {str(each): score < 0 and -score > begun_after for each, score in found}
        for each, taken in zip(places[::2], places[1::2], strict=True):
            entries[str(each)] = entries.get(str(each), False) or float(str(taken)) > begun_after
        return [(lane_of(account, subscriber, each), is_beginning) for each, is_beginning in entries.items()]

    async def that_have_any(self, account: str, team_id: str, subscriber_ids: Sequence[str]) -> list[str]:
        """Those of them that follow something, or did until a moment ago."""
        if not subscriber_ids:
            return []
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            for each in subscriber_ids:
                pipeline.exists(self._keys.executions_of(account, team_id, each))
            answers = await pipeline.execute()
        _, places = await self._places(account, team_id, subscriber_ids, _FIRST)
        return [each for each, *has in zip(subscriber_ids, answers, places, strict=True) if any(has)]

    async def _places(
        self, account: str, team_id: str, subscriber_ids: Sequence[str], last: int
    ) -> tuple[int, list[list[object]]]:
        """The store's time in ms; the places of each one's rules until the `last`: execution id, when taken, and so on.

        The store's clock wrote these moments, so it alone says how long ago they are.
        """
        home = self._keys.rules_of(account, team_id)
        now, *found = await self._connection.run("rules/places", home, last, *subscriber_ids)
        return int(now), found
