"""`make messages`: writes `docs/messages.md`, and measures what has no height yet.

Lives here: the options, and finding a browser. Does not live here: the page (`page`), the measurement (`browser`).
Called by `make messages`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from playwright.async_api import async_playwright

from tests.browser.conftest import ARGUMENTS, chromium
from tests.messages import heights, page
from tests.messages.browser import measure
from tests.messages.catalogue import everything
from tests.messages.example import Said


def main() -> int:
    """Write the page; returns the exit code, which is 1 when heights are missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.messages", description="Write docs/messages.md.")
    parser.add_argument("--all", action="store_true", help="measure all heights again, for example after a new style")
    options = parser.parse_args()
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


def _report(everyone: int, measured: int, left: int) -> None:
    said = f"docs/messages.md has {everyone} messages; measured now: {measured}."
    if left:
        said += f" {left} have no height: no Chromium was found. Install it, or name it in CHROMIUM."
    print(said)  # noqa: T201  # what it is for


sys.exit(main())
