"""The endpoints of the store: one server, the master that Sentinels name, or a Redis Cluster.

Lives here: what an address means, and sending commands in one go to the node that holds their keys, exactly once. Does
not live here: what the answers mean (`connection`). Called by `connection`.

Commands are sent and read on redis-py's connections (all by public names), not through its pipelines: these send a
command again after some errors, and a claim that is made twice without anybody noticing would find nothing the second
time. They also raise the first error of a pipeline on a cluster, and hide which commands were run.

A cluster's ASK is not followed: while a slot moves, some of a partition's keys are on one node and some on another, and
a script that reads both must run on neither. The partition waits until it has moved.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as ClosedConnection
from redis.exceptions import ReadOnlyError, RedisClusterException, RedisError, ResponseError

from bot import __version__
from bot.errors import SettingsInvalid
from bot.store.engine.refusals import CLIENT_ERRORS, CLOSED
from bot.store.rows import BYTES

TIMEOUT_SECONDS = 5.0
"""How long a connection, and each answer, may take. Scripts take microseconds; longer means that something is wrong."""

SENTINEL_SECONDS = 1.0
"""The same for a Sentinel, since there are others to ask."""

CONNECTIONS = 32
"""At most how many connections of one bot to one server."""

DRIVER = DriverInfo().add_upstream_driver("execution-bot", __version__)
"""What each connection calls itself; a refusal of that is no error. To find redis-py's version takes a ms each time."""

Words = tuple[str | int, ...]
"""A command as it is sent."""

Address = tuple[str, int]
"""Host and port."""
NOWHERE: Address = ("", 0)


class Server:
    """One server, or the one that is the master now."""

    is_sharded = False
    """Whether keys of two partitions may be on two nodes."""

    def __init__(self, pool: ConnectionPool, sentinel: Sentinel | None = None) -> None:
        self.redis = Redis.from_pool(pool)
        self._pool, self._sentinel = pool, sentinel

    async def execute(
        self, _keys: Sequence[str], commands: Sequence[Words], behind: Sequence[Words]
    ) -> tuple[list[Any], Address]:
        """Send the commands and then those `behind` in one go; their answers, errors among them, and whose they are."""
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py's own
        try:
            answers = await _execute(connection, [*commands, *behind])
            return answers, (getattr(connection, "host", ""), getattr(connection, "port", 0))
        finally:
            await self._pool.release(connection)

    def node_of(self, _key: str) -> str:
        """A name for the server that holds a key."""
        return ""

    async def info(self, section: str) -> list[dict[str, Any]]:
        """A section of what the server says about itself."""
        return [await self.redis.info(section)]

    async def refresh_topology(self) -> None:
        """Nothing to do: a new connection finds the master by itself."""

    async def has_moved(self, answered: Address) -> bool:
        """Whether Sentinels have elected another master than the one that `answered`; then connections are renewed.

        A master that resumes after a hang learns of its demotion seconds later; its writes until then are lost. The
        address in the pool does not show that: another connection may have found the new master already.
        """
        if self._sentinel is None or not isinstance(self._pool, SentinelConnectionPool):
            return False
        try:
            master = await self._sentinel.discover_master(self._pool.service_name)
        except (RedisError, OSError):
            return False
        if answered == master:
            return False
        await self._pool.disconnect()
        return True

    async def aclose(self) -> None:
        """Close all connections."""
        await self.redis.aclose()
        if self._sentinel is not None:
            await self._sentinel.aclose()


class Sentinels(Sentinel):
    """All of them are asked who the master is, since each learns of an election by itself: the latest one counts."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Host and port of the master that was elected last.

        Raises:
            MasterNotFoundError: no Sentinel answers, or what they name is down.
        """
        asked = (sentinel.sentinel_master(service_name) for sentinel in self.sentinels)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for fault in answers:
            if isinstance(fault, BaseException) and not isinstance(fault, CLIENT_ERRORS):
                raise fault
        known = [state for state in answers if isinstance(state, dict)]
        latest = max((state["config-epoch"] for state in known), default=None)
        for state in known:  # one of them may not reach a master that the others see
            if state["config-epoch"] == latest and self.check_master_state(state, service_name):
                return state["ip"], state["port"]
        raise MasterNotFoundError(f"No master found for {service_name!r}")


class Cluster:
    """A Redis Cluster: each partition of the store is on one of its nodes."""

    is_sharded = True

    def __init__(self, redis: RedisCluster) -> None:
        self.redis = redis

    async def execute(
        self, keys: Sequence[str], commands: Sequence[Words], behind: Sequence[Words]
    ) -> tuple[list[Any], Address]:
        """Send each command to the node of its key, in one go per node, and `behind` after them to each of these.

        Returns:
            Answers to the commands, errors among them, then those to `behind`, node by node; and no address.
        """
        await self.redis.initialize()
        places: dict[ClusterNode, list[int]] = {}
        for i, key in enumerate(keys):
            places.setdefault(self.redis.nodes_manager.get_node_from_slot(self.redis.keyslot(key)), []).append(i)
        asked = (_execute_on(node, [*(commands[i] for i in mine), *behind]) for node, mine in places.items())
        answers: list[Any] = [None] * len(commands)
        for mine, found in zip(places.values(), await asyncio.gather(*asked), strict=True):
            for i, answer in zip(mine, found, strict=False):
                answers[i] = answer
            answers += found[len(mine) :]
        return answers, NOWHERE

    def node_of(self, key: str) -> str:
        """A name for the server that holds a key."""
        return str(self.redis.nodes_manager.get_node_from_slot(self.redis.keyslot(key)).name)

    async def info(self, section: str) -> list[dict[str, Any]]:
        """A section of what each master says about itself."""
        answers = await self.redis.info(section, target_nodes=RedisCluster.PRIMARIES)
        is_by_node = all(isinstance(answer, dict) for answer in answers.values())
        return list(answers.values()) if is_by_node else [answers]  # of a single master there is only its own

    async def refresh_topology(self) -> None:
        """Ask the nodes which of them holds what now: one of them died, or said that a slot has moved."""
        with suppress(RedisError, RedisClusterException, OSError):
            await self.redis.nodes_manager.initialize()

    async def has_moved(self, _answered: Address) -> bool:
        """Never known here: a node that resumes after a hang learns of it within moments, and WAIT then says so."""
        return False

    async def aclose(self) -> None:
        """Close all connections."""
        await self.redis.aclose()


