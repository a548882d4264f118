"""Real servers for the store's tests: the embedded Valkey always, and Debian's redis-server, alone and as a cluster.

Without redis-server its tests are skipped; with `REQUIRE_REDIS=1` (CI sets it) that is a failure.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from redis import Redis

from bot.store import Store
from bot.store.engine.process import engine_binary
from tests.servers import OWNER, opened, served
from tests.topologies import RedisCluster

COALESCE = timedelta(hours=1)
STALENESS = timedelta(hours=2)
"""Longer than any test."""


@pytest.fixture(scope="session", params=["valkey", "redis", "cluster"])
def server_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server, or a cluster of six, that was started for this session."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "valkey":
        yield from served(engine_binary(), folder)
    elif request.param == "redis":
        yield from served(redis_server(), folder)
    else:
        redis_server()
        cluster = RedisCluster(folder)
        try:
            asyncio.run(cluster.start())
            yield cluster.url
        finally:
            asyncio.run(cluster.stop())


def redis_server() -> str:
    """The path of Debian's redis-server; without it the test is skipped, or fails where it must be there."""
    binary = shutil.which("redis-server")
    if binary is None and os.environ.get("REQUIRE_REDIS") == "1":
        pytest.fail("redis-server is not installed, and REQUIRE_REDIS=1 says that it must be")
    return binary or pytest.skip("redis-server is not installed: this ring ran against the embedded Valkey only")


@pytest.fixture(scope="session")
def client(server_url: str) -> Iterator[Redis]:
    """A client of the server for the whole session: one of a cluster takes long to connect."""
    with opened(server_url) as client:
        yield client


@pytest.fixture
async def store(server_url: str, client: Redis) -> AsyncIterator[Store]:
    """An empty store."""
    client.flushall()
    store = Store(server_url, owner=OWNER, coalesce=COALESCE, staleness=STALENESS)
    yield store
    await store.aclose()


@pytest.fixture
def redis(client: Redis) -> Redis:
    """The server itself, to look behind the store."""
    return client
