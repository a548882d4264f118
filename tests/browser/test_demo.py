"""The demo in a real browser: what a newcomer sees first, and how they get around."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from sandbox.demo import Demo
from tests.browser.conftest import NARROW, WIDE, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FIRST = ("exome-", "wgs-", "rna-")
"""What the names of the first screen begin with: one failed, one runs, one is slow."""

PATIENCE = 20_000
"""Milliseconds that a press may take to show: the machine may be busy."""


@pytest_asyncio.fixture(loop_scope="session")
async def page(tab: Page, demo: Demo) -> AsyncIterator[Page]:
    """The page as You see it, at 1280."""
    async with visit(tab, patience=PATIENCE) as opened:
        async with opened.expect_response("**/fragment/**"):
            await opened.goto(demo.page.url)
        yield opened


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_the_first_screen_names_all_three(tab: Page, demo: Demo, size: tuple[int, int]) -> None:
    """A running, a failed and a slow execution, without scrolling, at once."""
    demo.page.binding.forget_what_was_read()
    async with visit(tab, size=size) as opened:
        async with opened.expect_response("**/fragment/**"):
            await opened.goto(demo.page.url)
        for name in FIRST:
            await expect(opened.locator("#log h3", has_text=name).first).to_be_in_viewport()
        await expect(opened.locator("#log h3", has_text="slower than usual")).to_be_in_viewport()


async def test_steps_open_and_close(page: Page, demo: Demo) -> None:
    """A modal with all steps, at one press."""
    await page.locator("#log article", has_text="rna-").get_by_role("button", name="Steps").first.click()
    await expect(page.locator("#modal")).to_contain_text("bwa-mem")
    await page.keyboard.press("Escape")
    await expect(page.locator("#modal")).to_be_hidden()


async def test_home_and_messages_are_reached(page: Page) -> None:
    """The bot's Home and its direct messages, where 195 steps and an early failure are."""
    await page.get_by_role("link", name="execution-bot").click()
    await expect(page.locator("#log h3", has_text="cohort-").first).to_be_visible()
    await page.get_by_role("link", name="Home").click()
    await expect(page.locator("#log")).to_contain_text("cohort-")
    await page.get_by_role("link", name="Messages").click()
    await expect(page.locator("#log h3", has_text="panel-").first).to_be_visible()


async def test_a_thread_opens_and_takes_a_reply(page: Page) -> None:
    """The failed execution's."""
    await page.locator(".thread-line").first.click()
    await page.get_by_label("Reply…").fill("I look into it")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-log")).to_contain_text("I look into it")
    await page.get_by_role("button", name="Close the thread").click()
    await expect(page.locator("#thread")).to_be_hidden()


async def test_each_hint_fills_in_what_is_answered(page: Page) -> None:
    """Every command that the page proposes is one that the bot takes."""
    await page.get_by_text("Things to try").click()
    for word in ("status", "中文", "English", "list", "help"):
        count = await page.locator(".message.ephemeral").count()
        await page.locator("#hints").get_by_role("button", name=word).first.click()
        await page.keyboard.press("Enter")
        await expect(page.locator(".message.ephemeral")).to_have_count(count + 1)
    for private in await page.get_by_role("button", name="Dismiss").all():
        await expect(private).to_be_attached()


async def test_words_in_direct_messages_are_answered(page: Page) -> None:
    """As one would type to a colleague."""
    await page.get_by_role("link", name="execution-bot").click()
    await expect(page.get_by_role("heading", name="execution-bot", level=1)).to_be_visible()
    count = await page.locator("#log article").count()
    await page.locator("#say").fill("running")
    await page.keyboard.press("Enter")
    await expect(page.locator("#log article")).to_have_count(count + 2)
    await expect(page.locator("#log article").last).to_contain_text("running")


async def test_a_mention_is_answered_for_its_author(page: Page) -> None:
    """In the channel, and in the thread of the mention."""
    count = await page.locator(".message.ephemeral").count()
    await page.locator("#say").fill("@execution-bot list")
    await page.keyboard.press("Enter")
    await expect(page.locator("#log b, #log .mention", has_text="execution-bot").last).to_be_visible()
    await expect(page.locator(".message.ephemeral")).to_have_count(count + 1)
    await page.locator(".thread-line").first.click()
    await page.get_by_label("Reply…").fill("@execution-bot help")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-log .message.ephemeral")).to_contain_text("/execution list")


async def test_a_shortcut_follows_what_a_message_names(page: Page, demo: Demo) -> None:
    """The modal is filled in from a card; one press follows."""
    card = page.locator("#log article", has_text="rna-").first
    await card.hover()
    await card.get_by_role("button", name="Follow this execution").click()
    await expect(page.locator("#modal")).to_contain_text("rna-")
    await page.locator("#modal").get_by_role("button", name="Follow", exact=True).click()
    await expect(page.locator("#modal")).to_contain_text("Its card comes as a direct message.")
    await page.keyboard.press("Escape")
    await expect(page.locator("#modal")).to_be_hidden()
    assert demo.slack.views(demo.you) == []


async def test_a_shortcut_asks_which_is_meant(page: Page) -> None:
    """From everywhere: a part of names, several to choose from, and the one that was chosen."""
    await page.get_by_role("button", name="Follow an execution").click()
    await page.locator("#modal").get_by_label("Execution").fill("a")
    await page.locator("#modal").get_by_role("button", name="Follow", exact=True).click()
    await expect(page.locator("#modal [data-input=execution] label").first).to_be_visible()
    await page.locator("#modal [data-input=execution] label").first.click()
    await page.locator("#modal").get_by_role("button", name="Follow", exact=True).click()
    await expect(page.locator("#modal")).to_contain_text("execution")
    await expect(page.locator("#modal [data-input]")).to_have_count(0)
    await page.keyboard.press("Escape")


async def test_gcs_goes_away_and_comes_back(page: Page, demo: Demo) -> None:
    """The cards say so, and no longer once it is back."""
    await page.get_by_text("Things to try").click()
    async with page.expect_response("**/stage"):
        await page.get_by_role("button", name="away").click()
    assert len(demo.gcs.faults.active) == 1
    async with page.expect_response("**/stage"):
        await page.get_by_role("button", name="back").click()
    assert demo.gcs.faults.active == []


async def test_a_chinese_reader_has_a_place(page: Page, demo: Demo) -> None:
    """One choice away, with an execution whose names are Chinese."""
    await page.get_by_label("You are").select_option("Chinese reader")
    await page.get_by_role("link", name="execution-bot").click()
    await expect(page.locator("#log h3", has_text="全外显子检测").first).to_be_visible()
