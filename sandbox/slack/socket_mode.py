"""Socket Mode: the app's connections. Each envelope goes to one of them; any may acknowledge it.

Does not live here: what is sent (`interactions`). Mounted by `server` at /link.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import uuid
from typing import Any, Literal

from aiohttp import WSCloseCode, WSMsgType, web

from sandbox.slack.delivery import Ack, NotDelivered, Parcel, too_late

Reason = Literal["refresh_requested", "warning", "too_many_websockets", "link_disabled"]
Disconnect = Reason | Literal["abrupt", "half_open"]

MOST_CONNECTIONS = 10
"""At most this many connections of one app at the same time."""

_APP = re.compile(r"xapp-\d+-(A[A-Z0-9]+)-")
"""How an app-level token names its app."""


class SocketMode:
    """All connections of the app."""

    def __init__(self, app_id: str, app_token: str, ack_seconds: float) -> None:
        """`app_token` may name another app than `app_id`: connections are that one's then, and nothing arrives."""
        self.refuses = False
        """Whether new connections are refused."""
        self.ends_at_once: Reason | None = None
        """Why each new connection is ended right after its hello, if it is."""
        self.opened = 0
        """Number of connections so far."""
        named = _APP.match(app_token)
        self._app_id = named[1] if named else app_id
        self._is_foreign = self._app_id != app_id
        self._ack_seconds = ack_seconds
        self._tickets: set[str] = set()
        self._live: list[web.WebSocketResponse] = []
        """Connections that receive envelopes, the next one first."""
        self._open: dict[web.WebSocketResponse, web.Request] = {}
        self._half_open: set[web.WebSocketResponse] = set()
        self._waiting: dict[str, asyncio.Future[Ack]] = {}
        self._connected = asyncio.Event()

    @property
    def connections(self) -> int:
        """Number of connections that receive envelopes."""
        return len(self._live)

    def ticket(self) -> str:
        """A ticket that allows one connection."""
        name = uuid.uuid4().hex
        self._tickets.add(name)
        return name

    async def connected(self, number: int = 1) -> None:
        """Return once there are `number` connections."""
        while len(self._live) < number:
            self._connected.clear()
            await self._connected.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        ticket = request.query.get("ticket", "")
        if self.refuses or ticket not in self._tickets:
            return web.Response(status=503 if self.refuses else 404)
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(timeout=1)
        await socket.prepare(request)
        self._open[socket] = request
        self.opened += 1
        ending = "too_many_websockets" if len(self._open) > MOST_CONNECTIONS else self.ends_at_once
        if not ending:
            self._live.append(socket)
            self._connected.set()
        try:
            await socket.send_json(self._hello())
            if ending:
                await _end(socket, ending)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(message.data)
        except ConnectionResetError:
            pass
        finally:
            del self._open[socket]
            self._half_open.discard(socket)
            self._retire(socket)
        return socket

    async def deliver(self, parcel: Parcel) -> Ack:
        """Send a parcel over one connection and wait for its acknowledgement."""
        name = str(uuid.uuid4())
        acked: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._waiting[name] = acked
        try:
            async with asyncio.timeout(self._ack_seconds):
                await self._send(_envelope(name, parcel))
                return await acked
        except TimeoutError:
            raise too_late() from None
        finally:
            del self._waiting[name]

    async def disconnect(self, reason: Disconnect) -> None:
        """End all connections in one of Slack's ways.

        `abrupt` resets them without notice; `half_open` leaves them open but never reads from them again, so that pings
        are not answered.
        """
        for socket, request in list(self._open.items()):
            if reason == "abrupt":
                self._retire(socket)
                _reset(request)
            elif reason == "half_open":
                self._half_open.add(socket)
                if request.transport is not None:
                    request.transport.pause_reading()
            else:
                if reason != "warning":
                    self._retire(socket)
                await _say_goodbye(socket, reason)

    async def close(self) -> None:
        """Close all connections."""
        for socket, request in list(self._open.items()):
            if socket in self._half_open:
                _reset(request)
            else:
                await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _send(self, envelope: dict[str, Any]) -> None:
        while self._live and not self._is_foreign:
            socket = self._live.pop(0)
            if socket.closed:
                continue
            self._live.append(socket)
            try:
                await socket.send_json(envelope)
            except ConnectionResetError:
                self._retire(socket)
            else:
                return
        raise NotDelivered("connection_failed", "dispatch_failed")

    def _receive(self, text: str) -> None:
        answer = json.loads(text)
        waiting = self._waiting.get(answer.get("envelope_id", ""))
        if waiting is not None and not waiting.done():
            waiting.set_result(Ack(answer.get("payload")))

    def _retire(self, socket: web.WebSocketResponse) -> None:
        if socket in self._live:
            self._live.remove(socket)

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self._live),
            "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._app_id},
        }


async def _say_goodbye(socket: web.WebSocketResponse, reason: str) -> None:
    with contextlib.suppress(ConnectionResetError):
        await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}})


async def _end(socket: web.WebSocketResponse, reason: str) -> None:
    await _say_goodbye(socket, reason)
    await socket.close()


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _envelope(name: str, parcel: Parcel) -> dict[str, Any]:
    envelope = {
        "envelope_id": name,
        "type": parcel.kind,
        "payload": parcel.payload,
        "accepts_response_payload": parcel.kind != "events_api",
    }
    if parcel.kind == "events_api":
        envelope |= {"retry_attempt": parcel.attempt, "retry_reason": parcel.reason}
    return envelope
