"""Promises of the door to Slack: each failure is the right error, reading back finds what is ours, no token leaks.

Posts and edits go straight to the session's pool, the other calls through the SDK: what is promised holds on both ways.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.errors import (
    MessageGone,
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackBadCredentials,
    SlackError,
    SlackUnavailable,
    Undeliverable,
)
from bot.slack.client import Delivered, Mark, SlackClient

TOKEN = "xoxb-1111-2222-secret"
MARK = Mark("T1/e1/C1/1772366400000", "change", 7)
LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Wire:
    """A server that says what a test wants it to say, and the client that asks it."""

    url: str
    client: SlackClient
    answers: list[web.Response | None]
    """In order; None: the connection is closed. The last one stays."""
    asked: list[dict[str, Any]]
    headers: list[Mapping[str, str]]

    async def post(self) -> str:
        """Post something."""
        return await self.client.post("C1", text="hello", blocks=[], mark=MARK)

    async def ask(self, way: str) -> None:
        """Call Slack, by either way."""
        await (self.post() if way == "straight" else self.client.open_dm("U1"))


both_ways = pytest.mark.parametrize("way", ["straight", "sdk"])


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """The server, the client and one session."""
    asked: list[dict[str, Any]] = []
    answers: list[web.Response | None] = []
    headers: list[Mapping[str, str]] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        headers.append(request.headers)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as session:
        yield Wire(url, SlackClient(TOKEN, base_url=f"{url}api/", session=session), answers, asked, headers)
    await runner.cleanup()


CODES: list[tuple[str, type[SlackError]]] = [
    ("token_revoked", SlackBadCredentials),
    ("invalid_auth", SlackBadCredentials),
    ("account_inactive", SlackBadCredentials),
    ("missing_scope", SlackBadCredentials),
    ("message_not_found", MessageGone),
    ("cant_update_message", MessageGone),
    ("edit_window_closed", MessageGone),
    ("thread_not_found", MessageGone),
    ("invalid_blocks", PayloadRejected),
    ("msg_too_long", PayloadRejected),
    ("msg_blocks_too_long", PayloadRejected),
    ("block_mismatch", PayloadRejected),
    ("service_unavailable", SlackUnavailable),
    ("message_limit_exceeded", SlackUnavailable),
    ("update_failed", SlackUnavailable),
    ("internal_error", OutcomeUnknown),
    ("fatal_error", OutcomeUnknown),
    ("ratelimited", RateLimited),
    ("not_in_channel", Undeliverable),
    ("channel_not_found", Undeliverable),
    ("is_archived", Undeliverable),
    ("user_disabled", Undeliverable),
    ("a_code_of_next_year", Undeliverable),
]


@both_ways
@pytest.mark.parametrize(("code", "kind"), CODES)
async def test_each_code_of_slack_is_one_of_our_errors(wire: Wire, way: str, code: str, kind: type[SlackError]) -> None:
    """By the table; a code that nobody knows is not retried for ever."""
    wire.answers.append(web.json_response({"ok": False, "error": code}))
    with pytest.raises(kind) as caught:
        await wire.ask(way)
    assert type(caught.value) is kind
    assert caught.value.code == code


@both_ways
@pytest.mark.parametrize(
    ("said", "seconds"),
    [("30", 30), ("1", 1), ("0", 0), (None, 1), ("", 1), ("soon", 1), ("-5", 1), ("1.5", 1), ("9" * 400, 1), ("²", 1)],
)
async def test_a_429_says_when_to_come_back(wire: Wire, way: str, said: str | None, seconds: int) -> None:
    """Slack sends whole seconds; whatever else stands there is no accident."""
    headers = {} if said is None else {"Retry-After": said}
    wire.answers.append(web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers))
    with pytest.raises(RateLimited) as caught:
        await wire.ask(way)
    assert caught.value.retry_after == timedelta(seconds=seconds)


@both_ways
async def test_a_429_of_a_proxy_is_one_too(wire: Wire, way: str) -> None:
    """Its body is no JSON."""
    wire.answers.append(web.Response(status=429, text="slow down", headers={"Retry-After": "4"}))
    with pytest.raises(RateLimited) as caught:
        await wire.ask(way)
    assert caught.value.retry_after == timedelta(seconds=4)


UNKNOWN = [
    None,
    web.Response(status=500, text="trouble"),
    web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html"),
    web.Response(status=503, body=b"{", content_type="application/json"),
    web.Response(status=200, text="ok"),
    web.Response(status=200, text="<html>log in</html>", content_type="text/html"),
    web.Response(status=200, body=b"{", content_type="application/json"),
    web.Response(status=200, body=b"[1]", content_type="application/json"),
    web.Response(status=200, body=b"\xff\xfe{", content_type="application/json"),
    web.Response(status=200, body=b"", content_type="application/json"),
    web.Response(status=200, body=b"zip", content_type="application/gzip"),
    web.Response(status=500, body=b'{"ok": true, "ts": "1.2"}', content_type="application/json"),
]


@both_ways
@pytest.mark.parametrize("answer", UNKNOWN, ids=lambda answer: str(answer and (answer.status, answer.body)))
async def test_no_proper_answer_leaves_the_outcome_unknown(wire: Wire, way: str, answer: web.Response | None) -> None:
    """The request had left: it may have been applied."""
    wire.answers.append(answer)
    with pytest.raises(OutcomeUnknown):
        await wire.ask(way)


async def test_a_post_that_nobody_knows_the_place_of_is_unknown(wire: Wire) -> None:
    """Slack says that it went well, and not where."""
    wire.answers.append(web.json_response({"ok": True}))
    with pytest.raises(OutcomeUnknown):
        await wire.post()


@both_ways
async def test_the_token_is_in_a_header_and_nowhere_else(wire: Wire, way: str) -> None:
    """Addresses end up in logs."""
    wire.answers.append(web.json_response({"ok": True, "ts": "1.2", "channel": {"id": "D1"}}))
    await wire.ask(way)
    assert wire.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert wire.headers[0]["User-Agent"].startswith("Python/")
    assert "token" not in wire.asked[0]


@both_ways
async def test_a_proxy_of_the_environment_is_used(wire: Wire, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK looks for one, so that a bot behind a firewall reaches Slack."""
    wire.answers.append(web.json_response({"ok": True, "ts": "1.2", "channel": {"id": "D1"}}))
    monkeypatch.setenv("HTTPS_PROXY", wire.url)
    async with aiohttp.ClientSession() as session:
        wire.client = SlackClient(TOKEN, base_url="http://slack.invalid/api/", session=session)
        await wire.ask(way)
    assert wire.headers[0]["Host"] == "slack.invalid"


