"""Promises of migrations: rows move to the next schema while copies of both versions work, and none is lost.

The next version is this one with one schema more and a level that is called `verdict` instead of `final`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from redis import Redis
from structlog.testing import capture_logs

from bot.domain.change import ChangeKind
from bot.domain.following import Level
from bot.errors import StoreNotOurs
from bot.store import PARTITIONS, Store
from bot.store.engine import connection
from bot.store.engine.scripts import Script, script
from bot.store.keys import partition_of
from bot.store.migrations import Migrations
from bot.store.migrations.migrations import AGAIN_SECONDS, AWAY_SECONDS
from bot.store.owner import SCHEMA
from tests.servers import KEYS, OWNER, configured
from tests.store.conftest import COALESCE, STALENESS
from tests.store.following import ALICE, LAB, change, drained, follow, lanes, settle

NEXT = replace(OWNER, schema=SCHEMA + 1)
"""The next version, as it compares the owner record."""

EXECUTIONS = [f"e{number}" for number in range(60)]
"""Enough for every partition to have some."""

_LAST = resources.files("bot.store") / "subscriptions" / "last.lua"
PRELUDES = script("subscriptions/last").text.removesuffix(_LAST.read_text())
RENAME = Script.of(PRELUDES + Path(__file__).with_name("rename_words.lua").read_text())


@pytest.fixture(autouse=True)
def known_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script of the next version, where the others are."""
    monkeypatch.setattr(
        connection, "script", lambda name: RENAME if name == "migrations/rename_words" else script(name)
    )


@pytest.fixture
async def newer(server_url: str, store: Store) -> AsyncIterator[Store]:
    """A copy of the next version on the store of an older one, which goes on."""
    await store.ownership.take(OWNER)
    newer = Store(server_url, coalesce=COALESCE, staleness=STALENESS)
    await newer.ownership.take(NEXT)
    yield newer
    await newer.aclose()


def migrations(newer: Store) -> Migrations:
    """Those of a copy of the next version that has just started."""
    table = {SCHEMA + 1: "migrations/rename_words"}
    return Migrations(newer._connection, newer.ownership, schema=SCHEMA + 1, migrations=table)


def words(redis: Redis) -> Counter[str]:
    """How many subscriptions have each level, by the word in the row."""
    rows = [row for key in map(str, redis.scan_iter("*:subs:*")) for row in redis.hvals(key)]
    return Counter(str(row).partition("|")[0] for row in rows)


async def behind(store: Store) -> int:
    """How many partitions may hold rows of the older schema."""
    record = await store.ownership.read()
    assert record is not None
    return sum(record.migrated_to(number) == SCHEMA for number in range(PARTITIONS))


async def followed(store: Store, executions: Sequence[str] = EXECUTIONS) -> None:
    """A person follows each to its end only, and a channel every step of it."""
    for execution_id in executions:
        await follow(store, ALICE, execution_id, Level.FINAL)
        await follow(store, LAB, execution_id)


async def test_every_row_is_migrated(store: Store, newer: Store, redis: Redis) -> None:
    """And the record says so when that is done, not before; a second time changes nothing."""
    await followed(store)
    assert await behind(store) == PARTITIONS
    with capture_logs() as logged:
        assert await migrations(newer).run_once() == AGAIN_SECONDS
    assert words(redis) == {"verdict": 60, "steps": 60}
    assert await behind(store) == 0
    assert sum(line["rows"] for line in logged) == 60
    before = {key: redis.dump(key) for key in map(str, redis.scan_iter())}
    await migrations(newer).run_once()
    assert {key: redis.dump(key) for key in before} == before


