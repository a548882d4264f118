"""Replicas: how much more two watchers poll than one, on one store.

Lives here: starting the replicas and having one or both of them watch. GCS takes a tenth of a second for each answer,
so a replica is limited by its 64 polls at once and not by the two cores that everything shares: the row shows whether
claims and leases let two of them work side by side.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import cast

from benchmarks import servers
from benchmarks.harness import SERVER_CORE, Row, at_least, interleaved, opened_store, ratios
from benchmarks.polling import follow, new_watcher
from bot.gcs.http import HTTPClient

DELAY_SECONDS = 0.1
WATCHED = 30 * 64
SECONDS = 3.0

Replica = Callable[[float], Awaitable[tuple[int, float]]]
"""Has a replica watch for so many seconds; returns polls and seconds of CPU."""


async def rows() -> AsyncIterator[Row]:
    """Two replicas against one of them."""
    cpu: list[float] = []
    async with (
        opened_store() as (store, store_url),
        servers.serving("gcs", core=SERVER_CORE, argument=DELAY_SECONDS) as gcs,
        HTTPClient() as http,
        _replica(store_url, gcs) as first,
        _replica(store_url, gcs) as second,
    ):
        client, _ = new_watcher(store, http, gcs)
        await follow(store, client, WATCHED)

        async def watched(*replicas: Replica) -> float:
            found = await asyncio.gather(*(replica(SECONDS) for replica in replicas))
            polls = sum(polls for polls, _ in found)
            cpu.append(sum(seconds for _, seconds in found) * 1e6 / polls)
            return polls / SECONDS

        found = await interleaved({"one": lambda: watched(first), "two": lambda: watched(first, second)})
    figures = {f"{name}, polls/s": median(rates) for name, rates in found.items()}
    figures |= {"one, µs CPU a poll": median(cpu[2::2]), "two, µs CPU a poll": median(cpu[3::2])}
    more = ratios(found["two"], found["one"])
    yield at_least(
        1.8,
        median(more),
        unit="×",
        name="Two replicas beside one, the store not the limit",
        measures=f"Polls a second of two processes and of one, 64 at once each, {WATCHED:,} executions always due in "
        f"one Valkey, {DELAY_SECONDS * 1000:.0f} ms for each answer of GCS.",
        rounds=more,
        figures=figures,
    )


@asynccontextmanager
async def _replica(store_url: str, gcs: str) -> AsyncIterator[Replica]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.replica", store_url, gcs),
        cwd=servers.REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    orders, answers = cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout)
    await answers.readline()

    async def watch(seconds: float) -> tuple[int, float]:
        orders.write(f"{seconds}\n".encode())
        polls, cpu = (await answers.readline()).split()
        return int(polls), float(cpu)

    try:
        yield watch
    finally:
        orders.close()
        await process.wait()
