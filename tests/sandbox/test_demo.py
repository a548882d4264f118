"""The demo as a person runs it: it prints the address, reports problems, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from sandbox import terminal
from sandbox.demo import EVENTS, SHORTCUTS, Demo
from sandbox.process import Bot

ROOT = Path(__file__).parents[2]
BROKEN = ("-c", "print('no store to be had'); raise SystemExit(3)")


def test_the_app_is_as_in_the_manifest() -> None:
    """The page offers the shortcuts of manifest.yaml, and the app hears of its messages what it says there."""
    manifest = yaml.safe_load((ROOT / "manifest.yaml").read_text(encoding="utf-8"))
    rows = manifest["features"]["shortcuts"]
    assert {(row["name"], row["callback_id"], row["type"] == "message") for row in rows} == {
        (one.name, one.callback_id, one.is_message) for one in SHORTCUTS
    }
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert set(EVENTS) == {event for event in events if event == "app_mention" or event.startswith("message.")}


@pytest.fixture
async def world() -> AsyncIterator[Demo]:
    """The simulated world without a bot."""
    started = Demo(port=0, has_bot=False)
    await started.start()
    yield started
    await started.stop()


async def run(*arguments: str) -> asyncio.subprocess.Process:
    """`python -m sandbox` with these arguments."""
    command = (sys.executable, "-m", "sandbox", *arguments)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def line(process: asyncio.subprocess.Process) -> str:
    """The next line of its output."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
async def test_prints_one_address_and_stops_on_signal(name: signal.Signals) -> None:
    """One line says what to open; Ctrl-C and SIGTERM end it cleanly."""
    process = await run("--port", "0", "--no-bot")
    said = await line(process)
    assert re.match(r"Open http://127\.0\.0\.1:\d+ ", said)
    process.send_signal(name)
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_port_in_use_is_one_sentence() -> None:
    """If the port is in use, one sentence says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await run("--port", str(taken.getsockname()[1]), "--no-bot")
        assert re.fullmatch(r"Port \d+ is in use: .*--port\.\n", await line(process))
        assert await process.wait() == 1


async def test_the_page_shows_what_to_try(world: Demo) -> None:
    """Every execution of the demo has its commands on the page, with the id that GCS knows."""
    await world.begin()
    async with aiohttp.ClientSession() as http, http.get(world.page.url) as answer:
        page = await answer.text()
    ids = re.findall(r'data-fill="/execution status ([^"]+)"', page)
    assert len(ids) == 7
    assert all(world.gcs.body(one) for one in ids)


async def test_dead_bot_is_reported_on_page_and_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code and last lines are on the page and the terminal; everything else continues."""
    start = Bot.start
    monkeypatch.setattr(Bot, "start", lambda bot: start(bot, *BROKEN))
    world = Demo(port=0)
    await world.start()
    await terminal.watch(world)
    async with aiohttp.ClientSession() as http, http.get(world.page.url) as answer:
        page = await answer.text()
    await world.stop()
    report = "The bot has stopped (exit code 3). Its last lines:\nno store to be had"
    assert report in page
    assert report in capsys.readouterr().out
