"""Which lanes are claimed: all that are due; while Slack does not answer, what has just become due, and one that calls.

Lives here: `Claims`. Does not live here: whether Slack answers (`bot.store.slack_limits`, through `messenger`), which
lanes are due (`bot.store.outbox`). Called by `notifier` and its pool.

Without Slack a lane can do what needs no call, such as joining a catch-up message, and then has to wait. So it is
claimed once, when it becomes due, and then rests: it stays due, and what nobody claims costs nothing. When a pause is
over, each copy of the bot claims the lane that is first in order, and one of these calls. A lane in doubt comes before
others of its priority: what it calls first is a look for its message, which puts nothing else in doubt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from bot import metrics
from bot.store.engine.connection import Ready
from bot.store.outbox import RECENT, Claim, Outbox

FIRST = timedelta(days=1)
"""A resting lane that is in doubt is made due since that long ago: lanes that were due first are claimed first."""

STAYS_FIRST = timedelta(minutes=5)
"""How long a lane in doubt comes first. Then others probe, since its calls may fail for a reason of its own."""


class Claims:
    """The claims of one process."""

    def __init__(self, outbox: Outbox, outage: Callable[[], Awaitable[timedelta | None]]) -> None:
        """`outage`: while Slack does not answer, for how long nobody calls it, zero if somebody should; else None."""
        self._outbox, self._outage = outbox, outage
        self._is_away = False
        self._finds_out = False
        """Whether the next lane that is claimed is to call Slack."""
        self._finder: str | None = None
        """The token of the lane that is to call, while it is delivered."""

    async def ready(self) -> Ready:
        """Where lanes are due that are claimed now."""
        wait = await self._outage()
        self._is_away = wait is not None
        self._finds_out = wait == timedelta(0) and self._finder is None
        ready = await self._outbox.ready(is_recent=self._is_away and not self._finds_out)
        metrics.NOTIFIER_BACKLOG_LANES.set(ready.size)
        if self._finds_out:
            return ready._replace(partitions=ready.partitions[:1])
        return ready._replace(next_in=_earlier(ready.next_in, wait)) if wait else ready

    async def claim(self, number: int, limit: int) -> Sequence[Claim]:
        """Claim at most `limit` lanes of a partition."""
        if not self._finds_out:
            return await self._outbox.claim(number, limit, is_recent=self._is_away)
        claims = await self._outbox.claim(number, 1)
        self._finder = claims[0].token if claims else None
        return claims

    async def defer(self, claim: Claim, wait: timedelta, *, in_doubt: bool, code: str) -> None:
        """Give a lane back that has to wait: until Slack answers, if it does not."""
        if self._is_away and claim.token != self._finder:
            wait = -FIRST if in_doubt and _is_young(claim) else -RECENT
        await self._outbox.release(claim, wait=wait, in_doubt=in_doubt, code=code)

    @staticmethod
    def wait_after(claim: Claim, pause: timedelta, *, in_doubt: bool) -> timedelta:
        """How long a lane waits at least at whose call a `pause` began: until others are claimed, which rest."""
        return timedelta(0) if in_doubt and _is_young(claim) else pause

    def done(self, claim: Claim) -> None:
        """A lane was delivered, or not: if it was to call, Slack may answer, or the next lane is to call."""
        if claim.token == self._finder:
            self._finder = None
            self._outbox.deliveries.set()


def _is_young(claim: Claim) -> bool:
    """Whether a lane in doubt has been so for a short time only."""
    return claim.in_doubt_since is None or claim.now - claim.in_doubt_since < STAYS_FIRST


def _earlier(seconds: float | None, wait: timedelta) -> float:
    return wait.total_seconds() if seconds is None else min(seconds, wait.total_seconds())
