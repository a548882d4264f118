"""How Slack's requests reach Bolt: Socket Mode or HTTP.

Lives here: opening, supervising and closing the connection. Does not live here: what happens to a request (`handlers`).
Called by `bot.app.workspace`, which starts exactly one of the two.

Socket Mode can appear connected and receive nothing (bolt-python#1529). The SDK's `is_connected` includes its last
ping-pong; a watchdog checks it and rebuilds the connection when it stays silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from bot import metrics
from bot.network import Network

log = structlog.get_logger()

PATH = "/slack/events"
"""Where Slack posts commands, interactions and events in HTTP mode."""

WATCH_SECONDS = 5.0
"""How often the watchdog checks the connection."""

PING_SECONDS = 3.0
"""How often the SDK sends a ping. It reconnects after four without a pong; until then people wait in vain."""

FIRST_SECONDS = 5.0
"""How long `start` waits for the first connection."""

SILENT_SECONDS = 30.0
"""How long a socket may be down before it is rebuilt. The SDK mostly reconnects sooner by itself."""


class _Client(SocketModeClient):
    """The SDK's client. The address that Slack gives for a socket decides whether the proxy is used."""

    network: Network

    async def issue_new_wss_url(self) -> str:
        url = await super().issue_new_wss_url()
        self.proxy = self.network.proxy_for(url)
        return url


class _Handler(AsyncSocketModeHandler):
    """Bolt's handler, with the client above; Bolt's own constructor would make another one."""

    def __init__(self, app: AsyncApp, app_token: str, network: Network) -> None:
        self.app, self.app_token = app, app_token
        self.client = _Client(app_token, app.logger, app.client, ping_interval=PING_SECONDS)
        self.client.network = network
        self.client.socket_mode_request_listeners.append(self.handle)  # type: ignore[arg-type]  # as in Bolt's constructor


class SocketMode:
    """Requests arrive over a web socket that the bot opens: no public address is needed."""

    def __init__(self, app: AsyncApp, app_token: str, network: Network) -> None:
        """`app.client` has the TLS context that the socket uses too."""
        self._app, self._app_token, self._network = app, app_token, network
        self._handler: AsyncSocketModeHandler | None = None
        self._connecting: asyncio.Task[None]
        self._watchdog: asyncio.Task[None] | None = None
        self._connected_at = time.monotonic()

    async def start(self) -> None:
        """Connect; when Slack does not answer soon, go on trying in the background."""
        self._connect()
        await asyncio.wait({self._connecting}, timeout=FIRST_SECONDS)
        self._watchdog = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Take no more requests. Running listeners have been acked."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watchdog
        await self._disconnect()

    async def problem(self) -> str | None:
        """What is wrong, or None."""
        if self._handler is not None and await self._handler.client.is_connected():
            return None
        return f"Socket Mode has not been connected for {time.monotonic() - self._connected_at:.0f} s"

    def _connect(self) -> None:
        self._handler = _Handler(self._app, self._app_token, self._network)
        self._connecting = asyncio.create_task(self._handler.connect_async())  # type: ignore[no-untyped-call]

    async def _disconnect(self) -> None:
        self._connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._connecting
        if self._handler is not None:
            client, self._handler = self._handler.client, None
            if client.current_session is None:  # never connected: close() would log an error
                client.closed = True
                client.message_processor.cancel()
                await client.aiohttp_client_session.close()
            else:
                await client.close()  # type: ignore[no-untyped-call]

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            is_connected = await self.problem() is None
            metrics.SERVICE_SOCKET_CONNECTED.set(is_connected)
            if is_connected:
                self._connected_at = time.monotonic()
            elif time.monotonic() - self._connected_at > SILENT_SECONDS:
                metrics.SERVICE_SOCKET_REBUILDS.inc()
                log.warning("inbound.socket_rebuilt", silent_s=round(time.monotonic() - self._connected_at))
                await self._disconnect()
                self._connect()
                self._connected_at = time.monotonic()


class HTTPMode:
    """Requests arrive over HTTP, at a public address in front of the bot."""

    def __init__(self, app: AsyncApp, *, host: str, port: int) -> None:
        self._app, self._host, self._port = app, host, port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        server = self._app.server(port=self._port, path=PATH, host=self._host)
        self._runner = web.AppRunner(server.web_app, access_log=None, shutdown_timeout=3)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        log.info("inbound.listening", port=self._runner.addresses[0][1], path=PATH)

    async def stop(self) -> None:
        """Take no more requests, and answer those that have arrived."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def problem(self) -> str | None:
        """What is wrong, or None."""
        return None if self._runner is not None else "not listening"
