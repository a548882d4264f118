"""Failures between the app and the Web API, injected on purpose.

Lives here: `Fault`, and `Faults` (which one applies to a call). Does not live here: how it looks on the wire
(`web_api`). Added and cleared by tests and the demo.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal


@dataclass(kw_only=True)
class Fault:
    """One kind of failure, `times` times or, with None, until it is cleared.

    `drop_before`: the connection is closed without effect. `drop_after`: the call takes effect, then the connection is
    closed. `status`: that HTTP status, without effect. `status_after`: the same, with effect. `error`: Slack's code,
    without effect. `ratelimited`: 429. `slow`: effect and answer after `delay` seconds. `slow_after`: effect at once,
    answer after `delay` seconds. `silent`: no effect, and after `delay` seconds the connection is closed.
    """

    kind: Literal[
        "drop_before", "drop_after", "status", "status_after", "error", "ratelimited", "slow", "slow_after", "silent"
    ]
    method: str | None = None
    """Only calls of this method; None: any."""
    channel: str | None = None
    times: int | None = 1
    every: int = 1
    """The fault applies to every n-th matching call only."""
    status: int = 503
    error: str = "internal_error"
    retry_after: int = 1
    delay: float = 1.0
    passed: int = 0
    """Matching calls let through since the fault last applied."""


class Faults:
    """The active faults; if several match a call, the one added first applies."""

    def __init__(self) -> None:
        self._active: list[Fault] = []
        self.applied: Counter[str] = Counter()
        """Number of affected calls, by kind."""

    def add(self, fault: Fault) -> None:
        """Activate `fault`."""
        self._active.append(fault)

    def remove(self, fault: Fault) -> None:
        """Deactivate this one, if it is still active."""
        self._active = [each for each in self._active if each is not fault]

    def clear(self) -> None:
        """Deactivate all faults."""
        self._active.clear()

    def take(self, method: str, channel: str | None) -> Fault | None:
        """The fault for this call, if any; it is used up after its `times`."""
        for fault in self._active:
            if fault.method in {None, method} and fault.channel in {None, channel}:
                fault.passed = (fault.passed + 1) % fault.every
                if fault.passed:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.remove(fault)
                self.applied[fault.kind] += 1
                return fault
        return None
