"""`make chaos`: all faults at once; exit code 1 when the bot broke a promise.

Lives here: the options. Does not live here: the run (`arena`), its results (`report`). Called by `make chaos`.
"""

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
from tests.chaos.scale import SCALES
from tests.chaos.stores import STORES
from tests.chaos.verdict import Verdict


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Run three bots under faults, and judge them by what people read."
    )
    parser.add_argument("--seed", type=int, default=0, help="of an earlier run, for the same plan")
    lasting = ", ".join(
        f"{name}: {scale.executions} executions, {scale.seconds:.0f} s" for name, scale in SCALES.items()
    )
    parser.add_argument("--scale", choices=SCALES, default="full", help=f"{lasting}, and the time to settle")
    parser.add_argument("--store", choices=STORES, default="sentinel", help="what the bots share (default: sentinel)")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(1, 10**6)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {seed}; logs in {folder}", flush=True)  # noqa: T201  # what it is for
    arena = Arena(Plan.draw(seed, SCALES[options.scale]), folder, store=options.store)
    record, verdict = asyncio.run(_run(arena))
    print(table(arena, record, verdict))  # noqa: T201
    return 1 if verdict.violations else 0


async def _run(arena: Arena) -> tuple[Record, Verdict]:
    """Run it, and print its progress twice a minute."""
    running = asyncio.create_task(arena.run())
    for number in (signal.SIGINT, signal.SIGTERM):  # bots and store are processes that must not be left running
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    while not (await asyncio.wait({running}, timeout=30))[0]:
        print(arena.progress(), flush=True)  # noqa: T201  # or it would seem to hang
    return await running


if __name__ == "__main__":
    sys.exit(main())
