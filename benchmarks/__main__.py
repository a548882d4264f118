"""`python -m benchmarks [module…]`: measure, print the table, write results.json."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from time import monotonic

import uvloop

from benchmarks.harness import Row, machine
from benchmarks.report import PAGE, RESULTS, page, table

MODULES = ("staleness", "polling", "asking", "telling", "remembering", "running", "sharing")


def main(names: list[str]) -> int:
    """Run the modules called `names`, or all, which is written down; a target that is missed is no failure."""
    found: list[Row] = []
    for name in names or MODULES:
        began = monotonic()
        print(f"{name} …", end=" ", flush=True)
        found += uvloop.run(import_module(f"benchmarks.{name}").rows())
        print(f"{monotonic() - began:.0f} s")
    results = {"at": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "rows": [asdict(row) for row in found]}
    print(table(results))
    for row in found:
        print(*(f"{what}: {value:.1f}" for what, value in row.figures.items()), sep=" · ")
    if not names:
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
