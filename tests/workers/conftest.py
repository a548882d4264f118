"""One engine for the ring; each test has an empty store and a rig of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import stamina
from redis import Redis

from bot.store import Store
from bot.store.engine.process import engine_binary
from tests.servers import SANDBOX_OWNER, served
from tests.workers.boards_rig import BoardsRig
from tests.workers.rig import CADENCE, Rig, made
from tests.workers.rules_rig import RulesRig
from tests.workers.sweeper_rig import SweeperRig


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine that was started for this session."""
    yield from served(engine_binary(), tmp_path_factory.mktemp("rooms"))


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """People who ask get an answer of their own, or a test would read what was before."""
    monkeypatch.setattr("bot.gcs.shared_reads.GOOD_FOR", timedelta(0))


@pytest.fixture
def redis(server_url: str) -> Iterator[Redis]:
    """The server itself, empty, to look behind the store and to let time pass."""
    with Redis.from_url(server_url, decode_responses=True) as redis:
        redis.flushall()
        yield redis


@pytest.fixture
async def store(server_url: str, redis: Redis) -> AsyncIterator[Store]:
    """A store in which changes wait for nothing."""
    store = Store(server_url, owner=SANDBOX_OWNER, coalesce=timedelta(0), staleness=CADENCE.staleness)
    yield store
    await store.aclose()


@pytest.fixture
async def rig(store: Store, redis: Redis) -> AsyncIterator[Rig]:
    """A rig in which GCS is asked once per look, since each further attempt would wait."""
    with stamina.set_testing(True):
        async with made(store, redis) as rig:
            yield rig


@pytest.fixture
def lists(rig: Rig) -> SweeperRig:
    """A sweeper with a small quota."""
    return SweeperRig(rig)


@pytest.fixture
def rules(rig: Rig) -> RulesRig:
    """A finder that may follow many."""
    return RulesRig(rig)


@pytest.fixture
def board(rig: Rig) -> BoardsRig:
    """A board that nobody has asked for yet."""
    return BoardsRig(rig)
