"""A real Chromium, the simulated Slack with its page, and a small app that answers there.

All tests look at one page, one after the other: for each page in a profile of its own, Chromium starts processes, which
takes longer than most tests.

Without Chromium these tests are skipped, and the summary says so in red; with `REQUIRE_BROWSER=1`, which CI sets, they
fail. `CHROMIUM` names another executable. A complaint on the browser's console fails the test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, async_playwright, expect
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.demo import Demo
from sandbox.page.server import Page as PretendPage
from sandbox.slack import Slack

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MISSING = "The browser tests did NOT run: no Chromium found. Install it, or name it in CHROMIUM."
WIDE = (1280, 800)
NARROW = (390, 844)

is_missing = pytest.StashKey[bool]()


def chromium() -> str | None:
    """The executable, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, ("/usr/bin/chromium", "chromium", "chromium-browser"))), None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in the summary that the tests did not run."""
    if config.stash.get(is_missing, False):
        terminalreporter.write_line(MISSING, red=True, bold=True)


@pytest.fixture(scope="session")
def executable(pytestconfig: pytest.Config) -> str:
    """The browser to drive."""
    found = chromium()
    if found is None:
        pytestconfig.stash[is_missing] = True
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"{MISSING} REQUIRE_BROWSER=1 says that it must.")
        pytest.skip(MISSING)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(executable: str) -> AsyncIterator[Browser]:
    """One browser for all tests."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tab(browser: Browser) -> AsyncIterator[Page]:
    """The page that all tests look at, each in a `visit`."""
    context = await browser.new_context(timezone_id="Asia/Shanghai", reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


@asynccontextmanager
async def visit(page: Page, *, size: tuple[int, int] = WIDE, patience: float = 10_000) -> AsyncIterator[Page]:
    """The page on a screen of some size, and empty again afterwards; what its console complains about fails the test.

    What does not show within `patience`, in milliseconds, is taken for missing.
    """
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def fail(error: Error) -> None:
        complaints.append(str(error))

    width, height = size
    await page.set_viewport_size({"width": width, "height": height})
    page.set_default_timeout(patience)
    expect.set_options(timeout=patience)
    page.on("console", hear)
    page.on("pageerror", fail)
    try:
        yield page
    finally:
        await page.goto("about:blank")  # ends the stream of changes before its server ends
        page.remove_listener("console", hear)
        page.remove_listener("pageerror", fail)
        await page.context.clear_cookies()
    assert complaints == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(executable: str) -> AsyncIterator[Demo]:
    """The whole demo with its bot, once its address would be printed."""
    assert executable  # without a browser nothing is worth starting
    started = Demo(port=0)
    await started.start()
    await started.ready()
    await started.begin()
    yield started
    await started.stop()


@dataclass
class World:
    """The simulated Slack, its page, and who is there."""

    slack: Slack
    page: PretendPage
    client: AsyncWebClient
    you: str
    desk: str
    channel: str
    other: str


@pytest_asyncio.fixture(loop_scope="session")
async def world() -> AsyncIterator[World]:
    """A workspace with two people and two channels, and no messages yet."""
    async with Slack() as slack:
        you, desk = slack.add_user("You"), slack.add_user("Lab desk")
        channel = slack.add_channel("sequencing", members=(you, desk))
        other = slack.add_channel("random", members=(you, desk))
        client = AsyncWebClient(slack.bot_token, base_url=slack.api_url)
        async with PretendPage(slack, people=(you, desk)) as page:
            yield World(slack, page, client, you, desk, channel, other)


@dataclass
class Viewer:
    """Opens the page of `world` with a screen of some size."""

    tab: Page
    world: World
    visits: AsyncExitStack
    opened: list[Page] = field(default_factory=list)

    async def at(self, path: str = "/", size: tuple[int, int] = WIDE) -> Page:
        """The page, loaded and following the server; when called again, a second one beside it."""
        page = await self.tab.context.new_page() if self.opened else self.tab
        self.opened.append(page)
        await self.visits.enter_async_context(visit(page, size=size))
        async with page.expect_response("**/fragment/**"):
            await page.goto(self.world.page.url + path)
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def viewer(tab: Page, world: World, request: pytest.FixtureRequest) -> AsyncIterator[Viewer]:
    """Opens pages of `world`; `PICTURES` names a directory for a screenshot of each page as the test left it."""
    async with AsyncExitStack() as visits:
        viewing = Viewer(tab, world, visits)
        yield viewing
        if pictures := os.environ.get("PICTURES"):
            for number, page in enumerate(viewing.opened):
                await page.screenshot(path=Path(pictures) / f"{request.node.name}-{number}.png")
    for page in viewing.opened[1:]:
        await page.close()
