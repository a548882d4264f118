"""What GCS shows of an execution to a person who waits: its state, its events, and how earlier runs of it went.

Lives here: `Reads`, and `State`. Does not live here: the calls that people share (`bot.gcs.shared_reads`), the polls
that find changes (`bot.workers.watcher`), what people ask for (`bot.subscriptions`, which calls this).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from bot.domain import alarms, observing
from bot.domain.cadence import Cadence
from bot.domain.events import Event
from bot.domain.execution import Execution
from bot.domain.past import Past
from bot.domain.snapshot import Snapshot
from bot.errors import GCS_AWAY, GCSError, GCSForbidden, StoreUnavailable
from bot.gcs.client import GCSClient
from bot.gcs.errors import unseen
from bot.gcs.fingerprint import Fingerprint
from bot.gcs.shared_reads import Read, SharedReads
from bot.store.patience import in_time
from bot.store.schedule.history import History
from bot.store.subscriptions import Subscribers

WITHIN = timedelta(seconds=15)
"""At most how long a person waits for GCS."""


class State(NamedTuple):
    """What GCS shows of an execution, or has shown."""

    snapshot: Snapshot
    fingerprint: Fingerprint | None = None
    alarm_at: datetime | None = None
    """When time alone may be news."""


class Reads:
    """Reads what people ask for, from GCS and from what is known of it."""

    def __init__(
        self,
        gcs: GCSClient,
        subscribers: Subscribers,
        history: History,
        *,
        cadence: Cadence,
        now: Callable[[], datetime],
    ) -> None:
        self._shared = SharedReads(gcs, within=WITHIN, now=now)
        self._subscribers, self._history, self._cadence, self._now = subscribers, history, cadence, now

    async def state(self, team_id: str, execution_id: str, *, newer_than: datetime | None = None) -> State:
        """The state of an execution: no older than it is known already, and requested no earlier than `newer_than`.

        It is the last known one if GCS is away and somebody follows it.

        Raises:
            InvalidInput, GCSError: as from `GCSClient.get_execution`.
        """
        known, ahead = await self._last(team_id, execution_id)
        try:
            read = await self._read(execution_id, known, newer_than or (known.seen_at - ahead if known else None))
        except GCS_AWAY as error:
            if known is None:
                raise
            since = known.unreachable_since or known.seen_at
            return State(replace(known, unreachable_since=since, unseen=unseen(error)))
        typical = await in_time(self._history.typical(team_id, read.execution))
        snapshot = observing.first_snapshot(
            read.execution, now=read.at + ahead, cadence=self._cadence, known=known, typical=typical
        )
        return State(snapshot, read.fingerprint, alarms.next_at(snapshot, typical))

    async def fingerprint(self, team_id: str, execution_id: str) -> tuple[Fingerprint, datetime]:
        """The fingerprint of what GCS shows, requested after this call; and when it answered, by the store's clock.

        Raises:
            InvalidInput, GCSError: as from `GCSClient.get_execution`.
        """
        known, ahead = await self._last(team_id, execution_id)
        read = await self._read(execution_id, known, self._now())
        return read.fingerprint, read.at + ahead

    async def events(self, execution_id: str) -> tuple[tuple[Event, ...] | None, bool]:
        """The events of an execution, None if GCS does not show them; and whether it refuses to."""
        try:
            return await self._shared.events(execution_id), False
        except GCSError as error:
            return None, isinstance(error, GCSForbidden)

    async def past(self, team_id: str, execution: Execution) -> Past:
        """How earlier runs of its workflow ended; nothing while the store does not answer."""
        with suppress(StoreUnavailable):  # it is a help only
            return await in_time(self._history.past(team_id, execution))
        return Past()

    async def _last(self, team_id: str, execution_id: str) -> tuple[Snapshot | None, timedelta]:
        """The last snapshot, and how far the store's clock is ahead: this machine's may be wrong."""
        known, now = await in_time(self._subscribers.last(team_id, execution_id))
        return known, now - self._now()

    async def _read(self, execution_id: str, known: Snapshot | None, newer_than: datetime | None) -> Read:
        name = known.execution.name if known else ""
        return await self._shared.get(execution_id, newer_than=newer_than, name=lambda: name)
