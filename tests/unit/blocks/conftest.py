"""What all tests of messages have in common: they compare words as people read them."""

from __future__ import annotations

import pytest

from bot.blocks import text


@pytest.fixture(autouse=True)
def ordinary_spaces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amounts have the spaces that one sees, but in tests of what they are and of whole messages."""
    if request.path.name not in {"test_text.py", "test_messages.py"}:
        monkeypatch.setattr(text, "UNBROKEN", " ")
