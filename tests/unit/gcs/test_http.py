"""What the HTTP client withstands on a real socket: floods, cut-offs, broken peers, redirects, cookies."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Generator
from datetime import timedelta

import httpx
import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.errors import (
    ExecutionNotFound,
    GCSError,
    GCSMalformed,
    GCSMisdirected,
    GCSTooLarge,
    GCSUnavailable,
)
from bot.gcs import http as http_module
from bot.gcs.auth import IAMUser, SignatureAuth, TokenAuth
from bot.gcs.client import GCSClient
from bot.gcs.http import HTTPClient

from .conftest import ID, Scripted, body_of


async def test_unpacks_gzip(client: GCSClient, scripted: Scripted) -> None:
    """A packed answer is unpacked, and its headers no longer describe the packing."""
    scripted.says(200, gzip.compress(body_of("running")), Content_Encoding="gzip")
    assert (await client.get_execution(ID)).execution.guid == ID


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"x" * 2_000, "identity"),
        (gzip.compress(b"x" * 1_000_000), "gzip"),
        (gzip.compress(gzip.compress(b"x")), "gzip, gzip"),
        (b"no gzip", "gzip"),
        (b"x", "br"),
    ],
    ids=["plain", "bomb", "packed twice", "broken", "packed unasked"],
)
async def test_refuses_floods(
    client: GCSClient, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, body: bytes, encoding: str
) -> None:
    """A body that is too large, also after unpacking, or packed unasked, is refused without a repeat."""
    monkeypatch.setattr(http_module, "MAX_BODY", 1_500)
    scripted.says(200, body, Content_Encoding=encoding)
    with pytest.raises(GCSMalformed):
        await client.get_execution(ID)
    assert len(scripted.requests) == 1


async def endless(request: web.Request) -> web.StreamResponse:
    """Answer 401 where a token is shown, else 200, and never end."""
    response = web.StreamResponse(status=401 if "X-Auth-Token" in request.headers else 200)
    await response.prepare(request)
    while True:
        await response.write(b"x" * 1_000)


async def test_cuts_off_a_flood_without_length(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of unknown length is cut off at the limit, and its place in the pool is free again."""
    monkeypatch.setattr(http_module, "MAX_BODY", 1_500)
    scripted.answers.append(endless)
    scripted.says(404, '{"error_code": "GCS.1"}')
    async with HTTPClient(connections=1) as http:
        client = GCSClient(http, endpoint=scripted.url, auth=None)
        with pytest.raises(GCSMalformed, match="more than"):
            await client.get_execution(ID)
        with pytest.raises(ExecutionNotFound):
            await client.get_execution(ID, within=timedelta(seconds=2))


async def test_skips_the_body_of_a_refused_token(scripted: Scripted, http: HTTPClient) -> None:
    """The body of the answer that refuses a token is not read at all."""
    scripted.says(201, "{}", X_Subject_Token="t1")
    scripted.answers.append(endless)
    scripted.says(201, "{}", X_Subject_Token="t2").says(200, body_of("running"))
    auth = TokenAuth(http, scripted.url, IAMUser("u", SecretStr("p"), "d", project_id="1"))
    client = GCSClient(http, endpoint=scripted.url, auth=auth)
    assert (await client.get_execution(ID, within=timedelta(seconds=2))).execution.guid == ID


