"""Slack's rate limits: so many calls of a method a minute, and about a message a second in a channel.

Lives here: counting, and what assertions ask of the counts. Does not live here: which method is in which tier
(`catalogue`), the 429 itself (`web_api`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import ceil

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
"""Calls a minute, by tier."""

MINUTE = 60.0


class Limits:
    """What was used. All numbers may be set; `is_on = False` lets everything through, counted all the same."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.is_on = True
        self.per_minute = dict(PER_MINUTE)
        self.posts_per_minute = 400
        """Messages in the whole workspace; Slack says «several hundred»."""
        self.channel_burst = 10
        """Messages at once in one channel, before it is one a second."""
        self.channel_rate = 1.0
        """Messages a second in one channel after that."""
        self.refused: Counter[str] = Counter()
        """429s, by method."""
        self._calls: dict[str, list[float]] = defaultdict(list)
        """When calls were let through: by method, and posts by channel too."""
        self._posts: dict[str, tuple[float, float]] = {}

    def wait(self, method: str, tier: int | None, channel: str | None) -> int:
        """Seconds after which to come back; 0, and the call is counted, when there is no need to."""
        most = self.per_minute[tier] if tier is not None else self.posts_per_minute if channel else None
        seconds = self._wait_for_method(method, most) if self.is_on and most else 0
        if self.is_on and channel and not seconds:
            seconds = self._wait_for_channel(channel)
        if not seconds:
            self._calls[method].append(self._now())
            if channel:
                self._calls[channel].append(self._now())
        return seconds

    def worst_minute(self, name: str) -> int:
        """Most calls of a method, or messages in a channel, in any minute so far, whichever way it is laid."""
        return most_within(self._calls[name], MINUTE)

    def _wait_for_method(self, method: str, most: int) -> int:
        now, calls = self._now(), self._calls[method]
        # Slack counts a sliding minute; the call that must leave it before another one is let in is this one.
        if len(calls) < most or calls[-most] <= now - MINUTE:
            return 0
        return max(1, ceil(calls[-most] + MINUTE - now))

    def _wait_for_channel(self, channel: str) -> int:
        now = self._now()
        left, before = self._posts.get(channel, (float(self.channel_burst), now))
        left = min(float(self.channel_burst), left + (now - before) * self.channel_rate)
        self._posts[channel] = (left - 1 if left >= 1 else left, now)
        return 0 if left >= 1 else max(1, ceil((1 - left) / self.channel_rate))


def most_within(moments: Sequence[float], seconds: float) -> int:
    """Most of these ascending moments that lie in one stretch of so many seconds."""
    most = begin = 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - seconds:
            begin += 1
        most = max(most, end - begin + 1)
    return most
