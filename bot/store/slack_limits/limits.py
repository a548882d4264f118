"""Slack's limits: so many calls of a method a minute, so many messages in a channel, for all copies of the bot.

Lives here: the rate limiter, and pauses when Slack asks for one or does not answer. Does not live here: what is called
(`bot.slack.client`), how urgent it is (`bot.workers.notifier`). Called by the notifier before and after each call, and
by listeners, which respect pauses, and ask before they post an answer.

Each limit is a bucket that lets no more through in a minute than it says, wherever the minute begins: a tenth at once,
the rest evenly. A lane that is refused keeps a place in the bucket by priority and arrival, and learns when to come
back. The outcome of a call is written patiently: nobody calls anyway while the store is down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from bot.store.engine.connection import Connection
from bot.store.keys import Lane

WINDOW = timedelta(seconds=62)
"""Slack counts when calls arrive, we count when they leave: a minute, and some for the way."""

SLOW_START = timedelta(seconds=30)
"""How long after a pause until the whole rate is used: it begins with a quarter of it, without a burst."""

PROBE = timedelta(seconds=12)
"""How long one call takes at most, and with it the probe whether Slack answers again."""

PLACE_KEPT = timedelta(seconds=10)
"""How much later than said a lane may come back before it loses its place."""

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""How long all calls pause while Slack does not answer."""

POST = "chat.postMessage"
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may go out now."""

    wait: timedelta
    """Zero: now."""
    is_away: bool
    """Whether Slack was not answering; a caller that gets an answer then says so with `back`."""


class SlackLimits:
    """The limits of an app in its workspaces."""

    def __init__(self, connection: Connection, *, calls: int, posts: int, channel_posts: int) -> None:
        """Each a minute: `calls` of any one method, `posts` in a workspace, `channel_posts` in one channel of it."""
        self._connection, self._of = connection, connection.keys.limits_of
        self._calls, self._posts, self._channel_posts = _bucket(calls), _bucket(posts), _bucket(channel_posts)

    async def admit(
        self, lane: Lane, method: str, *, priority: int, leads_up: bool = False, place: str = ""
    ) -> Admission:
        """Ask for a call of `method` about `lane`, for a post with the channel or person as `place`.

        `leads_up`: it has its priority from a message that comes after it, so those that have it themselves go first.
        """
        rank = priority + 0.5 if leads_up else priority
        return await self._admit(lane.team_id, str(lane), method, priority=rank, place=place)

    async def admit_answer(self, team_id: str, person_id: str, name: str) -> Admission:
        """Ask to post the answer `name` to a person in their direct messages: among the first, as outcomes are."""
        return await self._admit(team_id, f"answer/{name}", POST, priority=0, place=person_id)

    async def _admit(self, team_id: str, lane: str, method: str, *, priority: float, place: str) -> Admission:
        buckets: list[str | int] = [method, *(self._posts if method == POST else self._calls)]
        if place:
            buckets += [f"{method}:{place}", *self._channel_posts]
        wait, is_away = await self._connection.run(
            "slack_limits/admit", self._of(team_id), lane, f"{priority:g}", method, *_SPANS, *buckets
        )
        return Admission(timedelta(milliseconds=wait), bool(is_away))

    async def pause(self, team_id: str, method: str, span: timedelta) -> None:
        """Slack said that `method`, or with `*` any of them, must not be called until `span` is over."""
        await self._connection.run(
            "slack_limits/pause",
            self._of(team_id),
            method,
            _micros(span),
            _micros(SLOW_START),
            patient=True,
        )

    async def paused(self, team_id: str, method: str) -> timedelta:
        """For how long `method` is still paused."""
        return timedelta(milliseconds=await self._connection.run("slack_limits/paused", self._of(team_id), method))

    async def away(self, team_id: str) -> timedelta:
        """Slack did not answer: all calls pause for the returned time, which grows while that goes on."""
        spans = [_micros(span) for span in (SHORTEST_PAUSE, LONGEST_PAUSE, SLOW_START)]
        return timedelta(
            milliseconds=await self._connection.run("slack_limits/away", self._of(team_id), *spans, patient=True)
        )

    async def outage(self, team_id: str) -> timedelta | None:
        """While Slack does not answer: for how long nobody calls it, zero when one call is to find out; else None."""
        wait = await self._connection.run("slack_limits/outage", self._of(team_id))
        return None if wait < 0 else timedelta(milliseconds=wait)

    async def back(self, team_id: str) -> None:
        """Slack answers again."""
        await self._connection.run("slack_limits/back", self._of(team_id), _micros(SLOW_START), patient=True)


def _bucket(per_minute: int) -> tuple[int, int]:
    """Microseconds between two calls, and of calls that may go at once, so that no window holds more than allowed.

    A window of `WINDOW` takes one call when it begins, the burst that was saved up, and what comes due within it.
    """
    burst = max(1, per_minute // 10)
    gap = ceil(WINDOW / _MICROSECOND / (per_minute - burst + 1))
    return gap, (burst - 1) * gap


def _micros(span: timedelta) -> int:
    return span // _MICROSECOND


_SPANS = tuple(_micros(span) for span in (SLOW_START, PROBE, PLACE_KEPT))
"""The first arguments of `admit`."""
