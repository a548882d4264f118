"""`make messages`: writes `docs/messages.md`, and measures what has no height yet; or takes pictures.

Lives here: the options, and finding a browser. Does not live here: the page (`page`), the measurement (`browser`).
Called by `make messages`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.conftest import ARGUMENTS, chromium
from tests.messages import heights, page
from tests.messages.browser import NARROW, WIDE, measure
from tests.messages.catalogue import CATALOGUE, everything
from tests.messages.example import LANGUAGES, Said, said
from tests.messages.sheets import THEMES, photograph


def main() -> int:
    """Write the page; returns the exit code, which is 1 when heights are missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.messages", description="Write docs/messages.md.")
    parser.add_argument("--all", action="store_true", help="measure all heights again, for example after a new style")
    parser.add_argument("--pictures", type=Path, help="a folder for sheets of every surface, instead of the page")
    options = parser.parse_args()
    if options.pictures:
        return _pictures(options.pictures)
    everyone = [one for _, _, spoken in everything() for one in spoken]
    known = {} if options.all else heights.read()
    missing = [one for one in everyone if one.digest not in known]
    executable = chromium()
    if missing and executable:
        known |= zip((one.digest for one in missing), asyncio.run(_measured(executable, missing)), strict=True)
    heights.write(known, everyone)
    page.FILE.write_text(page.page(known), encoding="utf-8")
    left = sum(one.digest not in known for one in everyone)
    _report(len(everyone), len(missing) - left, left)
    return 1 if left else 0


async def _measured(executable: str, missing: Sequence[Said]) -> list[heights.Height]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        found = await measure(browser, missing)
        await browser.close()
    return found


def _pictures(folder: Path) -> int:
    """Sheets of each surface, in each language, at both widths, light and dark."""
    executable = chromium()
    if executable is None:
        print("No Chromium was found. Install it, or name it in CHROMIUM.")  # noqa: T201  # what it is for
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_photographed(executable, folder))
    print(f"{folder} has {len(list(folder.glob('*.png')))} pictures.")  # noqa: T201  # what it is for
    return 0


async def _photographed(executable: str, folder: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        for surface, language, size, theme in product(CATALOGUE, LANGUAGES, (WIDE, NARROW), THEMES):
            everyone = [one for each in surface.examples for one in said(each, surface.place)]
            shown = [one for one in everyone if one.language is language]
            stem = folder / f"{page.slug(surface.title)}-{language}-{size[0]}-{theme}"
            await photograph(browser, shown, stem, size=size, theme=theme)
        await browser.close()


def _report(everyone: int, measured: int, left: int) -> None:
    line = f"docs/messages.md has {everyone} messages; measured now: {measured}."
    if left:
        line += f" {left} have no height: no Chromium was found. Install it, or name it in CHROMIUM."
    print(line)  # noqa: T201  # what it is for


sys.exit(main())
