"""The store as its operators see it: what waits in it, and whether the server keeps what it is given.

Lives here: `Inspection`. Does not live here: what is said about it (`bot.app.store_probe`, `bot.app.checks`, which call
it). Everything here only reads, and is asked for about once a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import ResponseError

from bot.errors import StoreUnavailable
from bot.store.engine.connection import Connection
from bot.store.rows import at

LANES = 200
"""At most this many lanes of each partition and priority are read."""

_COUNTS = 4
"""How many numbers a partition's row begins with."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is in the store."""

    executions: int
    subscriptions: int
    dead_letters: int
    ages: tuple[timedelta, ...]
    """By priority of the outbox: for how long the oldest change has been waiting; zero where none waits."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the servers say about themselves; of several, the worst."""

    evicts: str
    """The eviction policy; empty for `noeviction`."""
    is_limited: bool
    """Whether there is a limit of memory, so that the policy matters."""
    has_file: bool
    """Whether writes go to an append-only file."""
    fsync: str
    """When that is flushed to disk: `always`, `everysec` or `no`; empty when the server does not say."""
    replicas: int
    """How many replicas the server with the fewest has."""
    failed_writes: tuple[str, ...]
    """Which of `append-only file`, `rewrite` and `snapshot` could not be written the last time."""


class Inspection:
    """Asks the store about itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def backlog(self) -> Backlog:
        """What is in the store.

        Raises:
            StoreUnavailable: a part of it does not answer.
        """
        rows = await self._connection.run_everywhere("inspection/backlog", LANES)
        for row in rows:
            if isinstance(row, StoreUnavailable):
                raise row
        places = range(_COUNTS, len(rows[0]))
        ages = [max(_age(at(row[0]), row[place]) for row in rows) for place in places]
        executions, subscriptions, dead_letters = (sum(row[place] for row in rows) for place in (1, 2, 3))
        return Backlog(executions, subscriptions, dead_letters, tuple(ages))

    async def server(self) -> ServerState | None:
        """What the servers say; None when the store's user may not ask.

        Raises:
            StoreUnavailable: one of them does not answer.
        """
        sections = [await self._connection.info(section) for section in ("memory", "persistence", "replication")]
        if any(section is None for section in sections):
            return None
        memory, persistence, replication = (section or [] for section in sections)
        policies = {str(each.get("maxmemory_policy", "noeviction")) for each in memory} - {"noeviction"}
        return ServerState(
            evicts=min(policies, default=""),  # `allkeys-…` before `volatile-…`
            is_limited=any(each.get("maxmemory") for each in memory),
            has_file=all(each.get("aof_enabled") for each in persistence),
            fsync=await self._fsync(),
            replicas=min(int(each.get("connected_slaves", 0)) for each in replication),
            failed_writes=tuple(sorted({word for each in persistence for word in _failed(each)})),
        )

    async def _fsync(self) -> str:
        """`appendfsync`; many providers do not let anybody read it."""
        async with self._connection.guarded() as redis:
            try:
                found = await redis.config_get("appendfsync")
            except ResponseError:
                return ""
        return str(found.get("appendfsync", ""))


_WRITES = {
    "append-only file": "aof_last_write_status",
    "rewrite": "aof_last_bgrewrite_status",
    "snapshot": "rdb_last_bgsave_status",
}
"""What a server writes, and the field that says whether it could."""


def _failed(persistence: dict[str, Any]) -> list[str]:
    return [word for word, field in _WRITES.items() if persistence.get(field, "ok") != "ok"]


def _age(now: datetime, since: str) -> timedelta:
    return max(timedelta(0), now - datetime.fromisoformat(since)) if since else timedelta(0)
