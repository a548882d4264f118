"""The table where the rooms meet: subscriptions, schedule, outbox, receipts, in Redis or Valkey.

Lives here: the `Store` that holds the parts together. The parts: `keys` (every key), `subscribers`, `schedule`,
`outbox` (each with its Lua scripts beside it), `connection`, `embedded`. Called by the rooms; only this package knows
redis.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.errors import StoreUnavailable
from bot.store.budget import Budget
from bot.store.connection import Connection
from bot.store.keys import PARTITIONS, partition
from bot.store.limits import Limits
from bot.store.outbox import Outbox
from bot.store.rows import milliseconds
from bot.store.schedule import Schedule
from bot.store.subscribers import Subscribers

__all__ = ["PARTITIONS", "Store"]

IN_FLIGHT = timedelta(seconds=3)
"""How long a message that a dead predecessor was sending may take to arrive, before one looks whether it did."""


class Store:
    """Everything the bot remembers."""

    def __init__(self, url: str, *, coalesce: timedelta) -> None:
        self._connection = Connection(url)
        self.subscribers = Subscribers(self._connection)
        self.schedule = Schedule(self._connection, coalesce=coalesce)
        self.outbox = Outbox(self._connection)

    def budget(self, user: str, *, per_minute: int, reserve: int) -> Budget:
        """The quota of one GCS user, shared with every other bot on this store."""
        return Budget(self._connection, user=user, per_minute=per_minute, reserve=reserve)

    def limits(self, *, calls: int, posts: int, channel_posts: int) -> Limits:
        """Slack's limits, each a minute, shared with every other bot on this store."""
        return Limits(self._connection, calls=calls, posts=posts, channel_posts=channel_posts)

    async def ping(self) -> None:
        """Ask for a sign of life.

        Raises:
            StoreUnavailable: there is none.
        """
        async with self._connection.guarded() as redis:
            await redis.ping()

    async def trouble(self) -> str | None:
        """What is wrong, or None."""
        try:
            await self.ping()
        except StoreUnavailable as error:
            return str(error)
        return None

    async def recover(self) -> int:
        """Take over what a dead predecessor had claimed; only where no other bot can be alive on this store.

        Returns:
            How many claims were taken over.
        """
        wait = milliseconds(IN_FLIGHT)
        return sum(
            await asyncio.gather(
                *(self._connection.run("recover", partition(number), wait) for number in range(PARTITIONS))
            )
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()
