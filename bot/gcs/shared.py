"""People's questions about executions: those about the same one share a call to GCS.

Lives here: one call at a time for each execution, whose answer everybody gets who asks meanwhile or shortly after. Does
not live here: the call (`bot.gcs.client`), polls, which are claimed one by one (`bot.workers.watcher`). Called by
`bot.subscriptions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.model import Execution
from bot.gcs.client import GCSClient, Name, unnamed
from bot.gcs.fingerprint import Fingerprint, fingerprint_of

GOOD_FOR = timedelta(seconds=2)
"""How long an answer is given to others who ask; longer, and people would see it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What GCS answered, and when."""

    execution: Execution
    fingerprint: Fingerprint
    at: datetime


class SharedReads:
    """Reads executions for people, each at most once at a time."""

    def __init__(self, client: GCSClient, *, within: timedelta, now: Callable[[], datetime]) -> None:
        """`within`: at most how long a person waits for GCS."""
        self._client, self._within, self._now = client, within, now
        self._under_way: dict[str, asyncio.Task[Read]] = {}
        self._answers: dict[str, Read] = {}
        """The answers of the last `GOOD_FOR`."""

    async def get(self, execution_id: str, *, newer_than: datetime | None = None, name: Name = unnamed) -> Read:
        """The execution as GCS has it now, or had it a moment ago, but not before `newer_than`.

        `name`: as with the client.

        Raises:
            InvalidInput, GCSError: as from `GCSClient.get_execution`.
        """
        execution_id, now = execution_id.strip().casefold(), self._now()
        self._answers = {key: read for key, read in self._answers.items() if now - read.at < GOOD_FOR}
        known = self._answers.get(execution_id)
        if known is not None and (newer_than is None or known.at >= newer_than):
            return known
        task = self._under_way.get(execution_id)
        if task is None:
            task = self._under_way[execution_id] = asyncio.create_task(self._read(execution_id, name))
        return await asyncio.shield(task)  # one who gives up takes the answer from nobody

    async def _read(self, execution_id: str, name: Name) -> Read:
        try:
            response = await self._client.get_execution(execution_id, within=self._within, is_person=True, name=name)
            read = Read(response.to_execution(), fingerprint_of(response), self._now())
            self._answers[execution_id] = read
            return read
        finally:
            del self._under_way[execution_id]
