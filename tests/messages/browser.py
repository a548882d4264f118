"""Messages in a real Chromium, in the page of the simulated Slack: how high they are.

Lives here: the page with a message in it, and the measurement, in one session for all messages. Does not live here:
what is kept of it (`tests.messages.heights`), pictures (`tests.messages.sheets`). The page is drawn without a server:
its files come from the folder of the sandbox, and its script, which would look for a server, is replaced by an empty
one.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Route

from sandbox.page import message as messages
from sandbox.page import own, screen
from sandbox.page.markup import Html
from sandbox.page.mrkdwn import Viewer, mrkdwn
from sandbox.page.render import blocks
from sandbox.page.server import STATIC
from tests.messages.example import Place, Said
from tests.messages.heights import Height
from tests.messages.world import CHANNEL, CHANNELS, NOW, PEOPLE, PERSON

WIDE, NARROW = (1280, 800), (390, 844)
_ADDRESS = "http://sandbox.invalid/"
_PERSON, _CHANNEL = screen.Person(PERSON, "You"), screen.Conversation(CHANNEL, CHANNELS[CHANNEL])
_MEASURE = """async (parts) => {
  await document.fonts.ready;
  const modal = document.getElementById("modal");
  const put = (place, html) => {
    const region = document.getElementById(place === "modal" ? "modal-body" : "log");
    region.innerHTML = html;
    if (place !== "modal") return region.firstElementChild;
    modal.style.maxHeight = region.style.maxHeight = "none";
    if (!modal.open) modal.showModal();
    return modal;
  };
  const heights = [];
  for (const [place, html] of parts) heights.push(Math.ceil(put(place, html).getBoundingClientRect().height));
  if (document.documentElement.scrollWidth > innerWidth) throw new Error("wider than the screen");
  return heights;
}"""


async def measure(browser: Browser, said: Sequence[Said]) -> list[Height]:
    """The height of each message at both widths."""
    parts = [(one.place.value, drawn(one)) for one in said]
    context = await browser.new_context()
    try:
        page = await opened(context)
        wide, narrow = [await _heights(page, size, parts) for size in (WIDE, NARROW)]
    finally:
        await context.close()
    return [Height(*pair) for pair in zip(wide, narrow, strict=True)]


async def _heights(page: Page, size: tuple[int, int], parts: Sequence[tuple[str, str]]) -> list[int]:
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    found: list[int] = await page.evaluate(_MEASURE, list(parts))
    return found


async def opened(context: BrowserContext) -> Page:
    """The page, without messages."""
    page = await context.new_page()
    await page.route("**/*", _serve)
    await page.goto(_ADDRESS)
    return page


async def _serve(route: Route) -> None:
    path = urlsplit(route.request.url).path
    if path == "/":
        await route.fulfill(body=screen.page(_screen()), content_type="text/html")
    elif path.endswith(".js"):
        await route.fulfill(body="", content_type="text/javascript")
    else:
        file = STATIC / path.rpartition("/")[2]
        await route.fulfill(path=file, content_type=mimetypes.guess_type(file.name)[0])


def _screen(modal: screen.Modal | None = None, home: Html | None = None) -> screen.Screen:
    return screen.Screen(
        workspace="Sandbox lab",
        me=_PERSON,
        people=(_PERSON,),
        conversations=(_CHANNEL,),
        conversation=_CHANNEL,
        messages=(),
        now=NOW,
        tab="home" if home else "messages",
        home=home,
        modal=modal,
    )


def drawn(said: Said) -> Html:
    """A message, a Home or a modal, as the page draws it for a reader of its language."""
    locale = said.language.replace("_", "-")
    own.reading(locale)
    reader = Viewer(id=PERSON, locale=locale, now=NOW, users=PEOPLE, channels=CHANNELS)
    body = blocks(said.blocks, reader) if said.blocks else mrkdwn(said.text, reader)
    match said.place:
        case Place.MODAL:
            close, *submit = (*said.buttons, "")
            shown = screen.Modal("V1", said.title, body, submit=submit[0], close=close)
            return screen.regions(_screen(modal=shown))["modal-body"]
        case Place.HOME:
            return screen.regions(_screen(home=body))["log"]
        case place:
            one = messages.Message(
                key="1",
                author="execution-bot",
                at=NOW,
                body=body,
                channel=CHANNEL,
                ephemeral="1" if place is Place.PRIVATE else "",
                is_bot=True,
            )
            return messages.message(one, NOW, lambda *_, **__: "")
