"""The history: how long the steps of each workflow have taken, so that the watcher knows when to expect a change.

Lives here: `History`. Does not live here: when the next poll is (`bot.domain.cadence.running_interval`). Called by the
watcher. It is a hint only: what is lost or wrong here makes a poll earlier or later, within that function's bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Any

from bot.domain.model import Execution
from bot.errors import StoreUnavailable
from bot.store.engine.connection import Connection
from bot.store.owner import Ownership
from bot.store.rows import milliseconds

KEPT = timedelta(days=90)
"""How long a workflow that nobody runs is remembered."""

FRESH_SECONDS = 300.0
"""How long durations are used before they are read again."""

MOST_WORKFLOWS = 1000
"""At most so many workflows are kept in memory; beyond that, all are read again."""


class History:
    """Typical durations of steps, by workspace, workflow and name."""

    def __init__(self, connection: Connection, ownership: Ownership, *, clock: Callable[[], float] = monotonic) -> None:
        self._connection, self._ownership, self._clock = connection, ownership, clock
        self._read: dict[str, tuple[float, dict[str, timedelta]]] = {}

    async def typical(self, team_id: str, execution: Execution) -> Mapping[str, timedelta]:
        """Step name → how long it has taken on the average; empty for a workflow without history, or without a name."""
        key = self._key(team_id, execution)
        if not key:
            return {}
        read_at, found = self._read.get(key, (None, {}))
        if read_at is None or self._clock() - read_at > FRESH_SECONDS:
            with suppress(StoreUnavailable):  # a poll must not fail for the sake of a hint
                found = await self._fetch(key)
        return found

    def learn(self, team_id: str, before: Execution, seen: Execution) -> asyncio.Future[Any] | None:
        """Remember how long the steps took that finished between two polls, if any did; nobody needs to wait."""
        key = self._key(team_id, seen)
        rested = {step.name for step in before.steps if step.is_finished}
        took = [
            item
            for step in seen.steps
            if step.is_finished and not step.is_failed and step.name not in rested and step.elapsed
            for item in (step.name, milliseconds(step.elapsed))
        ]
        return self._connection.send("schedule/learn", key, milliseconds(KEPT), *took) if key and took else None

    def _key(self, team_id: str, execution: Execution) -> str:
        workflow = execution.workflow_id or execution.workflow_name
        return self._connection.keys.durations_of(self._ownership.owner.account, team_id, workflow)

    async def _fetch(self, key: str) -> dict[str, timedelta]:
        async with self._connection.guarded() as redis:
            rows = await redis.hgetall(key)
        if len(self._read) >= MOST_WORKFLOWS:
            self._read.clear()
        found = {}
        for name, row in rows.items():
            with suppress(ValueError, OverflowError):  # one that cannot be read is learned again
                found[str(name)] = timedelta(milliseconds=int(str(row).partition("|")[2]))
        self._read[key] = (self._clock(), found)
        return found
