"""Whether to believe a deletion that GCS has confirmed: GCS must show something of ours, and not lose much at once.

Lives here: `Deletions`, the evidence besides the poll itself. Does not live here: what a poll means
(`bot.domain.observing`), counting endings (`bot.store.brake`). Called by the watcher.

A wrong region or project looks to polls as if everything were deleted. The difference is that nothing of ours is
shown there. Other polls mostly know; else the first pages of the lists are asked. That a list still shows the deleted
execution proves nothing, since GCS leaves it there for a while. A deletion that GCS has shown under way needs no proof.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

import structlog

from bot.domain.execution import Phase
from bot.errors import ExecutionNotFound, GCSError, GCSForbidden, GCSRequestRefused, StoreUnavailable
from bot.gcs.client import GCSClient
from bot.gcs.listed_ids import ListedId
from bot.store.brake import NOT_FOUND, Brake
from bot.store.keys import owner_of
from bot.store.rows import EPOCH
from bot.store.schedule import Due

LISTS = ("Running", "Pending", "")
"""The lists that are asked, by phase; the last one is of all executions."""

FRESH = timedelta(minutes=1)
"""How long the lists' answer is used."""

WITHIN = timedelta(seconds=4)
"""How long one more answer about a missing execution may take."""

APART = timedelta(seconds=1)
"""How long after one answer a call surely began: times are counted from the claim, which may be a little earlier."""

REMEMBERED = 300
"""How many polls that showed something are remembered: those of at least a minute, since each begins after the last."""

log = structlog.get_logger()


class _Reading(NamedTuple):
    """What the first pages of the lists show."""

    began: datetime
    ended: datetime
    shown: tuple[ListedId, ...] | None
    """Their items; None where GCS does not let the bot read lists."""
    has_project: bool = True
    """False where GCS says that there is no such list: one always exists where it has our project."""

    def names(self, ours: frozenset[str]) -> bool:
        """Whether one of the executions that are followed is shown."""
        return any(item.execution_id in ours for item in self.shown or ())


class _Lists:
    """Reads the lists, each when the ones before showed nothing of ours."""

    def __init__(self, gcs: GCSClient) -> None:
        self._gcs = gcs
        self._reading = asyncio.Lock()
        self._last = _Reading(EPOCH, EPOCH, None)

    async def read(self, ours: frozenset[str], *, since: datetime, now: datetime) -> _Reading:
        """What they show, read after `since`.

        Raises:
            GCSError: they cannot be read at present.
        """
        async with self._reading:
            if not since <= self._last.began or now - self._last.began > FRESH:
                self._last = await self._read(ours, now)
            return self._last

    async def _read(self, ours: frozenset[str], began: datetime) -> _Reading:
        found: list[ListedId] = []
        started = monotonic()
        reading = _Reading(began, began, ())
        for status in LISTS:
            try:
                found += await self._gcs.list_ids(status)
            except (GCSForbidden, GCSRequestRefused) as error:
                log.warning("watcher.lists_refused", error=str(error))
                return reading._replace(shown=None)
            except ExecutionNotFound:
                return reading._replace(has_project=False)
            reading = _Reading(began, began + timedelta(seconds=monotonic() - started), tuple(found))
            if reading.names(ours):
                break
        return reading


class Deletions:
    """What this process knows about executions that are missing."""

    def __init__(self, gcs: GCSClient, brake: Brake) -> None:
        self._gcs, self._brake, self._lists = gcs, brake, _Lists(gcs)
        self._shown: deque[tuple[datetime, datetime]] = deque(maxlen=REMEMBERED)
        """Polls that showed an execution: when they began and ended, in the store's time; one after the other."""

    async def shown(self, due: Due, *, now: datetime) -> None:
        """GCS showed an execution that is followed."""
        if not self._shown or due.now > self._shown[-1][1]:
            self._shown.append((due.now, now))
        if not due.header.is_quiet and due.snapshot.missing > 1:
            with suppress(StoreUnavailable):  # then the brake forgets it by itself, later
                await self._brake.recovered(owner_of(due.execution), due.execution)

    async def is_believed(self, due: Due, *, now: datetime) -> bool:
        """Whether what GCS says of a missing execution may end its subscriptions."""
        if due.snapshot.execution.phase == Phase.DELETING:
            return True
        owner = owner_of(due.execution)
        try:
            is_lost = await self._is_lost(due, owner, now)
        except GCSError as error:  # polled again soon; meanwhile nothing ends
            log.info("watcher.deletion_unproven", execution=due.execution, error=str(error))
            return False
        is_believed = is_lost is not None and await self._brake.may_end(
            owner, NOT_FOUND, due.execution, is_lost=is_lost
        )
        if not is_believed:
            log.info("watcher.deletion_unbelieved", execution=due.execution, is_lost=is_lost)
        return is_believed

    async def _is_lost(self, due: Due, owner: str, now: datetime) -> bool | None:
        """Whether GCS shows nothing of ours since it first said that this execution does not exist; None: it exists."""
        since = due.snapshot.seen_at
        # A poll that was under way at either answer proves nothing: GCS may have lost everything during it.
        if any(since + APART < began and ended + APART < due.now for began, ended in self._shown):
            return False
        followed = await self._brake.followed(owner)
        ours = frozenset(key.rpartition("/")[2] for key in followed)
        reading = await self._lists.read(ours, since=since, now=now)
        if not reading.has_project:
            return True
        if reading.names(ours):
            # Lists that were read after this poll prove nothing either, until GCS says once more that it is missing.
            return False if reading.ended + APART < due.now or await self._is_still_missing(due) else None
        if reading.shown is None or len(followed) > 1:
            return len(followed) > 1
        # It is the only one that is followed: lists show no other one of ours, but they show whose they are.
        projects = {item.project_id for item in reading.shown} - {""}
        own = due.snapshot.execution.project_id
        return bool(own and projects and own not in projects)

    async def _is_still_missing(self, due: Due) -> bool:
        try:
            await self._gcs.get_execution(due.execution_id, within=WITHIN)
        except ExecutionNotFound:
            return True
        return False
