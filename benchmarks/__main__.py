"""`python -m benchmarks [module…]`: measure, print each row as it comes, write results.json and docs/performance.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from multiprocessing import get_context
from time import monotonic

from benchmarks.harness import Row, machine
from benchmarks.report import PAGE, RESULTS, page, table
from benchmarks.running import measured

MODULES = (
    *("delays", "rules", "burst", "wire", "acks", "load", "memory", "polling", "replicas", "calibration", "rendering"),
)
"""In the order of the page."""

TOGETHER = ("delays", "rules", "burst", "memory", "calibration")
"""What runs first and at the same time, each in a process of its own: virtual clocks stand still while they have no
core, a burst mostly waits for Slack, and the other two read no clock."""


def _all(began: float) -> list[Row]:
    """The rows of all modules."""
    with ProcessPoolExecutor(len(TOGETHER), mp_context=get_context("spawn")) as pool:
        found = dict(zip(TOGETHER, pool.map(measured, TOGETHER, [began] * len(TOGETHER)), strict=True))
    found |= {name: measured(name, began) for name in MODULES if name not in TOGETHER}
    return [row for name in MODULES for row in found[name]]


def main(names: Sequence[str]) -> int:
    """Run the modules called `names`, or all and write the results; a target that is missed is no failure."""
    began = monotonic()
    found = [row for name in names for row in measured(name, began)] if names else _all(began)
    results = {"at": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "rows": [asdict(row) for row in found]}
    print(table(results))
    if not names:
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
