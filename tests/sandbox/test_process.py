"""The bot's process in the demo: what it inherits, what is kept of its output, and that nothing is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import process
from sandbox.process import Bot

SLEEPER = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
"""Starts a process of its own and sleeps."""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)

STORE = (
    "import socket; listening = socket.socket(socket.AF_UNIX); listening.bind('store.sock'); listening.listen(); "
    "print('up', flush=True); listening.accept()[0].recv(99)"
)
"""Listens until somebody sends anything."""
APART = {"start_new_session": True}


@pytest.fixture
async def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    """A process that is not started yet, on a machine with a real token in its environment."""
    monkeypatch.setenv("REDIS_URL", "redis://production")
    made = Bot({"SLACK_BOT_TOKEN": "xoxb-sandbox"}, directory=tmp_path)
    yield made
    await made.stop()


async def said(bot: Bot) -> str:
    """The first line of its output."""
    while not bot.last:  # noqa: ASYNC110  # there is no event for a line in a log
        await asyncio.sleep(0.01)
    return bot.last[0]


async def gone(pid: int) -> None:
    """Return when the process no longer exists or is a zombie."""
    while is_alive(pid):  # noqa: ASYNC110  # the kernel notifies only its parent
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_only_the_demos_settings_reach_it(bot: Bot) -> None:
    """No setting of this machine reaches the simulated world."""
    await bot.start("-c", "import os; print('REDIS_URL' in os.environ, os.environ['SLACK_BOT_TOKEN'])")
    assert await bot.wait() == 0
    assert list(bot.last) == ["False xoxb-sandbox"]


async def test_no_file_of_the_machine_reaches_it(bot: Bot, tmp_path: Path) -> None:
    """It runs in a directory of its own without a `.env`."""
    await bot.start("-c", "import os; print(os.getcwd())")
    await bot.wait()
    assert list(bot.last) == [str(tmp_path)]


async def test_last_lines_are_kept_when_it_dies(bot: Bot) -> None:
    """Exit code and last lines explain the end of a bot."""
    await bot.start("-c", "print('x' * 100_000); [print(n) for n in range(100)]; raise SystemExit(3)")
    assert await bot.wait() == 3
    assert list(bot.last) == [str(n) for n in range(85, 100)]


async def test_nothing_is_left_of_it(bot: Bot) -> None:
    """Processes that the bot has started end with it."""
    await bot.start("-c", SLEEPER)
    child = int(await said(bot))
    await bot.stop()
    await asyncio.wait_for(gone(child), 60)


async def test_bot_that_ignores_sigterm_is_killed(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ignores SIGTERM does not keep the demo from ending."""
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.1)
    await bot.start("-c", STUBBORN)
    assert await said(bot) == "up"
    await bot.stop()
    await asyncio.wait_for(gone(bot.pid), 60)


async def test_store_of_a_killed_bot_is_ended(bot: Bot, tmp_path: Path) -> None:
    """A store that a killed bot left running is shut down."""
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def store(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.readline())
        writer.close()

    async with await asyncio.start_unix_server(store, tmp_path / "store.sock"):
        await bot.start("-c", "")
        await bot.stop()
        assert await received == b"SHUTDOWN NOSAVE\r\n"


async def test_output_that_a_store_holds_ends(bot: Bot) -> None:
    """A store may have inherited the output of its bot, which is read to its end."""
    await bot.start("-c", f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STORE!r}], **{APART})")
    assert await said(bot) == "up"
    await asyncio.wait_for(bot.stop(), 20)


async def test_colours_are_for_terminals_only(bot: Bot) -> None:
    """The last lines contain no colour codes."""
    await bot.start("-c", r"print('\x1b[31mred\x1b[0m')")
    await bot.wait()
    assert list(bot.last) == ["red"]
