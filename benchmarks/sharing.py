"""Replicas: how much more two watchers see than one, on one store.

Lives here: starting the replicas and having one or both of them watch. They are bound by waiting, as with a real GCS
that is far away: a replica has 64 looks under way, and each takes a tenth of a second. So the row says whether claims
and leases let two of them work side by side; bound by CPU, two cores would have to carry two replicas, the store, the
server and the benchmark itself.
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
"""Has a replica watch for so long: looks, seconds of CPU."""


async def rows() -> list[Row]:
    """Two replicas against one of them."""
    cpu: list[float] = []
    async with (
        opened_store() as (store, store_url),
        servers.serving("gcs", core=SERVER_CORE, delay=DELAY_SECONDS) as gcs,
        HTTPClient() as http,
        _replica(store_url, gcs) as first,
        _replica(store_url, gcs) as second,
    ):
        client, _ = new_watcher(store, http, gcs)
        await follow(store, client, WATCHED)

        async def watched(*replicas: Replica) -> float:
            found = await asyncio.gather(*(replica(SECONDS) for replica in replicas))
            looks = sum(looks for looks, _ in found)
            cpu.append(sum(seconds for _, seconds in found) * 1e6 / looks)
            return looks / SECONDS

        found = await interleaved({"one": lambda: watched(first), "two": lambda: watched(first, second)})
    figures = {f"{name}, looks/s": median(rates) for name, rates in found.items()}
    figures |= {"one, µs CPU a look": median(cpu[2::2]), "two, µs CPU a look": median(cpu[3::2])}
    row = at_least(
        1.8,
        ratios(found["two"], found["one"]),
        name="two replicas, store not the limit",
        against="one",
        method=(
            f"Each replica is a process with the bot's watcher, 64 looks at once; {WATCHED:,} executions are always "
            f"due in one Valkey. The GCS takes {DELAY_SECONDS * 1000:.0f} ms for each answer, so a replica is bound by "
            "what it has under way, not by the two cores that all of this shares. Looks answered in a second."
        ),
        figures=figures,
    )
    return [row]


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
        looks, cpu = (await answers.readline()).split()
        return int(looks), float(cpu)

    try:
        yield watch
    finally:
        orders.close()
        await process.wait()
