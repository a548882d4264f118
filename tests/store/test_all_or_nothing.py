"""Every script runs as a whole or not at all, whatever the server refuses."""

from __future__ import annotations

from collections.abc import Awaitable
from importlib import resources
from pathlib import Path
from time import sleep
from typing import ClassVar

import pytest
from redis import Redis

from bot.errors import StoreUnavailable
from bot.store import Store
from bot.store.engine import connection
from bot.store.engine.scripts import Script, script
from tests.servers import configured
from tests.store.calls import calls_of
from tests.store.following import LATER, SOON

READ_ONLY = {
    *("brake/state", "gcs_quota/usage", "inspection/backlog"),
    *("outbox/ready", "schedule/ready", "slack_limits/outage", "slack_limits/paused"),
    *("rules/places", "rules/read"),
    *("subscriptions/last", "log/read"),
}

OF_ALL_NODES = "engine/recover"
"""Runs once on each node of a cluster."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers that wait for the store give up at once, catch-up messages are due at once, and no claim runs out."""
    monkeypatch.setattr("bot.store.schedule.schedule.LEASE", LATER)
    monkeypatch.setattr("bot.store.outbox.outbox.LEASE", LATER)
    monkeypatch.setattr("bot.store.engine.connection.PATIENCE_SECONDS", 0)
    monkeypatch.setattr("bot.store.catch_ups.catch_ups.REST", SOON)


class State:
    """All that the store holds at a moment, and how much; moments and tokens differ, sizes do not."""

    SIZES: ClassVar = {"string": "strlen", "hash": "hlen", "zset": "zcard", "list": "llen", "set": "scard"}

    def __init__(self, redis: Redis, *, has_index: bool = True) -> None:
        """Without the index, which may hold stale entries, unless `has_index`."""
        self._redis = redis
        sleep(0.005)  # the probe is gone by then
        keys = [key for key in map(str, redis.scan_iter()) if has_index or ":of:" not in key]
        with redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.dump(key)
                pipeline.pexpiretime(key)
                pipeline.type(key)
            rows = pipeline.execute()
        self.values = dict(zip(keys, rows[::3], strict=True))
        self._ends = dict(zip(keys, rows[1::3], strict=True))
        self._types = dict(zip(keys, map(str, rows[2::3]), strict=True))

    def restore(self) -> None:
        """Have the store hold this again, and nothing else."""
        self._redis.flushall()
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, value in self.values.items():
                pipeline.restore(key, max(self._ends[key], 0), value, absttl=True)
            pipeline.execute()

    def sizes(self) -> dict[str, object]:
        """How much is in each key."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in self.values:
                getattr(pipeline, self.SIZES[self._types[key]])(key)
            return dict(zip(self.values, pipeline.execute(), strict=True))


def has_index(name: str) -> bool:
    """Whether a script's test looks at the index."""
    return name.startswith(("subscriptions/enter", "rules/"))


async def refused(work: Awaitable[object]) -> bool:
    """Whether the store refused it for being full."""
    try:
        await work
    except StoreUnavailable as error:
        return str(error).startswith("the store is full")
    return False


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the scripts that were run."""
    names: list[str] = []

    def noted(name: str) -> Script:
        names.append(name)
        return script(name)

    monkeypatch.setattr(connection, "script", noted)
    return names


def scripts() -> set[str]:
    """The names of all scripts."""
    folder = Path(str(resources.files("bot.store")))
    names = {str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.lua")}
    return {name for name in names if not name.endswith("/prelude")}


async def test_every_script_is_tested_here(store: Store) -> None:
    """A new script has a call here, too."""
    assert scripts() == {name.partition(" ")[0] for name in await calls_of(store)}


async def test_a_refused_script_has_not_begun(
    store: Store, redis: Redis, ran: list[str], subtests: pytest.Subtests
) -> None:
    """Too few replicas, a full disk, a replica: nothing is written when the first write is refused."""
    calls = await calls_of(store)
    for name in sorted(calls.keys() - READ_ONLY):
        with subtests.test(name):
            before = State(redis, has_index=has_index(name))
            ran.clear()
            with configured(redis, "min-replicas-to-write", 9), pytest.raises(StoreUnavailable, match="no writes"):
                await calls[name]()
            assert name.partition(" ")[0] in ran
            assert State(redis, has_index=has_index(name)).values == before.values


async def test_a_full_store_cuts_off_no_script(store: Store, redis: Redis, subtests: pytest.Subtests) -> None:
    """Under `OOM` one that only adds is refused at its first write, one that begins by deleting runs to its end."""
    calls = await calls_of(store)
    start = State(redis)
    for name in sorted(calls.keys() - READ_ONLY):
        with subtests.test(name):
            start.restore()
            before = State(redis, has_index=has_index(name))
            with configured(redis, "maxmemory", 1):
                was_refused = await refused(calls[name]())
            if was_refused and name != OF_ALL_NODES:
                assert State(redis, has_index=has_index(name)).values == before.values
                continue
            if was_refused:  # by one node at least: a repetition does what is left
                await calls[name]()
            done = State(redis, has_index=has_index(name)).sizes()
            start.restore()
            await calls[name]()
            assert done == State(redis, has_index=has_index(name)).sizes()


async def test_a_read_only_script_writes_nothing(
    store: Store, redis: Redis, ran: list[str], subtests: pytest.Subtests
) -> None:
    """So it is answered where nothing can be written."""
    calls = await calls_of(store)
    for name in sorted(READ_ONLY):
        with subtests.test(name):
            before = State(redis)
            ran.clear()
            with configured(redis, "min-replicas-to-write", 9):
                await calls[name]()
            await calls[name]()
            assert set(ran) == {name}
            assert State(redis).values == before.values
