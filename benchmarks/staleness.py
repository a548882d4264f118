"""How late a change is seen, on virtual time: ten thousand running executions and six hundred calls a minute.

The real watcher, sweeper and store; executions of 20 steps whose durations are log-normal, 40 min on the average, which
is some 250 changes a minute. A clock that is set from outside takes the place of the server's in the store's scripts
and of the sweeper's. Answers take no virtual time. The naive schedule is the same watcher without lists: one
`get_execution` after the other, the longest unseen first.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from importlib import resources
from statistics import quantiles
from typing import Any, NamedTuple

from prometheus_client import REGISTRY
from redis.asyncio import Redis

from benchmarks.harness import Row, opened_store, quiet
from bot.domain import observing
from bot.domain.cadence import Cadence
from bot.domain.model import Change, Level, Subscriber, Subscription
from bot.gcs.client import GCSClient
from bot.gcs.http import Credentials, HTTPClient
from bot.store import Store
from bot.workers.sweeper import Sweeper
from bot.workers.watcher import Watcher
from sandbox.gcs.population import Population

QUOTA, RESERVE = 600, 30
TICK = 0.1
MEAN_SECONDS, SIGMA = 2400.0, 0.8
"""Of a step."""
BEGAN = 1_772_323_200
"""Of virtual time, as the store counts it."""

CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))
TEAM = "T1"
LIST_BYTES = 12_000_000
CLOCK = "bench:clock"


@dataclass
class Replica:
    """One process's part of the watch."""

    store: Store
    watcher: Watcher
    sweeper: Sweeper | None


@dataclass
class Run:
    """One schedule under way."""

    population: Population
    store: Store
    redis: Redis
    client: GCSClient
    replicas: list[Replica] = field(default_factory=list)
    waiting: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """Execution → its changes that nobody has seen yet."""
    delays: list[tuple[float, float]] = field(default_factory=list)
    """Of each change that was seen: when it happened, how much later it was seen."""
    newcomers: list[str] = field(default_factory=list)

    def seen(self, execution: str, noticed: Sequence[Change]) -> None:
        """A look was settled: all that finished up to what it shows is seen now."""
        guid = execution.partition("/")[2]
        for change in noticed:
            told = [entry for entry in self.waiting[guid] if entry[1] <= (change.finished or 0)]
            self.delays += [(at, self.population.now - at) for at, _ in told]
            self.waiting[guid] = self.waiting[guid][len(told) :]

    async def follow(self, guid: str) -> None:
        """Somebody subscribes; their own call comes out of the people's share."""
        response = await self.client.get_execution(guid, is_person=True)
        now = datetime.fromtimestamp(BEGAN + self.population.now, UTC)
        snapshot = observing.first_snapshot(response.to_execution(), now=now, cadence=CADENCE)
        subscription = Subscription(
            execution_id=guid,
            subscriber=Subscriber(team_id=TEAM, id="C1"),
            level=Level.FINAL,
            owner="U1",
            created_at=now,
        )
        await self.store.subscribers.subscribe(
            subscription, snapshot, first_poll=CADENCE.poll, fingerprint=response.fingerprint
        )

    async def live(self, until: float, *, tick: float = TICK) -> None:
        """Let time pass."""
        population, counted = self.population, len(self.population.changes)
        while population.now < until:
            population.advance(population.now + tick)
            for at, guid, finished in population.changes[counted:]:
                self.waiting[guid].append((at, finished))
            counted = len(population.changes)
            await self.redis.set(CLOCK, int((BEGAN + population.now) * 1000))
            for replica in self.replicas:
                if replica.sweeper is not None:
                    await replica.sweeper.run_once()
                await replica.watcher.run_once()
            newcomers, self.newcomers = self.newcomers, []
            for guid in newcomers:
                await self.follow(guid)


def virtual(store: Store) -> Store:
    """`store` with a clock that is set from outside."""
    folder = resources.files("bot.store")
    common = re.sub(
        r"local function server_time\(\).*?\nend\n",
        f"local function server_time() return tonumber(redis.call('GET', '{CLOCK}')) end\n",
        (folder / "common.lua").read_text(),
        flags=re.DOTALL,
    )
    for script in folder.iterdir():
        if script.name.endswith(".lua"):
            # Keys that expire would do so on the server's clock.
            text = re.sub(r"redis.call\('PEXPIRE'.*\)|, 'PX', [^)]*", "", common + script.read_text())
            digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
            store._connection._scripts[script.name.removesuffix(".lua")] = (text, digest)  # noqa: SLF001  # its clock is ours
    return store


@asynccontextmanager
async def begun(*, size: int, page: int, replicas: int, has_lists: bool = True) -> AsyncIterator[Run]:
    """All executions followed, and so many processes that watch them."""
    async with (
        opened_store() as (_, url),
        Population(size, steps=20, mean_seconds=MEAN_SECONDS, sigma=SIGMA, page=page, seed=1) as population,
        HTTPClient() as http,
        Redis.from_url(url) as redis,
    ):
        await redis.set(CLOCK, BEGAN * 1000)
        stores = [
            virtual(Store(url, coalesce=timedelta(seconds=5), staleness=CADENCE.staleness)) for _ in range(replicas)
        ]
        people = stores[0].gcs_quota("AK", per_minute=QUOTA, reserve=RESERVE)
        free = GCSClient(http, endpoint=population.url, auth=Credentials())
        run = Run(population, stores[0], redis, free)
        for chunk in range(0, size, 64):
            await asyncio.gather(*map(run.follow, population.running[chunk : chunk + 64]))
        population.calls.clear()
        population.worst_minute = 0
        population.born = lambda guid: run.newcomers.append(guid)  # noqa: PLW0108  # the list is another one each time
        run.client = GCSClient(http, endpoint=population.url, auth=Credentials(), take=people.take)
        run.replicas = [_replica(run, each, http, has_lists=has_lists) for each in stores]
        try:
            yield run
        finally:
            for each in stores:
                await each.aclose()


