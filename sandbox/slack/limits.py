"""Slack's rate limits: so many calls of a method a minute, and about a message a second in a channel.

Lives here: counting. Does not live here: which method is in which tier (`catalogue`), the 429 itself (`web_api`).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from math import ceil

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
"""Calls a minute, by tier."""


class Limits:
    """What was used lately. All numbers may be set; `is_on = False` lets everything through."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.is_on = True
        self.per_minute = dict(PER_MINUTE)
        self.channel_burst = 10
        """Messages at once in one channel, before it is one a second."""
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._posts: dict[str, tuple[float, float]] = {}

    def wait(self, method: str, tier: int | None, channel: str | None) -> int:
        """Seconds after which to come back; 0, and the call is counted, when there is no need to."""
        if not self.is_on:
            return 0
        if tier is not None:
            return self._wait_for_method(method, self.per_minute[tier])
        return self._wait_for_channel(channel) if channel else 0

    def _wait_for_method(self, method: str, most: int) -> int:
        now, calls = self._now(), self._calls[method]
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= most:
            return max(1, ceil(calls[0] + 60 - now))
        calls.append(now)
        return 0

    def _wait_for_channel(self, channel: str) -> int:
        now = self._now()
        left, before = self._posts.get(channel, (float(self.channel_burst), now))
        left = min(float(self.channel_burst), left + now - before)
        self._posts[channel] = (left - 1 if left >= 1 else left, now)
        return 0 if left >= 1 else max(1, ceil(1 - left))
