"""Socket Mode: requests arrive over a web socket that the bot opens, so it needs no public address.

Lives here: opening a connection, watching it, replacing it. Does not live here: when to try again (`reconnects`), the
payload (`payloads`). Called by `bot.app.workspace`.

The SDK replaces a connection by itself, at once and however often. Here its client only reports that it has ended, and
one loop opens the next one: Slack's routine costs no gap, since the old connection stays until the new one is there.
Socket Mode can also appear connected and receive nothing (bolt-python#1529): the SDK's `is_connected` includes its last
ping-pong, and the loop asks for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from random import random
from time import monotonic
from typing import Any

import aiohttp
import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import OutcomeUnknown, RateLimited, SlackError, SlackUnavailable
from bot.metrics import SERVICE_SOCKET_CONNECTED, SERVICE_SOCKET_REBUILDS
from bot.network import Network
from bot.slack.client import SlackClient
from bot.slack.inbound import payloads
from bot.slack.inbound.dispatch import dispatch
from bot.slack.inbound.reconnects import LASTING_SECONDS, REFUSALS, Reconnects
from bot.slack.inbound.refusals import Refusals
from bot.slack.inbound.signatures import Refusal

log = structlog.get_logger()

WATCH_SECONDS = 1.0
"""How often the connection is checked."""

PING_SECONDS = 3.0
"""How often the SDK sends a ping. A connection is lost after four without a pong; until then people wait in vain."""

FIRST_SECONDS = 5.0
"""How long `start` waits for the first connection."""

OPEN_SECONDS = 8.0
"""How long opening a connection may take. The SDK tries again with the same address meanwhile."""

GRACE_SECONDS = 3.0
"""How long a replaced connection stays open, for requests that it has received and not yet acknowledged."""

CLOSE_SECONDS = 2.0
"""How long the other side has to take part in closing a connection."""

UNANNOUNCED = "closed"
"""The reason for an end that Slack did not announce: closed, reset, or silent."""

_quiet = logging.getLogger("slack_sdk.quiet_socket")
"""The SDK writes a traceback, with the ticket in the address, for each attempt that fails; this module logs why."""
_quiet.setLevel(logging.CRITICAL)


class _Link(SocketModeClient):
    """One connection. It reports its end, once, instead of replacing itself."""

    def __init__(self, app_token: str, client: AsyncWebClient) -> None:
        """`client` has the TLS context that the socket uses too."""
        super().__init__(
            app_token,
            logger=_quiet,
            web_client=client,
            ping_interval=PING_SECONDS,
            on_message_listeners=[self._read],
        )
        self.ended = asyncio.Event()
        self.reason = UNANNOUNCED
        """Slack's reason for the end, if it gave one."""
        self.greeted = asyncio.Event()
        self.app_id = ""
        """Whose connection it is; empty until it is greeted, and where Slack does not say."""

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: ARG002  # the SDK's
        """The SDK calls this when the connection is lost, or is to be replaced."""
        self.ended.set()

    async def _read(self, message: aiohttp.WSMessage) -> None:
        """Keep what the SDK does not pass on: the app of a `hello`, and the reason of a `disconnect`."""
        if '"disconnect"' in message.data or '"hello"' in message.data:
            with suppress(ValueError, AttributeError):
                said = json.loads(message.data)
                if said.get("type") == "disconnect":
                    self.reason = str(said.get("reason") or self.reason)[:40]
                elif said.get("type") == "hello":
                    self.app_id = str((said.get("connection_info") or {}).get("app_id") or "")
                    self.greeted.set()


def two_apps(named: str, ours: str) -> str:
    """That the tokens are of two apps, so that Slack connects, and sends nothing that is for this bot; else empty.

    `named` is the app of the app-level token, `ours` that of the bot token; either is empty where it is not known.
    """
    if not named or ours in {"", named}:
        return ""
    return f"SLACK_APP_TOKEN is of app {named}, and SLACK_BOT_TOKEN of app {ours}: no request arrives"


