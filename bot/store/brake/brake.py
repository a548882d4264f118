"""The brake: it stops endings when too many come at once, since their reason is then probably wrong.

Lives here: `Brake`, which counts and decides for all copies of the bot, and says what is stopped. Does not live here:
whether a reason is good for one execution (`bot.workers.deletions`) or one destination (`bot.slack.errors`). Called by
the watcher and the notifier before each ending that nobody asked for, by `/readyz` and by `execution-bot release`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

import structlog

from bot import metrics
from bot.store.engine.connection import Call, Connection
from bot.store.keys import PARTITIONS, Lane
from bot.store.rows import at, milliseconds

LEAST = 5
"""How many may end for the reasons of one vendor within `WINDOW`, however few are followed."""

SHARE = 10
"""Of more than `LEAST` times this many executions, one in so many may end."""

WINDOW = timedelta(minutes=10)
"""The time within which endings are counted together."""

DEAD = timedelta(hours=1)
"""How long Slack must refuse a person or channel, since the brake went on, until what is for them ends all the same."""

RELEASED = timedelta(hours=6)
"""How long what an operator released may end: longer than the longest pause before it is tried again."""

FRESH_SECONDS = 60.0
"""How long a process uses its count of what is followed."""

STATE_SECONDS = 5.0
"""How long a process believes that nothing is braked before it asks again."""

NOT_FOUND = "gcs:not_found"
"""The reason when GCS says that an execution does not exist."""

log = structlog.get_logger()


def undeliverable(code: str) -> str:
    """The reason when Slack refuses a subscription's destination with `code`."""
    return f"slack:{code}"


class Braked(NamedTuple):
    """A reason for which nothing ends at present."""

    reason: str
    since: datetime
    limit: int
    kind: str
    """`count`, `fading` or `place` (`brake/prelude.lua`)."""
    waiting: int
    """How many would end."""

    @property
    def text(self) -> str:
        """What is stopped, why, and what to do, for those who run the bot."""
        vendor, _, code = self.reason.partition(":")
        if vendor != "gcs":
            what = f"Slack refuses what is followed with {code}"
            doubt, proof = "check the app and the channels", "these channels and people are really gone"
        elif self.kind == "place":
            what = "GCS shows nothing of what is followed: perhaps region or project is wrong"
            doubt, proof = "check GCS_REGION, GCS_PROJECT_ID and the key", "somebody has deleted all of it"
        else:
            what = "GCS says that what is followed does not exist"
            doubt, proof = "check GCS_PROJECT_ID and the rights of the key", "somebody has deleted these executions"
        return (
            f"{what} ({self.waiting} waiting), so nothing more ends for that: {doubt}; once that is right it goes on. "
            f"Only if {proof}, run `execution-bot release {self.reason}`"
        )


class Brake:
    """The brake of each workspace and account, shared through the store."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys
        self._followed: dict[str, tuple[float, frozenset[str]]] = {}
        self._on: dict[str, tuple[float, bool]] = {}
        """Whether something was braked when this process last asked, by owner."""

    async def may_end(self, owner: str, reason: str, item: str, *, is_lost: bool = False) -> bool:
        """Whether `item` may end for `reason` now; it counts as ended then, also if it is asked about again.

        `owner` is what keys of executions begin with. `is_lost`: GCS shows nothing of what is followed.

        Raises:
            StoreUnavailable: the store does not say.
        """
        followed = len(await self.followed(owner))
        limit = max(LEAST, followed // SHARE)
        may_end, went = await self._connection.run(
            "brake/ask",
            self._keys.brake_of(owner),
            reason,
            item,
            limit,
            milliseconds(WINDOW),
            milliseconds(DEAD),
            min(2, max(1, followed)) if is_lost else 0,
        )
        vendor = reason.partition(":")[0]
        if not may_end:
            metrics.BRAKE_REFUSED.labels(vendor).inc()
            self._on[owner] = monotonic(), True
        if went > 0:
            log.error("brake.on", owner=owner, reason=reason, limit=limit, followed=followed, is_lost=is_lost)
        elif went < 0:
            log.warning("brake.off", owner=owner, reason=reason)
        return bool(may_end)

    async def recovered(self, owner: str, item: str) -> None:
        """`item` goes on: GCS shows it, or Slack takes its messages. Costs nothing while nothing is braked.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        asked_at, is_on = self._on.get(owner, (None, False))
        if asked_at is None or monotonic() - asked_at > STATE_SECONDS:
            is_on = bool(await self.state(owner))
        if not is_on:
            return
        for reason in await self._connection.run(
            "brake/recovered", self._keys.brake_of(owner), item, milliseconds(WINDOW)
        ):
            log.warning("brake.off", owner=owner, reason=reason)

    async def state(self, owner: str) -> list[Braked]:
        """What is braked.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        rows = await self._connection.run("brake/state", self._keys.brake_of(owner))
        found = [Braked(reason, at(since), limit, kind, waiting) for reason, since, limit, kind, waiting in rows]
        self._on[owner] = monotonic(), bool(found)
        for vendor in ("gcs", "slack"):
            waiting = sum(each.waiting for each in found if each.reason.startswith(f"{vendor}:"))
            metrics.BRAKE_WAITING.labels(vendor).set(waiting)
        return found

    async def problem(self, owner: str) -> str | None:
        """What is braked for `owner`, or was lately for another one, in words for `/readyz`; None when nothing is.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        owners = {owner, *(other for other, (_, is_on) in self._on.items() if is_on)}
        return "; ".join([each.text for name in sorted(owners) for each in await self.state(name)]) or None

    async def release(self, owner: str, reason: str) -> list[str]:
        """Let everything end that waits for `reason`, and have it tried now. Returns what waited.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        waited = await self._connection.run("brake/release", self._keys.brake_of(owner), reason, milliseconds(RELEASED))
        log.warning("brake.released", owner=owner, reason=reason, waited=len(waited))
        items = [str(item) for item in waited]
        await self._connection.run_many([self._retried(reason, item) for item in items])  # or else later, by themselves
        return items

    def _retried(self, reason: str, item: str) -> Call:
        """The script that has an execution polled, or a lane delivered, now."""
        if reason == NOT_FOUND:
            return "subscriptions/viewed", self._keys.home_of(item), (item, 30, 0)
        return "subscriptions/refresh", self._keys.home_of(Lane.parse(item).execution), (item,)

    async def owners(self) -> list[str]:
        """For whom something is braked.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        async with self._connection.guarded() as redis:
            keys = [str(key) async for key in redis.scan_iter(match=f"{self._keys.brake_of('*')}on")]
        return sorted(key.partition("{brake:")[2].partition("}")[0] for key in keys)

    async def followed(self, owner: str) -> frozenset[str]:
        """The keys of the executions that are followed; a minute old at most.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        read_at, found = self._followed.get(owner, (None, frozenset()))
        if read_at is None or monotonic() - read_at > FRESH_SECONDS:
            async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
                for number in range(PARTITIONS):
                    pipeline.zrange(f"{self._keys.partition(number)}due", 0, -1)
                keys = [str(key) for found in await pipeline.execute() for key in found]
            found = frozenset(key for key in keys if key.startswith(f"{owner}/"))
            self._followed[owner] = monotonic(), found
        return found
