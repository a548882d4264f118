"""Promises of calls to Slack: each failure is the right error, reading back finds the bot's messages, no token leaks.

Posts send JSON, other calls parameters; the promises hold for both.
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
    NotEditable,
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackBadCredentials,
    SlackError,
    SlackUnavailable,
    Undeliverable,
    UnknownRefusal,
)
from bot.metrics import SLACK_FAILURES
from bot.slack.client import SlackClient
from bot.slack.messages import Delivered, Mark, Messages

TOKEN, OWN = "xoxb-1111-2222-secret", "B1"
MARK = Mark("T1/e1/C1/1772366400000", "change", 7)
LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Wire:
    """A server that answers what a test wants, and the client that calls it."""

    url: str
    client: Messages
    answers: list[web.Response | None]
    """In order; None: the connection is closed. The last one stays."""
    asked: list[dict[str, Any]]
    headers: list[Mapping[str, str]]
    bodies: list[Any]
    """What was posted as JSON."""

    async def post(self) -> str:
        """Post something."""
        return await self.client.post("C1", text="hello", blocks=[], mark=MARK)

    async def ask(self, method: str) -> None:
        """Call Slack with one of two methods."""
        await (self.post() if method == "chat.postMessage" else self.client.open_dm("U1"))


each_method = pytest.mark.parametrize("method", ["chat.postMessage", "conversations.open"])


def messages(base_url: str, session: aiohttp.ClientSession) -> Messages:
    """The client under test."""
    return Messages(SlackClient(TOKEN, base_url=base_url, session=session))


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """The server, the client and one session."""
    asked: list[dict[str, Any]] = []
    answers: list[web.Response | None] = []
    headers: list[Mapping[str, str]] = []
    bodies: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        if request.match_info["method"] == "auth.test":
            return web.json_response({"ok": True, "team_id": "T1", "user_id": "UBOT", "bot_id": OWN})
        asked.append(dict(request.query))
        headers.append(request.headers)
        if request.content_type == "application/json":
            bodies.append(await request.json())
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
        yield Wire(url, messages(f"{url}api/", session), answers, asked, headers, bodies)
    await runner.cleanup()


CODES: list[tuple[str, type[SlackError]]] = [
    ("token_revoked", SlackBadCredentials),
    ("invalid_auth", SlackBadCredentials),
    ("account_inactive", SlackBadCredentials),
    ("missing_scope", SlackBadCredentials),
    ("message_not_found", MessageGone),
    ("cant_update_message", NotEditable),
    ("edit_window_closed", NotEditable),
    ("is_inactive", NotEditable),
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
    ("a_code_of_next_year", UnknownRefusal),
]


@each_method
@pytest.mark.parametrize(("code", "kind"), CODES)
async def test_each_code_becomes_one_error(wire: Wire, method: str, code: str, kind: type[SlackError]) -> None:
    """By the table, and counted; an unknown code says nothing about a destination."""
    counter = SLACK_FAILURES.labels(method, "unknown" if kind is UnknownRefusal else code)
    before = counter._value.get()
    wire.answers.append(web.json_response({"ok": False, "error": code}))
    with pytest.raises(kind) as caught:
        await wire.ask(method)
    assert type(caught.value) is kind
    assert (caught.value.code, counter._value.get()) == (code, before + 1)


@each_method
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 30),
        ("600", 600),
        ("86400", 600),
        ("9" * 9, 600),
        ("1", 1),
        ("0", 0),
        (None, 1),
        ("", 1),
        ("soon", 1),
        ("-5", 1),
        ("1.5", 1),
        ("9" * 400, 1),
        ("²", 1),
    ],
)
async def test_a_429_says_when_to_come_back(wire: Wire, method: str, said: str | None, seconds: int) -> None:
    """Slack sends whole seconds; anything else counts as one second, and more than ten minutes as ten."""
    headers = {} if said is None else {"Retry-After": said}
    wire.answers.append(web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers))
    with pytest.raises(RateLimited) as caught:
        await wire.ask(method)
    assert caught.value.retry_after == timedelta(seconds=seconds)


@each_method
async def test_a_429_of_a_proxy_is_one_too(wire: Wire, method: str) -> None:
    """Its body is not JSON."""
    wire.answers.append(web.Response(status=429, text="slow down", headers={"Retry-After": "4"}))
    with pytest.raises(RateLimited) as caught:
        await wire.ask(method)
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


@each_method
@pytest.mark.parametrize("answer", UNKNOWN, ids=lambda answer: str(answer and (answer.status, answer.body)))
async def test_a_broken_answer_leaves_the_outcome_unknown(wire: Wire, method: str, answer: web.Response | None) -> None:
    """The request was sent, so it may have been applied."""
    wire.answers.append(answer)
    with pytest.raises(OutcomeUnknown):
        await wire.ask(method)


async def test_a_post_without_its_ts_is_unknown(wire: Wire) -> None:
    """Slack says that it is posted, but not where."""
    wire.answers.append(web.json_response({"ok": True}))
    with pytest.raises(OutcomeUnknown):
        await wire.post()


@each_method
async def test_the_token_is_sent_in_a_header_only(wire: Wire, method: str) -> None:
    """Addresses end up in logs."""
    wire.answers.append(web.json_response({"ok": True, "ts": "1.2", "channel": {"id": "D1"}}))
    await wire.ask(method)
    assert wire.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert wire.headers[0]["User-Agent"].startswith("Python/")
    assert "token" not in wire.asked[0]


@each_method
async def test_the_environment_chooses_no_proxy(wire: Wire, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would take one from there, whatever the settings say about it."""
    wire.answers.append(web.json_response({"ok": True, "ts": "1.2", "channel": {"id": "D1"}}))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with aiohttp.ClientSession() as session:
        wire.client = messages(f"{wire.url}/api/", session)
        await wire.ask(method)
    assert len(wire.asked) == 1