async def _execute_on(node: ClusterNode, commands: Sequence[Words]) -> list[Any]:
    """The answers of one node; when it is down, its error for each command, so that the other nodes still count."""
    connection = node.acquire_connection()
    try:
        await node.disconnect_if_needed(connection)
        return await _execute(connection, commands)
    except (RedisError, OSError) as error:
        return [error] * len(commands)
    finally:
        node.release(connection)


async def _execute(connection: AbstractConnection, commands: Sequence[Words]) -> list[Any]:
    answers: list[Any] = []
    packed = connection.pack_commands(commands)
    try:
        await connection.send_packed_command(packed)
    except CLOSED as error:
        raise ClosedConnection("closed before a command was written") from error
    for _ in commands:
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    if any(map(is_demoted, answers)):  # the address may lead to another server now
        await connection.disconnect()
    return answers


def is_demoted(answer: Any) -> bool:
    """Whether a server said that it is no longer the master, if only to WAIT: what it has just written will be lost."""
    return isinstance(answer, ReadOnlyError) or (
        isinstance(answer, ResponseError) and str(answer).startswith(("UNBLOCKED ", "WAIT cannot be used with replica"))
    )


def connect(url: str) -> Server | Cluster:
    """The endpoint at `url`, whose forms the setting REDIS_URL describes; nothing is connected yet.

    Raises:
        SettingsInvalid: the address has an option that does not exist, or one with a wrong value.
    """
    scheme, _, rest = url.partition("://")
    scheme, _, kind = scheme.partition("+")
    netloc = re.split("[/?]", rest, maxsplit=1)[0]
    user, at, hosts = netloc.rpartition("@")
    first, *others = hosts.split(",")
    plain = urlsplit(f"{scheme}://{user}{at}{first}{rest.removeprefix(netloc)}")
    try:
        if kind == "sentinel":
            return _sentinel(plain, [first, *others])
        if kind == "cluster":
            return _cluster(plain, [first, *others])
        return Server(_tried(ConnectionPool(**_options(plain))))
    except (TypeError, ValueError, RedisError, RedisClusterException):  # its text may repeat what was given
        raise SettingsInvalid(["REDIS_URL is wrong: an option behind its ? is unknown or has a wrong value"]) from None


def _sentinel(plain: SplitResult, hosts: Sequence[str]) -> Server:
    """`…/<service>[/<db>]`, the hosts being Sentinels; user and password are for the servers that they name."""
    service, _, db = plain.path.strip("/").partition("/")
    options = _options(plain._replace(path=f"/{db}"))
    password = options.pop("sentinel_password", None)
    tls = _tls(options)
    sentinel = Sentinels(  # type: ignore[no-untyped-call]  # redis-py's own
        [_host_and_port(host, 26379) for host in hosts],
        sentinel_kwargs={
            **tls,
            "password": password,
            "socket_timeout": SENTINEL_SECONDS,
            "socket_connect_timeout": SENTINEL_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "driver_info": DRIVER,
        },
    )
    pool = SentinelConnectionPool(service, sentinel, **(options | tls))  # type: ignore[no-untyped-call]  # redis-py's own
    return Server(_tried(pool), sentinel)


def _cluster(plain: SplitResult, hosts: Sequence[str]) -> Cluster:
    options = _options(plain)
    tls = _tls(options)
    nodes = [ClusterNode(*_host_and_port(host, 6379)) for host in hosts]
    _tried(ConnectionPool(**_options(plain)))
    return Cluster(RedisCluster(startup_nodes=nodes, **(options | tls)))


def _tls(options: dict[str, Any]) -> dict[str, Any]:
    """What `options` say about TLS, and remove the one host from them, since there are several."""
    for mine in ("host", "port"):
        options.pop(mine, None)
    is_tls = options.pop("connection_class", None) is not None
    return {"ssl": is_tls} | {name: value for name, value in options.items() if name.startswith("ssl_")}


def _checked(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """`options` of the address, unless one has a number with which nothing would ever be answered.

    Raises:
        ValueError: one has.
    """
    for name, value in options.items():
        is_wait = name in {"socket_timeout", "socket_connect_timeout"}
        if isinstance(value, int | float) and not (value > 0 if is_wait else value >= 0):
            raise ValueError(name)
    return options


def _tried(pool: ConnectionPool) -> ConnectionPool:
    """`pool`, after a check of its options, which redis-py makes only with the first connection."""
    pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's own
    return pool


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "localhost", parts.port or port


def _options(plain: SplitResult) -> dict[str, Any]:
    """How each connection is made. The retries are for connecting; `connection` decides what is sent again."""
    return {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "health_check_interval": 30,
        "max_connections": 2 * CONNECTIONS,  # some are still closing while their successors work
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
        "driver_info": DRIVER,
        **_checked(parse_url(plain.geturl())),
        "decode_responses": True,
        "encoding": "utf-8",
        "encoding_errors": BYTES,  # deflated snapshots pass as text
    }
