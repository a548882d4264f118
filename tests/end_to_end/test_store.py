"""The store in trouble: the bot waits, says so to who asks, and goes on; nobody misses a word or reads one twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from redis import Redis

from bot.store.engine.topology import TIMEOUT_SECONDS
from sandbox import story
from tests.end_to_end.conftest import World, made
from tests.end_to_end.lives import HAPPY, TALES
from tests.end_to_end.people import Person
from tests.end_to_end.test_lives import lived
from tests.end_to_end.test_process import all_is_well, trouble_with
from tests.ports import free_ports
from tests.servers import configured
from tests.store.conftest import redis_server
from tests.topologies import Node, RedisCluster, SentinelTrio, running, until


async def test_a_master_that_dies_changes_nothing_that_people_read(tmp_path: Path) -> None:
    """Five kinds of lives, a master killed in the middle of them: each transcript is literally that of a quiet day."""
    redis_server()

    async def live(folder: Path, servers: SentinelTrio | RedisCluster) -> None:
        async with running(servers), made(folder, REDIS_URL=servers.url) as world:
            world.slack.limits.is_on = False  # rate limits have tests of their own
            telling = asyncio.gather(*(lived(world, tale) for tale in TALES))
            await world.slack.wait_for(lambda: len(world.slack.messages(world.lab)) > len(TALES))
            await servers.kill_master()
            for following, (_, lines) in zip(await telling, TALES, strict=True):
                for channel in following.channels:
                    assert following.transcript(channel) == ["card", *filter(None, lines)], world.bot.log[-4000:]
            assert world.bot.logged("pool.store_away"), "the bot has not noticed that its master died"
            await all_is_well(world)

    trio, cluster = tmp_path / "trio", tmp_path / "cluster"
    await asyncio.gather(live(trio, SentinelTrio(trio / "servers")), live(cluster, RedisCluster(cluster / "servers")))


Trouble = Callable[[Node], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def on_a_server(folder: Path) -> AsyncIterator[tuple[World, Node]]:
    """A bot on a Redis of its own, which comes up after the bot: that starts all the same, says so, and waits."""
    redis_server()
    server = Node(folder / "server", free_ports(1)[0], "--appendonly", "yes")
    try:
        async with made(folder, REDIS_URL=f"redis://127.0.0.1:{server.port}") as world:
            assert "does not answer" in await trouble_with(world, "store")
            server.start()
            await all_is_well(world)
            yield world, server
    finally:
        server.kill()


async def test_a_store_that_dies_or_hangs_and_comes_back_costs_no_word(tmp_path: Path) -> None:
    """Killed, stopped for longer than it is waited for, and killed again: the transcript is that of a quiet day."""
    async with on_a_server(tmp_path) as (world, server):
        telling = asyncio.create_task(lived(world, HAPPY))
        for words, is_killed in enumerate((True, False, True), start=1):
            await world.slack.wait_for(lambda words=words: len(world.slack.messages(world.lab)) >= words, 40)  # type: ignore[misc]
            server.kill() if is_killed else server.stop()
            assert "answer" in await trouble_with(world, "store")
            if is_killed:
                server.start()
            else:
                await asyncio.sleep(TIMEOUT_SECONDS)
                server.go_on()
        following = await telling
        for channel in following.channels:
            assert following.transcript(channel) == ["card", *HAPPY[1]]
        await all_is_well(world)


@asynccontextmanager
async def full(server: Node) -> AsyncIterator[None]:
    """The server has no more memory to give."""
    with Redis(port=server.port) as redis, configured(redis, "maxmemory", 1):
        yield


@asynccontextmanager
async def read_only(server: Node) -> AsyncIterator[None]:
    """The server is a replica now, as after a fail-over that the bot was not told of."""
    nobody = free_ports(1)[0]
    await until(lambda: server.says("REPLICAOF", "127.0.0.1", nobody), "a server that takes no writes")
    yield
    await until(lambda: server.says("REPLICAOF", "NO", "ONE"), "a server that takes writes again")


async def test_a_store_that_takes_nothing_is_said_so_and_waited_for(tmp_path: Path) -> None:
    """On `/readyz` and to a person who asks; what happens meanwhile is told afterwards, once."""

    async def scene(name: str, trouble: Trouble, said: str, told: str) -> None:
        (tmp_path / name).mkdir()
        async with on_a_server(tmp_path / name) as (world, server):
            carol = Person.new(world)
            following = await lived(world, (HAPPY[0], HAPPY[1][:1]))
            async with trouble(server):
                assert (await trouble_with(world, "store")).startswith(said)
                world.gcs.step(following.execution_id)
                assert told in (await carol.types(f"subscribe {world.gcs.play(story.slow())}", within=20)).text
                assert following.transcript(world.lab) == ["card", HAPPY[1][0]]
            await following.read(["card", *HAPPY[1][:2]])
            await all_is_well(world)
            for line in HAPPY[1][2:]:
                await following.step(line)
            assert following.transcript(world.lab) == ["card", *HAPPY[1]]

    await asyncio.gather(
        scene("full", full, "the store is full", "My own memory is full"),
        scene("read-only", read_only, "the store takes no writes", "My own memory takes no changes"),
    )


FEWER = "My memory has fewer copies right now than it should"


async def test_nobody_is_promised_what_one_server_alone_remembers(tmp_path: Path) -> None:
    """Without a replica the answer says what that means; once there is one again, to ask once more is enough."""
    redis_server()
    servers = SentinelTrio(tmp_path / "servers")
    async with running(servers), made(tmp_path, REDIS_URL=servers.url) as world:
        carol, execution_id = Person.new(world), world.gcs.play(story.slow())
        await servers.deafen()
        for answer in ("You follow this execution now.", "You follow this execution already."):
            alone = (await carol.types(f"subscribe {execution_id}")).text
            assert alone.startswith(answer)
            assert FEWER in alone
        servers.wake()
        await until(servers.is_whole, "a Sentinel trio that is whole again")
        again = (await carol.types(f"subscribe {execution_id}")).text
        assert again.startswith("You follow this execution already.")
        assert FEWER not in again
        await servers.deafen()
        alone = (await carol.types(f"unsubscribe {execution_id}")).text
        assert alone.startswith("You do not follow")
        assert FEWER in alone
