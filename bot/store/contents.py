"""All that a store holds, of every owner: for operators, not for workers.

Lives here: `Contents`, which finds subscriptions by scanning the keys. Does not live here: one subscriber's (`index`).
Called by `bot.app` for `execution-bot store`, by `people`, and by `migrations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from bot.store.engine.connection import Connection
from bot.store.keys import Lane

BATCH = 500
"""How many keys one step of a scan looks at."""


class Contents:
    """Reads the whole store, in small steps."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys

    async def lanes(self) -> AsyncIterator[Lane]:
        """Every subscription, in no order. One that is created or ends meanwhile may be missing or come twice."""
        async for execution, rows in self.executions():
            for subscriber_id in rows:
                yield Lane.parse(f"{execution}/{subscriber_id}")

    async def executions(self) -> AsyncIterator[tuple[str, Mapping[str, str]]]:
        """Every execution key that somebody follows, with the rows of its subscriptions by subscriber id."""
        async with self._connection.guarded() as redis:
            async for key in redis.scan_iter(match=f"{self._keys.prefix}:{{p*}}:subs:*", count=BATCH):
                rows = await redis.hgetall(key)
                yield str(key).partition("}:subs:")[2], {str(name): str(row) for name, row in rows.items()}

    async def logged(self) -> AsyncIterator[str]:
        """Every execution key that has a log."""
        async with self._connection.guarded() as redis:
            async for key in redis.scan_iter(match=f"{self._keys.prefix}:{{p*}}:log:*", count=BATCH):
                yield str(key).partition("}:log:")[2]

    async def executions_of(self, number: int) -> Sequence[str]:
        """The key of every execution of partition `number` that somebody follows; some may come twice."""
        begin = f"{self._keys.partition(number)}subs:"
        async with self._connection.guarded() as redis:
            found = redis.scan_iter(match=f"{begin}*", count=BATCH)
            return [str(key).removeprefix(begin) async for key in found]

    async def workflows(self, account: str, team_id: str) -> list[str]:
        """What stands in keys for each workflow of an account that has a history, the one that ran last at the end."""
        async with self._connection.guarded() as redis:
            return [
                str(name) for name in await redis.zrange(f"{self._keys.history_of(account, team_id)}workflows", 0, -1)
            ]

    async def kept_under(self, begin: str) -> AsyncIterator[str]:
        """What the keys that begin with `begin` go on with; some may come twice."""
        async with self._connection.guarded() as redis:
            async for key in redis.scan_iter(match=f"{begin}*", count=BATCH):
                yield str(key).removeprefix(begin)

    async def subscriptions_by_scope(self) -> Mapping[str, int]:
        """How many subscriptions there are, by `<account>/<team>/` (`Owner.scope`)."""
        return Counter([f"{lane.account}/{lane.team_id}/" async for lane in self.lanes()])
