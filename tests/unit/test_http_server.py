"""Promises of `bot.http_server`, over real sockets: neither slow nor idle nor many connections stop it."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ClassVar
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import web

from bot import http_server as module
from bot.errors import PortUnavailable
from bot.http_server import HTTPServer, most_connections

PATIENCE = 20.0
BRIEF = 0.3
"""The time limit that a test is about; all others stay long."""

REQUEST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nping"


async def echo(request: web.Request) -> web.Response:
    """What was sent."""
    return web.Response(text=await request.text())


async def broken(_request: web.Request) -> web.Response:
    """A handler with a mistake in it."""
    raise RuntimeError("a mistake")


async def large(_request: web.Request) -> web.Response:
    """More than fits into the buffers of a socket."""
    return web.Response(body=b"x" * 50_000_000)


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """A running server's port."""
    routes = [web.post("/echo", echo), web.get("/broken", broken), web.get("/large", large)]
    server = HTTPServer(routes, stop_seconds=0.1)
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop()


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """All clients are closed after a test."""
    yield
    for writer in Client.opened:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    Client.opened.clear()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most eight connections."""
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 8)


class Client:
    """A connection that sends bytes as it likes."""

    opened: ClassVar[list[asyncio.StreamWriter]] = []
    """To be closed after the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int, first: bytes = b"", host: str = "127.0.0.1") -> Client:
        """Connect, and send something."""
        client = cls(*await asyncio.open_connection(host, port))
        cls.opened.append(client.writer)
        await client.sends(first)
        return client

    async def sends(self, data: bytes) -> None:
        """Send; a connection that is gone takes nothing."""
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def drips(self, data: bytes, *, every: float) -> None:
        """Send byte by byte."""
        for byte in data:
            await self.sends(bytes([byte]))
            await asyncio.sleep(every)

    async def status(self) -> int:
        """Status of the next response, whose body is read."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await self.reader.readexactly(length)
        return int(head.split()[1])

    async def is_cut(self) -> bool:
        """Whether the server closes it, in the end."""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                await self.reader.read()
        return True


async def echoes(port: int) -> str:
    """What a quick request gets, on a connection of its own."""
    async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{port}/echo", data="ping") as answer:
        return await answer.text()


@pytest.mark.parametrize("first", [b"", b"P", b"POST /echo HTTP/1.1\r\nHost: x\r\n", REQUEST, REQUEST + b"POST /e"])
async def test_a_head_has_its_time(monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    """Nothing, a part of a request, nothing after a request: the connection is closed."""
    monkeypatch.setattr(module, "HEAD_SECONDS", BRIEF)
    async with served() as port:
        assert await (await Client.to(port, first)).is_cut()


async def test_a_dripping_head_has_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then does not prolong it."""
    monkeypatch.setattr(module, "HEAD_SECONDS", BRIEF)
    async with served() as port:
        client = await Client.to(port)
        dripping = asyncio.create_task(client.drips(b"POST /echo HTTP/1.1\r\n" * 100, every=BRIEF / 10))
        assert await client.is_cut()
        dripping.cancel()


async def test_a_dripping_body_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head arrives at once, the body byte by byte: the connection is closed."""
    monkeypatch.setattr(module, "BODY_SECONDS", BRIEF)
    async with served() as port:
        client = await Client.to(port, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
        dripping = asyncio.create_task(client.drips(b"x" * 999, every=BRIEF / 10))
        assert await client.is_cut()
        dripping.cancel()


async def test_a_response_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side asks and reads nothing: the connection is closed."""
    monkeypatch.setattr(module, "RESPONSE_SECONDS", BRIEF)
    async with served() as port:
        client = await Client.to(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            while port_has_connection(client):  # noqa: ASYNC110  # the kernel's doing
                await asyncio.sleep(0.05)


def port_has_connection(client: Client) -> bool:
    """Whether the server's side of the connection is there, as the kernel lists it."""
    _, own = client.writer.get_extra_info("sockname")
    _, its = client.writer.get_extra_info("peername")
    ends = (f":{its:04X}", f":{own:04X}")
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]
    return any((row[1][-5:], row[2][-5:]) == ends and row[3] == "01" for row in rows)


@pytest.mark.usefixtures("few")
async def test_many_slow_connections_keep_nobody_out() -> None:
    """With 40 that sent half a request and one that waits after a request, quick ones are answered at once."""
    async with served() as port:
        quiet = await Client.to(port, REQUEST)
        assert await quiet.status() == 200
        slow = [await Client.to(port, REQUEST[:20]) for _ in range(20)]
        assert [await echoes(port) for _ in range(5)] == ["ping"] * 5
        slow += [await Client.to(port, REQUEST[:-1]) for _ in range(20)]
        assert [await echoes(port) for _ in range(5)] == ["ping"] * 5
        assert all([await client.is_cut() for client in slow[:30]])


