"""Pictures of a whole surface: sheets on which its messages stand in columns, as the simulated Slack draws them.

Lives here: `photograph`. Does not live here: how a message is drawn (`tests.messages.browser`). Called by
`make messages ARGS="--pictures folder"`, and by a test. A sheet is as large as one can read without enlarging it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page

from tests.messages import heights
from tests.messages.browser import drawn, opened
from tests.messages.example import Place, Said

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

SHEET_HEIGHT = 1500
"""About how high a sheet is, in pixels; a single message may be higher."""
SHEET_WIDTH = 1570
"""At most how wide the columns of a sheet are together, in pixels."""
COLUMN = 780
"""At most how wide a column is: messages are no wider on any screen, only a Home is."""
GAP = 20
"""What stands between two messages, in pixels, about."""

_SHOW = """async (parts) => {
  const log = document.getElementById("log");
  const dialog = (html) => `<dialog open
    style="position: static; margin: 12px; max-height: none; box-shadow: none; outline: 1px solid gray">
    <form id="modal-body" style="max-height: none">${html}</form></dialog>`;
  document.getElementById("modal")?.remove();
  log.innerHTML = parts.map(([place, html]) => place === "modal" ? dialog(html) : html).join("");
  await document.fonts.ready;
  return Math.ceil(innerHeight - log.clientHeight + log.scrollHeight);
}"""


async def photograph(
    browser: Browser, said: Sequence[Said], stem: Path, *, size: tuple[int, int], theme: Theme
) -> list[Path]:
    """Sheets with all of `said`, as a screen of `size` shows them; returns the files, `stem` with a number each."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
    try:
        page = await opened(context)
        columns = [await _column(page, each, size) for each in _columns(said, size)]
        is_wide = size[0] > COLUMN and any(one.place is Place.HOME for one in said)
        abreast = 1 if is_wide else SHEET_WIDTH // min(size[0], COLUMN)
        sheets = [columns[start : start + abreast] for start in range(0, len(columns), abreast)]
        files = [stem.with_name(f"{stem.name}-{number}.png") for number in range(1, len(sheets) + 1)]
        for sheet, file in zip(sheets, files, strict=True):
            await _put_together(page, sheet, file)
        return files
    finally:
        await context.close()


def _columns(said: Sequence[Said], size: tuple[int, int]) -> Iterator[list[Said]]:
    """The messages of each column: as many as have room, by the heights that are written down."""
    known = heights.read()
    column: list[Said] = []
    used = 0
    for one in said:
        height = known[one.digest].narrow if size[0] < COLUMN else known[one.digest].wide
        if column and used + height > SHEET_HEIGHT:
            yield column
            column, used = [], 0
        column.append(one)
        used += height + GAP
    if column:
        yield column


async def _column(page: Page, said: Sequence[Said], size: tuple[int, int]) -> bytes:
    """A picture of a few messages, one below the other."""
    height = await page.evaluate(_SHOW, [(one.place.value, drawn(one)) for one in said])
    await page.set_viewport_size({"width": size[0], "height": height})
    box = await page.locator("#log").bounding_box()
    assert box is not None
    width = box["width"] if any(one.place is Place.HOME for one in said) else min(box["width"], COLUMN)
    clip = {"x": box["x"], "y": box["y"], "width": width, "height": box["height"]}
    return await page.screenshot(clip=clip, animations="disabled")  # type: ignore[arg-type]  # its own type of a box


async def _put_together(page: Page, columns: Sequence[bytes], file: Path) -> None:
    pictures = "".join(f'<img src="data:image/png;base64,{b64encode(one).decode()}">' for one in columns)
    sheet = await page.context.new_page()
    await sheet.set_viewport_size({"width": SHEET_WIDTH, "height": SHEET_HEIGHT})
    await sheet.set_content(f'<div style="display: inline-flex; gap: 2px; align-items: start">{pictures}</div>')
    await sheet.locator("div").screenshot(path=file)
    await sheet.close()
