"""What was asked of the double, and waiting for it.

Lives here: `Call`, `Ledger`. Does not live here: the answers. Called by `server`, which writes, and by tests and
benchmarks, which read.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, written down when its answer is decided."""

    at: float
    """Monotonic wall time of its arrival."""
    method: str
    path: str
    query: str
    execution_id: str
    """Empty where the call is about no single execution."""
    status: int
    """Of the answer; 0 where none was sent."""
    user: str
    """Who it was by, as far as that was found out."""

    @property
    def is_query(self) -> bool:
        """Whether it counts against GCS's quota of queries, as opposed to a call of IAM."""
        return self.path.startswith("/v1/")


class Ledger:
    """All calls in the order of their arrival."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._counts = Counter[str]()
        self._news = asyncio.Condition()

    async def write(self, call: Call) -> None:
        """Add `call` and wake who waits for it."""
        async with self._news:
            self.calls.append(call)
            self._counts[call.execution_id] += 1
            self._news.notify_all()

    async def wait_for(self, execution_id: str, count: int, timeout: float) -> None:  # noqa: ASYNC109  # a test's promise
        """Return once there were `count` calls for `execution_id`; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(lambda: self._counts[execution_id] >= count)

    def worst_minute(self) -> int:
        """The most queries in any 60 seconds."""
        worst, window = 0, deque[float]()
        for at in sorted(call.at for call in self.calls if call.is_query):
            window.append(at)
            while at - window[0] >= 60:
                window.popleft()
            worst = max(worst, len(window))
        return worst