@pytest.mark.usefixtures("few")
async def test_busy_connections_are_not_cut() -> None:
    """Those whose request is being handled keep their place; one too many is closed."""
    waits, entered = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(_request: web.Request) -> web.Response:
        entered.release()
        await waits.wait()
        return web.Response(text="at last")

    server = HTTPServer([web.get("/slow", slow)], stop_seconds=0.1)
    port = await server.start("127.0.0.1", 0)
    busy = [await Client.to(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(8)]
    for _ in busy:
        await entered.acquire()
    assert await (await Client.to(port)).is_cut()
    waits.set()
    assert [await client.status() for client in busy] == [200] * 8
    await server.stop()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/7.7\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 60_000 + b"\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nping", 400),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, 413),
    ],
)
async def test_bad_requests_leave_no_traceback(
    request_: bytes, status: int, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever arrives has a status, and nothing is written about it."""
    async with served() as port:
        assert await (await Client.to(port, request_)).status() == status
        assert await echoes(port) == "ping"
    assert caplog.records == []
    assert "Traceback" not in "".join(capsys.readouterr())


async def test_a_mistake_of_ours_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """The caller gets a 500 without details, the log has the place."""
    async with served() as port:
        client = await Client.to(port, b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.status() == 500
    assert "a mistake" in "".join(capsys.readouterr())


async def test_a_mistake_does_not_end_listening(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a connection cannot be taken because of one, it is logged, and the next one is taken."""
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    async with served() as port:
        with monkeypatch.context() as patch:
            patch.setattr(HTTPServer, "_has_room", Mock(side_effect=RuntimeError("a mistake")))
            assert await (await Client.to(port, REQUEST)).is_cut()
        assert await echoes(port) == "ping"
    assert "http.accept_failed" in capsys.readouterr().out


async def test_no_version_is_named() -> None:
    """Strangers do not learn which libraries answer them."""
    async with (
        served() as port,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/echo") as response,
    ):
        assert response.headers["Server"] == "execution-bot"


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\r\n\r\n",
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: much\r\n\r\nabc",
        b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
async def test_malformed_requests_read_no_version(request_: bytes) -> None:
    """What aiohttp refuses before any handler names neither its version nor Python's."""
    async with served() as port:
        client = await Client.to(port, request_)
        async with asyncio.timeout(PATIENCE):
            answer = await client.reader.readuntil(b"\r\n\r\n") + await client.reader.read(1_000)
    assert answer.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
    assert b"Server: execution-bot\r\n" in answer
    assert not any(word in answer for word in (b"aiohttp", b"Python"))


async def test_it_listens_from_start_to_stop() -> None:
    """Before, after, and where the port is taken, it does not."""
    first, second = HTTPServer([], stop_seconds=0.1), HTTPServer([], stop_seconds=0.1)
    listens = [first.is_listening]
    port = await first.start("127.0.0.1", 0)
    listens.append(first.is_listening)
    with pytest.raises(PortUnavailable, match=str(port)):
        await second.start("127.0.0.1", port)
    listens.append(second.is_listening)
    await first.stop()
    await second.stop()
    assert [*listens, first.is_listening] == [False, True, False, False]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::"])  # noqa: S104  # that is the point
async def test_every_kind_of_host_works(host: str) -> None:
    """Addresses of both families, and names."""
    server = HTTPServer([web.post("/echo", echo)], stop_seconds=0.1)
    port = await server.start(host, 0)
    reached = "127.0.0.1" if host in {"0.0.0.0", "localhost"} else "::1" if ":" in host else host  # noqa: S104
    assert await (await Client.to(port, REQUEST, reached)).status() == 200
    await server.stop()


async def test_all_of_ipv6_includes_ipv4() -> None:
    """So one setting suits a machine with both families, and the image's own check of a container with IPv6 alone."""
    server = HTTPServer([web.post("/echo", echo)], stop_seconds=0.1)
    port = await server.start("::", 0)
    assert await (await Client.to(port, REQUEST, "127.0.0.1")).status() == 200
    await server.stop()


@pytest.mark.parametrize(("descriptors", "most"), [(20, 8), (256, 64), (1024, 256), (1_000_000, 500), (-1, 500)])
def test_connections_leave_descriptors(monkeypatch: pytest.MonkeyPatch, descriptors: int, most: int) -> None:
    """Two servers use half of the file descriptors at most."""
    assert resource.RLIM_INFINITY == -1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert most_connections() == most
