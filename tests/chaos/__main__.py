"""`make chaos`: everything on fire at once. Parses, and nothing else; exit code 1 when the bot broke its word."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.evidence import Record
from tests.chaos.plan import Plan
from tests.chaos.report import table
from tests.chaos.scale import FULL, SMALL
from tests.chaos.stores import STORES
from tests.chaos.verdict import Verdict


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Three bots under fire.")
    parser.add_argument("--seed", type=int, default=0, help="of an earlier run, for the same plan")
    parser.add_argument("--small", action="store_true", help="the version that is part of the tests")
    parser.add_argument("--store", choices=STORES, default="sentinel", help="what the bots share (default: sentinel)")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(1, 10**6)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {seed}; logs in {folder}", flush=True)  # noqa: T201  # what it is for
    arena = Arena(Plan.draw(seed, SMALL if options.small else FULL), folder, store=options.store)
    record, verdict = asyncio.run(_run(arena))
    print(table(arena, record, verdict))  # noqa: T201
    return 1 if verdict.violations else 0


async def _run(arena: Arena) -> tuple[Record, Verdict]:
    """Run it, and say now and then how it goes."""
    running = asyncio.create_task(arena.run())
    for number in (signal.SIGINT, signal.SIGTERM):  # bots and store are processes: they must not be left behind
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    while not (await asyncio.wait({running}, timeout=30))[0]:
        print(arena.progress(), flush=True)  # noqa: T201  # or one would think that it hangs
    return await running


if __name__ == "__main__":
    sys.exit(main())