def test_bomb_stays_small() -> None:
    """Unpacking stops at the limit instead of measuring the content afterwards."""
    packed = gzip.compress(bytes(20_000_000))

    tracemalloc.start()
    with pytest.raises(GCSTooLarge):
        http_module._Unpacker(http_module._limited(lambda _: None, 1_500)).feed(packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


async def test_empty_and_full_gzip_pieces(client: GCSClient, scripted: Scripted) -> None:
    """A body that unpacks to several pieces is whole again, and one without any bytes is empty."""
    body = body_of("running") + b" " * (3 * http_module.MAX_PIECE)
    scripted.says(200, gzip.compress(body), Content_Encoding="gzip")
    assert (await client.get_execution(ID)).execution.guid == ID
    scripted.answers.clear()
    scripted.says(200, b"", Content_Encoding="gzip")
    with pytest.raises(GCSMalformed):
        await client.get_execution(ID)


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("encoding", ["gzip", "identity", "identity, gzip", "utf-8", "none", ""])
@pytest.mark.parametrize("packed", ["plain", "packed", "members", "padded"])
async def test_the_body_says_how_it_is_packed(
    client: GCSClient, scripted: Scripted, packed: str, encoding: str, size: int
) -> None:
    """Not the header: proxies forget it, or leave it in place. Gzip may have several members, and zeros at its end."""
    body = body_of("running")
    members = b"".join(gzip.compress(body[begin : begin + 500]) for begin in range(0, len(body), 500))
    sent = {"plain": body, "packed": gzip.compress(body), "members": members, "padded": gzip.compress(body) + bytes(9)}

    async def in_pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Encoding": encoding})
        await response.prepare(request)
        for begin in range(0, len(sent[packed]), size):
            await response.write(sent[packed][begin : begin + size])
        return response

    scripted.answers.append(in_pieces)
    assert (await client.get_execution(ID)).execution.guid == ID


async def test_a_body_of_one_byte(http: HTTPClient, scripted: Scripted) -> None:
    """It is the whole body, also if gzip begins with that byte."""
    scripted.says(200, b"\x1f")
    assert (await http.send("GET", scripted.url)).content == b"\x1f"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("status", "error"), [(204, GCSMalformed), (304, GCSMisdirected)])
async def test_answers_without_a_body_end(
    client: GCSClient, scripted: Scripted, status: int, error: type[GCSError]
) -> None:
    """Also the second one of a process, and the third: the event loop must not wait for what never comes."""
    scripted.says(status, b"")
    for _ in range(3):
        with pytest.raises(error):
            await client.get_execution(ID)


