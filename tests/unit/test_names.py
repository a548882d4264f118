"""The names of the repository's tests: each says what it promises in at most eight words."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
MOST_WORDS = 8


def test_names_have_at_most_eight_words() -> None:
    """The words after `test_`; a promise that needs more words has them in its docstring."""
    sources = [path.read_text("utf-8") for path in TESTS.rglob("test_*.py")]
    found = [name for source in sources for name in re.findall(r"(?m)^(?:async )?def test_(\w+)", source)]
    assert len(found) > 100
    assert [name for name in found if len(name.split("_")) > MOST_WORDS] == []
