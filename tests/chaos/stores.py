"""The store that all replicas share, and its faults.

Lives here: `Lone`, `Watched` and `Embedded`, by name. Does not live here: when faults happen (`plan`), groups of
servers (`tests.topologies`). Called by `arena`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.chaos.plan import REPLICAS
from tests.chaos.replicas import server_binary
from tests.disks import Disk, small_disk
from tests.topologies import DOWN_AFTER_MS, Node, RedisCluster, SentinelTrio

START_SECONDS = 20.0

HANG_SECONDS = 10.0
"""How long an embedded engine hangs, at least, so that the bot replaces it."""

CALM_SECONDS = 2.0
"""How long an embedded engine is left alone after each fault, at least."""

DISK_MIB = 512
"""How large the disk of an embedded store is: more than a run writes."""

LAG_SECONDS = 1.0
"""How long before a master's death its acknowledged writes may have missed its replica."""


class Lone:
    """One server with an append-only file: a `kill -9` loses nothing that it has acknowledged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lossy: list[tuple[float, float]] = []
        """Empty: it loses nothing."""
        self.replicas = REPLICAS
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"unix://{self._folder / 's'}"

    @property
    def settings(self) -> dict[str, str]:
        """What the bots' settings say about it."""
        return {"REDIS_URL": self.url}

    async def start(self) -> None:
        """Start it, and return once it responds."""
        with (self._folder / "store.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                server_binary(),
                *("--port", "0", "--unixsocket", str(self._folder / "s"), "--dir", str(self._folder)),
                *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
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

    async def fail_over(self) -> None:
        """A restart, since no replica can take over."""
        await self.restart()

    async def wake_late(self, seconds: float) -> None:
        """A pause, since no replica can take over."""
        await self.pause(seconds)

    async def run_out_of_space(self, seconds: float) -> None:
        """A pause, since its disk is everybody's."""
        await self.pause(seconds)

    async def pause(self, seconds: float) -> None:
        """Take connections without responding for `seconds`."""
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


class Watched:
    """Servers with replicas that take over, of Sentinel or a cluster. Faults happen one after another."""

    def __init__(self, servers: SentinelTrio | RedisCluster) -> None:
        self._servers = servers
        self._nodes = servers.servers if isinstance(servers, SentinelTrio) else servers.nodes
        self._busy = asyncio.Lock()
        self.lossy: list[tuple[float, float]] = []
        """Periods, begin and end, whose acknowledged writes may be lost."""
        self.replicas = REPLICAS

    @property
    def settings(self) -> dict[str, str]:
        """What the bots' settings say about it."""
        return {"REDIS_URL": self._servers.url}

    async def start(self) -> None:
        """Start all of them."""
        await self._servers.start()

    async def stop(self) -> None:
        """End all of them."""
        await self._servers.stop()

    async def restart(self) -> None:
        """`kill -9` of a replica, and restart it."""
        async with self._busy:
            masters = await self._masters()
            next(node for node in self._nodes if node not in masters).kill()
            await self._servers.restart_dead()

    async def fail_over(self) -> None:
        """`kill -9` of a master; a replica takes its place, and it comes back as a replica."""
        async with self._busy, self._losing():
            await self._servers.kill_master()
            await self._servers.failed_over()
            await self._servers.restart_dead()

    async def pause(self, seconds: float) -> None:
        """A master does not respond, too briefly to be replaced."""
        async with self._busy:
            await self._stop_master(min(seconds, DOWN_AFTER_MS / 2000))

    async def run_out_of_space(self, seconds: float) -> None:
        """A pause, since its disk is everybody's."""
        await self.pause(seconds)

    async def wake_late(self, seconds: float) -> None:
        """A master does not respond until it is replaced, and resumes without knowing that.

        Sentinels inform it ten seconds later. Until then a setting of the servers prevents writes.
        """
        async with self._busy, self._losing():
            await self._write_alone(may=False)
            await self._stop_master(seconds)
            await self._servers.restart_dead()
            await self._write_alone(may=True)

    async def _write_alone(self, *, may: bool) -> None:
        """Set whether a master without a replica takes writes."""
        for node in self._nodes:
            await node.says("CONFIG SET", "min-replicas-to-write", 0 if may else 1)

    async def _stop_master(self, seconds: float) -> None:
        master, *_ = await self._masters()
        master.stop()
        try:
            await asyncio.sleep(seconds)
        finally:
            master.go_on()

    async def _masters(self) -> Sequence[Node]:
        if isinstance(self._servers, RedisCluster):
            return await self._servers.masters()
        return [await self._servers.failed_over()]

    @asynccontextmanager
    async def _losing(self) -> AsyncIterator[None]:
        """What is sent until the servers are whole again, or shortly before, may be repeated: receipts may be lost."""
        begins = time.time() - LAG_SECONDS
        yield
        self.lossy.append((begins, time.time()))


class Embedded:
    """The bot's own store, so there is one bot. Its engine is killed, hangs, or has no space; one fault at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "disk"
        self._disk: Disk | None = None
        self._exits = ExitStack()
        self._busy = asyncio.Lock()
        self.lossy: list[tuple[float, float]] = []
        """Empty: it loses nothing."""
        self.replicas = 1

    @property
    def settings(self) -> dict[str, str]:
        """What the bot's settings say about it."""
        return {"STATE_DIR": str(self._folder)}

    async def start(self) -> None:
        """Make its disk; the bot starts the engine."""
        self._disk = self._exits.enter_context(small_disk(self._folder, mib=DISK_MIB))

    async def stop(self) -> None:
        """Remove the disk."""
        self._exits.close()

    async def restart(self) -> None:
        """`kill -9` of the engine."""
        async with self._busy:
            self._signal(signal.SIGKILL)
            await asyncio.sleep(CALM_SECONDS)

    async def fail_over(self) -> None:
        """A restart, since no replica can take over."""
        await self.restart()

    async def pause(self, seconds: float) -> None:
        """The engine takes connections without responding for `seconds`."""
        async with self._busy:
            engine = self._signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            self._signal(signal.SIGCONT, engine)
            await asyncio.sleep(CALM_SECONDS)

    async def wake_late(self, seconds: float) -> None:
        """The engine hangs until the bot replaces it, or for as long as that may take."""
        await self.pause(HANG_SECONDS + seconds)

    async def run_out_of_space(self, seconds: float) -> None:
        """Nothing can be written for `seconds`."""
        assert self._disk is not None
        async with self._busy:
            self._disk.fill()
            await asyncio.sleep(seconds)
            self._disk.free()
            await asyncio.sleep(CALM_SECONDS)

    def _signal(self, number: signal.Signals, engine: int | None = None) -> int:
        """Send a signal to the engine, if there is one; returns its process id."""
        engine = self._engine() if engine is None else engine
        with suppress(ProcessLookupError):
            if engine:
                os.kill(engine, number)
        return engine

    def _engine(self) -> int:
        """The process behind the socket; 0 when there is none."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self._folder / "valkey.sock"))
            except OSError:
                return 0
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])


Store = Lone | Watched | Embedded

STORES: dict[str, Callable[[Path], Store]] = {
    "lone": Lone,
    "sentinel": lambda folder: Watched(SentinelTrio(folder)),
    "cluster": lambda folder: Watched(RedisCluster(folder)),
    "embedded": Embedded,
}
"""By the names that `make chaos` takes."""