async def test_repeats_after_a_cut_off_body(client: GCSClient, scripted: Scripted) -> None:
    """Half an answer is no answer: the request is repeated."""

    async def truncated(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(body_of("running")[:100])
        assert request.transport is not None
        request.transport.close()
        return response

    scripted.answers.append(truncated)
    scripted.says(200, body_of("running"))
    assert (await client.get_execution(ID)).execution.guid == ID


async def test_repeats_after_cut_off_gzip(client: GCSClient, scripted: Scripted) -> None:
    """A packed answer that breaks off is requested again too."""
    scripted.says(200, gzip.compress(body_of("running"))[:-20], Content_Encoding="gzip")
    scripted.says(200, body_of("running"))
    assert (await client.get_execution(ID)).execution.guid == ID


async def test_not_http_is_unavailable(client: GCSClient, scripted: Scripted) -> None:
    """A peer that does not speak HTTP counts as unavailable."""

    async def babble(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        request.transport.close()
        return web.Response()

    scripted.answers.append(babble)
    with pytest.raises(GCSUnavailable):
        await client.get_execution(ID)


async def test_closed_port_is_unavailable(http: HTTPClient, unused_tcp_port: int) -> None:
    """A closed port is `GCSUnavailable`, and the error names the address."""
    endpoint = f"http://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(GCSUnavailable, match=str(unused_tcp_port)):
        await GCSClient(http, endpoint=endpoint, auth=None).get_execution(ID)


@pytest.mark.parametrize("endpoint", ["gcs.test", "ftp://gcs.test", "http://", "http://gcs.test:port"])
async def test_no_address_is_misdirected(http: HTTPClient, endpoint: str) -> None:
    """An endpoint that is no http(s) address is a mistake in the settings."""
    with pytest.raises(GCSMisdirected):
        await GCSClient(http, endpoint=endpoint, auth=None).get_execution(ID)


TARGETS = ["/v1/executions?name=a%20b%2F%C3%BC&offset=0", "/v1/%7E/~/a;b=c%2fd", "/v1/x?a=%3D%26%2B"]


@pytest.mark.parametrize("target", TARGETS)
async def test_sends_urls_unchanged(http: HTTPClient, scripted: Scripted, target: str) -> None:
    """Nothing re-encodes a URL between signature and socket."""
    scripted.says(200)
    await http.send("GET", f"{scripted.url}{target}")
    await http.send("GET", f"{scripted.url}{target}", auth=SignatureAuth("AK", SecretStr("SK")))
    assert [request.raw_path for request in scripted.requests] == [target, target]


async def test_sends_the_signed_headers_unchanged(http: HTTPClient, scripted: Scripted) -> None:
    """The server receives exactly the headers that httpx held when it signed: none added, dropped or rewritten."""
    held: list[tuple[bytes, bytes]] = []

    class Recording(SignatureAuth):
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            yield from super().auth_flow(request)
            held.extend(request.headers.raw)

    scripted.says(200)
    auth = Recording("AK", SecretStr("SK"), project_id="p", security_token=SecretStr("t"))
    await http.send("POST", f"{scripted.url}/v1/executions", auth=auth, json={"name": "n"})
    assert list(scripted.requests[0].raw_headers) == held
    assert scripted.bodies == [b'{"name":"n"}']


async def test_limits_hold_for_every_method(
    http: HTTPClient, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A POST to IAM has the same limits as a poll: no floods, no cookies."""
    url = scripted.url.replace("127.0.0.1", "localhost")
    scripted.says(200, gzip.compress(b"x" * 200_000), Content_Encoding="gzip", Set_Cookie="route=1; Path=/")
    for _ in range(2):
        response = await http.send("POST", url, json={"a": "b"})
        assert (response.status_code, response.content) == (200, b"x" * 200_000)
    assert "Cookie" not in scripted.requests[-1].headers
    monkeypatch.setattr(http_module, "MAX_BODY", 1_500)
    with pytest.raises(GCSMalformed):
        await http.send("POST", url, json={"a": "b"})


async def test_follows_no_redirects(client: GCSClient, scripted: Scripted) -> None:
    """Signed headers are not carried to another address."""
    scripted.says(302, Location=f"{scripted.url}/elsewhere")
    with pytest.raises(GCSMisdirected):
        await client.get_execution(ID)
    assert len(scripted.requests) == 1


async def test_keeps_no_cookies(scripted: Scripted, http: HTTPClient) -> None:
    """A cookie that a gateway sets is not sent back."""
    endpoint = scripted.url.replace("127.0.0.1", "localhost")  # no jar keeps cookies of bare addresses
    client = GCSClient(http, endpoint=endpoint, auth=None)
    scripted.says(200, body_of("running"), Set_Cookie="route=1; Path=/")
    await client.get_execution(ID)
    await client.get_execution(ID)
    assert "Cookie" not in scripted.requests[1].headers


async def test_sends_a_request_once(client: GCSClient, scripted: Scripted, http: HTTPClient) -> None:
    """A kept connection that breaks is not retried by the libraries: each call is taken out of the quota."""

    async def broken(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    scripted.says(200, body_of("running"))
    await client.get_execution(ID)
    scripted.answers[:] = [broken]
    with pytest.raises(GCSUnavailable):
        await http.send("GET", f"{scripted.url}/v1/executions/{ID}")
    assert len(scripted.requests) == 2


async def test_late_answer_is_not_the_next(scripted: Scripted) -> None:
    """A cancelled call closes its connection, or its answer would be read as that to the next request."""
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def late(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await answered.wait()
        return web.Response(body=b"late")

    async with HTTPClient(connections=1) as http:
        await http.send("GET", scripted.says(200).url)  # a connection that has been used
        scripted.answers[:] = [late]
        cancelled = asyncio.ensure_future(http.send("GET", scripted.url))
        await arrived.wait()
        cancelled.cancel()
        answered.set()
        await asyncio.wait([cancelled])
        scripted.answers.clear()
        response = await http.send("GET", scripted.says(200, b"mine").url)
    assert response.content == b"mine"
    assert len(scripted.connections) == 2


async def test_waits_briefly_for_a_connection(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all connections stay in use, the call fails as unavailable."""
    arrived = asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        arrived.set()
        return await asyncio.Future()

    scripted.answers.append(slow)
    async with HTTPClient(connections=1) as http:
        taken = asyncio.ensure_future(http.send("GET", scripted.url))
        await arrived.wait()
        monkeypatch.setattr(http_module, "TIMEOUT", httpx.Timeout(None, connect=5, pool=0.05))
        with pytest.raises(GCSUnavailable, match="no connection"):
            await http.send("GET", scripted.url)
        taken.cancel()
        await asyncio.wait([taken])


async def test_reads_rarer_forms_of_http(http: HTTPClient) -> None:
    """An interim response is not the answer; a response without a length ends with its connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nfirst ")
        await writer.drain()
        writer.write(b"and last")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        responses = [await http.send("GET", url) for _ in range(2)]
    assert [(response.status_code, response.content) for response in responses] == [(200, b"first and last")] * 2