async def test_a_killed_migration_goes_on(
    store: Store, newer: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done stands in the record, and is not done again; the rest is."""
    await followed(store)
    run_many, ran = newer._connection.run_many, []

    async def dying(calls: Sequence[Any]) -> list[Any]:
        ran.append(calls[0][1])
        if len(ran) == 8:
            await run_many(calls[:1])
            raise asyncio.CancelledError
        return await run_many(calls)

    monkeypatch.setattr(newer._connection, "run_many", dying)
    with pytest.raises(asyncio.CancelledError):
        await migrations(newer).run_once()
    assert await behind(store) == PARTITIONS - 7
    assert 0 < words(redis)["final"] < 60
    done = set(ran[:7])
    ran[:] = [""] * 8
    await migrations(newer).run_once()
    assert not done & set(ran[8:])
    assert (words(redis)["final"], await behind(store)) == (0, 0)


async def test_two_copies_migrate_at_once(server_url: str, store: Store, newer: Store, redis: Redis) -> None:
    """Each row is changed once, by either of them."""
    await followed(store)
    other = Store(server_url, owner=NEXT, coalesce=COALESCE, staleness=STALENESS)
    with capture_logs() as logged:
        await asyncio.gather(migrations(newer).run_once(), migrations(other).run_once())
    assert sum(line["rows"] for line in logged) == 60
    assert (words(redis)["verdict"], await behind(store)) == (60, 0)
    await other.aclose()


async def test_old_copies_undo_the_number(store: Store, newer: Store, redis: Redis) -> None:
    """One that runs writes old rows: it lowers the number, and they are migrated again."""
    work = migrations(newer)
    await followed(store, EXECUTIONS[:5])
    await work.run_once()
    await followed(store)
    await store.ownership.take(OWNER)
    assert await behind(store) == PARTITIONS
    await work.run_once()
    assert (words(redis)["verdict"], await behind(store)) == (60, 0)


async def test_a_last_old_row_is_found(store: Store, newer: Store, redis: Redis) -> None:
    """An old copy wrote it after its partition was done, and ended before it compared the record again."""
    work = migrations(newer)
    await work.run_once()
    await followed(store, ["e1"])
    await work.run_once()
    assert words(redis) == {"verdict": 1, "steps": 1}
    await followed(store, ["e2"])
    await work.run_once()
    assert words(redis)["final"] == 1, "and then the work is over"


async def test_an_unreadable_row_stays(store: Store, newer: Store, redis: Redis) -> None:
    """It keeps no other one from being migrated."""
    await followed(store)
    key = KEYS.subscriptions_of("gcs1/T1/e1")
    redis.hset(key, "U9", "rubbish")
    await migrations(newer).run_once()
    assert redis.hget(key, "U9") == "rubbish"
    assert (words(redis)["verdict"], await behind(store)) == (60, 0)


async def test_a_store_without_writes_is_waited_for(store: Store, newer: Store, redis: Redis) -> None:
    """Nothing counts as done; it is tried again soon."""
    await followed(store)
    with configured(redis, "min-replicas-to-write", 9):
        assert await migrations(newer).run_once() == AWAY_SECONDS
    assert await behind(store) == PARTITIONS
    assert await migrations(newer).run_once() == AGAIN_SECONDS
    assert await behind(store) == 0


async def test_a_store_of_another_bot_is_left_alone(store: Store, newer: Store, redis: Redis) -> None:
    """Somebody restored another bot's database."""
    await followed(store)
    with pytest.raises(StoreNotOurs):
        await newer.ownership.take(replace(NEXT, team="T2"))
    await migrations(newer).run_once()
    assert words(redis)["final"] == 60


async def test_the_version_after_next_waits(store: Store, newer: Store) -> None:
    """It cannot read the oldest rows: it is refused until they are migrated."""
    latest = replace(OWNER, schema=SCHEMA + 2)
    with pytest.raises(StoreNotOurs) as caught:
        await newer.ownership.take(latest)
    assert caught.value.differences == {"oldest": (str(SCHEMA), str(SCHEMA + 2))}
    with pytest.raises(StoreNotOurs):
        await newer.ownership.adopt(latest)
    await newer.ownership.take(NEXT)
    await migrations(newer).run_once()
    assert (await newer.ownership.take(latest)).schema == SCHEMA + 2


async def test_a_new_store_has_nothing_to_migrate(store: Store) -> None:
    """Its first bot may be of any version, and the second one of the same."""
    latest = replace(OWNER, schema=SCHEMA + 2)
    first = await store.ownership.take(latest)
    assert first.oldest == SCHEMA + 2
    assert await store.ownership.take(latest) == first


async def test_a_record_of_the_first_version(store: Store, newer: Store, redis: Redis) -> None:
    """It does not say what is migrated: nothing is."""
    await followed(store)
    record = str(redis.get(KEYS.owner))
    redis.set(KEYS.owner, record.partition(',"migrated"')[0] + "}")
    await migrations(newer).run_once()
    assert (words(redis)["verdict"], await behind(store)) == (60, 0)


async def test_a_level_of_another_version(store: Store, newer: Store, redis: Redis) -> None:
    """After a rollback everything is delivered, the level stays as it is, and people can choose another one."""
    await follow(store, ALICE, "e1", Level.FINAL)
    await drained(store)
    await migrations(newer).run_once()
    await settle(store, change(2), change(3, ChangeKind.OUTCOME), over=True)
    (claim,) = await lanes(store)
    subscription = claim.notification.subscription
    assert [each.revision for each in claim.notification.changes] == [2, 3]
    assert all(subscription.level.includes(change(2, kind)) for kind in ChangeKind)
    assert (subscription.level.value, words(redis)) == ("verdict", {"verdict": 1})
    found = await store.subscribers.of(ALICE)
    assert found.unreadable == ()
    await follow(store, ALICE, "e1", subscription.level)
    assert words(redis) == {"verdict": 1}
    await follow(store, ALICE, "e1", Level.FINAL)
    assert words(redis) == {"final": 1}


async def test_a_change_of_another_version(store: Store, redis: Redis) -> None:
    """A kind that is not known holds back no outcome behind it."""
    await follow(store)
    await drained(store)
    await settle(store, change(2), change(3, ChangeKind.OUTCOME))
    key = f"{KEYS.home_of('gcs1/T1/e1')}changes:gcs1/T1/e1/U1"
    redis.lset(key, 0, '2|{"kind":"weather","revision":2,"at":"2026-03-01T12:00:00Z","phase":"Running"}')
    (claim,) = await lanes(store)
    assert [each.kind for each in claim.notification.changes] == [ChangeKind.PROGRESS, ChangeKind.OUTCOME]


def test_every_partition_has_executions() -> None:
    """What the others rely on."""
    assert {partition_of(f"gcs1/T1/{execution_id}") for execution_id in EXECUTIONS} == set(range(PARTITIONS))


async def test_a_subscription_made_meanwhile_is_kept(store: Store, newer: Store, redis: Redis) -> None:
    """People of both versions go on subscribing and unsubscribing while rows move."""
    await followed(store, EXECUTIONS[:30])
    await asyncio.gather(migrations(newer).run_once(), followed(store, EXECUTIONS[30:]))
    assert sum(words(redis).values()) == 120
    found = await store.subscribers.of(ALICE)
    assert len(found.items) == 60