async def test_the_sdk_retries_nothing(wire: Wire) -> None:
    """Its own retries would post twice what had already arrived."""
    wire.answers.append(None)
    with pytest.raises(OutcomeUnknown):
        await wire.post()
    assert len(wire.asked) == 1


@each_method
async def test_a_connection_that_is_refused_had_no_effect(wire: Wire, method: str) -> None:
    """No server listens, so nothing was sent."""
    async with aiohttp.ClientSession() as session:
        wire.client = messages("http://127.0.0.1:1/api/", session)
        with pytest.raises(SlackUnavailable):
            await wire.ask(method)


@each_method
@pytest.mark.parametrize("answer", [*UNKNOWN, web.json_response({"ok": False, "error": "invalid_auth"})], ids=str)
async def test_no_error_holds_the_token(
    wire: Wire,
    method: str,
    answer: web.Response | None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither the error, nor its cause, nor any log."""
    wire.answers.append(answer)
    with pytest.raises(SlackError) as caught, caplog.at_level("DEBUG"):
        await wire.ask(method)
    said = [str(caught.value), repr(caught.value), repr(caught.value.__cause__), caplog.text, *capsys.readouterr()]
    assert not any("secret" in text for text in said)


@asynccontextmanager
async def speaking(answer: Callable[[str], Awaitable[bytes]]) -> AsyncIterator[tuple[Messages, list[str]]]:
    """A client of a server that sends the bytes of `answer` for a posted text; the texts it got, and their ports."""
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
            yield messages(url, session), asked
        server.close()


def ok(ts: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer with the ts of a post."""
    body = body or json.dumps({"ok": True, "ts": ts}).encode()
    lengths = headers or (f"Content-Length: {len(body)}",)
    head = "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json; charset=utf-8", *lengths])
    return head.encode() + b"\r\n\r\n" + body


async def test_a_late_answer_reaches_no_other_call() -> None:
    """A connection is closed after a time-out, and used again after an answer."""

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
    ids=["early hints", "chunked", "compressed"],
)
async def test_any_form_of_http_is_read(said: bytes) -> None:
    """Proxies between Slack and the bot may change the form."""

    async def answer(_text: str) -> bytes:
        return said

    async with speaking(answer) as (client, asked):
        for _ in range(2):
            assert await client.post("C1", text="hello", blocks=[], mark=MARK) == "1.2"
    assert len(set(asked)) == 1, "one connection for both"


async def test_bytes_that_are_no_http_leave_it_unknown() -> None:
    """The request was sent."""

    async def answer(_text: str) -> bytes:
        return b"SSH-2.0-nobody\r\n\r\n"

    async with speaking(answer) as (client, _):
        with pytest.raises(OutcomeUnknown):
            await client.post("C1", text="hello", blocks=[], mark=MARK)


def posted(ts: str, lane: str = MARK.lane, **more: Any) -> dict[str, Any]:
    """A message as history shows it."""
    payload = {"lane": lane, "part": "change", "delivered_through": 7}
    return {"ts": ts, "bot_id": OWN, "metadata": {"event_type": "execution_message", "event_payload": payload}, **more}


async def test_reading_back_finds_one_lane_on_all_pages(wire: Wire) -> None:
    """Messages of people, of other apps and of other lanes are skipped."""
    foreign = {"event_type": "execution_message", "event_payload": {}}
    pages = [
        [posted("5.0"), posted("4.0", lane="T1/e1/C1/1772366400001"), {"ts": "3.5"}],
        [{"ts": "3.0", "metadata": {}}, {"ts": "2.5", "metadata": foreign}, {"ts": "2.4", "metadata": None}],
        [posted("2.0")],
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


async def test_marks_of_others_are_skipped(wire: Wire) -> None:
    """Any app can post a copy of a mark; what the bot cannot have written is skipped, too."""
    odd = {"event_type": "execution_message", "event_payload": "text"}
    many = odd | {"event_payload": {"lane": MARK.lane, "part": "change", "delivered_through": "many"}}
    rows = [posted("1.0", bot_id="B2"), posted("1.1", bot_id=None), posted("1.2", bot_id=""), posted("2.0")]
    rows += [posted("1.3", metadata=odd), posted("1.4", metadata=many)]
    wire.answers.append(web.json_response({"ok": True, "messages": rows}))
    found, _ = await wire.client.delivered("C1", MARK.lane, since=LONG_AGO)
    assert [each.ts for each in found] == ["2.0"]


async def test_blocks_and_metadata_arrive_unchanged(wire: Wire) -> None:
    """The SDK passes on what it has no class for, and nothing is escaped twice."""
    wire.answers.append(web.json_response({"ok": True, "ts": "1.2"}))
    blocks: list[dict[str, Any]] = [
        {"type": "data_table", "rows": [["ü", "&amp;"]]},
        {"type": "plan", "tasks": [], "title": "“x”"},
    ]
    await wire.client.post("C1", text="ü &amp;", blocks=blocks, mark=MARK, thread_ts="1.1", is_broadcast=True)
    assert wire.bodies == [
        {
            "channel": "C1",
            "text": "ü &amp;",
            "blocks": blocks,
            "metadata": {
                "event_type": "execution_message",
                "event_payload": {"lane": MARK.lane, "part": "change", "delivered_through": 7, "at": 0},
            },
            "thread_ts": "1.1",
            "reply_broadcast": True,
            "unfurl_links": False,
            "unfurl_media": False,
        }
    ]
