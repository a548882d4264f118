"""Slack's rate limits: calls per minute of each method, and about one message per second in a channel.

Lives here: counting, and the counts for assertions. Does not live here: the tier of each method (`catalogue`), the 429
itself (`web_api`). Called by `web_api`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import ceil

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
"""Calls per minute, by tier."""

MINUTE = 60.0


class Limits:
    """Counts calls. All numbers may be changed; with `is_on = False` every call is let through, but still counted."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.is_on = True
        self.per_minute = dict(PER_MINUTE)
        self.posts_per_minute = 400
        """Messages per minute in the whole workspace; Slack says "several hundred"."""
        self.channel_burst = 10
        """Messages at once in one channel, before the limit per second applies."""
        self.channel_rate = 1.0
        """Messages per second in one channel after that."""
        self.refused: Counter[str] = Counter()
        """429s, by method."""
        self._calls: dict[str, list[float]] = defaultdict(list)
        """Times of the calls let through, by method; of posts also by channel."""
        self._posts: dict[str, tuple[float, float]] = {}

    def wait(self, method: str, tier: int | None, channel: str | None) -> int:
        """Seconds to wait before trying again; 0 if the call may proceed, which counts it."""
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
        """The most calls of a method, or messages in a channel, in any sliding minute so far."""
        return most_within(self._calls[name], MINUTE)

    def _wait_for_method(self, method: str, most: int) -> int:
        now, calls = self._now(), self._calls[method]
        # Slack counts a sliding minute: `calls[-most]` must leave it before another call is allowed.
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
    """The most of these ascending moments within any `seconds`."""
    most = begin = 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - seconds:
            begin += 1
        most = max(most, end - begin + 1)
    return most
