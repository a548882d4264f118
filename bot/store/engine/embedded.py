"""The embedded store: a Valkey of our own under the state directory, for one bot.

Lives here: the directory and the lock on it, starting or adopting the engine, starting it again when it dies, stopping
it. Does not live here: the engine's process (`process`), connections for the bot's own use (`connection`). Called by
`bot.app.service` when `REDIS_URL` is not set.

A `kill -9` of the bot leaves the engine running. The next start finds it at its fixed socket and adopts it, data and
all; a second engine on the same files is never started. A second bot on the same directory is refused by the lock,
which the kernel releases with its process.

An engine that ends (killed, or out of disk space) or hangs while the bot runs is started again on the same files. What
was claimed then is left to its leases, since the workers that claimed it are alive.
"""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TextIO
from urllib.parse import quote

import structlog

from bot import metrics
from bot.errors import BotError, SettingsInvalid, StateDirInUse
from bot.store.engine.process import EngineProcess, Reply, engine_binary

log = structlog.get_logger()

CHECK_SECONDS = 1.0
"""How often the engine is checked."""

SILENT_PINGS = 4
"""How many checks in a row the engine may leave without a response, about 7 s, until it is killed and started again.
That is longer than a person waits for the store: the engine may only be slow. It is no span of time because a bot that
was stopped itself would take its engine for one that hangs."""

GONE_SECONDS = 30.0
"""How long it may be away until a restart of the bot is worth a try."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""How long until it is started again, in seconds: the first time, and at most."""

STEADY_SECONDS = 10.0
"""How long an engine must respond until the next pause is the shortest again."""

_LONGEST_SOCKET_PATH = 100
"""Unix sockets are limited to about 107 bytes by the kernel."""


