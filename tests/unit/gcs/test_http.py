"""What the door bears on a real socket: floods, cut-offs, babble, redirects, cookies."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from datetime import timedelta

import aiohttp
import pytest
import yarl
from aiohttp import web
from multidict import CIMultiDict
from pydantic import SecretStr

from bot.errors import (
    ExecutionNotFound,
    GCSMalformed,
    GCSMisdirected,
    GCSUnavailable,
)
from bot.gcs import http as http_module
from bot.gcs.auth import IAMUser, TokenAuth
from bot.gcs.client import GCSClient
from bot.gcs.http import Credentials, HTTPClient, Question

from .conftest import ID, Scripted, body_of


def plainly(url: str, target: str) -> Question:
    """A question that shows nobody's credentials."""
    origin = yarl.URL(url)
    return Question("GET", origin, target, CIMultiDict({"Host": origin.authority}))


async def test_gzip(client: GCSClient, scripted: Scripted) -> None:
    """A packed answer is unpacked."""
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
)
async def test_floods(
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


async def test_flood_without_length(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not say how long it is is cut off at the limit, and its connection given back."""
    monkeypatch.setattr(http_module, "MAX_BODY", 1_500)
    scripted.answers.append(endless)
    scripted.says(404, '{"error_code": "GCS.1"}')
    async with HTTPClient(connections=1) as http:
        client = GCSClient(http, endpoint=scripted.url, auth=Credentials())
        with pytest.raises(GCSMalformed, match="more than"):
            await client.get_execution(ID)
        with pytest.raises(ExecutionNotFound):
            await client.get_execution(ID, within=timedelta(seconds=2))


async def test_flood_with_a_refused_token(scripted: Scripted, http: HTTPClient) -> None:
    """The body of the answer that refuses a token is not read at all."""
    scripted.says(201, "{}", X_Subject_Token="t1")
    scripted.answers.append(endless)
    scripted.says(201, "{}", X_Subject_Token="t2").says(200, body_of("running"))
    auth = TokenAuth(http, scripted.url, IAMUser("u", SecretStr("p"), "d", project_id="1"))
    client = GCSClient(http, endpoint=scripted.url, auth=auth)
    assert (await client.get_execution(ID, within=timedelta(seconds=2))).execution.guid == ID


def test_bomb_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking stops at the limit instead of measuring the content afterwards."""
    bomb = gzip.compress(bytes(20_000_000))
    monkeypatch.setattr(http_module, "MAX_BODY", 1_500)
    tracemalloc.start()
    with pytest.raises(GCSMalformed):
        http_module._unpacked(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


async def test_truncated(client: GCSClient, scripted: Scripted) -> None:
    """Half an answer is no answer: it is asked again."""

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


async def test_truncated_gzip(client: GCSClient, scripted: Scripted) -> None:
    """A packed answer that breaks off is asked again too."""
    scripted.says(200, gzip.compress(body_of("running"))[:-20], Content_Encoding="gzip")
    scripted.says(200, body_of("running"))
    assert (await client.get_execution(ID)).execution.guid == ID


async def test_no_http(client: GCSClient, scripted: Scripted) -> None:
    """Something that does not speak HTTP is trouble like any other."""

    async def babble(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        request.transport.close()
        return web.Response()

    scripted.answers.append(babble)
    with pytest.raises(GCSUnavailable):
        await client.get_execution(ID)


async def test_nobody_there(http: HTTPClient, unused_tcp_port: int) -> None:
    """A closed port is `GCSUnavailable`, and says which address did not answer."""
    endpoint = f"http://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(GCSUnavailable, match=str(unused_tcp_port)):
        await GCSClient(http, endpoint=endpoint, auth=Credentials()).get_execution(ID)


async def test_no_address(http: HTTPClient) -> None:
    """An endpoint without a scheme is a mistake in the settings."""
    with pytest.raises(GCSMisdirected):
        await GCSClient(http, endpoint="gcs.test", auth=Credentials()).get_execution(ID)


@pytest.mark.parametrize("target", ["/v1/executions?name=a%20b%2F%C3%BC&offset=0", "/v1/%7E/~/a;b=c%2fd"])
async def test_goes_out_as_it_is_written(http: HTTPClient, scripted: Scripted, target: str) -> None:
    """Nobody spells an address anew between the signature and the http_module, whichever way the request was built."""
    scripted.says(200)
    await http.get(f"{scripted.url}{target}")
    await http.exchange(plainly(scripted.url, target), Credentials())
    assert [asked.raw_path for asked in scripted.requests] == [target, target]


async def test_in_httpx_own_language(http: HTTPClient, scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is httpx's for whoever asks now and then, with the same limits: no flood, no cookies."""
    url = scripted.url.replace("127.0.0.1", "localhost")
    scripted.says(200, gzip.compress(b"x" * 200_000), Content_Encoding="gzip", Set_Cookie="route=1; Path=/")
    for _ in range(2):
        response = await http.post(url, json={"asked": "now and then"})
        assert (response.status_code, response.content) == (200, b"x" * 200_000)
    assert scripted.bodies[-1] == b'{"asked":"now and then"}'
    assert "Cookie" not in scripted.requests[-1].headers
    monkeypatch.setattr(http_module, "MAX_BODY", 1_500)
    with pytest.raises(GCSMalformed):
        await http.get(url)


async def test_redirects_are_not_followed(client: GCSClient, scripted: Scripted) -> None:
    """Signed headers are not carried to another address."""
    scripted.says(302, Location=f"{scripted.url}/elsewhere")
    with pytest.raises(GCSMisdirected):
        await client.get_execution(ID)
    assert len(scripted.requests) == 1


async def test_no_cookies(scripted: Scripted, http: HTTPClient) -> None:
    """A cookie that a gateway sets is not sent back."""
    endpoint = scripted.url.replace("127.0.0.1", "localhost")  # no jar keeps cookies of bare addresses
    client = GCSClient(http, endpoint=endpoint, auth=Credentials())
    scripted.says(200, body_of("running"), Set_Cookie="route=1; Path=/")
    await client.get_execution(ID)
    await client.get_execution(ID)
    assert "Cookie" not in scripted.requests[1].headers


async def test_a_question_is_sent_once(client: GCSClient, scripted: Scripted, http: HTTPClient) -> None:
    """A kept connection that breaks is not tried anew behind our back: each call is taken out of the quota."""

    async def broken(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    scripted.says(200, body_of("running"))
    await client.get_execution(ID)
    scripted.answers[:] = [broken]
    with pytest.raises(GCSUnavailable):
        await http.exchange(plainly(scripted.url, f"/v1/executions/{ID}"), Credentials())
    assert len(scripted.requests) == 2


async def test_an_answer_that_nobody_waited_for_is_not_the_next_one(scripted: Scripted) -> None:
    """Who gives up closes the connection, or its answer would be taken for that to the next question on it."""
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def late(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await answered.wait()
        return web.Response(body=b"late")

    async with HTTPClient(connections=1) as http:
        await http.exchange(plainly(scripted.says(200).url, "/"), Credentials())  # a connection that has been used
        scripted.answers[:] = [late]
        given_up = asyncio.ensure_future(http.exchange(plainly(scripted.url, "/"), Credentials()))
        await arrived.wait()
        given_up.cancel()
        answered.set()
        await asyncio.wait([given_up])
        scripted.answers.clear()
        answer = await http.exchange(plainly(scripted.says(200, b"mine").url, "/"), Credentials())
    assert answer.body == b"mine"
    assert len(scripted.connections) == 2


async def test_the_pool_is_waited_for_so_long(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all connections are taken, that is trouble like any other after a while."""
    monkeypatch.setattr(http_module, "TIMEOUT", aiohttp.ClientTimeout(connect=0.05))
    arrived = asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        arrived.set()
        return await asyncio.Future()

    scripted.answers.append(slow)
    async with HTTPClient(connections=1) as http:
        taken = asyncio.ensure_future(http.exchange(plainly(scripted.url, "/"), Credentials()))
        await arrived.wait()
        with pytest.raises(GCSUnavailable, match="no connection"):
            await http.exchange(plainly(scripted.url, "/"), Credentials())
        taken.cancel()
        await asyncio.wait([taken])


async def test_the_rarer_forms_of_http(http: HTTPClient) -> None:
    """Word that the answer is yet to come is not the answer; one without a length ends with its connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nfirst ")
        await writer.drain()
        writer.write(b"and last")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        answers = [await http.exchange(plainly(url, "/"), Credentials()) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"first and last")] * 2
