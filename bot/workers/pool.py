"""How a worker works through what it claims: forever, so many items at once, until it is stopped.

Lives here: `WorkerPool`, the loop behind the watcher and the notifier, and `Condition`, the problems that they see
outside. Does not live here: what is claimed and done. Called by the watcher and the notifier.

A pool never ends because of an error: an item that fails is logged and comes back when its lease ends; a store that is
down is waited for. While nothing is due it sleeps, until the store's next item is due or something in this process
makes work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Generic, TypeVar

import structlog

from bot import metrics
from bot.errors import StoreUnavailable
from bot.store.engine.connection import Ready
from bot.store.engine.wakeup import Wakeup

log = structlog.get_logger()

IDLE_SECONDS = 1.0
"""How long a pool sleeps at most: then it finds the work that other copies of the bot made."""

BLOCKED_SECONDS = 0.2
"""How long until the next claim when something is due and none could be claimed: no call is left, for example."""

CROWDED_SECONDS = 0.05
"""How long until a claim for a few free workers, since one claim for many costs less than many claims."""

STORE_AWAY_SECONDS = 1.0
"""How long until the next claim when the store did not answer."""

REMEMBERED = timedelta(minutes=6)
"""How long a problem stays on /readyz after it was last seen: longer than the longest pause between two tries."""

Item = TypeVar("Item")


class Condition:
    """Problems outside, for `/readyz`: each until it is cleared, and no longer than `REMEMBERED` after it was seen.

    A process that saw one may have nothing more to do, because another copy did it or nobody asks for it any more, and
    would never see that it is over.
    """

    def __init__(self) -> None:
        self._problems: dict[str, tuple[float, str]] = {}

    def set(self, why: str, *, about: str = "", next_try: timedelta = timedelta(0)) -> None:
        """Something went wrong; a problem `about` one thing is over only when that goes well.

        `next_try`: in how long it is tried again, if that is later than `REMEMBERED`.
        """
        self._problems[about] = monotonic() + next_try.total_seconds(), why

    def clear(self, *, about: str = "") -> bool:
        """It goes well; returns whether it did not before."""
        return self._problems.pop(about, None) is not None

    @property
    def text(self) -> str | None:
        """What is wrong, in words; None when nothing is."""
        since = monotonic() - REMEMBERED.total_seconds()
        return "; ".join(why for at, why in self._problems.values() if at > since) or None


class WorkerPool(Generic[Item]):
    """Claims items and does them, at most `concurrency` at a time.

    `ready` says where in the store something is due, `claim` takes at most so many items from one partition, and
    `wakeup` is set when something in this process makes work.
    """

    def __init__(
        self,
        name: str,
        *,
        ready: Callable[[], Awaitable[Ready]],
        claim: Callable[[int, int], Awaitable[Sequence[Item]]],
        do: Callable[[Item], Awaitable[None]],
        wakeup: Wakeup,
        concurrency: int,
    ) -> None:
        self._name, self._ready, self._claim, self._do, self._concurrency = name, ready, claim, do, concurrency
        self._wakeup = wakeup
        self._busy: set[asyncio.Task[None]] = set()
        self._eased = asyncio.Event()
        """Set whenever a quarter of the workers is free again."""

    async def run_once(self) -> int:
        """Claim what is due, do it, and return how many items it was."""
        items, _ = await self._claimed(self._concurrency)
        await asyncio.gather(*map(self._do_safely, items))
        return len(items)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is in progress."""
        stopping = asyncio.create_task(self._wake_at(stop), name=f"{self._name} stop")
        try:
            while not stop.is_set():
                await self._wakeup.wait(await self._start_some())
        finally:
            stopping.cancel()
        if self._busy:
            await asyncio.wait(self._busy)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wakeup.set()

    async def _start_some(self) -> float:
        """Start what is due, as far as workers are free; returns the seconds to sleep."""
        if self._is_crowded:
            self._eased.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(CROWDED_SECONDS):  # `wait_for` would make a task each time
                    await self._eased.wait()
        free = self._concurrency - len(self._busy)
        if free == 0:
            return 0.0
        self._wakeup.clear()
        try:
            items, pause = await self._claimed(free)
        except StoreUnavailable as error:
            log.warning("pool.store_away", pool=self._name, error=str(error))
            await asyncio.sleep(STORE_AWAY_SECONDS)
            return 0.0
        except Exception:
            log.exception("pool.claim_failed", pool=self._name)
            await asyncio.sleep(STORE_AWAY_SECONDS)
            return 0.0
        for item in items:
            task = asyncio.create_task(self._do_safely(item))
            self._busy.add(task)
            task.add_done_callback(self._done)
        return pause

    @property
    def _is_crowded(self) -> bool:
        return self._concurrency - len(self._busy) < self._concurrency / 4

    def _done(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        if not self._is_crowded:
            self._eased.set()

    async def _claimed(self, limit: int) -> tuple[list[Item], float]:
        """At most `limit` items, and how long to sleep after starting them, in seconds."""
        items: list[Item] = []
        ready = await self._ready()
        for number in ready.partitions:
            try:
                items += await self._claim(number, limit - len(items))
            except StoreUnavailable:
                if items:  # do what is claimed already, or it would wait for its lease to end
                    break
                raise
            if len(items) >= limit:
                break
        return items, 0.0 if items else _pause(ready)

    async def _do_safely(self, item: Item) -> None:
        try:
            await self._do(item)
        except StoreUnavailable as error:
            log.warning("pool.store_away", pool=self._name, error=str(error))
        except Exception:
            metrics.POOL_ITEMS_FAILED.labels(self._name).inc()
            log.exception("pool.item_failed", pool=self._name)


def _pause(ready: Ready) -> float:
    """How long to sleep when nothing was claimed, in seconds."""
    longest = BLOCKED_SECONDS if ready.partitions else IDLE_SECONDS
    return longest if ready.next_in is None else min(longest, ready.next_in)
