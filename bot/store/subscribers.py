"""Subscriptions: who follows what.

Called by `bot.subscriptions`. The index of a subscriber's executions lies in another slot than the executions, so it
is written first and never together with them: it may hold too much, never too little. Reading it cleans it.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from bot.model import Snapshot, Subscriber, Subscription
from bot.store.connection import Connection
from bot.store.headers import Prints, first_text, snapshot_of
from bot.store.keys import Lane, execution_key, executions_of, home_of
from bot.store.rows import EPOCH, milliseconds, subscription_of, subscription_row

INDEX_KEPT = timedelta(hours=1)
"""How long an entry of the index stays without its subscription: that one may be on its way."""


LOOKED_AT = timedelta(seconds=30)
"""Half of the time for which somebody who has looked will look again, or go on reading."""


class Subscribers:
    """The subscriptions of all workspaces."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def subscribe(
        self, subscription: Subscription, snapshot: Snapshot, *, first_look: timedelta, prints: Prints | None = None
    ) -> tuple[Subscription | None, bool]:
        """Write `subscription`, watch its execution from `snapshot` if nobody does, and have the card posted.

        `prints` are those of the answer that `snapshot` was read from (`bot.gcs.glimpse`).

        Returns:
            The subscription that stood before, None if there was none; and whether it would outlive the server that
            has it, as far as the store has replicas at all.
        """
        lane = _lane(subscription.subscriber, subscription.execution_id)
        async with self._connection.guarded() as redis:
            index = executions_of(lane.team_id, lane.subscriber_id)
            await redis.zadd(index, {lane.execution_id: milliseconds(subscription.created_at - EPOCH)})
        while True:
            before, is_safe = await self._connection.keep(
                "subscribe",
                home_of(lane.execution),
                str(lane),
                subscription_row(subscription),
                first_text(snapshot, prints),
                milliseconds(first_look),
                snapshot.revision,
            )
            if not isinstance(before, int):
                return subscription_of(lane, before) if before else None, is_safe
            snapshot = replace(snapshot, revision=before + 1)

    async def unsubscribe(self, subscriber: Subscriber, execution_id: str) -> bool:
        """End a subscription; its card is edited once more. False when there was none."""
        lane = _lane(subscriber, execution_id)
        was_there, _ = await self._connection.keep("unsubscribe", home_of(lane.execution), str(lane))
        return bool(was_there)

    async def refresh(self, subscriber: Subscriber, execution_id: str) -> bool:
        """Have the card drawn anew and the execution looked at now. False when there is no such subscription."""
        lane = _lane(subscriber, execution_id)
        return bool(await self._connection.run("refresh", home_of(lane.execution), str(lane)))

    async def find(self, subscriber: Subscriber, execution_id: str) -> Subscription | None:
        """The subscription, unless there is none or it is ending."""
        lane = _lane(subscriber, execution_id)
        async with self._connection.guarded() as redis:
            row = await redis.hget(_subs(lane), lane.subscriber_id)
        subscription = subscription_of(lane, str(row)) if row else None
        return None if subscription is None or subscription.is_ending else subscription

    async def viewed(self, team_id: str, execution_id: str, *, soon: timedelta) -> bool:
        """Somebody looks at an execution: it is looked at sooner, for about a minute. False when nobody follows it."""
        execution = execution_key(team_id, execution_id)
        about = milliseconds(LOOKED_AT) // 1000
        return bool(await self._connection.run("viewed", home_of(execution), execution, about, milliseconds(soon)))

    async def snapshot(self, team_id: str, execution_id: str) -> Snapshot | None:
        """The last snapshot of a watched execution."""
        execution = execution_key(team_id, execution_id)
        async with self._connection.guarded() as redis:
            text = await redis.get(f"{home_of(execution)}snap:{execution}")
        return snapshot_of(str(text)) if text else None

    async def of(self, subscriber: Subscriber) -> list[tuple[Subscription, Snapshot | None]]:
        """What `subscriber` follows, oldest subscription first."""
        index = executions_of(subscriber.team_id, subscriber.id)
        async with self._connection.guarded() as redis:
            execution_ids = [str(execution_id) for execution_id in await redis.zrange(index, 0, -1)]
        found = []
        for execution_id in execution_ids:
            subscription = await self.find(subscriber, execution_id)
            if subscription is None:
                await self._connection.run("clean_index", index, execution_id, milliseconds(INDEX_KEPT))
            else:
                found.append((subscription, await self.snapshot(subscriber.team_id, execution_id)))
        return found


def _lane(subscriber: Subscriber, execution_id: str) -> Lane:
    return Lane(subscriber.team_id, execution_id, subscriber.id)


def _subs(lane: Lane) -> str:
    return f"{home_of(lane.execution)}subs:{lane.execution}"
