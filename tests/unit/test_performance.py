"""docs/performance.md says what was measured, and nothing else.

The figures themselves are not tested: `make bench` measures them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import MODULES
from benchmarks.harness import SENTENCE_WORDS
from benchmarks.report import RESULTS, page

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "performance.md"
SCREEN_LINES = 45


@pytest.fixture
def results() -> Any:
    """What was measured last."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def test_page_follows_from_the_results(results: Any) -> None:
    """Nobody writes figures by hand."""
    assert PAGE.read_text(encoding="utf-8") == page(results)


def test_missed_targets_are_marked(results: Any) -> None:
    """A row that misses its target stands in the page with "no"."""
    missed = [row | {"is_met": False} for row in results["rows"]]
    assert page(results | {"rows": missed}).count("**no**") == len(missed)


def test_table_fits_on_one_screen(results: Any) -> None:
    """A reader sees every target without scrolling."""
    assert page(results).splitlines().index("## Details") <= SCREEN_LINES


def test_each_row_needs_one_sentence(results: Any) -> None:
    """What a row measures is read at once."""
    assert all(len(row["measures"].split()) <= SENTENCE_WORDS for row in results["rows"])


def test_documents_name_groups_that_there_are() -> None:
    """`make bench ARGS=…` runs something."""
    documents = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    named = {name for each in documents for name in re.findall(r"bench ARGS=(\w+)", each.read_text(encoding="utf-8"))}
    assert named
    assert named <= {*MODULES}
