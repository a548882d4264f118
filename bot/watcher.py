"""The room that watches GCS: claim what is due → fetch → compare → settle.

Lives here: the order of these steps, and which error means what to the watch. Does not live here: the rules
(`bot.changes`), the call (`bot.gcs`), the writing (`bot.store.schedule`). Started by the service; meets the other rooms
in the store only.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic

import structlog

from bot import changes, metrics
from bot.changes import Pace, Verdict
from bot.errors import ExecutionNotFound, GCSBadCredentials, GCSError, GCSThrottled
from bot.gcs.client import GCSClient, QuotaSpent
from bot.loops import Crew
from bot.store.budget import Budget
from bot.store.schedule import Due, Schedule

log = structlog.get_logger()

WITHIN = timedelta(seconds=20)
"""Time that one look may take with all its retries; less than the lease."""


class Watcher:
    """Looks at executions when they are due, and settles what it saw."""

    def __init__(self, gcs: GCSClient, schedule: Schedule, *, pace: Pace, budget: Budget, at_once: int = 64) -> None:
        self._gcs, self._schedule, self._pace, self._budget = gcs, schedule, pace, budget
        self._crew = Crew("watcher", ready=schedule.ready, claim=self._claim, do=self._look, at_once=at_once)
        self.trouble: str | None = None
        """Why GCS did not answer the last look; None when it did."""

    async def run_once(self) -> int:
        """Look at everything that is due, once."""
        return await self._crew.run_once()

    async def run(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        await self._crew.run(stop)

    async def _claim(self, number: int, limit: int) -> list[Due]:
        """Claim no more than may be looked at: what the quota does not allow stays due, the oldest first."""
        left = await self._budget.left()
        return await self._schedule.claim(number, min(limit, left)) if left else []

    async def _look(self, due: Due) -> None:
        metrics.WATCHER_LATE_SECONDS.observe(due.late.total_seconds())
        verdict = await self._verdict(due)
        settled = await self._schedule.settle(
            due,
            verdict.snapshot,
            verdict.changes,
            next_look=verdict.next_look,
            is_visible=verdict.is_visible,
        )
        if not settled:
            metrics.WATCHER_LOOKS.labels("superseded").inc()
            return
        for change in verdict.changes:
            metrics.WATCHER_CHANGES.labels(change.kind.value).inc()
            log.info("watcher.changed", execution=due.execution, kind=change.kind.value, revision=change.revision)

    async def _verdict(self, due: Due) -> Verdict:
        before, began = due.snapshot, monotonic()
        try:
            response = await self._gcs.get_execution(before.execution.id, within=WITHIN)
            seen = response.to_execution()
        except ExecutionNotFound:
            self._answered("missing")
            return changes.observe_missing(before, now=due.now + _since(began), pace=self._pace)
        except QuotaSpent as error:  # somebody took the call between the claim and the look
            metrics.WATCHER_LOOKS.labels("held").inc()
            return Verdict(snapshot=before, next_look=error.retry_after)
        except GCSError as error:
            metrics.WATCHER_LOOKS.labels("failed").inc()
            metrics.WATCHER_STOPPED.set(isinstance(error, GCSBadCredentials))
            self.trouble = f"{type(error).__name__}: {error}"
            log.warning("watcher.look_failed", execution=due.execution, error=self.trouble, misses=before.misses + 1)
            wait = error.retry_after if isinstance(error, GCSThrottled) else None
            return changes.observe_failure(before, pace=self._pace, wait=wait)
        self._answered("seen")
        return changes.observe(before, seen, now=due.now + _since(began), pace=self._pace)

    def _answered(self, result: str) -> None:
        metrics.WATCHER_LOOKS.labels(result).inc()
        metrics.WATCHER_STOPPED.set(0)
        self.trouble = None


def _since(began: float) -> timedelta:
    return timedelta(seconds=monotonic() - began)
