"""How high messages are in a real browser: within the goals of their class, and as `docs/messages.md` says."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.messages import heights
from tests.messages.browser import NARROW, measure
from tests.messages.catalogue import everything
from tests.messages.ends import ENDS
from tests.messages.example import said
from tests.messages.sheets import SHEET_WIDTH, photograph

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NEARLY = 0.25
"""By how much another machine may differ, which has other fonts and so other ends of lines."""
LINE = 45
"""Two lines more, in pixels, may be much for a small message."""


async def test_sheets_show_a_whole_surface(browser: Browser, tmp_path: Path) -> None:
    """Its columns are as wide as the screen, and have room for all messages."""
    spoken = [one for example in ENDS.examples for one in said(example, ENDS.place)]
    written = heights.read()
    files = await photograph(browser, spoken, tmp_path / "ends", size=NARROW, theme="dark")
    area = 0
    for file in files:
        width, height = struct.unpack(">II", file.read_bytes()[16:24])
        assert width <= SHEET_WIDTH
        area += width * height
    assert area > sum(written[one.digest].narrow for one in spoken) * NARROW[0] * 0.75


async def test_messages_are_as_high_as_written(browser: Browser) -> None:
    """Held goals hold here, too; a new style of the page needs `make messages ARGS=--all`."""
    examples = [(example, one) for _, example, spoken in everything() for one in spoken]
    measured = await measure(browser, [one for _, one in examples])
    written = heights.read()
    for (example, one), height in zip(examples, measured, strict=True):
        for now, then in zip(height, written[one.digest], strict=True):
            assert abs(now - then) <= LINE + NEARLY * then, f"{example.name}: {now} px, not {then}"
        if example.goal is not None and example.goal.is_held:
            assert not heights.exceeds(height, example.goal), f"{example.name}: {height}"
