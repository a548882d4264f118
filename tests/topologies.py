"""A Sentinel trio and a Redis Cluster of real servers on loopback, which can be killed and come back.

Called by the tests of the rings that need more than one server. The servers are Debian's redis-server; all that is
slow in them is set to be quick. Nothing here is bound to an event loop, so a fixture may start in one and stop in
another.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bot.store.engine.topology import DRIVER
from tests.ports import free_ports

WITHIN = 30.0
"""How many seconds a start or a fail-over may take on a busy machine; mostly it is two."""

DOWN_AFTER_MS = 700
"""How long a server is silent until the others call it dead."""

MASTERS, SLOTS = 3, 16384

SERVICE = "bot"
"""What the Sentinels call the master."""


_QUICK = ("--appendonly", "yes", "--repl-diskless-sync-delay", "0", "--save", "")
_CLUSTERED = (
    *("--cluster-enabled", "yes"),
    *("--cluster-node-timeout", str(DOWN_AFTER_MS)),
    *("--cluster-replica-validity-factor", "0"),
)
_WATCHING = f"""
sentinel monitor {SERVICE} 127.0.0.1 {{port}} 2
sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}
sentinel failover-timeout {SERVICE} 2000
"""


class Node:
    """One server in a folder of its own, on a port that it keeps."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.port, self._folder, self._options = port, folder, options
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def start(self, *more: str, config: str | None = None) -> None:
        """Start it, from a `config` that it may write to if one is given; it answers a little later."""
        binary = shutil.which("redis-server")
        assert binary is not None, "redis-server is not installed"
        self._folder.mkdir(parents=True, exist_ok=True)
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), *self._options, *more]
        if config is not None:
            (self._folder / "conf").write_text(config)
            options.insert(0, str(self._folder / "conf"))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own server
                [binary, *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def is_up(self) -> bool:
        """Whether it runs and is not stopped."""
        return self.pid is not None and not self._is_stopped

    def stop(self) -> None:
        """SIGSTOP: it answers nothing, until `go_on`."""
        self._signal(signal.SIGSTOP)
        self._is_stopped = True

    def go_on(self) -> None:
        """Let it go on if it was stopped."""
        self._signal(signal.SIGCONT)
        self._is_stopped = False

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def says(self, *words: str | int) -> Any:
        """Its answer to a command; an error counts as none, and one that is stopped is not waited for."""
        if not self.is_up:
            return None
        retry = Retry(NoBackoff(), 0)
        async with Redis(
            port=self.port, decode_responses=True, socket_timeout=1, retry=retry, driver_info=DRIVER
        ) as redis:
            try:
                return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's own
            except (RedisError, OSError):
                return None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


async def until(check: Callable[[], Awaitable[object]], what: str) -> Any:
    """What `check` says, once it says something."""
    try:
        async with asyncio.timeout(WITHIN):
            while not (found := await check()):  # noqa: ASYNC110  # other processes' doing
                await asyncio.sleep(0.02)
            return found
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN:g} s: {what}") from None


async def _is_followed(node: Node, replicas: int) -> bool:
    """Whether so many replicas have caught up with a master."""
    state = await node.says("INFO", "replication")
    online = [key for key, each in (state or {}).items() if key.startswith("slave") and each["state"] == "online"]
    return len(online) == replicas


async def _deafened(masters: Sequence[Node], replicas: Sequence[Node]) -> None:
    """Let replicas hear no more; without the second step they would later read what had been sent to them."""
    for replica in replicas:
        replica.stop()
    for master in masters:
        await master.says("CLIENT", "KILL", "TYPE", "replica")


