"""The store fails: the bot waits, says so, and continues; people miss no message and read none twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from bot.store.engine.topology import TIMEOUT_SECONDS
from sandbox import story
from tests.disks import small_disk
from tests.end_to_end.conftest import World, made
from tests.end_to_end.lives import HAPPY, TALES
from tests.end_to_end.people import PATIENCE, Person
from tests.end_to_end.test_lives import lived
from tests.end_to_end.test_process import health, problem_with, until_ready
from tests.ports import free_ports
from tests.servers import configured
from tests.store.conftest import redis_server
from tests.topologies import Node, RedisCluster, SentinelTrio, running, until


async def test_a_dead_master_changes_nothing_people_read(tmp_path: Path) -> None:
    """A master is killed in the middle of five kinds of lives: each transcript is literally that of a quiet day."""
    redis_server()

    async def live(folder: Path, servers: SentinelTrio | RedisCluster) -> None:
        async with running(servers), made(folder, REDIS_URL=servers.url) as world:
            world.slack.limits.is_on = False  # rate limits have tests of their own
            living = asyncio.gather(*(lived(world, tale) for tale in TALES))
            await world.slack.wait_for(lambda: len(world.slack.messages(world.lab)) > len(TALES))
            await servers.kill_master()
            for following, (_, lines) in zip(await living, TALES, strict=True):
                for channel in following.channels:
                    assert following.transcript(channel) == ["card", *filter(None, lines)], world.bot.log[-4000:]
            assert world.bot.logged("pool.store_away"), "the bot has not noticed that its master died"
            await until_ready(world)

    trio, cluster = tmp_path / "trio", tmp_path / "cluster"
    await asyncio.gather(live(trio, SentinelTrio(trio / "servers")), live(cluster, RedisCluster(cluster / "servers")))


async def engine_of(folder: Path, before: int = 0) -> int:
    """The process id of the embedded engine, once it is not the one `before`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(RedisError), Redis(unix_socket_path=str(folder / "valkey.sock"), socket_timeout=0.5) as redis:
                process_id = int(redis.info("server")["process_id"])
                if process_id != before:
                    return process_id
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_lost_engine_costs_no_message(tmp_path: Path, blow: signal.Signals) -> None:
    """The embedded engine is killed, or hangs, twice in a life: it is replaced, and the transcript stays the same."""
    async with made(tmp_path) as world:
        living = asyncio.create_task(lived(world, HAPPY))
        engine = await engine_of(tmp_path / "state")
        for count in (1, 3):
            await world.slack.wait_for(lambda count=count: len(world.slack.messages(world.lab)) >= count, PATIENCE)  # type: ignore[misc]
            os.kill(engine, blow)
            engine = await engine_of(tmp_path / "state", engine)
        following = await living
        for channel in following.channels:
            assert following.transcript(channel) == ["card", *HAPPY[1]]
        await until_ready(world)
        assert (await health(world, "/livez"))[0] == 200
        assert "execution_bot_store_engine_restarts_total 2.0" in (await health(world, "/metrics"))[1]
        assert len(world.bot.logged("embedded.restarted")) == 2


async def test_an_engine_that_stays_away_fails_liveness(tmp_path: Path) -> None:
    """It cannot be started for 30 s, since a file lies where its data was: an orchestrator sees that, until it can."""
    async with made(tmp_path) as world:
        living = asyncio.create_task(lived(world, HAPPY))
        await world.slack.wait_for(lambda: world.slack.messages(world.lab), PATIENCE)
        engine = await engine_of(tmp_path / "state")
        (data,) = (each for each in (tmp_path / "state").iterdir() if each.is_dir())
        kept = data.rename(tmp_path / "kept")
        data.touch()
        os.kill(engine, signal.SIGKILL)
        assert "store" in await ended(world, within=PATIENCE)
        data.unlink()
        kept.rename(data)
        assert await ended(world, within=PATIENCE, wanted=False) == []
        following = await living
        for channel in following.channels:
            assert following.transcript(channel) == ["card", *HAPPY[1]]


async def test_a_moved_directory_is_said(tmp_path: Path) -> None:
    """What an engine writes is lost with its end then, although everything goes on; once it is back, all is well."""
    async with made(tmp_path) as world:
        await until_ready(world)
        moved = (tmp_path / "state").rename(tmp_path / "moved")
        assert "moved or deleted: put it back" in await problem_with(world, "store")
        moved.rename(tmp_path / "state")
        await until_ready(world)


async def ended(world: World, *, within: float, wanted: bool = True) -> list[str]:
    """What `/livez` says has ended, once there is something, or nothing."""
    async with asyncio.timeout(within):
        while True:
            status, body = await health(world, "/livez")
            if (status == 503) is wanted:
                found: list[str] = body.get("ended", [])
                return found
            await asyncio.sleep(0.2)


async def restarted(world: World, *, may_fail: bool = False) -> None:
    """Return once the bot has started its engine again, or has tried to if it `may_fail`."""
    wanted = ("embedded.restarted", *(["embedded.restart_failed"] if may_fail else []))
    try:
        async with asyncio.timeout(PATIENCE):
            while not any(map(world.bot.logged, wanted)):  # noqa: ASYNC110  # the bot's doing
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"the engine was not started again:\n{world.bot.log}") from None