class SocketMode:
    """One connection to Slack, replaced whenever it ends."""

    def __init__(self, app: AsyncApp, slack: SlackClient, app_token: str, network: Network) -> None:
        self._app, self._slack, self._app_token, self._network = app, slack, app_token, network
        self._link: _Link | None = None
        """The connection on which requests arrive."""
        self._links: set[_Link] = set()
        """All that are not closed yet."""
        self._reconnects, self._refusals = Reconnects(), Refusals()
        self._connected_at = monotonic()
        self._has_connected = asyncio.Event()
        self._own_app = self._two_apps = ""
        """The app of the bot token, and that the other token is another one's; empty while that is not known."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; when Slack does not answer soon, go on trying in the background."""
        self._in_background(self._supervise())
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                await self._has_connected.wait()

    async def stop(self) -> None:
        """Take no more requests. Those of running listeners have been acknowledged."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*map(self._close, list(self._links)))

    async def problem(self) -> str | None:
        """What is wrong, or None."""
        why = f" ({self._reconnects.reason})" if self._reconnects.reason else ""
        if not await self._is_connected():
            return f"Socket Mode has not been connected for {monotonic() - self._connected_at:.0f} s{why}"
        if self._reconnects.is_storm:
            return f"Slack ended the last {self._reconnects.failures} Socket Mode connections at once{why}"
        return self._two_apps or None

    async def _is_connected(self) -> bool:
        return self._link is not None and await self._link.is_connected()

    async def _supervise(self) -> None:
        """Keep one connection open."""
        while True:
            pause = self._reconnects.pause(random()).total_seconds()  # noqa: S311  # no secret
            if pause:
                log.warning("inbound.reconnect_paused", reason=self._reconnects.reason, seconds=round(pause, 1))
                await asyncio.sleep(pause)
            try:
                await self._connect()
            except Exception:  # a bug, of ours or the SDK's, must not leave people without a connection
                log.exception("inbound.connection_failed")
                self._reconnects.away("internal_error")

    async def _connect(self) -> None:
        """Open a connection, use it in place of the present one, and return when it has ended."""
        link = await self._opened()
        if link is None:
            return
        replaced, self._link = self._link, link
        if replaced is not None:
            self._in_background(self._retire(replaced))
        await self._watched(link)
        if link.reason in REFUSALS or not await link.is_connected():
            self._link = None
            self._in_background(self._close(link))

    async def _opened(self) -> _Link | None:
        """A new connection; None if none could be opened, which is noted."""
        try:
            address = await self._slack.socket_url(self._app_token)
        except RateLimited as error:
            self._reconnects.refused(error.code, wait=error.retry_after)
        except (OutcomeUnknown, SlackUnavailable) as error:
            self._reconnects.away(error.code)
        except SlackError as error:
            self._reconnects.refused(error.code)
        else:
            return await self._connected(address)
        return None

    async def _connected(self, address: str) -> _Link | None:
        """A connection to `address`; None if Slack does not accept it in time."""
        link = _Link(self._app_token, self._app.client)
        link.wss_uri, link.proxy = address, self._network.proxy_for(address)
        link.socket_mode_request_listeners.append(self._receive)
        self._links.add(link)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await link.connect()  # type: ignore[no-untyped-call]  # ships half its types
        except TimeoutError:
            self._reconnects.away("no_answer")
            await self._close(link)
            return None
        self._has_connected.set()
        self._in_background(self._compare_apps(link))
        return link

    async def _compare_apps(self, link: _Link) -> None:
        """Find out whether the connection is of the bot's own app, where Slack says which that is."""
        with suppress(TimeoutError, SlackError):  # without the scope users:read; asked again with the next connection
            async with asyncio.timeout(OPEN_SECONDS):
                await link.greeted.wait()
                self._own_app = self._own_app or await self._slack.app_id()
        found = two_apps(link.app_id, self._own_app)
        if found and not self._two_apps:
            self._two_apps = found  # for good: no process changes its tokens
            log.error("inbound.two_apps", problem=found)

    async def _watched(self, link: _Link) -> None:
        """Return when `link` has ended, and note why and after how long."""
        began = monotonic()
        while not link.ended.is_set() and await link.is_connected():
            SERVICE_SOCKET_CONNECTED.set(1)
            self._connected_at = monotonic()
            if self._connected_at - began >= LASTING_SECONDS:
                self._reconnects.lasted()
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await link.ended.wait()
        SERVICE_SOCKET_CONNECTED.set(0)
        lasted = monotonic() - began
        self._reconnects.ended(link.reason, after_seconds=lasted)
        if link.reason == UNANNOUNCED:
            SERVICE_SOCKET_REBUILDS.inc()
        log.info("inbound.socket_ended", reason=link.reason, after_s=round(lasted, 1))

    async def _receive(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        try:
            await self._answer(client, request)
        except Exception:
            log.exception("inbound.request_failed", envelope_id=request.envelope_id)  # the SDK's own logger is silent

    async def _answer(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """Answer one request. One that cannot be read is acknowledged as well: it would only come again."""
        answer = SocketModeResponse(envelope_id=request.envelope_id)
        try:
            response = await dispatch(self._app, payloads.checked(request.payload))
        except payloads.Malformed:
            self._refusals.note(Refusal.MALFORMED_BODY)
        else:
            if response.status != 200:  # noqa: PLR2004  # OK
                return
            answer.payload = json.loads(response.body) if response.body else None
        await self._acknowledge(client, answer)

    async def _acknowledge(self, client: AsyncBaseSocketModeClient, answer: SocketModeResponse) -> None:
        """Send an acknowledgement on the connection of the request, or on its successor: Slack takes both."""
        for link in (client, self._link):
            if link is not None and await link.is_connected():
                with suppress(ConnectionError):
                    await link.send_socket_mode_response(answer)
                    return
        log.warning("inbound.ack_lost", envelope_id=answer.envelope_id)

    async def _retire(self, link: _Link) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        await self._close(link)

    async def _close(self, link: _Link) -> None:
        """Close a connection, without waiting long for the other side."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await link.close()  # type: ignore[no-untyped-call]  # ships half its types
        await link.close()  # type: ignore[no-untyped-call]  # the rest, where the first call was cut off
        self._links.discard(link)

    def _in_background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
