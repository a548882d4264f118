"""The history: how long the runs and steps of each workflow took, and how its last runs ended.

Lives here: `History`. Does not live here: what follows from it (`bot.domain.estimate`), how it is written
(`history_rows`), moving it to another store (`bot.store.transfer`). Called by the watcher, `bot.reads` and
by what shows how earlier runs ended.

It belongs to a workflow, not to a subscription, and outlives all of them. An end is remembered once: its mark is made
of the execution and the moment, so a poll that is repeated, and a second copy of the bot, change nothing. It is a help
only: what is lost here costs an estimate, and no poll fails for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Any, NamedTuple

from bot.domain import estimate
from bot.domain.execution import Execution, Phase
from bot.domain.past import NOTHING_TYPICAL, Past, Typical, step_keys, workflow_key
from bot.domain.snapshot import Snapshot
from bot.errors import StoreUnavailable
from bot.store.engine.connection import Connection
from bot.store.owner import Ownership
from bot.store.rows import milliseconds
from bot.store.schedule.history_rows import Kept, code_of, end_of, end_row, kept_of, mark_of

KEPT = timedelta(days=180)
"""How long a workflow that nobody runs is remembered."""

FRESH_SECONDS, SOON_SECONDS = 300.0, 30.0
"""How long what was read is used before it is read again: where it says something, and where too little is known."""

MOST_READ = 1000
"""At most how many workflows are kept in memory; beyond that, all are read again."""

MOST_WORKFLOWS = 1000
"""At most how many workflows of an account are remembered: those that were run last."""

MOST_FIELDS = 300
"""At most how many durations of a workflow are remembered by name, those of the run and of how it ended included."""


class _Read(NamedTuple):
    """What was read of a workflow."""

    until: float
    """How long it is used, by the clock."""
    typical: Typical


class History:
    """What is known of the workflows of this bot's account."""

    def __init__(self, connection: Connection, ownership: Ownership, *, clock: Callable[[], float] = monotonic) -> None:
        self._connection, self._ownership, self._clock = connection, ownership, clock
        self._read: dict[tuple[str, str], _Read] = {}

    async def typical(self, team_id: str, execution: Execution) -> Typical:
        """How long runs and steps of its workflow take; nothing for one without a workflow, or without a history."""
        workflow = workflow_key(execution)
        if not workflow:
            return NOTHING_TYPICAL
        read = self._read.get((team_id, workflow))
        if read is None or self._clock() > read.until:
            with suppress(StoreUnavailable):  # a poll must not fail for the sake of a help
                read = await self._fetch(team_id, workflow)
        return read.typical if read else NOTHING_TYPICAL

    async def past(self, team_id: str, execution: Execution) -> Past:
        """How the last runs of its workflow ended; this one too, once it has ended.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        workflow = workflow_key(execution)
        if not workflow:
            return Past()
        async with self._connection.guarded() as redis:
            rows = await redis.hmget(self._key(team_id, workflow), "ends", "good")
        return kept_of({"ends": str(rows[0] or ""), "good": str(rows[1] or "")}).past

    def ended(self, team_id: str, before: Snapshot, snapshot: Snapshot) -> asyncio.Future[Any] | None:
        """Remember how a run ended, if it ended between two polls; nobody needs to wait.

        Durations count for a run that succeeded at the first attempt, and was not suspended: each step's, and its own.
        """
        seen, workflow = snapshot.execution, workflow_key(snapshot.execution)
        if not workflow or not seen.is_terminal or seen.phase == before.execution.phase:
            return None
        is_good = seen.phase == Phase.SUCCEEDED
        counts = is_good and not snapshot.is_interrupted
        durations = list(_durations(snapshot)) if counts else []
        if counts and (read := self._read.get((team_id, workflow))) and not read.typical.run:
            self._read[team_id, workflow] = read._replace(until=0)  # this run may be the one that was missing
        args: list[str | int] = [
            self._connection.keys.workflow(workflow),
            mark_of(seen),
            seen.id,
            end_row(end_of(snapshot)),
            "1" if is_good else "",
            *(milliseconds(KEPT), MOST_WORKFLOWS, MOST_FIELDS),
        ]
        for field, seconds in durations[:MOST_FIELDS]:
            args += [field, code_of(seconds)]
        return self._connection.send("schedule/ended", self._home(team_id), *args)

    async def fields(self, account: str, team_id: str, workflow: str) -> Mapping[str, str]:
        """All that is stored of a workflow, by what stands for it in keys."""
        async with self._connection.guarded() as redis:
            rows = await redis.hgetall(f"{self._connection.keys.history_of(account, team_id)}of:{workflow}")
        return {str(field): str(row) for field, row in rows.items()}

    async def restore(self, account: str, team_id: str, workflow: str, rows: Mapping[str, str]) -> bool:
        """Bring what `fields` gave into this store; False where it knows the workflow, and keeps its own."""
        spread = estimate.spread_of(kept_of(rows).runs[-estimate.LAST :])
        shown = "" if spread is None else f"{spread:.3f}"
        args: list[str | int] = [workflow, milliseconds(KEPT), MOST_WORKFLOWS, shown]
        for field, row in list(rows.items())[:MOST_FIELDS]:
            args += [field, row]
        return bool(
            await self._connection.run("schedule/learnt", self._connection.keys.history_of(account, team_id), *args)
        )

    async def _fetch(self, team_id: str, workflow: str) -> _Read:
        home, name = self._home(team_id), self._connection.keys.workflow(workflow)
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._key(team_id, workflow))
            pipeline.hgetall(f"{home}spreads")
            rows, spreads = await pipeline.execute()
        kept = kept_of({str(field): str(row) for field, row in rows.items()})
        others = [_number(row) for other, row in spreads.items() if str(other) != name]
        typical = _typical(kept, estimate.pooled(others))
        if len(self._read) >= MOST_READ:
            self._read.clear()
        until = self._clock() + (FRESH_SECONDS if typical.run else SOON_SECONDS)
        read = self._read[team_id, workflow] = _Read(until, typical)
        return read

    def _key(self, team_id: str, workflow: str) -> str:
        return f"{self._home(team_id)}of:{self._connection.keys.workflow(workflow)}"

    def _home(self, team_id: str) -> str:
        return self._connection.keys.history_of(self._ownership.owner.account, team_id)


def _durations(snapshot: Snapshot) -> Iterable[tuple[str, float]]:
    """How long the run, its wait and its steps took: field, seconds. Of steps with one key, the longest counts."""
    seen = snapshot.execution
    whole = estimate.time_taken(snapshot)
    if whole:
        yield "run", whole.total_seconds()
    if snapshot.waited is not None:
        yield "wait", snapshot.waited.total_seconds()
    keys, longest = step_keys(seen.steps), dict[str, float]()
    for step in seen.steps:
        if step.is_finished and not step.is_failed and step.elapsed:
            key = keys[step.name]
            longest[key] = max(longest.get(key, 0.0), step.elapsed.total_seconds())
    for key, seconds in longest.items():
        yield f"step:{key}", seconds


def _typical(kept: Kept, spread: float) -> Typical:
    steps = {name: estimate.usual_of(seconds, spread=spread) for name, seconds in kept.steps.items()}
    known = {name: usual for name, usual in steps.items() if usual is not None}
    wait = estimate.usual_of(kept.waits, spread=estimate.WAIT_SPREAD)
    return Typical(estimate.usual_of(kept.runs, spread=spread), known, wait)


def _number(text: object) -> float:
    with suppress(ValueError):
        return float(str(text))
    return 0.0  # not counted
