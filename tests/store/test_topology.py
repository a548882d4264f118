"""Promises of the store's endpoints: what each form of an address means, and that no password is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
from redis.asyncio.sentinel import SentinelConnectionPool

from bot.errors import SettingsInvalid, StoreUnavailable
from bot.store.engine.connection import Connection
from bot.store.engine.topology import Cluster, Server, connect
from tests.ports import free_ports
from tests.servers import KEYS


async def test_sentinels_have_their_own_password() -> None:
    """User, password and database are for the master; the Sentinels have theirs; all of it may be TLS."""
    endpoint = connect(
        "rediss+sentinel://user:p%2Fw@s1:1,[::2]:2,s3/bot/3?sentinel_password=other&ssl_check_hostname=no"
    )
    assert isinstance(endpoint, Server)
    pool = endpoint.redis.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    kwargs = pool.connection_kwargs
    assert (pool.service_name, kwargs["username"], kwargs["password"], kwargs["db"]) == ("bot", "user", "p/w", 3)
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"]) for each in asked] == [("s1", 1), ("::2", 2), ("s3", 26379)]
    assert {each["password"] for each in asked} == {"other"}
    assert not any(each["ssl_check_hostname"] for each in (*asked, kwargs))
    await endpoint.aclose()


async def test_a_cluster_begins_with_any_of_its_nodes() -> None:
    """All nodes that the address names are asked, with the password that they share."""
    endpoint = connect("redis+cluster://:p%2Fw@n1:1,[::2]:2")
    assert isinstance(endpoint, Cluster)
    nodes = endpoint.redis.startup_nodes
    assert [(node.host, node.port, node.connection_kwargs["password"]) for node in nodes] == [
        ("n1", 1, "p/w"),
        ("::2", 2, "p/w"),
    ]
    await endpoint.aclose()


@pytest.mark.parametrize("address", ["redis://h/0", "redis+sentinel://h/bot", "redis+cluster://h"])
@pytest.mark.parametrize("option", ["hunter2=1", "socket_timeout=hunter2"])
async def test_a_wrong_option_fails_at_the_start(address: str, option: str) -> None:
    """And not with the first command; what was given is not repeated."""
    with pytest.raises(SettingsInvalid, match="REDIS_URL is wrong") as caught:
        connect(f"{address}?{option}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["redis://h/0", "redis+sentinel://h/bot", "redis+cluster://h"])
@pytest.mark.parametrize(
    "option", ["protocol=9", "socket_timeout=0", "socket_connect_timeout=nan", "health_check_interval=-1"]
)
async def test_a_number_that_cannot_work_is_refused(address: str, option: str) -> None:
    """One sentence at the start; with such a number nothing would ever be answered."""
    with pytest.raises(SettingsInvalid, match="REDIS_URL is wrong"):
        connect(f"{address}?{option}")


async def test_how_answers_are_read_is_ours(server_url: str) -> None:
    """Options of the address that other programs need change nothing."""
    mark = "&" if "?" in server_url else "?"
    connection = Connection(f"{server_url}{mark}encoding=latin-9x&decode_responses=&encoding_errors=strict")
    await connection.run("engine/probe", KEYS.partition(0))
    async with connection.guarded() as redis:
        await redis.set("word", b"\xff\xc3\xa9")
        assert await redis.get("word") == "\udcff\xe9"
    await connection.aclose()


@pytest.mark.parametrize("form", ["redis://:{}@{}/0", "redis+sentinel://:{}@{}/bot", "redis+cluster://:{}@{}"])
async def test_an_unreachable_store_hides_the_password(form: str) -> None:
    """Nobody listens there: one sentence with the reason."""
    connection = Connection(form.format("hunter2", f"127.0.0.1:{free_ports(1)[0]}"))
    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        await connection.run("engine/probe", KEYS.partition(0))
    await connection.aclose()
    assert "hunter2" not in str(caught.value)


async def test_a_refused_password_is_not_repeated(server_url: str) -> None:
    """The operator learns that it is the password, and the log does not learn the password."""
    separator = "@" if server_url.startswith("unix") else ""
    scheme, _, rest = server_url.partition("://")
    connection = Connection(f"{scheme}://user:hunter2{separator or '@'}{rest}")
    with pytest.raises(StoreUnavailable, match="refuses the user or the password") as caught:
        await connection.run("engine/probe", KEYS.partition(0))
    await connection.aclose()
    assert "hunter2" not in str(caught.value)


async def test_the_latest_election_is_believed() -> None:
    """Each hears of it by itself: one still names the master that hung, one is down, one has never heard of any."""
    async with sentinel("old", 1) as late, sentinel("new", 2) as informed, sentinel(None, 0) as ignorant:
        (dead,) = free_ports(1)
        hosts = ",".join(f"127.0.0.1:{port}" for port in (late, dead, ignorant, informed))
        assert await master_by(hosts) == ("new", 6379)


async def test_a_blind_sentinel_hides_no_master() -> None:
    """It calls it down; the others see it, and that is enough."""
    async with sentinel("there", 2, "master,s_down") as blind, sentinel("there", 2) as sees:
        assert await master_by(f"127.0.0.1:{blind},127.0.0.1:{sees}") == ("there", 6379)


async def master_by(sentinels: str) -> tuple[str, int]:
    """The master that these Sentinels name."""
    endpoint = connect(f"redis+sentinel://{sentinels}/bot")
    assert isinstance(endpoint, Server)
    pool = endpoint.redis.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    async with aclosing(endpoint):
        host, port = await pool.sentinel_manager.discover_master("bot")
        return host, port


@asynccontextmanager
async def sentinel(host: str | None, epoch: int, flags: str = "master") -> AsyncIterator[int]:
    """The port of something that speaks as a Sentinel does, and names `host` since that election."""
    state = {"ip": host, "port": 6379, "flags": flags, "num-other-sentinels": 3, "config-epoch": epoch}
    words = [str(word) for pair in state.items() for word in pair]
    named = f"%{len(state)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    answer = (named if host else "-ERR No such master with that name\r\n").encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            while line := await reader.readline():
                command = [await reader.readline() for _ in range(2 * int(line[1:]))]
                writer.write(answer if command[1].startswith(b"SENTINEL") else b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