class SentinelTrio:
    """A master with a replica, and three Sentinels that watch them."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(5)
        self.servers = [Node(folder / f"server{i}", port, *_QUICK) for i, port in enumerate(ports[:2])]
        self.sentinels = [Node(folder / f"sentinel{i}", port, "--sentinel") for i, port in enumerate(ports[2:])]

    @property
    def url(self) -> str:
        """What REDIS_URL would be."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    @property
    def pids(self) -> list[int]:
        """All processes that run."""
        return [node.pid for node in (*self.servers, *self.sentinels) if node.pid]

    async def start(self) -> None:
        """Start all five; the replica has caught up, and the Sentinels know everybody."""
        master, replica = self.servers
        master.start()
        replica.start("--replicaof", "127.0.0.1", str(master.port))
        await until(lambda: _is_followed(master, 1), "a replica")  # which Sentinels ask about every 10 s only
        for node in self.sentinels:
            node.start(config=_WATCHING.format(port=master.port))
        await until(self.is_whole, "a Sentinel trio that is whole")

    async def is_whole(self) -> bool:
        """Whether the replica follows and every Sentinel sees everybody, so that the master may be lost."""
        master = await self.master()
        if master is None or not await _is_followed(master, 1):
            return False
        for sentinel in self.sentinels:
            state = await sentinel.says("SENTINEL MASTER", SERVICE)
            replicas = await sentinel.says("SENTINEL SLAVES", SERVICE)
            if (
                not state
                or state["num-other-sentinels"] != 2
                or [each["flags"] for each in replicas or []] != ["slave"]
            ):
                return False
        return True

    async def master(self) -> Node | None:
        """The server that a Sentinel names, if it agrees."""
        for sentinel in self.sentinels:
            address = await sentinel.says("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
            for node in self.servers:
                if address and node.port == int(address[1]):
                    state = await node.says("INFO", "replication")
                    return node if state and state["role"] == "master" else None
        return None

    async def deafen(self) -> None:
        """Stop all replicas, so that what is written from now on is lost with its master."""
        master: Node = await until(self.master, "a master")
        await _deafened([master], [node for node in self.servers if node is not master])

    def wake(self) -> None:
        """Let all go on that was stopped."""
        for node in self.servers:
            node.go_on()

    async def kill_master(self) -> Node:
        """`kill -9` of the master; returns it."""
        master: Node = await until(self.master, "a master to kill")
        master.kill()
        return master

    async def hang_master(self) -> Node:
        """Stop the master, so that it takes connections and answers nothing until `wake`; returns it."""
        master: Node = await until(self.master, "a master to stop")
        master.stop()
        return master

    async def failed_over(self) -> Node:
        """The new master, once there is one."""
        master: Node = await until(self.master, "a new master")
        return master

    async def restart_dead(self) -> None:
        """Restart what is dead, servers as replicas of the master, and wait until that one may be lost again."""
        master = await self.failed_over()
        for node in self.servers:
            if node.pid is None:
                node.start("--replicaof", "127.0.0.1", str(master.port))
        for node in self.sentinels:
            if node.pid is None:
                node.start(config=_WATCHING.format(port=master.port))
        await until(self.is_whole, "a Sentinel trio that is whole again")

    async def stop(self) -> None:
        """End all processes."""
        for node in (*self.sentinels, *self.servers):
            node.kill()


class RedisCluster:
    """Three masters, each with as many replicas as said."""

    def __init__(self, folder: Path, *, replicas: int = 1) -> None:
        count = 3 * (1 + replicas)
        self._replicas = replicas
        ports = free_ports(2 * count)
        self.buses = ports[count:]
        self.nodes = [
            Node(folder / f"node{i}", port, *_QUICK, *_CLUSTERED, "--cluster-port", str(bus))
            for i, (port, bus) in enumerate(zip(ports, self.buses, strict=False))
        ]

    @property
    def url(self) -> str:
        """What REDIS_URL would be."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:MASTERS])

    @property
    def pids(self) -> list[int]:
        """All processes that run."""
        return [node.pid for node in self.nodes if node.pid]

    async def start(self) -> None:
        """Start all nodes and make them one cluster, in which every slot has a master and its replicas."""
        for node in self.nodes:
            node.start()
        for i, (node, bus) in enumerate(zip(self.nodes, self.buses, strict=True)):
            await until(partial(node.says, "PING"), "an answer of a node")
            await node.says("CLUSTER SET-CONFIG-EPOCH", i + 1)
            await self.nodes[0].says("CLUSTER MEET", "127.0.0.1", node.port, bus)
            if i < MASTERS:
                await node.says("CLUSTER ADDSLOTSRANGE", i * SLOTS // MASTERS, (i + 1) * SLOTS // MASTERS - 1)
        for i, replica in enumerate(self.nodes[MASTERS:]):
            master = await self.nodes[i % MASTERS].says("CLUSTER MYID")
            await until(partial(replica.says, "CLUSTER REPLICATE", master), "a replica that knows its master")
        await until(self.is_whole, "a cluster that is whole")

    async def is_whole(self) -> bool:
        """Whether all nodes are well and every master has its replicas, so that one may be lost."""
        for node in self.nodes:
            state = await node.says("CLUSTER INFO")
            if not state or state["cluster_state"] != "ok" or int(state["cluster_known_nodes"]) != len(self.nodes):
                return False
        masters = await self.masters()
        return len(masters) == MASTERS and all([await _is_followed(node, self._replicas) for node in masters])

    async def masters(self) -> list[Node]:
        """The nodes that call themselves masters and hold slots, by their first slot."""
        nodes: dict[int, Node] = {}
        for node in self.nodes:
            for each in (await node.says("CLUSTER NODES") or {}).values():
                if each["flags"] == "myself,master" and each["slots"]:
                    nodes[int(each["slots"][0][0])] = node
        return [nodes[slot] for slot in sorted(nodes)]

    async def deafen(self) -> None:
        """Stop all replicas, so that what is written from now on is lost with its master."""
        masters = await self.masters()
        await _deafened(masters, [node for node in self.nodes if node not in masters])

    def wake(self) -> None:
        """Let all go on that was stopped."""
        for node in self.nodes:
            node.go_on()

    async def kill_master(self, which: int = 0) -> Node:
        """`kill -9` of one of the masters; returns it."""
        masters = await self.masters()
        masters[which].kill()
        return masters[which]

    async def hang_master(self, which: int = 0) -> Node:
        """Stop one of the masters, so that it takes connections and answers nothing until `wake`; returns it."""
        masters = await self.masters()
        masters[which].stop()
        return masters[which]

    async def failed_over(self) -> list[Node]:
        """The three masters, once all slots have one and everybody alive says so."""

        async def check() -> list[Node] | None:
            masters = await self.masters()
            alive = [await node.says("CLUSTER INFO") for node in self.nodes if node.is_up]
            return (
                masters
                if len(masters) == MASTERS and all(each and each["cluster_state"] == "ok" for each in alive)
                else None
            )

        return await until(check, "a cluster without a hole")  # type: ignore[no-any-return]

    async def restart_dead(self) -> None:
        """Restart what is dead, and wait until a master may be lost again."""
        await self.failed_over()
        for node in self.nodes:
            if node.pid is None:
                node.start()
        await until(self.is_whole, "a cluster that is whole again")

    async def stop(self) -> None:
        """End all processes."""
        for node in self.nodes:
            node.kill()


@asynccontextmanager
async def running(servers: SentinelTrio | RedisCluster) -> AsyncIterator[None]:
    """Servers that run inside the context."""
    try:
        await servers.start()
        yield
    finally:
        await servers.stop()
