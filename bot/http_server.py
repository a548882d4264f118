"""A small HTTP server that slow or idle connections cannot exhaust.

Lives here: listening, and the limits: how many connections there are, and how long one may take to send a request and
to read the response. Does not live here: what is served (`bot.app.health`, `bot.slack.inbound`). Called by those two.

aiohttp has no limit of connections, so they are accepted here, one at a time, and handed to aiohttp's server. At the
limit, the oldest connection that has not sent a whole request is closed: it is slow or idle, and the new one may be
Slack's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import cast

import structlog
from aiohttp import web, web_response
from aiohttp.typedefs import Handler

from bot.errors import PortUnavailable
from bot.metrics import SERVICE_CONNECTIONS_CUT

HEAD_SECONDS = 5.0
"""How long a connection may take to send the head of a request, and how long it may be idle between two requests."""

BODY_SECONDS = 10.0
"""How long the body of a request may take."""

RESPONSE_SECONDS = 10.0
"""How long the response may take, with all the time that the other side needs to read it."""

MOST_CONNECTIONS = 500
"""At most this many connections to one server."""

_SHARE = 4
"""One server uses at most one in this many file descriptors, so that two of them leave half to the bot's own calls."""

_LEAST_CONNECTIONS = 8
"""One server takes at least this many connections, however few file descriptors there are."""

_BACKLOG = 128
"""At most this many connections wait in the kernel to be accepted; they use no file descriptor of the process."""

_RETRY_SECONDS = 1.0
"""How long to wait after a connection could not be accepted."""

log = structlog.get_logger()

_quiet = logging.getLogger("aiohttp.quiet")
"""aiohttp writes a traceback for every request that is not HTTP; anybody can send those."""
_quiet.setLevel(logging.CRITICAL)

_NAME = "execution-bot"
# What is not HTTP is refused by aiohttp itself, which would name its version and Python's.
web_response.SERVER_SOFTWARE = _NAME  # type: ignore[attr-defined]  # there is no public way


class HTTPServer:
    """One server: `start` it once, `stop` it once."""

    def __init__(self, routes: Iterable[web.AbstractRouteDef], *, stop_seconds: float) -> None:
        """`stop_seconds`: how long `stop` waits for requests that are being handled."""
        app = web.Application(middlewares=[self._limit])
        app.add_routes(routes)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_quiet,
            keepalive_timeout=HEAD_SECONDS,  # aiohttp applies it to the first request as well
            lingering_time=0,
            shutdown_timeout=stop_seconds,
        )
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._busy: set[object] = set()
        """The connections whose request has arrived completely and is being handled."""

    @property
    def is_listening(self) -> bool:
        """Whether it takes connections."""
        return bool(self._accepting) and not any(task.done() for task in self._accepting)

    async def start(self, host: str, port: int) -> int:
        """Listen until `stop`. Returns the port; with 0 the system chooses it.

        Raises:
            PortUnavailable: another program has it, or the system forbids it.
        """
        await self._runner.setup()
        server = cast("web.Server", self._runner.server)
        try:
            self._sockets = await _bound(host, port)
        except OSError as error:
            raise PortUnavailable(host, port, os.strerror(error.errno or 0)) from error
        self._accepting = [asyncio.create_task(self._accept(each, server)) for each in self._sockets]
        return int(self._sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no more connections, answer the requests that have arrived; has no effect when it was never started."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for each in self._sockets:
            each.close()
        self._accepting, self._sockets = [], []
        await self._runner.cleanup()

    async def _accept(self, listening: socket.socket, server: web.Server) -> None:
        most = most_connections()
        while True:
            try:
                await self._accept_one(listening, server, most)
            except OSError as error:
                log.warning("http.accept_failed", why=error.strerror)
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:  # a bug must not leave the port without a server
                log.exception("http.accept_failed")
                await asyncio.sleep(_RETRY_SECONDS)

    async def _accept_one(self, listening: socket.socket, server: web.Server, most: int) -> None:
        loop = asyncio.get_running_loop()
        accepted, _ = await loop.sock_accept(listening)
        with ExitStack() as unless_taken:
            unless_taken.callback(accepted.close)
            if self._has_room(server, most):
                with suppress(OSError):  # it may be gone already
                    await loop.connect_accepted_socket(server, accepted)
                    unless_taken.pop_all()

    def _has_room(self, server: web.Server, most: int) -> bool:
        """Whether one more connection fits; the oldest that is not busy makes room for it."""
        connections = [each for each in server.connections if each.transport is not None]
        if len(connections) < most:
            return True
        SERVICE_CONNECTIONS_CUT.inc()
        waiting = next((each for each in connections if each not in self._busy), None)
        if waiting is not None:
            waiting.force_close()
        return waiting is not None

    @web.middleware
    async def _limit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the request and send the response within their times, or close the connection."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(BODY_SECONDS) as limit:
                with suppress(web.RequestPayloadError):  # no body that HTTP allows: the handler reads the same error
                    await request.read()
                limit.reschedule(loop.time() + RESPONSE_SECONDS)
                response = await self._handled(request, handler)
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=408)
        return response

    async def _handled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            response = await handler(request)
        except web.HTTPException as refused:
            response = web.Response(status=refused.status, text=refused.reason)
        except web.RequestPayloadError:
            response = web.Response(status=400)
        except Exception:
            log.exception("http.handler_failed")  # aiohttp's own logger is silent
            response = web.Response(status=500)
        finally:
            self._busy.discard(request.protocol)
        response.headers["Server"] = _NAME
        return response


def most_connections() -> int:
    """At most how many connections one server takes, by the file descriptors that the process may open."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return MOST_CONNECTIONS
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(_LEAST_CONNECTIONS, min(MOST_CONNECTIONS, descriptors // _SHARE))


async def _bound(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for all addresses of `host`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            is_for_all = address[0] == "::" and socket.has_dualstack_ipv6()
            sockets.append(socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=is_for_all))
            sockets[-1].setblocking(False)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets
