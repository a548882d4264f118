"""Slack's limits: so many calls of a method a minute, so many messages in a channel, for all copies of the bot.

Lives here: whose turn it is, and staying away when Slack says so or does not answer. Does not live here: what is called
(`bot.slack.client`), how urgent it is (`bot.workers.notifier`). Called by the notifier before and after each call,
and by listeners, which only stay away when Slack says so.

Each limit is a bucket that never lets more through in a minute than it says, whichever way the minute is laid: a tenth
at once, the rest evenly. Who is refused keeps a place in the bucket by priority and arrival, and is told when to come.
What a call has met is written patiently: nobody calls anyway while the store is away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from bot.store.engine.connection import Connection
from bot.store.keys import Lane, limits_of

WINDOW = timedelta(seconds=62)
"""Slack counts when calls arrive, we when they leave: a minute, and some for the way."""

SLOW_START = timedelta(seconds=30)
"""After Slack said «later», or was away: from a quarter of the rate to the whole in that time, without a burst."""

PROBE = timedelta(seconds=12)
"""The longest that one call takes, and with it the question whether Slack answers again."""

PLACE_KEPT = timedelta(seconds=10)
"""How much later than told somebody may come for their turn."""

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""Of everybody, while Slack does not answer."""

POST = "chat.postMessage"
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may go out now."""

    wait: timedelta
    """Zero: now."""
    is_away: bool
    """Whether Slack was not answering; who gets an answer then says so with `back`."""


class SlackLimits:
    """The limits of an app in its workspaces."""

    def __init__(self, connection: Connection, *, calls: int, posts: int, channel_posts: int) -> None:
        """Each a minute: `calls` of any one method, `posts` in a workspace, `channel_posts` in one channel of it."""
        self._connection = connection
        self._calls, self._posts, self._channel_posts = _bucket(calls), _bucket(posts), _bucket(channel_posts)

    async def admit(self, lane: Lane, method: str, *, priority: int, place: str = "") -> Admission:
        """Ask for a call of `method` about `lane`, for a post with the channel or person that reads it."""
        buckets: list[str | int] = [method, *(self._posts if method == POST else self._calls)]
        if place:
            buckets += [f"{method}:{place}", *self._channel_posts]
        wait, is_away = await self._connection.run(
            "slack_limits/admit", limits_of(lane.team_id), str(lane), int(priority), method, *_SPANS, *buckets
        )
        return Admission(timedelta(milliseconds=wait), bool(is_away))

    async def pause(self, team_id: str, method: str, span: timedelta) -> None:
        """Slack said to stay away from `method`, or with `*` from all of it, for so long."""
        await self._connection.run(
            "slack_limits/pause", limits_of(team_id), method, _micros(span), _micros(SLOW_START), patient=True
        )

    async def paused(self, team_id: str, method: str) -> timedelta:
        """For how long Slack still wants `method` to be left alone."""
        return timedelta(milliseconds=await self._connection.run("slack_limits/paused", limits_of(team_id), method))

    async def away(self, team_id: str) -> timedelta:
        """Slack did not answer: everybody stays away for the returned time, which grows while that goes on."""
        spans = [_micros(span) for span in (SHORTEST_PAUSE, LONGEST_PAUSE, SLOW_START)]
        return timedelta(
            milliseconds=await self._connection.run("slack_limits/away", limits_of(team_id), *spans, patient=True)
        )

    async def back(self, team_id: str) -> None:
        """Slack answers again."""
        await self._connection.run("slack_limits/back", limits_of(team_id), _micros(SLOW_START), patient=True)


def _bucket(per_minute: int) -> tuple[int, int]:
    """Microseconds between two calls, and of calls that may go at once, so that no window holds more than allowed.

    A window of `WINDOW` takes one call at its begin, the burst that was saved up, and what comes due within it.
    """
    burst = max(1, per_minute // 10)
    gap = ceil(WINDOW / _MICROSECOND / (per_minute - burst + 1))
    return gap, (burst - 1) * gap


def _micros(span: timedelta) -> int:
    return span // _MICROSECOND


_SPANS = tuple(_micros(span) for span in (SLOW_START, PROBE, PLACE_KEPT))
"""The first arguments of `admit`."""
