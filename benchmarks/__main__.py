"""`python -m benchmarks [module…]`: measure, print each row as it comes, write results.json and docs/performance.md."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain
from time import monotonic

import uvloop

from benchmarks.harness import Row, machine, say
from benchmarks.report import PAGE, RESULTS, listed, page, table

TOGETHER = (
    ("delays", "burst"),
    ("wire",),
    ("acks",),
    ("load",),
    ("memory",),
    ("polling",),
    ("replicas",),
    ("calibration",),
    ("rendering",),
)
"""What runs at the same time: a virtual clock stands still while it has no core, and a burst mostly waits for Slack."""


async def _rows(name: str, began: float) -> list[Row]:
    """The rows of one module; each is printed as it comes."""
    found = []
    say(f"{name} …", since=began)
    async for row in import_module(f"benchmarks.{name}").rows():
        say(
            f"{'met   ' if row.is_met else 'MISSED'} {row.name}: {row.value:.3g} {row.unit} ({row.target})", since=began
        )
        if row.figures:
            say(f"        {listed(row.figures)}")
        found.append(row)
    return found


async def _together(names: Sequence[str], began: float) -> list[Row]:
    return list(chain.from_iterable(await asyncio.gather(*(_rows(name, began) for name in names))))


def main(names: Sequence[str]) -> int:
    """Run the modules called `names`, or all and write the results; a target that is missed is no failure."""
    began, found = monotonic(), []
    for group in [(name,) for name in names] or TOGETHER:
        found += uvloop.run(_together(group, began))
    results = {"at": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "rows": [asdict(row) for row in found]}
    print(table(results))
    if not names:
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
