"""The store that all replicas share, and what can be done to it.

Lives here: `LoneStore`. Does not live here: when (`plan`), the bots.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

START_SECONDS = 20.0


class LoneStore:
    """One server with an append-only file: a `kill -9` loses nothing that it has acknowledged."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary, self._folder = binary, folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """What the bots get as REDIS_URL."""
        return f"unix://{self._folder / 's'}"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "store.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._binary,
                *("--port", "0", "--unixsocket", str(self._folder / "s"), "--dir", str(self._folder)),
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(START_SECONDS), Redis.from_url(self.url) as redis:
            while True:
                try:
                    await redis.ping()
                except RedisError:
                    await asyncio.sleep(0.02)
                else:
                    return

    async def restart(self) -> None:
        """`kill -9`, and start again on what is on the disk."""
        await self._end(signal.SIGKILL)
        await self.start()

    async def pause(self, seconds: float) -> None:
        """It takes connections, and answers nothing for so long."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    async def stop(self) -> None:
        """End it."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()