async def test_nothing_is_posted_twice_by_itself(wire: Wire) -> None:
    """The SDK's own retries are off."""
    wire.answers.append(None)
    with pytest.raises(OutcomeUnknown):
        await wire.post()
    assert len(wire.asked) == 1


@both_ways
async def test_a_connection_that_is_refused_had_no_effect(wire: Wire, way: str) -> None:
    """Nobody listens: nothing was sent."""
    async with aiohttp.ClientSession() as session:
        wire.client = SlackClient(TOKEN, base_url="http://127.0.0.1:1/api/", session=session)
        with pytest.raises(SlackUnavailable):
            await wire.ask(way)


@both_ways
@pytest.mark.parametrize("answer", [*UNKNOWN, web.json_response({"ok": False, "error": "invalid_auth"})], ids=str)
async def test_no_error_holds_the_token(
    wire: Wire,
    way: str,
    answer: web.Response | None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither the error, nor what it came from, nor any log."""
    wire.answers.append(answer)
    with pytest.raises(SlackError) as caught, caplog.at_level("DEBUG"):
        await wire.ask(way)
    said = [str(caught.value), repr(caught.value), repr(caught.value.__cause__), caplog.text, *capsys.readouterr()]
    assert not any("secret" in text for text in said)


@asynccontextmanager
async def speaking(answer: Callable[[str], Awaitable[bytes]]) -> AsyncIterator[tuple[SlackClient, list[str]]]:
    """A client of a server that says, byte for byte, what `answer` makes of a posted text; what was asked, by whom."""
    asked: list[str] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                text = json.loads(await reader.readexactly(length))["text"]
                asked.append(f"{text} from {writer.get_extra_info('peername')[1]}")
                writer.write(await answer(text))

    def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speakers.create_task(speak(reader, writer))

    async with asyncio.TaskGroup() as speakers:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as session:
            yield SlackClient(TOKEN, base_url=url, session=session), asked
        server.close()


def ok(ts: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer that says where something was posted."""
    body = body or json.dumps({"ok": True, "ts": ts}).encode()
    head = "\r\n".join(["HTTP/1.1 200 OK", *(headers or [f"Content-Length: {len(body)}"])])
    return head.encode() + b"\r\n\r\n" + body


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """Who gives up does not leave the connection to others; who was answered does."""

    async def answer(text: str) -> bytes:
        await asyncio.sleep(0.5 if text == "slow" else 0)
        return ok(text)

    async with speaking(answer) as (client, asked):
        with pytest.raises(OutcomeUnknown):
            await client.post("C1", text="slow", blocks=[], mark=MARK)
        for text in ("quick", "again"):
            assert await client.post("C1", text=text, blocks=[], mark=MARK) == text
    slow, quick, again = (line.rpartition(" ")[2] for line in asked)
    assert slow != quick == again


PACKED = gzip.compress(b'{"ok": true, "ts": "1.2"}')


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + ok("1.2"),
        ok("1.2", "Transfer-Encoding: chunked", body=b'8\r\n{"ok":tr\r\ne\r\nue,"ts":"1.2"}\r\n0\r\n\r\n'),
        ok("1.2", "Content-Encoding: gzip", f"Content-Length: {len(PACKED)}", body=PACKED),
    ],
    ids=["hints before it", "in pieces", "packed"],
)
async def test_an_answer_may_come_in_any_form_of_http(said: bytes) -> None:
    """Whatever stands between Slack and the bot makes of it."""

    async def answer(_text: str) -> bytes:
        return said

    async with speaking(answer) as (client, asked):
        for _ in range(2):
            assert await client.post("C1", text="hello", blocks=[], mark=MARK) == "1.2"
    assert len(set(asked)) == 1, "one connection for both"


