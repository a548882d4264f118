"""The routes of the page: a screen, its regions, the stream of changes, and what people do.

Lives here: `Page`, which the demo and the browser tests start. Does not live here: how anything looks (`screen`), where
the data comes from and who handles a press (`binding`). The server listens on 127.0.0.1, answers no other host name and
accepts no form of another page, so that no other site in the browser can press its buttons.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from sandbox.page import screen
from sandbox.page.binding import Binding, NoSuchChannel
from sandbox.page.own import own
from sandbox.page.screen import Hint
from sandbox.slack import Slack

STATIC = Path(__file__).with_name("static")
GATHER_SECONDS = 0.05
"""Changes within this time are announced together."""
HEARTBEAT_SECONDS = 15.0

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """The page, served on a port of its own."""

    def __init__(self, slack: Slack, *, people: Sequence[str], port: int = 0) -> None:
        """`people` are the ids of the users that one can act as; the first is the default."""
        self.binding = Binding(slack, people)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._streams: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen; `url` is known afterwards. OSError if the port is in use."""
        app = web.Application(middlewares=[_guard])
        app.add_routes(
            [
                web.get("/", self._front),
                web.get("/c/{channel}", self._page),
                web.get("/fragment/c/{channel}", self._fragment),
                web.get("/events", self._events),
                web.get("/favicon.ico", _no_content),
                *(web.post(f"/{name}", self._act) for name in self.binding.acts),
                web.static("/static", STATIC),
            ]
        )
        app.on_shutdown.append(self._end_streams)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except OSError:
            await self.stop()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection."""
        await self.binding.leave()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://127.0.0.1:{self._port}"

    def show(self, *, hints: Sequence[Hint] | None = None, alarm: str | None = None) -> None:
        """Change the page's own texts: things to try, and an alarm."""
        self.binding.show(hints=hints, alarm=alarm)

    async def _front(self, request: web.Request) -> web.StreamResponse:
        place = self.binding.front(request.query.get("me", ""))
        raise web.HTTPFound(place)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        drawn = screen.page(self._screen(request, is_seen=True))
        return web.Response(text=drawn, content_type="text/html", headers=HEADERS)

    async def _fragment(self, request: web.Request) -> web.StreamResponse:
        seen = self._screen(request, is_seen=request.headers.get("x-seen") == "1")
        state = {name.replace("_", "-"): str(value) for name, value in screen.state(seen).items()}
        body = {"title": screen.title(seen), "state": state, "regions": screen.regions(seen)}
        return web.json_response(body, headers=HEADERS)

    def _screen(self, request: web.Request, *, is_seen: bool) -> screen.Screen:
        query = request.query
        try:
            return self.binding.screen(
                me=query.get("me", ""),
                channel=request.match_info["channel"],
                thread=query.get("thread", ""),
                tab=query.get("tab", "messages"),
                zone=_zone(request.cookies.get("zone", "")),
                is_seen=is_seen,
            )
        except NoSuchChannel:
            raise web.HTTPNotFound(text="There is no such channel.") from None

    async def _act(self, request: web.Request) -> web.StreamResponse:
        try:
            data = await request.json()
            self.binding.read_by(data.get("me", ""))
            result = await self.binding.acts[request.path.removeprefix("/")](data)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            result = {"error": own("That did not work: {error}", error=error)}
        return web.json_response({"version": self.binding.version, **result}, headers=HEADERS)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        if task is not None:
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
        with suppress(ConnectionError, asyncio.CancelledError):
            await response.prepare(request)
            await self._stream(response)
        return response

    async def _stream(self, response: web.StreamResponse) -> None:
        while True:
            version = self.binding.version
            await response.write(f"data: {version}\n\n".encode())
            with suppress(TimeoutError):
                await asyncio.wait_for(self.binding.wait_past(version), HEARTBEAT_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    async def _end_streams(self, _app: web.Application) -> None:
        for task in self._streams:
            task.cancel()


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.url.host not in {"127.0.0.1", "localhost"}:
        raise web.HTTPForbidden(text="This page is for this computer only.")
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="This page accepts only requests of its own script.")
    return await handler(request)


async def _no_content(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
