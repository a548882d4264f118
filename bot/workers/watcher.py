"""Polls GCS: claim what is due → fetch → compare → settle.

Lives here: the order of these steps, and what each error of GCS means for an execution. Does not live here: the rules
(`bot.domain.observing`, `bot.domain.cadence`), the call (`bot.gcs`), writing (`bot.store.schedule`). Started by the
service; meets the other workers in the store only.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.audit import audit
from bot.domain import observing
from bot.domain.acting import Result
from bot.domain.cadence import Cadence, running_interval
from bot.domain.execution import Execution
from bot.domain.observing import Verdict
from bot.errors import (
    ExecutionNotFound,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMalformed,
    GCSThrottled,
    GCSTooLarge,
    StoreUnavailable,
)
from bot.gcs.client import GCSClient
from bot.gcs.errors import QuotaSpent, unseen
from bot.gcs.fingerprint import Fingerprint, fingerprint_of
from bot.gcs.retries import ATTEMPTS
from bot.gcs.tables import GetExecutionResponse
from bot.store import Store
from bot.store.engine.connection import Ready
from bot.store.gcs_quota import MOMENT_SECONDS, GCSQuota
from bot.store.schedule import Due
from bot.store.unreadable import Unreadable
from bot.workers.deletions import Deletions
from bot.workers.detection import Detection
from bot.workers.pool import Condition, WorkerPool

log = structlog.get_logger()

WITHIN = timedelta(seconds=12)
"""At most how long one poll may take, all its attempts included."""

RENEW_SECONDS = 1.5
"""How often the claims of polls that take this long are renewed: at least twice within a lease."""

ANSWERING_SECONDS = 10.0
"""How long after its last answer GCS is not taken to be away."""

_UNCHANGED = metrics.WATCHER_POLLS.labels("unchanged")


class Watcher:
    """Polls executions when they are due, and settles what it saw."""

    def __init__(
        self,
        gcs: GCSClient,
        store: Store,
        *,
        cadence: Cadence,
        quota: GCSQuota,
        has_operators: bool = False,
        concurrency: int = 64,
    ) -> None:
        """`has_operators`: whether people may have GCS cancel or retry what is polled."""
        self._gcs, self._cadence, self._quota = gcs, cadence, quota
        self._schedule, self._history = store.schedule, store.history
        self._deletions = Deletions(gcs, store.brake)
        self._acts = store.acts if has_operators else None
        self._pool = WorkerPool(
            "watcher",
            ready=self._ready,
            claim=self._claim,
            do=self._poll,
            wakeup=store.schedule.polls,
            concurrency=concurrency,
        )
        self._ready_again = Ready([], None, 0)
        self._ready_until = 0.0
        """Where something was due a moment ago and nothing was claimed since, and until when that is used."""
        self._paid = 0
        """Calls taken out of the quota for polls that are about to begin."""
        self._under_way: dict[str, tuple[float, Due]] = {}
        """Execution → when its poll began, and its claim."""
        self._condition = Condition()
        self._shows_others_seconds = max(ANSWERING_SECONDS, 3 * cadence.poll.total_seconds())
        """How long after its last answer GCS is expected to have shown another execution, if several are followed."""
        self._detection = Detection(cadence.poll)
        self._answered_at = -math.inf
        """When GCS last answered a poll."""

    @property
    def problem(self) -> str | None:
        """Why GCS did not answer the last poll, or why changes are seen late; None when all is well."""
        return self._condition.text or self._detection.problem

    async def run_once(self) -> int:
        """Poll everything that is due, once; returns how many executions that were."""
        polls = await self._pool.run_once()
        await self._schedule.settled()
        return polls

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set."""
        renewing = asyncio.create_task(self._renew_claims(), name="watcher renewal")
        try:
            await self._pool.run(stop)
            await self._schedule.settled()
        finally:
            renewing.cancel()

    async def _renew_claims(self) -> None:
        """Keep the claims of slow polls: leases are short, so that those of a dead worker end soon."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            slow = [due for began, due in self._under_way.values() if monotonic() - began >= RENEW_SECONDS]
            try:
                if slow:
                    await self._schedule.renew(slow)
            except Exception:  # a bug of ours; polls go on, and so do the next renewals
                log.exception("watcher.renewal_failed")

    async def _ready(self) -> Ready:
        """Where something is due; the store is asked again once all of it was claimed, or after `MOMENT_SECONDS`."""
        if not self._ready_again.partitions or monotonic() > self._ready_until:
            ready = self._schedule.ready()
            if self._ready_again.size:  # the claim will ask for calls: ask in the same round trip
                self._ready_again, _ = await asyncio.gather(ready, self._quota.left())
            else:
                self._ready_again = await ready
            self._ready_until = monotonic() + MOMENT_SECONDS
        return self._ready_again._replace(partitions=list(self._ready_again.partitions))

    async def _claim(self, number: int, limit: int) -> list[Due]:
        """Claim no more than the quota allows to poll; the rest stays due, the oldest first."""
        with suppress(ValueError):
            self._ready_again.partitions.remove(number)
        left = await self._quota.left(enough=1)
        claimed = await self._schedule.claim(number, min(limit, left)) if left else []
        with suppress(StoreUnavailable):  # then each poll takes its own call
            paid = await self._quota.take_up_to(len(claimed)) if claimed else 0
            self._paid += paid
        return claimed

    async def _poll(self, due: Due) -> None:
        began = monotonic()
        self._under_way[due.execution] = began, due
        try:
            await self._poll_since(began, due)
        except Unreadable as error:
            await self._schedule.set_aside(due.execution, due.token, error)
        finally:
            self._under_way.pop(due.execution, None)  # another claim of it may have ended first

    async def _poll_since(self, began: float, due: Due) -> None:
        metrics.WATCHER_LATE_SECONDS.observe(due.late.total_seconds())
        header = due.header
        is_quiet = header.is_quiet and not due.is_alarm
        known = Fingerprint(header.state, header.counts, header.is_covered) if is_quiet else None
        is_paid = self._paid > 0
        self._paid -= is_paid
        # A GCS that is away is called rarely; each poll is a repeat anyway.
        attempts = 1 if self._condition.text else ATTEMPTS
        try:
            response = await self._gcs.get_if_changed(
                due.execution_id,
                known=known,
                within=WITHIN,
                is_prepaid=is_paid,
                attempts=attempts,
                name=lambda: due.snapshot.execution.name,
            )
        except QuotaSpent:  # another call was faster; nothing more is claimed while none is left
            metrics.WATCHER_POLLS.labels("deferred").inc()
            self._schedule.put_back(due)
        except StoreUnavailable:  # so it is unknown whether a call is left
            self._schedule.put_back(due)
            raise
        except ExecutionNotFound:
            await self._settle(due, await self._missing(due, now=due.now + _since(began)))
        except GCSError as error:
            await self._settle(due, self._without_answer(due, error))
        else:
            self._set_well()
            now = due.now + _since(began)
            await self._deletions.shown(due, now=now)
            if response is None:
                self._unchanged(due, known, now=now)
            else:
                await self._seen(due, response, now=now)

    def _unchanged(self, due: Due, fingerprint: Fingerprint | None, *, now: datetime) -> None:
        """GCS showed the execution with the same fingerprint as before."""
        _UNCHANGED.inc()
        next_poll = running_interval(due.header.expected_at, now=now, cadence=self._cadence)
        next_poll = self._deferred(next_poll, due, fingerprint)
        self._schedule.settle_unchanged(due, seen_at=now, next_poll=next_poll)

    async def _seen(self, due: Due, response: GetExecutionResponse, *, now: datetime) -> None:
        """GCS showed the execution, and it may have changed."""
        metrics.WATCHER_POLLS.labels("seen").inc()
        seen = response.to_execution(now=now)
        typical = await self._history.typical(due.team_id, seen)
        verdict = observing.observe(due.snapshot, seen, now=now, cadence=self._cadence, typical=typical)
        fingerprint = fingerprint_of(response)
        if verdict.snapshot.is_quiet and verdict.next_poll is not None:
            verdict = replace(verdict, next_poll=self._deferred(verdict.next_poll, due, fingerprint))
        # Sent together with settling. If two watchers saw the same end, it counts once.
        self._history.ended(due.team_id, due.snapshot, verdict.snapshot)
        if verdict.changes:
            await self._note_act(due, seen, now=now)
        await self._settle(due, verdict, fingerprint=fingerprint)

    async def _note_act(self, due: Due, seen: Execution, *, now: datetime) -> None:
        """The change may come from a person's action whose answer was lost: then those who follow it read who it was.

        Written before the change is settled, or a crash in between would lose it.
        """
        if self._acts is not None and (act := await self._acts.noticed(due.team_id, seen, now=now)):
            audit(
                "action.ended",
                actor=act.by,
                team=due.team_id,
                execution=due.execution_id,
                action=act.action.value,
                result=Result.DONE.value,
                request_id=act.token,
            )

    def _deferred(self, next_poll: timedelta, due: Due, fingerprint: Fingerprint | None) -> timedelta:
        """A later `next_poll` if a list that is being read shows what this poll saw, and would show the next change."""
        is_listed = fingerprint is not None and fingerprint.is_covered and fingerprint.state == due.header.listed
        return max(next_poll, self._quota.defer_for) if is_listed else next_poll

    async def _missing(self, due: Due, *, now: datetime) -> Verdict:
        """GCS says that the execution does not exist."""
        metrics.WATCHER_POLLS.labels("missing").inc()
        self._set_well()
        if observing.is_confirmed(due.snapshot, now=now) and not await self._deletions.is_believed(due, now=now):
            return observing.observe_unbelieved(due.snapshot, cadence=self._cadence)
        return observing.observe_missing(due.snapshot, now=now)

    def _without_answer(self, due: Due, error: GCSError) -> Verdict:
        """GCS did not show the execution: the call failed."""
        metrics.WATCHER_POLLS.labels("failed").inc()
        metrics.WATCHER_STOPPED.set(isinstance(error, GCSBadCredentials))
        why = f"{type(error).__name__}: {error}"
        since_answer = monotonic() - self._answered_at
        # What GCS answers about one execution only is no problem of GCS's: it has just shown others.
        if isinstance(error, GCSTooLarge):
            self._set_well()  # it answers at length
        elif not isinstance(error, GCSMalformed | GCSForbidden) or since_answer > self._shows_others_seconds:
            self._condition.set(error.words)
        log.warning("watcher.poll_failed", execution=due.execution, error=why, misses=due.snapshot.misses + 1)
        retry_after = error.retry_after if isinstance(error, GCSThrottled) else None
        return observing.observe_failure(
            due.snapshot,
            cadence=self._cadence,
            why=unseen(error),
            others_answered=since_answer < ANSWERING_SECONDS,
            retry_after=retry_after,
        )

    async def _settle(self, due: Due, verdict: Verdict, *, fingerprint: Fingerprint | None = None) -> None:
        settled = await self._schedule.settle(
            due,
            verdict.snapshot,
            verdict.changes,
            next_poll=verdict.next_poll,
            is_visible=verdict.is_visible,
            is_expedited=verdict.is_expedited,
            fingerprint=fingerprint,
            expected_at=verdict.expected_at,
            alarm_at=verdict.alarm_at,
        )
        if not settled:
            metrics.WATCHER_POLLS.labels("superseded").inc()
            return
        if verdict.changes:
            self._detection.note(due.snapshot.execution, verdict.snapshot.execution, now=verdict.snapshot.seen_at)
        for change in verdict.changes:
            metrics.WATCHER_CHANGES.labels(change.kind.value).inc()
            log.info("watcher.changed", execution=due.execution, kind=change.kind.value, revision=change.revision)

    def _set_well(self) -> None:
        self._answered_at = monotonic()
        if self._condition.clear():
            metrics.WATCHER_STOPPED.set(0)


def _since(began: float) -> timedelta:
    return timedelta(seconds=monotonic() - began)
