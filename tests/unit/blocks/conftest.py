"""What all tests of messages have in common: they compare words as people read them."""

from __future__ import annotations

import pytest

from bot.blocks import text


@pytest.fixture(autouse=True)
def ordinary_spaces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amounts have the spaces that one sees; only the tests of `bot.blocks.text` look at what they are."""
    if not request.node.nodeid.startswith("tests/unit/blocks/test_text.py"):
        monkeypatch.setattr(text, "UNBROKEN", " ")
