"""Promises of `bot.store.requests`: each request is worked on once by all copies of the bot together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Disconnected

from bot.errors import StoreUnavailable
from bot.store import Store
from bot.store.requests.requests import REMEMBERED
from tests.servers import OWNER, configured
from tests.store.conftest import COALESCE, STALENESS


async def test_one_of_many_copies_works_on_it(store: Store, server_url: str) -> None:
    """However many ask at the same moment; another request, or another workspace, has a first of its own."""
    other = Store(server_url, owner=OWNER, coalesce=COALESCE, staleness=STALENESS)
    asked = [copy.requests.is_first("T1", "digest") for copy in (store, other) for _ in range(10)]
    assert sum(await asyncio.gather(*asked)) == 1
    assert await other.requests.is_first("T1", "another")
    assert await other.requests.is_first("T2", "digest")
    await other.aclose()


async def test_requests_are_forgotten_in_time(store: Store, redis: Redis) -> None:
    """Longer than Slack repeats them, and not for ever."""
    await store.requests.is_first("T1", "digest")
    (key,) = [key for key in redis.scan_iter() if ":request:" in str(key)]
    left = int(redis.pttl(key)) / 1000
    assert REMEMBERED.total_seconds() - 60 < left <= REMEMBERED.total_seconds()


async def test_a_lost_reply_is_no_repetition(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks after the server noted the request: the same attempt is still the first."""
    endpoint = store._connection._endpoint
    execute = endpoint.execute
    lost: list[Any] = []

    async def loses_one(keys: Sequence[str], commands: Sequence[Any], behind: Sequence[Any]) -> Any:
        answers, answered = await execute(keys, commands, behind)
        if not lost:
            lost.append(answers)
            return [Disconnected("gone")] * len(answers), answered
        return answers, answered

    monkeypatch.setattr(endpoint, "execute", loses_one)
    assert await store.requests.is_first("T1", "digest")
    assert not await store.requests.is_first("T1", "digest")


async def test_a_store_without_writes_says_so(store: Store, redis: Redis) -> None:
    """Rather than calling every request the first."""
    with configured(redis, "min-replicas-to-write", 9), pytest.raises(StoreUnavailable):
        await store.requests.is_first("T1", "digest")
