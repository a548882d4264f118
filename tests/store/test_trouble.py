"""Promises of a store that is full or takes no writes: it says so, and results wait for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import Redis, RedisCluster
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from bot.domain.change import ChangeKind
from bot.domain.snapshot import Receipt
from bot.errors import StoreFull, StoreUnavailable
from bot.store import Store
from bot.store.engine.refusals import unavailable
from tests.servers import OWNER, configured
from tests.store.conftest import COALESCE, STALENESS
from tests.store.following import LATER, SOON, change, due, follow, lanes, snapshot_of


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers that wait for the store give up at once."""
    monkeypatch.setattr("bot.store.engine.connection.PATIENCE_SECONDS", 0)


@pytest.mark.parametrize(
    "said",
    [
        "The user executing the script can't run this command or subcommand script: 1, on @user_script:2.",  # Redis 7.0
        "ACL failure in script: User bot has no permissions to run the 'set' command",  # Valkey
    ],
)
def test_a_missing_right_is_said_as_one(said: str) -> None:
    """Each server has words of its own for it."""
    assert unavailable(ResponseError(said)).words == "the store's user may not do what the bot must"


@pytest.mark.parametrize("server_url", ["valkey", "redis"], indirect=True)
async def test_a_missing_database_is_said(server_url: str) -> None:
    """The number behind the address is higher than the server's last."""
    nowhere = Store(f"{server_url}?db=99", owner=OWNER, coalesce=COALESCE, staleness=STALENESS)
    assert str(await nowhere.problem()).startswith("the store has no database of that number")
    await nowhere.aclose()


async def test_unsettled_polls_are_logged(store: Store, redis: Redis) -> None:
    """One line for all of them; their claims end by themselves."""
    await follow(store)
    (item,) = await due(store)
    with configured(redis, "min-replicas-to-write", 9), capture_logs() as logged:
        waiting = store.schedule.settle_unchanged(item, seen_at=item.now, next_poll=SOON)
        await store.schedule.settled()
    assert [(line["event"], line["polls"]) for line in logged] == [("schedule.not_settled", 1)]
    assert isinstance(waiting.exception(), StoreUnavailable)


async def test_the_problem_says_what_is_wrong(store: Store, redis: Redis) -> None:
    """Full and closed are noticed though the server answers; each has its own words; nothing is left of the looking."""
    assert await store.problem() is None
    with configured(redis, "maxmemory", 1):
        assert str(await store.problem()).startswith("the store is full")
    with configured(redis, "min-replicas-to-write", 9):
        assert str(await store.problem()).startswith("the store takes no writes")
    assert await store.problem() is None
    await asyncio.sleep(0.01)
    assert list(redis.scan_iter()) == []


async def test_a_store_that_would_drop_keys_is_found(store: Store, redis: Any) -> None:
    """Only where it has a limit, and any policy but to refuse writes."""
    more = {"target_nodes": RedisCluster.PRIMARIES} if isinstance(redis, RedisCluster) else {}
    found = []
    with configured(redis, "maxmemory", 1 << 30):
        for policy in ("allkeys-lru", "volatile-lru", "volatile-ttl", "noeviction"):
            redis.config_set("maxmemory-policy", policy, **more)
            found.append(await store.evicts())
    assert found == [True, True, True, False]
    assert not await store.evicts()


async def test_a_store_with_too_few_replicas_is_found(store: Store, server_url: str) -> None:
    """Before anything depends on them."""
    assert not await store.lacks_replicas()
    many = Store(server_url, owner=OWNER, coalesce=COALESCE, staleness=STALENESS, replicas=3)
    assert await many.lacks_replicas()
    await many.aclose()


async def test_a_full_store_has_its_own_error(store: Store, redis: Redis) -> None:
    """It is an error of its own, so that people read it."""
    with configured(redis, "maxmemory", 1), pytest.raises(StoreFull):
        await follow(store)


async def test_results_of_a_claim_wait_for_the_store(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll that was made, a message that was sent: written as soon as the store takes it, not a lease later."""
    monkeypatch.setattr("bot.store.engine.connection.PATIENCE_SECONDS", 20)
    for execution_id in ("e1", "e2", "e3"):
        await follow(store, execution_id=execution_id)
    poll, *_ = await due(store)
    first, second, third = await lanes(store)
    outbox, outcome = store.outbox, [change(2, ChangeKind.OUTCOME)]
    snapshot = snapshot_of(poll.execution_id, 2)
    with configured(redis, "min-replicas-to-write", 9):
        waiting: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(store.schedule.settle(poll, snapshot, outcome, next_poll=LATER, is_visible=True)),
            asyncio.ensure_future(outbox.record(first, Receipt(channel="D1", ts="1.2", revision=1))),
            asyncio.ensure_future(outbox.release(second, wait=SOON)),
            asyncio.ensure_future(outbox.forget(third, reason="is_archived")),
        ]
        assert (await asyncio.wait(waiting, timeout=0.3))[0] == set()
    settled, recorded, _, forgotten = await asyncio.gather(*waiting)
    assert (settled, recorded, forgotten) == (True, True, True)