class EmbeddedStore:
    """One engine in one state directory. `await start()` gives its URL."""

    def __init__(self, state_dir: Path) -> None:
        self._dir = Path(os.path.realpath(state_dir))  # unlike `resolve`, it raises nothing for links in a circle
        self._engine = EngineProcess(self._dir)
        self._lock: TextIO | None = None
        self._supervising: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._silent_pings = 0
        self._away_since: float | None = None
        """Since when the engine has not responded; None while it does."""
        self._started_at = monotonic()
        self._pause = SHORTEST_PAUSE

    @property
    def url(self) -> str:
        """How to connect to it."""
        return f"unix://{quote(str(self._engine.socket))}"

    @property
    def is_running(self) -> bool:
        """Whether there is an engine on that directory, started by this bot or another one."""
        return self._engine.is_running

    @property
    def is_displaced(self) -> bool:
        """Whether its directory is not where it was: what the engine writes now is lost when it ends."""
        if self._lock is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._lock.fileno()), (self._dir / "lock").stat())
        except OSError:
            return True

    @property
    def is_gone(self) -> bool:
        """Whether the engine has been away for `GONE_SECONDS`, although it is started again and again."""
        return self._away_since is not None and monotonic() - self._away_since >= GONE_SECONDS

    async def start(self) -> str:
        """Take the directory, start or adopt its engine, keep it running from now on, and return its URL.

        Raises:
            SettingsInvalid: the directory cannot be used; the sentence says why and what to do.
            StateDirInUse: another bot runs on the directory.
            StoreUnavailable: there is no engine for this platform, or it does not come up.
        """
        engine_binary()  # where there is none, nothing below exists either
        self._take()
        try:
            if self._engine.is_running and not await self._responds():
                await self._engine.kill()
            await (self._engine.adopt() if self._engine.is_running else self._engine.spawn())
        except BaseException:
            self._leave()
            raise
        self._started()
        self._supervising = asyncio.create_task(self._supervise(), name="store engine")
        return self.url

    async def stop(self) -> None:
        """Stop the engine, which writes all it has, and leave the directory; one that does not respond is killed."""
        self._is_stopping = True  # redis-py may take a cancellation during a PING for its own time-out
        if self._supervising is not None:
            self._supervising.cancel()
            await asyncio.wait({self._supervising})
        try:
            await self._engine.shut_down()
        finally:
            self._leave()

    async def _supervise(self) -> None:
        while not self._is_stopping:
            try:
                await self._check()
            except Exception:  # a bug of ours must not leave the engine alone
                log.exception("embedded.check_failed")
                await asyncio.sleep(CHECK_SECONDS)
            await self._engine.ended(within=CHECK_SECONDS)

    async def _check(self) -> None:
        """Start the engine again if it has ended, or has not responded for long."""
        if self._engine.is_running:
            if await self._engine.ping() is not Reply.NONE:
                self._responded()
                return
            self._silent_pings += 1
        self._away_since = self._away_since or monotonic()
        if not self._engine.is_running or self._silent_pings >= SILENT_PINGS:
            await self._restart()

    async def _restart(self) -> None:
        metrics.STORE_ENGINE_UP.set(0)
        why = "it hangs" if self._engine.is_running else "it ended"
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        metrics.STORE_ENGINE_RESTARTS.inc()
        try:
            await self._engine.kill()
            await self._engine.spawn()
        except (BotError, OSError) as error:
            log.error("embedded.restart_failed", why=why, error=str(error), next_in_s=self._pause)  # noqa: TRY400  # the error says it all
        else:
            log.warning("embedded.restarted", why=why)
            self._started()

    def _started(self) -> None:
        self._started_at = monotonic()
        self._responded()

    def _responded(self) -> None:
        self._silent_pings, self._away_since = 0, None
        metrics.STORE_ENGINE_UP.set(1)
        if monotonic() - self._started_at >= STEADY_SECONDS:
            self._pause = SHORTEST_PAUSE

    async def _responds(self) -> bool:
        """Whether the engine that was found responds, as a running one must."""
        for _ in range(SILENT_PINGS):
            if await self._engine.ping() is not Reply.NONE:
                return True
            await asyncio.sleep(CHECK_SECONDS)
        return False

    def _take(self) -> None:
        import fcntl  # noqa: PLC0415  # not on Windows, where the bot runs with `REDIS_URL`

        if len(os.fsencode(self._engine.socket)) > _LONGEST_SOCKET_PATH:
            raise SettingsInvalid([f"STATE_DIR is too long for a socket in it ({self._dir}): choose a shorter path."])
        try:
            self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._close_to_others()
            lock = (self._dir / "lock").open("a+")
        except OSError as error:
            raise SettingsInvalid([f"STATE_DIR cannot be written ({self._dir}: {error.strerror})."]) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StateDirInUse(
                [f"STATE_DIR is in use by another bot ({self._dir}): stop that one, or set another STATE_DIR."]
            ) from error
        self._lock = lock

    def _close_to_others(self) -> None:
        """Let nobody else into the directory, which holds what executions are called and who follows them."""
        if not _is_open(self._dir):
            return
        if _is_ours(self._dir):  # a directory with other things in it may have to be open
            with suppress(OSError):
                self._dir.chmod(0o700)
        if _is_open(self._dir):
            own = self._dir / "execution-bot"
            sentence = f"make it the bot's own with mode 0700, or name a new directory in it ({own})."
            raise SettingsInvalid([f"STATE_DIR is open to other users ({self._dir}): {sentence}"])

    def _leave(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _is_open(folder: Path) -> bool:
    return bool(stat.S_IMODE(folder.stat().st_mode) & 0o077)


def _is_ours(folder: Path) -> bool:
    """Whether an engine has run there, or nothing else is there. A folder that all may write to, as `/tmp`, is not."""
    names = {path.name for path in folder.iterdir()}
    is_shared = folder.stat().st_mode & stat.S_ISVTX
    return not is_shared and ("appendonlydir" in names or names <= {"lock"})
