"""What can go wrong between the app and the Web API, on purpose.

Lives here: `Fault`, and `Faults`: which one strikes. Does not live here: how it looks on the wire (`web_api`). Added
and cleared by tests and the demo.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal


@dataclass(kw_only=True)
class Fault:
    """One thing that goes wrong, `times` times or, with None, until it is cleared.

    `drop_before`: the connection is closed and nothing was done. `drop_after`: it was done, then the connection is
    closed. `status`: that HTTP status, nothing done. `status_after`: the same, but it was done. `error`: Slack's code,
    nothing done. `ratelimited`: 429. `slow`: done and answered after `delay` seconds. `slow_after`: done at once,
    answered after `delay` seconds. `silent`: nothing was done, and after `delay` seconds the connection is closed.
    """

    kind: Literal[
        "drop_before", "drop_after", "status", "status_after", "error", "ratelimited", "slow", "slow_after", "silent"
    ]
    method: str | None = None
    """None: any."""
    channel: str | None = None
    times: int | None = 1
    every: int = 1
    """Only each so-manieth call that fits is struck."""
    status: int = 503
    error: str = "internal_error"
    retry_after: int = 1
    delay: float = 1.0
    passed: int = 0
    """Calls that fitted and were let through since the last one that was struck."""


class Faults:
    """The faults that may strike; of several that fit, the one that was added first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.struck: Counter[str] = Counter()
        """By kind: how many calls so far."""

    def add(self, fault: Fault) -> None:
        """Let it strike from now on."""
        self._waiting.append(fault)

    def remove(self, fault: Fault) -> None:
        """Let this one strike no more, if it still does."""
        self._waiting = [each for each in self._waiting if each is not fault]

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting.clear()

    def strike(self, method: str, channel: str | None) -> Fault | None:
        """The fault for this call, used up by it."""
        for fault in self._waiting:
            if fault.method in {None, method} and fault.channel in {None, channel}:
                fault.passed = (fault.passed + 1) % fault.every
                if fault.passed:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.remove(fault)
                self.struck[fault.kind] += 1
                return fault
        return None
