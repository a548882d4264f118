"""One replica's watcher in a process of its own.

Called by `replicas`: `python -m benchmarks.replica <store> <gcs>`. For each number of seconds on its input it watches
for that time, and prints how many polls and seconds of CPU that was.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta

import uvloop

from benchmarks.harness import OWNER, quiet
from benchmarks.polling import new_watcher, watched_for
from bot.gcs.http import HTTPClient
from bot.store import Store


async def _replica(store_url: str, gcs: str) -> None:
    store = Store(store_url, owner=OWNER, coalesce=timedelta(seconds=5), staleness=timedelta(hours=2))
    async with HTTPClient() as http:
        _, watcher = new_watcher(store, http, gcs)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            began = time.process_time()
            polls = await watched_for(watcher, float(line))
            print(polls, time.process_time() - began, flush=True)
    await store.aclose()


if __name__ == "__main__":
    with quiet():
        uvloop.run(_replica(*sys.argv[1:]))
