"""docs/performance.md says what was measured, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report import RESULTS, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def test_the_page_is_the_measured_one() -> None:
    """Nobody writes figures by hand: the page follows from results.json."""
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(RESULTS.read_text(encoding="utf-8")))


def test_a_missed_target_is_said() -> None:
    """A row that misses its target stands in the page with «no»."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    missed = [row | {"is_met": False} for row in results["rows"]]
    assert page(results | {"rows": missed}).count("**no**") == len(missed)
