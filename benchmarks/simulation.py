"""How late a change is seen, on virtual time: executions, GCS's answers, and the bot's watcher and sweeper.

Lives here: `simulate`, one schedule for one span of time, and what `finding` shares with it. Does not live here: the
clock (`virtual`), which schedules are compared (`delays`). Called by `virtual`, in a process of its own.

The watcher, the sweeper, the GCS client and the store are the bot's own and run as in service. GCS is a population of
running executions, 20 steps each. An answer shows the moment in which its request came, and takes its time.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any, TypeVar

from prometheus_client import REGISTRY

from benchmarks.harness import opened_store, quiet
from benchmarks.servers import answer_seconds
from benchmarks.virtual import BEGAN, VirtualSelector
from bot.domain import observing
from bot.domain.cadence import Cadence
from bot.domain.change import Change
from bot.domain.following import Level, Subscriber, Subscription
from bot.gcs.client import GCSClient
from bot.gcs.fingerprint import fingerprint_of
from bot.gcs.http import HTTPClient
from bot.store import Store
from bot.workers.sweeper import Finder, Sweeper
from bot.workers.watcher import Watcher
from sandbox.gcs.population import Population

QUOTA, RESERVE = 600, 30
"""Calls a minute, and those of them that are kept for people."""
CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))
TEAM = "T0123ABCD"
LIST_BYTES = 12_000_000
"""Bytes of lists that are read in a second at most, the bot's default."""
FOLLOWED_AT_ONCE = 64

T = TypeVar("T")


async def simulate(
    clock: VirtualSelector, *, size: int, page: int, has_lists: bool, takes_time: bool, span: Sequence[float]
) -> dict[str, float]:
    """Let `size` executions run for a span of virtual seconds: warming up, measured, waited for the last changes.

    Returns:
        Delays in seconds (`p50`, `p95`, `p99`, `longest`), counts (`changes`, `unseen`), `calls_per_change`,
        `list_bytes_per_second` and `worst_minute`, the most calls of any minute.
    """
    warm, seconds, tail = span
    with quiet():
        async with _began(clock, size, page, has_lists=has_lists, takes_time=takes_time) as run:
            began = clock.now
            await asyncio.sleep(warm)
            calls, size_bytes = run.population.total_calls, _list_bytes()
            await asyncio.sleep(seconds)
            calls, size_bytes = run.population.total_calls - calls, _list_bytes() - size_bytes
            await asyncio.sleep(tail)
            return run.result(began + warm, began + warm + seconds) | {
                "calls_per_change": calls / max(1, len(run.delays)),
                "list_bytes_per_second": size_bytes / seconds,
            }


class _Client(GCSClient):
    """The bot's client; calls that move on the wire are counted, because time must not pass meanwhile."""

    clock: VirtualSelector

    async def get_execution(self, *args: Any, **more: Any) -> Any:
        """See `GCSClient`."""
        return await _in_transit(self.clock, super().get_execution(*args, **more))

    async def get_if_changed(self, *args: Any, **more: Any) -> Any:
        """See `GCSClient`."""
        return await _in_transit(self.clock, super().get_if_changed(*args, **more))

    async def list_page(self, *args: Any, **more: Any) -> Any:
        """See `GCSClient`."""
        return await _in_transit(self.clock, super().list_page(*args, **more))


async def _in_transit(clock: VirtualSelector, call: Awaitable[T]) -> T:
    clock.in_transit += 1
    try:
        return await call
    finally:
        clock.in_transit -= 1


class Run:
    """One schedule that runs."""

    def __init__(self, clock: VirtualSelector, population: Population, store: Store) -> None:
        self.population, self.store, self.clock = population, store, clock
        self._waiting: dict[str, list[tuple[float, int]]] = defaultdict(list)
        """Execution → its changes that were not seen yet: when, and how many steps had finished then."""
        self.delays: list[tuple[float, float, int]] = []
        """Of each change that was seen: when it happened, how much later it was seen, how many steps had finished."""
        self._counted = 0
        self._following: set[asyncio.Task[None]] = set()

    def forget_past(self) -> None:
        """Count from here: calls and changes so far were those of filling the store."""
        self._happened()
        self._waiting.clear()
        self.population.calls.clear()
        self.population.worst_minute = 0

    def _happened(self) -> None:
        self.population.advance(self.clock.now)
        changes = self.population.changes
        for at, guid, finished in changes[self._counted :]:
            self._waiting[guid].append((at, finished))
        self._counted = len(changes)

    def settled(self, guid: str, noticed: Sequence[Change]) -> None:
        """A poll was settled: all that finished up to what it shows is seen now."""
        self._happened()
        waiting, now = self._waiting[guid], self.clock.now
        for change in noticed:
            seen = [entry for entry in waiting if entry[1] <= (change.finished or 0)]
            self.delays += [(at, now - at, finished) for at, finished in seen]
            del waiting[: len(seen)]

    def born(self, client: GCSClient, guid: str) -> None:
        """Somebody follows a new execution; their own call comes out of the people's share."""
        task = asyncio.create_task(self.follow(client, guid))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def follow(self, client: GCSClient, guid: str) -> None:
        """Have one execution followed by a channel."""
        response = await client.get_execution(guid, is_person=True)
        now = datetime.fromtimestamp(BEGAN + self.clock.now, UTC)
        subscription = Subscription(
            execution_id=guid,
            subscriber=Subscriber(team_id=TEAM, id="C1"),
            level=Level.FINAL,
            owner="U1",
            created_at=now,
        )
        snapshot = observing.first_snapshot(response.to_execution(), now=now, cadence=CADENCE)
        await self.store.subscribers.subscribe(
            subscription, snapshot, first_poll=CADENCE.poll, fingerprint=fingerprint_of(response)
        )

    def result(self, begin: float, end: float, *, finished: int = 0) -> dict[str, float]:
        """The delays of what happened between two moments: of all changes, or of ends after so many steps."""
        self._happened()
        self.delays = [each for each in self.delays if begin <= each[0] < end and each[2] >= finished]
        waiting = [each for entries in self._waiting.values() for each in entries]
        unseen = [at for at, steps in waiting if begin <= at < end and steps >= finished]
        return spread_of([delay for _, delay, _ in self.delays]) | {
            "changes": len(self.delays),
            "unseen": len(unseen),
            "worst_minute": self.population.worst_minute,
        }


