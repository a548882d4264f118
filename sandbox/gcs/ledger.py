"""The record of all calls, and waiting for calls.

Lives here: `Call`, `Ledger`. Does not live here: the answers. Written by `server`, read by tests and benchmarks.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, recorded when its answer is decided."""

    at: float
    """Monotonic wall time of its arrival."""
    method: str
    path: str
    query: str
    execution_id: str
    """Empty when the call is not about one execution."""
    status: int
    """HTTP status of the answer; 0 when none was sent."""
    user: str
    """The caller, if identified."""

    @property
    def is_query(self) -> bool:
        """Whether it counts against GCS's quota, unlike a call to IAM."""
        return self.path.startswith("/v1/")


class Ledger:
    """All calls, in order of arrival."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._counts = Counter[str]()
        self._changed = asyncio.Condition()

    async def write(self, call: Call) -> None:
        """Add `call` and wake everyone who waits for it."""
        async with self._changed:
            self.calls.append(call)
            self._counts[call.execution_id] += 1
            self._changed.notify_all()

    async def wait_for(self, execution_id: str, count: int, timeout: float) -> None:  # noqa: ASYNC109  # a test's promise
        """Return after `count` calls for `execution_id`; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: self._counts[execution_id] >= count)

    def worst_minute(self) -> int:
        """The most queries in any 60 seconds."""
        worst, window = 0, deque[float]()
        for at in sorted(call.at for call in self.calls if call.is_query):
            window.append(at)
            while at - window[0] >= 60:
                window.popleft()
            worst = max(worst, len(window))
        return worst