async def test_a_full_disk_costs_no_message(tmp_path: Path) -> None:
    """The embedded engine ends, since it cannot write: the bot lives and says so; with space it continues by itself."""
    with small_disk(tmp_path / "disk", mib=80) as disk:
        async with made(tmp_path, STATE_DIR=str(disk.folder)) as world:
            living = asyncio.create_task(lived(world, HAPPY))
            await world.slack.wait_for(lambda: world.slack.messages(world.lab), PATIENCE)
            disk.fill()
            await restarted(world, may_fail=True)  # without space not every engine starts
            await problem_with(world, "store")
            assert (await health(world, "/livez"))[0] == 200
            disk.free()
            following = await living
            for channel in following.channels:
                assert following.transcript(channel) == ["card", *HAPPY[1]]
            await until_ready(world)


Outage = Callable[[Node], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def on_a_server(folder: Path) -> AsyncIterator[tuple[World, Node]]:
    """A bot on a Redis that starts after it: the bot starts too, says what is missing, and waits."""
    redis_server()
    server = Node(folder / "server", free_ports(1)[0], "--appendonly", "yes", "--appendfsync", "always")
    try:
        async with made(folder, REDIS_URL=f"redis://127.0.0.1:{server.port}") as world:
            assert "does not answer" in await problem_with(world, "store")
            server.start()
            await until_ready(world)
            yield world, server
    finally:
        server.kill()


async def test_a_store_that_returns_costs_no_message(tmp_path: Path) -> None:
    """The store is killed, stopped for longer than the bot's timeout, and killed again: same transcript."""
    async with on_a_server(tmp_path) as (world, server):
        living = asyncio.create_task(lived(world, HAPPY))
        for count, is_killed in enumerate((True, False, True), start=1):
            await world.slack.wait_for(lambda count=count: len(world.slack.messages(world.lab)) >= count, PATIENCE)  # type: ignore[misc]
            server.kill() if is_killed else server.stop()
            assert "answer" in await problem_with(world, "store")
            if is_killed:
                server.start()
            else:
                await asyncio.sleep(TIMEOUT_SECONDS)
                server.go_on()
        following = await living
        for channel in following.channels:
            assert following.transcript(channel) == ["card", *HAPPY[1]]
        await until_ready(world)


@asynccontextmanager
async def full(server: Node) -> AsyncIterator[None]:
    """The server has no free memory."""
    with Redis(port=server.port) as redis, configured(redis, "maxmemory", 1):
        yield


@asynccontextmanager
async def read_only(server: Node) -> AsyncIterator[None]:
    """The server is a replica now, as after a fail-over that the bot does not know of."""
    nobody = free_ports(1)[0]
    await until(lambda: server.says("REPLICAOF", "127.0.0.1", nobody), "a server that takes no writes")
    yield
    await until(lambda: server.says("REPLICAOF", "NO", "ONE"), "a server that takes writes again")


async def test_the_bot_waits_for_a_store_without_writes(tmp_path: Path) -> None:
    """`/readyz` and responses say why; what happens meanwhile is reported afterwards, once."""

    async def scene(name: str, outage: Outage, detail: str, response: str) -> None:
        (tmp_path / name).mkdir()
        async with on_a_server(tmp_path / name) as (world, server):
            carol = Person.new(world)
            following = await lived(world, (HAPPY[0], HAPPY[1][:1]))
            async with outage(server):
                assert (await problem_with(world, "store")).startswith(detail)
                world.gcs.step(following.execution_id)
                assert response in (await carol.types(f"subscribe {world.gcs.play(story.slow())}")).text
                assert following.transcript(world.lab) == ["card", HAPPY[1][0]]
            await following.read(["card", *HAPPY[1][:2]])
            await until_ready(world)
            for line in HAPPY[1][2:]:
                await following.step(line)
            assert following.transcript(world.lab) == ["card", *HAPPY[1]]

    await asyncio.gather(
        scene("full", full, "the store is full", "My own memory is full"),
        scene("read-only", read_only, "the store takes no writes", "My own memory accepts no changes"),
    )


FEWER = "My memory has fewer copies right now than it should"


async def test_missing_replicas_weaken_the_promise(tmp_path: Path) -> None:
    """Without a replica the response says what that means; with one again, repeating the command is enough."""
    redis_server()
    servers = SentinelTrio(tmp_path / "servers")
    async with running(servers), made(tmp_path, REDIS_URL=servers.url) as world:
        carol, execution_id = Person.new(world), world.gcs.play(story.slow())
        await servers.deafen()
        for answer in ("Its card comes as a direct message.", "already follow"):
            alone = (await carol.types(f"subscribe {execution_id}")).text
            assert answer in alone
            assert FEWER in alone
        servers.wake()
        await until(servers.is_whole, "a Sentinel trio that is whole again")
        again = (await carol.types(f"subscribe {execution_id}")).text
        assert "already follow" in again
        assert FEWER not in again
        await servers.deafen()
        alone = (await carol.types(f"unsubscribe {execution_id}")).text
        assert alone.startswith("You no longer follow")
        assert FEWER in alone