def spread_of(delays: Sequence[float]) -> dict[str, float]:
    """Quantiles of at least two delays."""
    cuts = quantiles(delays, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "longest": max(delays)}


class World:
    """An empty store, GCS with a population, and whether its answers take their time by now."""

    def __init__(self, clock: VirtualSelector, http: HTTPClient) -> None:
        self.clock, self._http = clock, http
        self._chance = random.Random(7)  # noqa: S311  # no secret
        self.store: Store
        self.url: str
        """Of the store's engine."""
        self.population: Population
        self.is_slow = False

    @asynccontextmanager
    async def begun(self, size: int, **population: Any) -> AsyncIterator[None]:
        """While it is there, the engine follows the virtual clock."""
        async with (
            opened_store() as (self.store, self.url),
            Population(size, clock=lambda: self.clock.now, wait=self._answer, **population) as self.population,
        ):
            with self.clock.leading(self.url):
                yield

    def client(self, **quota: Any) -> GCSClient:
        """The bot's client."""
        client = _Client(self._http, endpoint=self.population.url, auth=None, **quota)
        client.clock = self.clock
        return client

    def limited_client(self) -> GCSClient:
        """The bot's client under the quota."""
        quota = self.store.gcs_quota("AK", per_minute=QUOTA, reserve=RESERVE)
        return self.client(take=quota.take, on_throttled=quota.refused)

    async def _answer(self, shown: int) -> None:
        if self.is_slow:
            self.clock.in_transit -= 1  # while an answer takes its time, nothing moves on the wire
            try:
                await asyncio.sleep(answer_seconds(self._chance, shown))
            finally:
                self.clock.in_transit += 1


@asynccontextmanager
async def _began(
    clock: VirtualSelector, size: int, page: int, *, has_lists: bool, takes_time: bool
) -> AsyncIterator[Run]:
    """All executions followed, and the bot at work."""
    async with HTTPClient() as http, (world := World(clock, http)).begun(size, page=page):
        population, free = world.population, world.client()
        run = Run(clock, population, world.store)
        for first in range(0, size, FOLLOWED_AT_ONCE):
            some = population.running[first : first + FOLLOWED_AT_ONCE]
            await asyncio.gather(*(run.follow(free, guid) for guid in some))
        run.forget_past()
        world.is_slow, client = takes_time, world.limited_client()
        population.born = lambda guid: run.born(client, guid)
        async with working(run, client, has_lists=has_lists):
            yield run


@asynccontextmanager
async def working(run: Run, client: GCSClient, *, has_lists: bool, finder: Finder | None = None) -> AsyncIterator[None]:
    """The bot's watcher and, with lists, its sweeper."""
    store, stop = run.store, asyncio.Event()
    quota = store.gcs_quota("AK", per_minute=QUOTA, reserve=RESERVE)
    settle = store.schedule.settle

    async def spied(due: Any, snapshot: Any, noticed: Sequence[Change], **more: Any) -> bool:
        is_settled = await settle(due, snapshot, noticed, **more)
        if is_settled:
            run.settled(due.execution_id, noticed)
        return is_settled

    store.schedule.settle = spied  # type: ignore[method-assign, assignment]  # a spy
    watcher = Watcher(client, store, cadence=CADENCE, quota=quota)
    sweeper = Sweeper(
        client,
        store.schedule,
        quota=quota,
        team_id=TEAM,
        cadence=CADENCE,
        bytes_per_second=LIST_BYTES,
        finder=finder,
    )
    working = [asyncio.create_task(watcher.run(stop))]
    if has_lists:
        working.append(asyncio.create_task(sweeper.run(stop)))
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*working)


def _list_bytes() -> float:
    return REGISTRY.get_sample_value("execution_bot_sweeper_bytes_total") or 0.0
