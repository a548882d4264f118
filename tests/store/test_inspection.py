"""Promises of `bot.store.inspection` and of the probe that asks it, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisCluster
from structlog.testing import capture_logs

from bot.app import store_probe
from bot.app.store_probe import StoreProbe
from bot.clock import ClockSkew
from bot.domain.change import ChangeKind
from bot.metrics import GCS_QUOTA_CALLS, NOTIFIER_OLDEST_SECONDS, WATCHER_EXECUTIONS, WATCHER_SUBSCRIPTIONS
from bot.store import Store
from tests.servers import OWNER
from tests.store.conftest import COALESCE, STALENESS
from tests.store.following import ALICE, LAB, change, drained, due, follow, settle, snapshot_of

USUAL = {"maxmemory-policy": "noeviction", "maxmemory": "0", "appendonly": "no", "appendfsync": "everysec"}
"""How the servers of these tests are set."""


ONE_SERVER = pytest.mark.parametrize("server_url", ["valkey", "redis"], indirect=True)
"""For what a cluster does not have: masters without replicas, and users that one command creates."""


@contextmanager
def server_with(redis: Any, **settings: str) -> Iterator[None]:
    """Let the servers have these settings for a while."""
    more = {"target_nodes": RedisCluster.PRIMARIES} if isinstance(redis, RedisCluster) else {}
    try:
        for name, value in settings.items():
            redis.config_set(name, value, **more)
        yield
    finally:
        for name in settings:
            redis.config_set(name, USUAL[name], **more)


def probe_of(store: Store, state_dir: Path | None = None, *, clock: ClockSkew | None = None) -> StoreProbe:
    """The probe, with a quota of 100 calls."""
    quota = store.gcs_quota("AK", per_minute=100, reserve=0)
    return StoreProbe(store, quota, clock or ClockSkew(), state_dir=state_dir)


async def test_counts_of_an_empty_store(store: Store) -> None:
    """Nothing waits."""
    backlog = await store.inspection.backlog()
    assert (backlog.executions, backlog.subscriptions, backlog.dead_letters) == (0, 0, 0)
    assert backlog.ages == (timedelta(0),) * 3


async def test_the_oldest_outcome_counts(store: Store) -> None:
    """By its own age, also behind a younger line of progress; only a delivery ends it."""
    probe, long_ago = probe_of(store), datetime.now(UTC) - timedelta(minutes=10)
    await follow(store, ALICE, "e1")
    await follow(store, LAB, "e1")
    await drained(store)
    await probe.run_once()
    assert (WATCHER_EXECUTIONS._value.get(), WATCHER_SUBSCRIPTIONS._value.get(), probe.lateness) == (1, 2, None)
    (item,) = await due(store)
    changes = [change(2), change(3, ChangeKind.OUTCOME)]
    changes = [type(each)(kind=each.kind, revision=each.revision, at=long_ago) for each in changes]
    await store.schedule.settle(
        item, snapshot_of("e1", 3), changes, next_poll=timedelta(0), is_visible=True, is_expedited=False
    )
    with capture_logs() as logs:
        await probe.run_once()
    assert probe.lateness == "the oldest outcome has been waiting for 10 min"
    assert [line["event"] for line in logs if line["event"] == "store.outcomes_late"]
    assert [NOTIFIER_OLDEST_SECONDS.labels(str(priority))._value.get() > 590 for priority in range(3)] == [
        True,
        True,
        False,
    ]
    assert str(await probe.probes["delivery"]()).startswith("the oldest outcome")
    await drained(store)
    await probe.run_once()
    assert probe.lateness is None


async def test_progress_alone_is_never_late(store: Store) -> None:
    """What waits there has an age, but nobody must act on it."""
    probe = probe_of(store)
    await follow(store)
    await drained(store)
    await settle(store, change(2))
    await probe.run_once()
    assert NOTIFIER_OLDEST_SECONDS.labels("2")._value.get() > 60
    assert probe.lateness is None


async def test_the_quota_is_shown_without_taking_calls(store: Store) -> None:
    """Used and left, for all copies."""
    probe = probe_of(store)
    await store.gcs_quota("AK", per_minute=100, reserve=0).take_up_to(7)
    await probe.run_once()
    await probe.run_once()
    assert [GCS_QUOTA_CALLS.labels(state)._value.get() for state in ("used", "left")] == [7, 93]


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"])
@pytest.mark.parametrize("limit", ["0", "1gb"])
async def test_every_evicting_policy_is_named(store: Store, redis: Redis, policy: str, limit: str) -> None:
    """At start and every minute. Where subscriptions would go, the bot is not ready."""
    probe = probe_of(store)
    with server_with(redis, **{"maxmemory-policy": policy, "maxmemory": limit}), capture_logs() as logs:
        await probe.run_once()
        await probe.run_once()
        is_unsafe = policy.startswith("allkeys") and limit != "0"
        words = [line.get("problem") or line.get("note") for line in logs if line["log_level"] in {"error", "warning"}]
        assert len([text for text in words if policy in str(text)]) == 2
        assert bool(probe.problems) is is_unsafe
        assert bool(await probe.probes["store"]()) is is_unsafe
        assert bool(await store.evicts()) is (limit != "0")
    await probe.run_once()
    assert probe.problems == ()
    assert not any("maxmemory" in note for note in probe.notes)


async def test_a_store_without_a_file_is_noted(store: Store, redis: Redis) -> None:
    """Neither an append-only file nor a replica; the bot is ready all the same."""
    probe = probe_of(store)
    state = await store.inspection.server()
    assert state is not None
    await probe.run_once()
    assert any("neither an append-only file" in note for note in probe.notes) is (state.replicas == 0)
    assert await probe.probes["store"]() is None


@ONE_SERVER
async def test_a_late_flush_is_noted(store: Store, redis: Redis) -> None:
    """With `everysec` a crash of the machine loses a second."""
    probe = probe_of(store)
    with server_with(redis, appendonly="yes", appendfsync="everysec"):
        await probe.run_once()
        assert any("appendfsync everysec" in note for note in probe.notes)
    with server_with(redis, appendonly="yes", appendfsync="always"):
        await probe.run_once()
        assert not any("append" in note for note in probe.notes)


async def test_little_disk_space_is_a_problem(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded store ends at 0."""
    probe = probe_of(store, tmp_path)
    await probe.run_once()
    assert not any("disk" in problem for problem in probe.problems)
    monkeypatch.setattr(store_probe, "LEAST_DISK", 1 << 60)
    await probe.run_once()
    assert any("disk space left" in problem for problem in probe.problems)


@pytest.fixture
async def humble(server_url: str, redis: Redis, store: Store) -> AsyncIterator[Store]:
    """The store as a user that may run neither INFO nor CONFIG."""
    redis.acl_setuser("humble", enabled=True, reset=True, passwords=["+secret"], keys=["*"], commands=["+@all"])
    redis.execute_command("ACL", "SETUSER", "humble", "-info", "-config")  # type: ignore[no-untyped-call]  # redis-py's own
    url = f"{server_url}?username=humble&password=secret"
    humble = Store(url, owner=OWNER, coalesce=COALESCE, staleness=STALENESS)
    yield humble
    await humble.aclose()
    redis.acl_deluser("humble")


@ONE_SERVER
async def test_a_user_without_info_gets_a_note(humble: Store) -> None:
    """Counts and ages are known all the same."""
    probe = probe_of(humble)
    await follow(humble)
    await probe.run_once()
    assert probe.notes == ("the store's user may not run INFO: eviction and persistence are not checked",)
    assert (probe.problems, await humble.evicts(), await probe.probes["store"]()) == ((), None, None)
    assert WATCHER_SUBSCRIPTIONS._value.get() == 1
