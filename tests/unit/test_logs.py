"""Promises of `bot.app.logs`: one form for all lines, and no secret in any."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import structlog

from bot.app.logs import set_up_logging
from bot.audit import audit, begin_request
from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = {"slack_bot_token": "xoxb-1", "slack_app_token": "xapp-1", "gcs_ak": "AK", "gcs_sk": "sk"}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is restored afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def settings(**changes: str) -> Settings:
    """Settings as `run` would load them."""
    return Settings(**(MINIMAL | {name.lower(): value for name, value in changes.items()}))


def test_the_log_has_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The bot's events and the warnings of libraries have the same form."""
    set_up_logging(settings())
    structlog.get_logger().info("watcher.settled", revision=3)
    logging.getLogger("slack_bolt").warning("slow")
    logging.getLogger("slack_bolt").info("chatter")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["level"], ours["revision"]) == ("watcher.settled", "info", 3)
    assert (theirs["event"], theirs["level"]) == ("slow", "warning")


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing below the configured level is written."""
    set_up_logging(settings(LOG_LEVEL="warning", LOG_FORMAT="text"))
    structlog.get_logger().info("watcher.settled")
    assert capsys.readouterr().err == ""


def test_no_level_drops_the_audit_trail(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither with a low level nor with a high one; the request's id is in every line."""
    set_up_logging(settings(LOG_LEVEL="error"))
    with structlog.contextvars.bound_contextvars():
        request_id = begin_request(actor="U1", team="T1")
        audit("subscription.created", execution="e1", changes="final", channel="")
        structlog.get_logger().error("store.away")
        structlog.get_logger().warning("store.slow")
    structlog.contextvars.clear_contextvars()
    audit("subscription.ended", why="execution_over", request_id="of somebody")
    created, away, ended = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (created["actor"], created["team"], created["request_id"]) == ("U1", "T1", request_id)
    assert (created["event"], created["execution"], "channel" in created) == ("subscription.created", "e1", False)
    assert (away["request_id"], ended["request_id"], "actor" in ended) == (request_id, "invalid", False)


@pytest.mark.parametrize("typed", ["patient-john-doe", "U1\n{}", "U" * 40, "<@U1>", "Ü1"])
def test_the_audit_trail_has_ids_only(capsys: pytest.CaptureFixture[str], typed: str) -> None:
    """Where a request holds something else in place of an id, that is not logged."""
    set_up_logging(settings())
    audit("handlers.answered", actor=typed, team=typed, channel=typed, execution=typed, subscriber=typed, owner=typed)
    written = capsys.readouterr().err
    assert written.count("invalid") == 6
    assert typed not in written


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_looks_like_a_secret_is_redacted(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """In an event, in a traceback, and in a library's line."""
    set_up_logging(settings(LOG_FORMAT=form))
    error = RuntimeError("redis://:hunter2@db and wss://x/?ticket=hunter2&app=1")
    structlog.get_logger().error("service.failed", token="xoxb-hunter2", exc_info=error)
    logging.getLogger("slack_sdk").error("https://hooks.slack.com/commands/hunter2 xapp-1-hunter2")
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert "app=1" in written


async def test_a_proxys_refusal_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    """Aiohttp's own error shows the proxy's address with its password, and the header that was sent."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    set_up_logging(settings())
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server, aiohttp.ClientSession() as session:
        proxy = f"http://bot:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(aiohttp.ClientHttpProxyError) as caught:
            await session.get("https://slack.test", proxy=proxy)
    logging.getLogger("slack_sdk").error("%s %r", caught.value, caught.value, exc_info=caught.value)
    written = capsys.readouterr().err
    assert "407" in written
    assert not any(secret in written for secret in ("hunter2", "Ym90Omh1bnRlcjI"))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end to read from of a pipe that is standard error, and is full; everything is logged to it."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"-" * 512)
    os.set_blocking(write, True)
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        set_up_logging(settings())
        yield read
        with suppress(OSError):
            os.close(read)


def test_a_log_that_nobody_reads_keeps_nobody(full: int) -> None:
    """Once a reader has ended, lines are dropped without an error: it would reach who delivers messages."""
    os.close(full)
    structlog.get_logger().info("message.sent")
    logging.getLogger("slack_bolt").warning("slow")


def test_a_reader_that_stops_keeps_nobody(full: int) -> None:
    """Lines are dropped while a pipe is full; once it is read again, the first line says how many."""
    for number in range(3):
        structlog.get_logger().info("message.sent", number=number)
    while len(os.read(full, 1 << 20)) == 1 << 20:
        pass
    structlog.get_logger().info("message.sent", number=3)
    structlog.get_logger().info("message.sent", number=4)
    lines = [json.loads(line) for line in os.read(full, 1 << 20).decode().splitlines() if line]
    assert lines[0] == {"event": "log.dropped", "level": "warning", "lines": 3}
    assert [line["number"] for line in lines[1:]] == [3, 4]


RESERVED = {"event", "level", "timestamp", "exception", "request_id"}
"""What every line has by itself: a value under such a name is a crash, or overwritten."""


def test_no_value_has_a_reserved_name() -> None:
    """In all calls of a logger; the audit trail alone may name another request."""
    found, calls = [], 0
    for path in [path for folder in ("bot", "handlers") for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            is_audit = called == "audit"
            if is_audit or called.startswith("log."):
                calls += 1
                names = {keyword.arg for keyword in node.keywords} & (
                    RESERVED - ({"request_id"} if is_audit else set())
                )
                found += [f"{path.name}:{node.lineno} {name}" for name in names]
    assert found == []
    assert calls > 50
