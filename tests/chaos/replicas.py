"""The bots: several processes on one store, each with a clock of its own that may be wrong.

Lives here: `Replica`. Does not live here: when it is killed (`plan`). Called by `arena`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path

from tests.end_to_end.bot_process import BotProcess

WATCH_SECONDS = 0.2

RESTART_SECONDS = 2.0
"""How long a supervisor waits before it starts a bot again that ended by itself."""

REFUSED_SECONDS = 60.0
"""How long a bot may take to find out that a store is not its own, since the store may be failing over."""

EXIT_REFUSED = 2
"""Exit code of a bot whose settings are wrong."""


def faketime_library() -> str | None:
    """libfaketime, where it is installed; CI says REQUIRE_REDIS=1 and must have it."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None and os.environ.get("REQUIRE_REDIS") == "1":
        raise AssertionError("libfaketime is not installed, and REQUIRE_REDIS=1 says that it must be")
    return str(found) if found else None


class Replica:
    """One bot, which is killed sometimes and restarted at once."""

    def __init__(self, settings: dict[str, str], folder: Path, *, skew: int) -> None:
        folder.mkdir()
        self.bot = BotProcess({**settings, **_clock(skew)}, folder / "bot.log")
        self.kills = 0
        self.ends: list[str] = []
        """The last log lines of each end without a kill."""
        self.refused_starts = 0
        """How often it ended before it had started, because Slack refused its token."""
        self._busy = asyncio.Lock()
        self._up = 0
        """The process that has last been seen to have started."""

    @property
    def is_up(self) -> bool:
        """Whether it runs, and has started."""
        if self.bot.has_ended:
            return False
        if self._up != self.bot.pid and self.bot.logged("service.started"):
            self._up = self.bot.pid
        return self._up == self.bot.pid

    async def start(self) -> None:
        """Start it, and return once it takes requests."""
        await self.bot.start()

    async def watch(self) -> None:
        """Restart it if it ends by itself, and remember that."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            async with self._busy:
                if self.bot.has_ended:
                    self._note_end()
                    await asyncio.sleep(RESTART_SECONDS)
                    await self.bot.spawn()

    def _note_end(self) -> None:
        """It ended by itself."""
        tail = self.bot.log[-600:]
        if "token_revoked" in tail and not self.bot.logged("service.started"):
            self.refused_starts += 1
        else:
            self.ends.append(f"{self.bot.folder.name}: {tail}")

    async def kill(self) -> None:
        """`kill -9` at any point, and restart it."""
        async with self._busy:
            pid = self.bot.pid
            if self.bot.has_ended:  # before anybody looked
                self._note_end()
            else:
                await self.bot.kill()
            _sweep(pid)
            self.kills += 1
            await self.bot.spawn()

    async def replaced(self, change: dict[str, str]) -> str:
        """Stop it, start it with other settings, which must be refused, and start it again; see `admitted`."""
        async with self._busy:
            await self.bot.stop()
            said = await admitted({**self.bot.settings, **change}, self.bot.folder)
            await self.bot.spawn()
            return said

    async def stop(self) -> None:
        """SIGTERM, as a supervisor does."""
        async with self._busy:
            await self.bot.stop()


async def admitted(settings: dict[str, str], folder: Path) -> str:
    """Start a bot that must be refused; what it said if it was not, empty if it was."""
    bot = BotProcess(settings, folder / "stranger.log")
    await bot.spawn()
    with suppress(TimeoutError):
        async with asyncio.timeout(REFUSED_SECONDS):
            while not bot.has_ended:  # noqa: ASYNC110  # another process's doing
                await asyncio.sleep(WATCH_SECONDS)
    has_ended = bot.has_ended
    code = await bot.stop()
    return "" if has_ended and code == EXIT_REFUSED else f"exit code {code}: {bot.log[-600:]}"


def _clock(skew: int) -> dict[str, str]:
    """The environment in which only wall time is wrong, by `skew` seconds."""
    library = faketime_library()
    if not library or not skew:
        return {}
    return {"LD_PRELOAD": library, "FAKETIME": f"{skew:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _sweep(pid: int) -> None:
    """Remove what libfaketime leaves in shared memory when its process is killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        with suppress(FileNotFoundError):
            (Path("/dev/shm") / name).unlink()  # noqa: S108  # libfaketime's own place


def server_binary() -> str:
    """Debian's redis-server."""
    found = shutil.which("redis-server")
    assert found, "redis-server is not installed"
    return found
