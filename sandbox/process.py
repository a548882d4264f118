"""The bot as a process of its own, started as in production.

Lives here: `Bot`, with its environment, its last log lines and its end. Does not live here: what it talks to
(`sandbox.demo`). The process gets its own environment and an empty working directory, so no token, proxy or `.env` of
this machine reaches it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")
"""The only variables that the bot inherits."""
GRACE_SECONDS = 5.0
COLOUR = re.compile("\x1b\\[[0-9;]*m")
LAST_LINES = 15


class Bot:
    """`python -m bot run`. Its output goes to the file `log`; `last` keeps the last lines."""

    def __init__(self, settings: Mapping[str, str], *, directory: Path) -> None:
        inherited = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._environment = inherited | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(settings)
        self._directory = directory
        self.log = directory / "bot.log"
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self, *arguments: str) -> None:
        """Start it; `arguments` replace `-m bot run`."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(arguments or ("-m", "bot", "run")),
            cwd=self._directory,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the demo, and the group can be killed as a whole
        )
        self._reader = asyncio.create_task(self._read(self._process.stdout))

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the process has started and not ended."""
        return self._process is not None and self._process.returncode is None

    async def wait(self) -> int:
        """Wait until the process has ended and its output is read; returns the exit code."""
        if self._process is None or self._reader is None:
            return 0
        code = await self._process.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._reader), 1)
        return code

    async def stop(self) -> None:
        """Terminate the process; after `GRACE_SECONDS`, kill it and everything that it started."""
        if self._process is None or self._reader is None:
            return
        if self.is_running:
            self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), GRACE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._end_stores()  # which may hold its output open
        await self._process.wait()
        await self._reader

    async def _end_stores(self) -> None:
        """Shut down the store of a killed bot: it has a session of its own and would wait for the next bot."""
        for path in self._directory.rglob("*.sock"):
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    reader, writer = await asyncio.open_unix_connection(path)
                    writer.write(b"SHUTDOWN NOSAVE\r\n")
                    await reader.read()  # the server closes the connection when it ends
                    writer.close()
                    await writer.wait_closed()

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        with self.log.open("w", encoding="utf-8") as file:
            while stream is not None and (line := await _line(stream)):
                text = line.decode(errors="replace")
                file.write(text)
                file.flush()
                self.last.append(COLOUR.sub("", text.rstrip()))


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; a line beyond the stream's limit comes in pieces."""
    try:
        return await stream.readuntil()
    except asyncio.LimitOverrunError as error:
        return await stream.read(error.consumed)
    except asyncio.IncompleteReadError as error:
        return error.partial
