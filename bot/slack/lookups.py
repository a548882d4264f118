"""Answers of Slack that are used for a while: one call at a time for each key, a bounded number of answers kept.

Lives here: `Lookups`. Does not live here: what is looked up (`access`, `channels`). Called by the siblings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Lookups(Generic[Answer]):
    """Answers by key. A failure is not kept: it is raised to everyone who waits for that call, and then forgotten."""

    def __init__(self, seconds: float, *, most: int) -> None:
        """Each answer is used for `seconds`; of more than `most` the oldest are forgotten."""
        self._seconds, self._most = seconds, most
        self._known: dict[str, tuple[float, Answer]] = {}
        self._running: dict[str, asyncio.Task[Answer]] = {}

    async def get(self, key: str, look_up: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer for `key`, from `look_up` unless known. A caller that stops waiting does not stop the call."""
        known = self._known.get(key)
        if known is not None and monotonic() - known[0] < self._seconds:
            return known[1]
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._look_up(key, look_up))
            self._running[key].add_done_callback(_seen)
        return await asyncio.shield(self._running[key])

    def note(self, key: str, answer: Answer) -> None:
        """Use an answer that came in another way."""
        self._known.pop(key, None)
        self._known[key] = (monotonic(), answer)
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def forget(self, key: str) -> None:
        """Look it up again the next time."""
        self._known.pop(key, None)

    async def _look_up(self, key: str, look_up: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await look_up()
        finally:
            del self._running[key]
        self.note(key, answer)
        return answer


def _seen(task: asyncio.Task[Answer]) -> None:
    """Nobody may be waiting for a failure any more; asyncio would log it as never retrieved."""
    if not task.cancelled():
        task.exception()
