"""`make pictures`: takes the pictures of README.md from the demo.

Lives here: which screens, at which sizes, and into which files. Does not live here: the demo (`sandbox.demo`), pictures
of every message (`tests.messages`). Called by `make pictures`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from sandbox.demo import Demo
from tests.browser.conftest import ARGUMENTS, MISSING, NARROW, WIDE, chromium

FOLDER = Path(__file__).parents[1] / "docs" / "images"

MOST_KB = 200
"""At most so large is a picture: git keeps every version of it."""

SETTLED_MS = 1500
"""How long after it was opened a page is as it stays: what has just arrived moves in."""


@dataclass(frozen=True)
class Picture:
    """One screen of the demo."""

    name: str
    size: tuple[int, int]
    address: Callable[[Demo], str]
    theme: str = "light"


PICTURES = (
    Picture("channel", WIDE, lambda demo: f"/c/{demo.sequencing}"),
    Picture("phone", NARROW, lambda demo: f"/c/{demo.sequencing}", theme="dark"),
    Picture("chinese", WIDE, lambda demo: f"/c/{demo.slack.dm(demo.reader)}?me={demo.reader}"),
)


def main() -> int:
    """Take them; returns the exit code, which is 1 where there is no browser, or a picture is too large."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description="Take the pictures of README.md.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write them (default: docs/images)")
    options = parser.parse_args()
    executable = chromium()
    if executable is None:
        print(MISSING)  # noqa: T201  # what it is for
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    sizes = asyncio.run(_take(executable, options.folder))
    for name, kilobytes in sizes.items():
        print(f"{name}.png: {kilobytes} kB{', too large' if kilobytes > MOST_KB else ''}")  # noqa: T201  # what it is for
    return int(max(sizes.values()) > MOST_KB)


async def _take(executable: str, folder: Path) -> dict[str, int]:
    """Returns the size of each picture in kilobytes."""
    demo = Demo(port=0)
    await demo.start()
    try:
        await demo.ready()
        await demo.begin()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            for picture in PICTURES:
                demo.page.binding.forget_what_was_read()
                await _photograph(browser, demo, picture, folder / f"{picture.name}.png")
            await browser.close()
    finally:
        await demo.stop()
    return {picture.name: (folder / f"{picture.name}.png").stat().st_size // 1000 for picture in PICTURES}


async def _photograph(browser: Browser, demo: Demo, picture: Picture, file: Path) -> None:
    width, height = picture.size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        timezone_id="Asia/Shanghai",
    )
    page = await context.new_page()
    async with page.expect_response("**/fragment/**"):
        await page.goto(demo.page.url + picture.address(demo))
    await page.wait_for_timeout(SETTLED_MS)
    await page.screenshot(path=file)
    await context.close()


if __name__ == "__main__":
    sys.exit(main())
