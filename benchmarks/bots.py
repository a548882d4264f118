"""Bots as processes, started as in production, and what the system and the bots themselves say about them.

Lives here: `Bot`, `started`, `filled`, and the readings of a process: CPU time, memory, metrics, log. Called by
`load`, `wire` and `burst`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.harness import free_port
from benchmarks.memory import fill
from bot.domain.following import Level
from bot.domain.snapshot import Snapshot
from bot.gcs.fingerprint import Fingerprint
from bot.store import Store
from bot.store.engine.embedded import EmbeddedStore
from bot.store.keys import account_id
from bot.store.owner import Owner
from sandbox.gcs import GCS
from sandbox.process import Bot as Process

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0


@dataclass(frozen=True)
class Bot:
    """A bot that has started."""

    pid: int
    state: Path
    health_port: int

    @property
    def cpu_seconds(self) -> float:
        """User and system time of the process so far, without its store's."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def rss_megabytes(self) -> float:
        """Resident memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        if found is None:
            raise RuntimeError(f"the bot {self.pid} has ended")
        return int(found[1]) / 1024

    @property
    def store_url(self) -> str:
        """Its embedded store."""
        return EmbeddedStore(self.state).url

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.health_port}/metrics") as response,
        ):
            lines = (await response.text()).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[{{ ]", line))

    def log_entries(self, event: str) -> Iterator[dict[str, Any]]:
        """What it has logged under the name `event` so far."""
        for line in (self.state / "bot.log").read_text(encoding="utf-8").splitlines():
            if f'"{event}"' in line:
                yield json.loads(line)


@asynccontextmanager
async def started(state: Path, *, gcs: str, slack: str, **settings: str) -> AsyncIterator[Bot]:
    """A bot with its embedded store in `state`, which may hold something already.

    Raises:
        RuntimeError: it does not start.
    """
    state.mkdir(mode=0o700, exist_ok=True)  # noqa: ASYNC240  # nothing else runs yet
    health_port, account = free_port(), GCS()
    environment = {
        "SLACK_BOT_TOKEN": "xoxb-benchmark",
        "SLACK_SIGNING_SECRET": "benchmark-signing-secret",
        "SLACK_API_URL": f"{slack}/api/",
        "GCS_ENDPOINT": gcs,
        "GCS_PROJECT_ID": account.project_id,
        "GCS_AK": account.access_key,
        "GCS_SK": account.secret_key,
        "STATE_DIR": str(state),
        "PORT": str(free_port()),
        "HEALTH_PORT": str(health_port),
        "LISTEN_HOST": "127.0.0.1",
        "LOG_FORMAT": "json",
        "PERSON_REQUESTS_PER_MINUTE": "1000000",
        **settings,
    }
    process = Process(environment, directory=state)
    await process.start()
    try:
        bot = Bot(process.pid, state, health_port)
        await until(lambda: process.log.exists() and any(bot.log_entries("service.started")), seconds=START_SECONDS)
        yield bot
    finally:
        await process.stop()


async def filled(
    state: Path,
    snapshots: Iterable[Snapshot],
    *,
    gcs: str,
    fingerprints: Mapping[str, Fingerprint] | None = None,
    level: Level = Level.MILESTONES,
    first_poll: timedelta = timedelta(0),
) -> None:
    """Fill the store that a bot will find in `state`: each execution is followed by one person and has a card.

    It is due after `first_poll`. `fingerprints`: as with `fill`.
    """
    account = account_id(gcs, GCS().project_id)
    engine, owner = EmbeddedStore(state), Owner(account=account, team="T0123ABCD", endpoint=gcs)
    store = Store(await engine.start(), owner=owner, coalesce=timedelta(seconds=5), staleness=timedelta(hours=2))
    try:
        await fill(store, snapshots, first_poll=first_poll, fingerprints=fingerprints, level=level)
    finally:
        await store.aclose()
        await engine.stop()


async def until(is_so: Callable[[], bool], *, seconds: float) -> None:
    """Return once `is_so`.

    Raises:
        RuntimeError: it is not within the time.
    """
    try:
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110  # another process's work
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise RuntimeError(f"nothing happened for {seconds:g} s") from None
