"""The bot as its users run it: `python -m bot run` as a process with plain settings."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 90
"""How long a start, or a command of the bot, may take on a busy machine; mostly it is a second."""

STOP_SECONDS = 60
"""How long its end may take there."""


async def ended(folder: Path, command: str, settings: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run `python -m bot <command>` to its end; returns the exit code and everything that it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", command, *arguments),
        cwd=folder,
        env=_environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(START_SECONDS):
        printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


class BotProcess:
    """One bot, which can be killed and started again on the same state."""

    def __init__(self, settings: dict[str, str], log: Path) -> None:
        self.settings, self._log = settings, log
        self._process: asyncio.subprocess.Process | None = None
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
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bot", "run"),
                cwd=self._log.parent,
                env=_environment(self.settings),
                stdout=log,
                stderr=log,
            )

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
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in found if line.get("event") == event]


def _environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's environment, with `settings` instead of any settings of the bot."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("SLACK_", "GCS_"))}
    compiled_once = {"PYTHONDONTWRITEBYTECODE": ""}  # bots start often, and quicker when modules are compiled
    return {**inherited, **compiled_once, "PYTHONPATH": str(REPOSITORY), **settings}
