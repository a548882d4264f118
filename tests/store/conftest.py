"""Real servers for the store's tests: the embedded Valkey always, Debian's redis-server where it is installed.

With `REQUIRE_REDIS=1` (CI sets it) a missing redis-server is a failure instead of a skip.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from redis import Redis

from bot.store import Store
from bot.store.embedded import _engine
from tests.servers import served

COALESCE = timedelta(hours=1)
"""So long that it never ends by itself in a test."""


@pytest.fixture(scope="session", params=["valkey", "redis"])
def server_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that was started for this session."""
    binary = _engine() if request.param == "valkey" else shutil.which("redis-server")
    if binary is None:
        if os.environ.get("REQUIRE_REDIS") == "1":
            pytest.fail("redis-server is not installed, and REQUIRE_REDIS=1 says that it must be")
        pytest.skip("redis-server is not installed: this ring ran against the embedded Valkey only")
    folder = tmp_path_factory.mktemp(request.param)
    yield from served(binary, folder)


@pytest.fixture
async def store(server_url: str) -> AsyncIterator[Store]:
    """An empty store."""
    with Redis.from_url(server_url) as redis:
        redis.flushall()
    store = Store(server_url, coalesce=COALESCE)
    yield store
    await store.aclose()


@pytest.fixture
def redis(server_url: str) -> Iterator[Redis]:
    """The server itself, to look behind the store."""
    with Redis.from_url(server_url, decode_responses=True) as redis:
        yield redis
