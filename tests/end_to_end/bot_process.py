"""The bot as its users run it: the command line in a process of its own, with plain settings.

Lives here: `ended` for a command that ends, `BotProcess` for a bot that runs. Does not live here: what runs beside it
(`conftest`). Called by the tests, and by chaos.

Four fifths of a start are imports. So a server that has imported the bot forks for each start; the fork has a folder,
an environment and an output of its own, and enters where `python -m bot` does. It inherits no limits of this process:
tests about those start it `AS_TYPED`, which is also how it starts with settings that only a new Python reads.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 90
"""How long a start, or a command of the bot, may take on a busy machine; mostly it is a second."""

STOP_SECONDS = 60
"""How long its end may take there."""

AS_TYPED: dict[str, Any] = {"PYTHONPATH": str(REPOSITORY)}
"""Settings that let it start as `python -m bot`."""

CAN_FORK = sys.platform == "linux"
"""Elsewhere some libraries do not work in a fork."""

if CAN_FORK:
    FORKS = multiprocessing.get_context("forkserver")
    FORKS.set_forkserver_preload([__name__, "bot.app.service", "bot.app.checks"])


async def ended(folder: Path, command: str, settings: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run `python -m bot <command>` to its end; returns the exit code and everything that it printed."""
    with TemporaryDirectory() as elsewhere:
        printed = Path(elsewhere) / "printed"
        process = await _started([command, *arguments], settings, folder, printed)
        async with asyncio.timeout(START_SECONDS):
            code = await process.wait()
        return code, printed.read_text()


class Fork:
    """A fork that runs the command line; it has what a process of asyncio has."""

    def __init__(self, words: list[str], environment: dict[str, str], folder: Path, output: Path) -> None:
        arguments = (words, environment, folder, output)
        self._process = FORKS.Process(target=_command_line, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal that killed it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        loop, may_have_ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, may_have_ended.set)
        try:
            await may_have_ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self.returncode is not None
        return self.returncode


async def _started(
    words: list[str], settings: dict[str, str], folder: Path, output: Path
) -> Fork | asyncio.subprocess.Process:
    """`python -m bot <words>`, which runs in `folder` and appends all that it prints to `output`."""
    if CAN_FORK and not any(name.startswith(("PYTHON", "LD_")) for name in settings):
        return Fork(words, _environment(settings), folder, output)
    with output.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *words, cwd=folder, env=_environment(settings), stdout=file, stderr=file
        )


def _command_line(words: list[str], environment: dict[str, str], folder: Path, output: Path) -> None:
    """What the fork runs."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["bot", *words]
    from bot.app.cli import main  # noqa: PLC0415  # what imports this module must not need the bot

    main()


class BotProcess:
    """One bot, which can be killed and started again on the same state."""

    def __init__(self, settings: dict[str, str], log: Path) -> None:
        self.settings, self._log = settings, log
        self._process: Fork | asyncio.subprocess.Process | None = None
        self._begins = 0

    async def start(self) -> None:
        """Start it, and return once it takes requests."""
        await self.spawn()
        async with asyncio.timeout(START_SECONDS):
            while not self.logged("service.started"):
                if self.has_ended:
                    raise AssertionError(f"the bot ended at once:\n{self.log}")
                await asyncio.sleep(0.02)

    async def spawn(self) -> None:
        """Start it, and return at once."""
        self._begins = self._log.stat().st_size if self._log.exists() else 0
        self._process = await _started(["run"], self.settings, self._log.parent, self._log)

    async def wait(self) -> int:
        """Wait for its own end; returns the exit code."""
        assert self._process is not None
        async with asyncio.timeout(STOP_SECONDS):
            return await self._process.wait()

    async def kill(self) -> None:
        """`kill -9`, so that it cannot clean up."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, as a supervisor does; returns the exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            return await self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id; 0 before it was started."""
        return self._process.pid if self._process else 0

    @property
    def has_ended(self) -> bool:
        """Whether it was started and runs no more."""
        return self._process is not None and self._process.returncode is not None

    @property
    def folder(self) -> Path:
        """Where it runs."""
        return self._log.parent

    @property
    def log(self) -> str:
        """Everything that it has logged so far, across restarts."""
        return self._log.read_text() if self._log.exists() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one kind since the last start."""
        if not self._log.exists():
            return []
        with self._log.open("rb") as log:
            log.seek(self._begins)
            lines = log.read().decode(errors="replace").splitlines()
        return logged(lines, event)


def logged(lines: Iterable[str], event: str) -> list[dict[str, Any]]:
    """Those of the lines of a log that are of one kind."""
    of_that_kind = (line for line in lines if event in line)  # a log is long, and tests read it often
    found = [json.loads(line) for line in of_that_kind if line.startswith("{") and line.endswith("}")]
    return [line for line in found if line.get("event") == event]


def _environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's environment, with `settings` instead of any settings of the bot."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("SLACK_", "GCS_"))}
    compiled_once = {"PYTHONDONTWRITEBYTECODE": ""}  # bots start often, and quicker when modules are compiled
    return {**inherited, **compiled_once, **AS_TYPED, **settings}