async def test_what_is_no_http_leaves_the_outcome_unknown() -> None:
    """The request had left."""

    async def answer(_text: str) -> bytes:
        return b"SSH-2.0-nobody\r\n\r\n"

    async with speaking(answer) as (client, _):
        with pytest.raises(OutcomeUnknown):
            await client.post("C1", text="hello", blocks=[], mark=MARK)


def told(ts: str, lane: str = MARK.lane, **more: Any) -> dict[str, Any]:
    """A message as history shows it."""
    payload = {"lane": lane, "part": "change", "delivered_through": 7}
    return {"ts": ts, "metadata": {"event_type": "execution_message", "event_payload": payload}, **more}


async def test_reading_back_finds_only_our_lane_over_all_pages(wire: Wire) -> None:
    """Messages of people, of other apps and of other lanes are passed over."""
    foreign = {"event_type": "execution_message", "event_payload": {}}
    pages = [
        [told("5.0"), told("4.0", lane="T1/e1/C1/1772366400001"), {"ts": "3.5"}],
        [{"ts": "3.0", "metadata": {}}, {"ts": "2.5", "metadata": foreign}, {"ts": "2.4", "metadata": None}],
        [told("2.0")],
    ]
    for messages, cursor in zip(pages, ["a", "b", ""], strict=True):
        body = {"ok": True, "messages": messages, "response_metadata": {"next_cursor": cursor}}
        wire.answers.append(web.json_response(body))
    found: list[Delivered] = []
    cursor = ""
    for _ in pages:
        page, cursor = await wire.client.delivered("C1", MARK.lane, since=LONG_AGO, cursor=cursor)
        found += page
    assert cursor == ""
    assert [(each.ts, each.mark) for each in found] == [("5.0", MARK), ("2.0", MARK)]
    assert [asked.get("cursor") for asked in wire.asked] == [None, "a", "b"]


async def test_marks_of_anybody_do_no_harm(wire: Wire) -> None:
    """Any app may write metadata of our type; what cannot be ours is passed over."""
    payload = {"lane": MARK.lane, "part": "change", "delivered_through": "many"}
    forged = {"ts": "1.0", "metadata": {"event_type": "execution_message", "event_payload": payload}}
    odd = {"ts": "1.1", "metadata": {"event_type": "execution_message", "event_payload": "text"}}
    wire.answers.append(web.json_response({"ok": True, "messages": [forged, odd, told("2.0")]}))
    found, _ = await wire.client.delivered("C1", MARK.lane, since=LONG_AGO)
    assert [each.ts for each in found] == ["2.0"]
