"""What GCS shows of executions to people: requests for the same one share a call.

Lives here: one call at a time for each execution, whose result goes to everybody who requests it meanwhile or shortly
after. Does not live here: the calls (`bot.gcs.client`), polls, which are claimed one by one (`bot.workers.watcher`).
Called by `bot.reads`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

from bot.domain.events import Event
from bot.domain.execution import Execution
from bot.gcs.client import GCSClient, LazyName, no_name
from bot.gcs.fingerprint import Fingerprint, fingerprint_of

GOOD_FOR = timedelta(seconds=2)
"""How long a result is reused; longer, and people would notice."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What GCS answered, and when."""

    content: T
    began: datetime
    """When the call began."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """What GCS answered about an execution, and when."""

    execution: Execution
    fingerprint: Fingerprint
    at: datetime


class SharedReads:
    """Reads executions and their events for people, each at most once at a time."""

    def __init__(self, client: GCSClient, *, within: timedelta, now: Callable[[], datetime]) -> None:
        """`within`: at most how long a person waits for GCS."""
        self._client, self._within, self._now = client, within, now
        self._executions = _Shared[tuple[Execution, Fingerprint]](self._time)
        self._events = _Shared[tuple[Event, ...]](self._time)

    async def get(self, execution_id: str, *, newer_than: datetime | None = None, name: LazyName = no_name) -> Read:
        """The execution as GCS has it now, or had it a moment ago; requested no earlier than `newer_than`.

        `name`: as with `GCSClient.get_execution`.

        Raises:
            InvalidInput, GCSError: as from `GCSClient.get_execution`.
        """
        requested_id = execution_id.strip().casefold()
        answer = await self._executions.get(requested_id, partial(self._read, requested_id, name), newer_than)
        return Read(*answer.content, answer.at)

    async def events(self, execution_id: str) -> tuple[Event, ...]:
        """What GCS says happened to its steps.

        Raises:
            InvalidInput, GCSError: as from `GCSClient.get_events`.
        """
        requested_id = execution_id.strip().casefold()
        read = partial(self._client.get_events, requested_id, within=self._within, is_person=True)
        return (await self._events.get(requested_id, read)).content

    def _time(self) -> datetime:
        return self._now()

    async def _read(self, execution_id: str, name: LazyName) -> tuple[Execution, Fingerprint]:
        response = await self._client.get_execution(execution_id, within=self._within, is_person=True, name=name)
        return response.to_execution(now=self._now()), fingerprint_of(response)


class _Shared(Generic[T]):
    """Answers of one kind, by execution."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._under_way: dict[str, tuple[datetime, asyncio.Task[Answer[T]]]] = {}
        """When each call began, and its answer."""
        self._answers: dict[str, Answer[T]] = {}
        """The answers of the last `GOOD_FOR`."""

    async def get(
        self, execution_id: str, read: Callable[[], Awaitable[T]], newer_than: datetime | None = None
    ) -> Answer[T]:
        """The last answer if it is still good, else that of `read`, perhaps of a call that others wait for."""
        now = self._now()
        self._answers = {key: answer for key, answer in self._answers.items() if abs(now - answer.at) < GOOD_FOR}
        known = self._answers.get(execution_id)
        if known is not None and (newer_than is None or known.began >= newer_than):
            return known
        began, task = self._under_way.get(execution_id, (now, None))
        if task is None or (newer_than is not None and began < newer_than):
            task = asyncio.create_task(self._read(execution_id, read, now))
            self._under_way[execution_id] = now, task
        return await asyncio.shield(task)  # who gives up must not cancel it for the others

    async def _read(self, execution_id: str, read: Callable[[], Awaitable[T]], began: datetime) -> Answer[T]:
        try:
            answer = Answer(await read(), began, self._now())
            known = self._answers.get(execution_id)
            if known is None or known.began <= began:  # a call that began later may have been faster
                self._answers[execution_id] = answer
            return answer
        finally:
            if self._under_way.get(execution_id, (None, None))[1] is asyncio.current_task():
                del self._under_way[execution_id]
