"""What a bot costs: CPU at full quota and when idle, memory with ten thousand executions.

Lives here: two bots as processes side by side with default settings, one with ten thousand running executions in its
store and at GCS, one with none. GCS and Slack are processes of their own; their CPU does not count.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import aiohttp
import msgspec
from redis.asyncio import Redis

from benchmarks import servers
from benchmarks.bots import Bot, filled, started
from benchmarks.harness import SERVER_CORE, Row, at_most, say
from bot.domain.snapshot import Snapshot
from bot.gcs.fingerprint import Fingerprint, fingerprint_of
from bot.gcs.tables import GetExecutionResponse

WARM_SECONDS = 90
"""How long both bots run first: by then a whole minute of calls has been made, and the busy one has learned in a dozen
rounds which values of the lists move by themselves."""
FIRST_POLL = timedelta(seconds=30)
"""In how long all executions are due but for lists: were it sooner, polls would take all calls of the first minute."""
SECONDS = 60
PAGES = 60
"""How many pages are read and decoded to learn what that costs."""
BUSY_BYTES = 8_000_000
"""How many bytes of lists are read in a second at least, or something else kept the bot from working."""
POLLED_WITHIN = timedelta(minutes=75)
"""In how long polls reach every execution that lists show unchanged: within three quarters of `MAX_STALENESS`."""


async def rows() -> AsyncIterator[Row]:
    """Both bots over the same minute."""
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            slack = await stack.enter_async_context(servers.serving("slack", core=SERVER_CORE))
            gcs = await stack.enter_async_context(servers.serving("population", core=SERVER_CORE, argument=began))
            say(f"  filling a store with {servers.POPULATION:,} executions …")
            known: dict[str, Fingerprint] = {}
            await filled(
                Path(folder) / "busy", _snapshots(began, known), gcs=gcs, fingerprints=known, first_poll=FIRST_POLL
            )
            idle = await stack.enter_async_context(started(Path(folder) / "idle", gcs=gcs, slack=slack))
            busy = await stack.enter_async_context(started(Path(folder) / "busy", gcs=gcs, slack=slack))
            say(f"  two bots run for {WARM_SECONDS + SECONDS} s …")
            await asyncio.sleep(WARM_SECONDS)
            before = await _Reading.of(busy), await _Reading.of(idle)
            memory = []
            for _ in range(SECONDS):
                await asyncio.sleep(1)
                memory.append((idle.rss_megabytes, busy.rss_megabytes))
            full, none = (await _Reading.of(busy)) - before[0], (await _Reading.of(idle)) - before[1]
            least = await _least(gcs, full.used["bytes of lists"] / full.at)
    for row in _cpu_rows(full, none, least):
        yield row
    yield _memory_row(memory)


class _Report(msgspec.Struct):
    """What is news of a step or an execution."""

    phase: str = ""
    reason: str = ""


class _Status(msgspec.Struct, rename="camel"):
    object_status: _Report
    sub_object_statuses: dict[str, _Report]


class _Object(msgspec.Struct):
    status: _Status


class _Record(msgspec.Struct):
    guid: str
    status: str


class _Item(msgspec.Struct):
    execution: _Record
    object: _Object


class _List(msgspec.Struct):
    executions: list[_Item]


async def _least(gcs: str, bytes_per_second: float) -> dict[str, float]:
    """Percent of a core that so many bytes of lists take at least, by the libraries alone."""
    url = f"{gcs}/v1/executions?offset=0&limit=1000&status=Running"
    async with aiohttp.ClientSession() as session:

        async def read() -> int:
            async with session.get(url, raise_for_status=True) as answer:
                return sum([len(piece) async for piece, _ in answer.content.iter_chunks()])

        await read()
        began = time.process_time()
        length = sum(await asyncio.gather(*(read() for _ in range(PAGES))))
        receiving = time.process_time() - began
        async with session.get(url, raise_for_status=True) as answer:
            page, decoder = await answer.read(), msgspec.json.Decoder(_List)
        began = time.process_time()
        for _ in range(PAGES):
            decoder.decode(page)
        decoding = time.process_time() - began
    return {
        "receiving these lists with aiohttp alone, %": 100 * receiving / length * bytes_per_second,
        "decoding them with msgspec, %": 100 * decoding / (PAGES * len(page)) * bytes_per_second,
    }


def _snapshots(began: float, known: dict[str, Fingerprint]) -> Iterator[Snapshot]:
    """Everything that the population serves, as a bot knows it that has polled for hours; fills `known`."""
    population = servers.population(began)
    population.advance(time.time() - began)
    for number, guid in enumerate(population.running):
        response = GetExecutionResponse.parse(servers.encoded(population.body(guid)), requested_id=guid)
        known[guid] = fingerprint_of(response)
        seen_at = datetime.now(UTC) - POLLED_WITHIN * (number / servers.POPULATION)
        yield Snapshot(execution=response.to_execution(), revision=1, seen_at=seen_at)


class _Reading:
    """What a bot has used so far, or within a span."""

    def __init__(self, at: float, cpu: float, used: dict[str, float]) -> None:
        self.at, self.cpu, self.used = at, cpu, used

    @classmethod
    async def of(cls, bot: Bot) -> _Reading:
        """What `bot` has used until now."""
        cpu = bot.cpu_seconds
        async with Redis.from_url(bot.store_url) as redis:
            commands, engine = await redis.info("commandstats"), await redis.info("cpu")
        used = {
            "scripts": sum(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha")),
            "store's CPU": engine["used_cpu_user"] + engine["used_cpu_sys"],
            "calls of GCS": await bot.metric("execution_bot_gcs_calls_total"),
            "bytes of lists": await bot.metric("execution_bot_sweeper_bytes_total"),
            "messages to Slack": await bot.metric("execution_bot_notifier_messages_total"),
        }
        return cls(time.monotonic(), cpu, used)

    def __sub__(self, before: _Reading) -> _Reading:
        used = {name: value - before.used[name] for name, value in self.used.items()}
        return _Reading(self.at - before.at, self.cpu - before.cpu, used)

    @property
    def cpu_percent(self) -> float:
        """Of one core."""
        return 100 * self.cpu / self.at

    @property
    def scripts_per_second(self) -> float:
        """Scripts run in the bot's store."""
        return self.used["scripts"] / self.at

    @property
    def figures(self) -> dict[str, float]:
        """The rest, per minute."""
        per_minute = {f"{name} a minute": 60 * value / self.at for name, value in self.used.items()}
        return {"store's CPU, %": 100 * self.used["store's CPU"] / self.at} | {
            name: value for name, value in per_minute.items() if "CPU" not in name
        }


