"""How a room works through what it claims: forever, so many at once, until told to stop.

Lives here: `WorkerPool`, the loop behind the watcher and the notifier, and `Condition`, what they meet outside. Does
not live
here: what is claimed and done. A crew never dies of an error: an item that fails is logged and comes back when its
lease ends; a store that is away is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Generic, TypeVar

import structlog

from bot.errors import StoreUnavailable

log = structlog.get_logger()

IDLE_SECONDS = 0.2
"""Pause before claiming again when nothing was there."""

CROWDED_SECONDS = 0.05
"""Pause before claiming for a few free hands, since one claim for many costs less than many claims."""

STORE_AWAY_SECONDS = 1.0
"""Pause before claiming again when the store did not answer."""

REMEMBERED = timedelta(minutes=6)
"""How long trouble is said that is not met again: longer than the longest pause between two tries while it lasts."""

Item = TypeVar("Item")


class Condition:
    """What goes wrong outside, for `/readyz`: until it goes well again, and no longer than `REMEMBERED` otherwise.

    Whoever met it may have nothing more to do, because another copy did it or nobody asks for it any more, and would
    never see that it is over.
    """

    def __init__(self) -> None:
        self._problems: dict[str, tuple[float, str]] = {}

    def set(self, why: str, *, about: str = "") -> None:
        """Something went wrong; what goes wrong `about` one thing is over only when that goes well."""
        self._problems[about] = monotonic(), why

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

    `ready` says in which partitions of the store something is due, `claim` takes at most so many items from one.
    """

    def __init__(
        self,
        name: str,
        *,
        ready: Callable[[], Awaitable[Sequence[int]]],
        claim: Callable[[int, int], Awaitable[Sequence[Item]]],
        do: Callable[[Item], Awaitable[None]],
        concurrency: int,
    ) -> None:
        self._name, self._ready, self._claim, self._do, self._concurrency = name, ready, claim, do, concurrency
        self._busy: set[asyncio.Task[None]] = set()
        self._eased = asyncio.Event()
        """Set whenever a quarter of the hands is free again."""

    async def run_once(self) -> int:
        """Claim what is there, do it, and say how much it was."""
        items = await self._claimed(self._concurrency)
        await asyncio.gather(*map(self._do_safely, items))
        return len(items)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is under way."""
        while not stop.is_set():
            if not await self._start_some():
                await self._pause(stop)
        if self._busy:
            await asyncio.wait(self._busy)

    async def _start_some(self) -> bool:
        if self._is_crowded:
            self._eased.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._eased.wait(), CROWDED_SECONDS)
        free = self._concurrency - len(self._busy)
        if free == 0:
            return True
        try:
            items = await self._claimed(free)
        except StoreUnavailable as error:
            log.warning("pool.store_away", pool=self._name, error=str(error))
            await asyncio.sleep(STORE_AWAY_SECONDS)
            return False
        for item in items:
            task = asyncio.create_task(self._do_safely(item))
            self._busy.add(task)
            task.add_done_callback(self._done)
        return bool(items)

    @property
    def _is_crowded(self) -> bool:
        return self._concurrency - len(self._busy) < self._concurrency / 4

    def _done(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        if not self._is_crowded:
            self._eased.set()

    async def _claimed(self, limit: int) -> list[Item]:
        items: list[Item] = []
        for number in await self._ready():
            try:
                items += await self._claim(number, limit - len(items))
            except StoreUnavailable:
                if items:  # do what is claimed already, or it would wait for its lease to end
                    break
                raise
            if len(items) >= limit:
                break
        return items

    async def _do_safely(self, item: Item) -> None:
        try:
            await self._do(item)
        except StoreUnavailable as error:
            log.warning("pool.store_away", pool=self._name, error=str(error))
        except Exception:
            log.exception("pool.item_failed", pool=self._name)

    @staticmethod
    async def _pause(stop: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(stop.wait(), IDLE_SECONDS)
        except TimeoutError:
            return
