"""What people do on the page of the demo: go somewhere, press, type, choose, and see what comes of it.

Lives here: `Walk`, and to which controls the bot listens. Does not live here: which way a walk goes (`test_walk`). What
takes a while is seen by `wait_for`: each time that `expect` finds nothing yet, it writes down the whole page, which
takes more than drawing it.
"""

from __future__ import annotations

import json
import re
from time import time
from typing import Any, cast
from unittest.mock import MagicMock

from playwright.async_api import Locator, Page, Request, expect
from playwright.async_api import TimeoutError as TooLate

from bot.blocks.buttons import CHOOSE, parse_choice
from handlers import register
from sandbox.demo import Demo

PATIENCE = 60_000
"""Milliseconds that an effect may take to show: the machine may be busy."""
TRIES = 3
"""So often is a control pressed that opens a modal: Slack lets the bot open one for three seconds only."""
MENU = "⋯ "
"""Begins the label of what is in a menu."""


class Listened:
    """Takes the place of Bolt's app, and remembers to which controls the bot listens."""

    def __init__(self) -> None:
        self.actions: set[str] = set()
        self.views: set[str] = set()

    def action(self, constraint: str | re.Pattern[str]) -> Any:
        """A button, an entry of a menu, or a choice in a modal."""
        return self._noted(self.actions, constraint)

    def view(self, constraint: str | re.Pattern[str]) -> Any:
        """A modal that is saved."""
        return self._noted(self.views, constraint)

    def shortcut(self, constraint: str | re.Pattern[str]) -> Any:
        """What people choose from Slack's own menus."""
        return self._noted(self.actions, constraint)

    def __getattr__(self, _name: str) -> Any:
        return lambda *_constraint, **_matchers: lambda listener: listener

    @staticmethod
    def _noted(names: set[str], constraint: str | re.Pattern[str]) -> Any:
        if isinstance(constraint, str):
            names.add(constraint)
        return lambda listener: listener


def listened() -> set[str]:
    """The action id of each control, and the callback id of each shortcut and of each modal that can be saved."""
    app, nothing = Listened(), MagicMock()
    register(cast("Any", app), subscriptions=nothing, workspace=nothing, requests=nothing, acting=nothing)
    return app.actions | app.views


class Walk:
    """One page, on which people press controls; `pressed` are those that they did press."""

    def __init__(self, page: Page, demo: Demo) -> None:
        self.page, self.demo = page, demo
        self.pressed: set[str] = set()

    # -- places --

    def card(self, name: str) -> Locator:
        """The card of an execution, by a part of its name."""
        headline = self.page.locator("h3", has_text=name)
        return self.page.locator("#log article:not(.ephemeral)", has=headline, has_not_text="shared by")

    def end(self, name: str) -> Locator:
        """The message about the end of an execution."""
        said = self.page.locator("#log article:not(.ephemeral)", has_text=name, has_not_text="shared by")
        why = self.page.locator("button[data-action-id=show_why]")
        return said.filter(has=why, has_not=self.page.locator("h3"))  # a card has a headline

    def answer(self, text: str) -> Locator:
        """What only this person sees."""
        return self.page.locator("#log article.ephemeral", has_text=text)

    def modal(self, text: str | re.Pattern[str] = "") -> Locator:
        """The open modal."""
        return self.page.locator("#modal[open]", has_text=text)

    def home(self, text: str = "") -> Locator:
        """The bot's Home."""
        return self.page.locator("#log .home", has_text=text)

    def said(self, text: str) -> Locator:
        """A message that everybody in the channel sees."""
        return self.page.locator("#log article:not(.ephemeral)", has_text=text)

    # -- what people do --

    async def go(self, channel: str, *, me: str, tab: str = "messages") -> None:
        """Open a conversation as somebody."""
        async with self.page.expect_response("**/fragment/**"):
            await self.page.goto(f"{self.demo.page.url}/c/{channel}?me={me}&tab={tab}")

    async def type(self, line: str, *, shows: Locator) -> None:
        """Send a command."""
        before = await shows.count()
        await self.page.locator("#say").fill(line)
        await self.page.locator("#say").press("Enter")
        await shows.nth(before).wait_for()

    async def press(
        self,
        where: Locator,
        label: str,
        *,
        shows: Locator | None = None,
        changes: Locator | None = None,
        hides: Locator | None = None,
    ) -> None:
        """Press the last such control of the last such place, and confirm if asked.

        Then something more `shows`, the last of something `changes`, or something `hides`.
        """
        (watched,) = filter(None, (shows, changes, hides))
        number = await watched.count()
        before = await watched.last.inner_text() if changes else ""
        if changes:  # the time in it may be all that changes, and has seconds
            await self.page.wait_for_function("shown => Date.now() >= shown", arg=(int(time()) + 1) * 1000, polling=20)
        await where.last.hover()
        control = where.last.get_by_role("button", name=label, exact=True)
        if label.startswith(MENU):
            entry = self.page.get_by_role("menuitem", name=label.removeprefix(MENU), exact=True, include_hidden=True)
            menu = where.last.locator("details.overflow", has=entry).last
            await menu.locator("summary").click()
            control = menu.get_by_role("menuitem", name=label.removeprefix(MENU), exact=True)
        is_asked = await control.last.get_attribute("data-confirm")
        await control.last.click()
        if is_asked:
            await self.page.locator("#confirm button").last.click()
        if shows:
            await self._see(shows.nth(number), control.last)
        elif changes:
            await expect(changes.last, f"{label} changes").not_to_have_text(
                before, timeout=PATIENCE, use_inner_text=True
            )
        else:
            await expect(watched, f"{label} hides").to_have_count(number - 1, timeout=PATIENCE)

    async def _see(self, seen: Locator, control: Locator) -> None:
        """Wait for what a press shows; a modal that was too late to open is asked for again."""
        for left in reversed(range(TRIES)):
            try:
                return await seen.wait_for(timeout=PATIENCE / TRIES)
            except TooLate:
                if not left:
                    raise
                is_late = "#modal" in str(seen) and not await self.modal().count()
                if is_late and await control.is_visible():
                    await control.click()
        return None

    async def enter(self, label: str, text: str) -> None:
        """Fill in a field of the modal."""
        await self.modal().get_by_label(label).fill(text)

    async def choose(self, menu: str, label: str, *, group: str, shows: Locator) -> None:
        """Choose from a menu of the modal; then something more `shows`."""
        number = await shows.count()
        options = self.modal().get_by_label(menu).locator(f"optgroup[label='{group}'] option", has_text=label)
        value = await options.get_attribute("value")
        await self.modal().get_by_label(menu).select_option(value)
        await shows.nth(number).wait_for()

    async def close(self) -> None:
        """Close the modal."""
        await self.press(self.modal(), "Close", hides=self.modal())

    def note(self, request: Request) -> None:
        """Remember which control a request is about."""
        act, sent = request.url.rpartition("/")[2], json.loads(request.post_data or "{}")
        if act == "submit":
            views = self.demo.slack.views(sent["me"])
            self.pressed |= {str(view.body.get("callback_id")) for view in views if view.id == sent["view"]}
        elif act == "shortcut":
            self.pressed.add(sent["callback_id"])
        elif act == "press":
            self.pressed.add(sent["action_id"])
            if sent["action_id"] == CHOOSE:
                self.pressed.add(parse_choice(sent["value"])[0])