def _cpu_rows(full: _Reading, none: _Reading, least: dict[str, float]) -> list[Row]:
    return [
        at_most(
            3,
            full.cpu_percent,
            unit="% of a core",
            is_valid=full.used["bytes of lists"] / full.at >= BUSY_BYTES,
            name=f"CPU at full quota: {servers.POPULATION:,} executions, 600 calls a minute",
            measures="User and system time of `python -m bot run` over a minute, with lists and messages, without its "
            "store. Plain code would receive these lists and decode them. Valid only if they were read at nearly their "
            "limit.",
            figures=least | full.figures,
        ),
        at_most(
            0.3,
            none.cpu_percent,
            unit="% of a core",
            name="CPU when nobody follows anything",
            measures="The same for a bot with an empty store.",
            figures=none.figures,
        ),
        at_most(
            10,
            none.scripts_per_second,
            unit="scripts/s",
            name="Scripts in the store when nobody follows anything",
            measures="EVAL and EVALSHA in the statistics of that bot's store.",
        ),
    ]


def _memory_row(samples: list[tuple[float, float]]) -> Row:
    more = [busy - idle for idle, busy in samples]
    return at_most(
        30,
        median(more),
        unit="MB more",
        name=f"Memory of the process with {servers.POPULATION:,} executions",
        measures="`VmRSS` of these two bots, once a second over the minute; the median of the differences.",
        figures={
            "idle, MB": median(idle for idle, _ in samples),
            "busy, MB": median(busy for _, busy in samples),
            "most of the differences, MB": max(more),
        },
    )
