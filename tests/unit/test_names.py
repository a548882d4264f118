"""The names of the repository's tests: each says what it promises in at most eight words."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
MOST_WORDS = 8
TO_BE_RENAMED = TESTS / "store"
"""The only folder with longer names."""


def test_names_have_at_most_eight_words() -> None:
    """The words after `test_`; a promise that needs more words has them in its docstring."""
    paths = [path for path in TESTS.rglob("test_*.py") if TO_BE_RENAMED not in path.parents]
    found = [name for path in paths for name in re.findall(r"(?m)^(?:async )?def test_(\w+)", path.read_text("utf-8"))]
    assert len(found) > 100
    assert [name for name in found if len(name.split("_")) > MOST_WORDS] == []