def _replica(run: Run, store: Store, http: HTTPClient, *, has_lists: bool) -> Replica:
    budget = store.gcs_quota("AK", per_minute=QUOTA, reserve=RESERVE)
    client = GCSClient(http, endpoint=run.population.url, auth=Credentials(), take=budget.take, refused=budget.refused)
    settle = store.schedule.settle

    async def noticed(due: Any, snapshot: Any, noticed: Sequence[Change], **more: Any) -> bool:
        is_settled = await settle(due, snapshot, noticed, **more)
        if is_settled:
            run.seen(due.execution, noticed)
        return is_settled

    store.schedule.settle = noticed  # type: ignore[method-assign, assignment]  # a spy
    sweeper = Sweeper(
        client,
        store.schedule,
        budget=budget,
        team_id=TEAM,
        cadence=CADENCE,
        bytes_per_second=LIST_BYTES,
        clock=lambda: run.population.now,
    )
    watcher = Watcher(client, store.schedule, cadence=CADENCE, budget=budget, history=store.history)
    return Replica(store, watcher, sweeper if has_lists else None)


@dataclass(frozen=True)
class Seen:
    """What a schedule came to."""

    p50: float
    p95: float
    p99: float
    longest: float
    changes: int
    unseen: int
    calls_per_change: float
    bytes_per_second: float
    worst_minute: int


async def measured(
    *, size: int, page: int, replicas: int, span: Span, has_lists: bool = True, tick: float = TICK
) -> Seen:
    """Let a schedule run for such a span."""
    warm, seconds, tail = span
    async with begun(size=size, page=page, replicas=replicas, has_lists=has_lists) as run:
        await run.live(warm, tick=tick)
        calls, size_bytes = run.population.total_calls, metric("execution_bot_sweeper_bytes_total")
        await run.live(warm + seconds, tick=tick)
        calls, size_bytes = run.population.total_calls - calls, metric("execution_bot_sweeper_bytes_total") - size_bytes
        await run.live(warm + seconds + tail, tick=tick)
        end = warm + seconds
        delays = [delay for at, delay in run.delays if warm <= at < end]
        unseen = [at for waiting in run.waiting.values() for at, _ in waiting if warm <= at < end]
        cuts = quantiles(delays, n=100)
        return Seen(
            p50=cuts[49],
            p95=cuts[94],
            p99=cuts[98],
            longest=max(delays),
            changes=len(delays),
            unseen=len(unseen),
            calls_per_change=calls / len(delays),
            bytes_per_second=size_bytes / seconds,
            worst_minute=run.population.worst_minute,
        )


def metric(name: str) -> float:
    """A counter's value."""
    return REGISTRY.get_sample_value(name) or 0.0


class Span(NamedTuple):
    """Virtual seconds."""

    warm: float
    """To get into step."""
    seconds: float
    """What happens in them counts."""
    tail: float
    """To see the last of it."""


SPAN = Span(240, 600, 120)
NAIVE = Span(1200, 600, 1300)
"""A round takes 19 minutes; after the first one each execution's turn is anywhere in it."""
FEW = Span(240, 14_400, 120)


async def rows() -> list[Row]:
    """Both schedules in one run: with lists of two page sizes and one or three processes, and without lists."""
    with quiet():
        naive = await measured(size=10_000, page=1000, replicas=1, span=NAIVE, has_lists=False)
        found = [
            row
            for page, p50, p99, sooner in ((1000, 3, 8, 100), (100, 12, 30, 30))
            for replicas in (1, 3)
            for row in _rows(
                await measured(size=10_000, page=page, replicas=replicas, span=SPAN),
                naive,
                f"10,000 executions, pages of {page:,}, {replicas} process{'es' if replicas > 1 else ''}",
                p50,
                p99,
                sooner,
            )
        ]
        few = await measured(size=100, page=1000, replicas=1, tick=0.5, span=FEW)
    poll = CADENCE.poll.total_seconds()
    return [*found, _at_most("100 executions: p99 of the delay", few.p99, poll, "one poll interval", few)]


def _rows(seen: Seen, naive: Seen, name: str, p50: float, p99: float, sooner: float) -> list[Row]:
    ratio = naive.p50 / seen.p50
    return [
        _at_most(f"{name}: median delay", seen.p50, p50, "", seen),
        _at_most(f"{name}: p99 of the delay", seen.p99, p99, "", seen),
        Row(
            name=f"{name}: sooner at the median",
            against="one `get_execution` after the other",
            target=f"≥ {sooner:g} ×",
            value=ratio,
            is_met=ratio >= sooner and not seen.unseen,
            method=METHOD,
            figures={f"naive {key}": value for key, value in vars(naive).items()},
        ),
    ]


def _at_most(name: str, value: float, target: float, against: str, seen: Seen) -> Row:
    return Row(
        name=name,
        against=against or "–",
        target=f"≤ {target:g} s",
        value=value,
        unit="s",
        is_met=value <= target and not seen.unseen and seen.worst_minute <= QUOTA,
        method=METHOD,
        figures=dict(vars(seen)),
    )


METHOD = (
    "Virtual time through the real watcher, sweeper and store: 20 steps an execution, log-normal, 40 min on average "
    f"(σ {SIGMA:g}), {QUOTA} calls a minute of which {RESERVE} are for people; answers take no time. A row is met "
    "only if no change stayed unseen and no sliding minute held more calls than the quota."
)
