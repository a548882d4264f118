"""People's subscriptions survive a change of store: what is exported from one is imported into another."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.change import ChangeKind
from bot.domain.following import Level
from bot.store import Store
from bot.store.transfer import Imported
from tests.servers import ACCOUNT, KEYS, OWNER
from tests.store.following import ALICE, LAB, change, deliver, due, follow, lanes, settle
from tests.store.test_homes import ended

ELSEWHERE = replace(OWNER, account="gcs7", endpoint="https://proxy.example.com")


@dataclass
class Exported:
    """What a store with two subscriptions, a pending outcome and a dead letter gave."""

    lines: list[bytes]
    redis: Redis
    store: Store

    async def into(self) -> list[Imported]:
        """What became of each line in this store."""
        return [await self.store.transfer.read(line, OWNER) for line in self.lines]


async def exported(store: Store, redis: Redis) -> Exported:
    """A lab follows an execution at level `phase`, and its outcome is not delivered; Alice's channel is dead."""
    await follow(store, LAB, "e1", Level.MILESTONES)
    for claim in await lanes(store):
        await deliver(store, claim)
    await settle(store, change(2), change(3, ChangeKind.OUTCOME))
    await follow(store, ALICE, "e2")
    (letter,) = [claim for claim in await lanes(store) if claim.lane.execution_id == "e2"]
    await store.outbox.forget(letter, reason="is_archived")
    await follow(store, ALICE, "e1", Level.FINAL)
    lines = [line async for line in store.transfer.lines(OWNER) if line is not None]
    return Exported(lines, redis, store)


async def test_what_was_exported_goes_on(store: Store, redis: Redis) -> None:
    """In an empty store: levels, owners, cards and what was not delivered."""
    kept = await exported(store, redis)
    before = await store.subscribers.of(LAB), await store.subscribers.of(ALICE)
    redis.flushall()
    assert await kept.into() == [Imported.ADDED] * 3
    assert (await store.subscribers.of(LAB), await store.subscribers.of(ALICE)) == before
    claims = {claim.lane.subscriber_id: claim.notification for claim in await lanes(store)}
    assert [item.kind for item in claims[LAB.id].changes] == [ChangeKind.OUTCOME]
    receipt = claims[LAB.id].receipt
    assert receipt
    assert (receipt.channel, receipt.ts, receipt.delivered_through) == ("D1", "1.2", 0)
    assert [item.execution_id for item in await due(store)] == ["e1"]
    assert [letter.reason for letter in await store.outbox.dead_letters()] == ["is_archived"]


async def test_what_people_chose_goes_with_them(store: Store, redis: Redis) -> None:
    """Level, language, and how what they followed has ended; what they chose in the new store stays."""
    await store.homes.choose_level(ALICE, Level.FINAL)
    await store.languages.choose(ALICE.team_id, ALICE.id, "zh_CN")
    await store.languages.choose(LAB.team_id, LAB.id, "en")
    await store.homes.note_end(ALICE, ended("e-1"))
    ends = await store.homes.ended(ALICE)
    lines = [line async for line in store.transfer.lines(OWNER) if line is not None]
    redis.flushall()
    await store.languages.choose(LAB.team_id, LAB.id, "zh_CN")
    assert [await store.transfer.read(line, OWNER) for line in lines] == [Imported.KNOWN, Imported.ADDED]
    assert [await store.transfer.read(line, OWNER) for line in lines] == [Imported.KNOWN] * 2
    assert await store.homes.level_of(ALICE) is Level.FINAL
    assert await store.languages.find(ALICE.team_id, ALICE.id) == "zh_CN"
    assert await store.languages.find(LAB.team_id, LAB.id) == "zh_CN"
    assert [each.execution.id for each in ends] == ["e-1"]
    assert await store.homes.ended(ALICE) == ends
    assert await store.transfer.read(lines[0], replace(OWNER, team="T2")) is Imported.FOREIGN


async def test_importing_twice_changes_nothing(store: Store, redis: Redis) -> None:
    """So an import that was cut off is repeated."""
    kept = await exported(store, redis)
    redis.flushall()
    await kept.into()
    before = {key: redis.dump(key) for key in map(str, redis.scan_iter())}
    assert await kept.into() == [Imported.KNOWN] * 3
    assert {key: redis.dump(key) for key in map(str, redis.scan_iter())} == before


async def test_what_is_imported_belongs_to_the_new_account(store: Store, redis: Redis) -> None:
    """The lines come from a store whose keys name another account."""
    kept = await exported(store, redis)
    redis.flushall()
    for line in kept.lines:
        await store.transfer.read(line, replace(OWNER, account="gcs7"))
    keys = [str(key) for key in redis.scan_iter() if ":subs:" in str(key)]
    assert [key.partition("subs:")[2] for key in keys] == ["gcs7/T1/e1"]
    assert {letter.lane for letter in await store.outbox.dead_letters()} == {"gcs7/T1/e2/U1"}


async def test_an_execution_that_is_watched_keeps_its_snapshot(store: Store, redis: Redis) -> None:
    """Somebody follows it here already: what happens from now on is delivered to those who were imported, too."""
    await follow(store, LAB, "e1")
    for claim in await lanes(store):
        await deliver(store, claim)
    key = f"{KEYS.home_of(f'{ACCOUNT}/T1/e1')}receipts:{ACCOUNT}/T1/e1"
    redis.hset(key, LAB.id, "D1|1.2|9|9")
    lines = [line async for line in store.transfer.lines(OWNER) if line is not None]
    redis.flushall()
    await follow(store, ALICE, "e1")
    assert [await store.transfer.read(line, OWNER) for line in lines] == [Imported.ADDED]
    await settle(store, change(2, ChangeKind.OUTCOME))
    claims = {claim.lane.subscriber_id: claim.notification for claim in await lanes(store)}
    receipt = claims[LAB.id].receipt
    assert receipt
    assert (receipt.delivered_through, [item.revision for item in claims[LAB.id].changes]) == (1, [2])


async def test_lines_of_others_are_left_out(store: Store, redis: Redis) -> None:
    """Another workspace's people do not exist here; and a line that stands for nothing harms none."""
    kept = await exported(store, redis)
    redis.flushall()
    other = replace(OWNER, team="T2")
    assert [await store.transfer.read(line, other) for line in kept.lines] == [Imported.FOREIGN] * 3
    rubbish = (b"", b"rubbish", b"{}", b'{"kind":"subscription"}', b'{"kind":"new"}')
    assert [await store.transfer.read(line, OWNER) for line in rubbish] == [Imported.UNREADABLE] * 5
    assert redis.dbsize() == 0


@pytest.mark.parametrize("wrong", ["", "a/b", "a|b", "{a}", "a b", "ä", "a" * 200])
@pytest.mark.parametrize("field", ["e1", ALICE.id])
async def test_an_id_for_no_key_is_left_out(store: Store, redis: Redis, field: str, wrong: str) -> None:
    """A script would stop at it, and with it the import; or it would be written into another place."""
    await follow(store, ALICE, "e1")
    (line,) = [line async for line in store.transfer.lines(OWNER) if line is not None]
    redis.flushall()
    changed = line.replace(b'"%b"' % field.encode(), b'"%b"' % wrong.encode())
    assert await store.transfer.read(changed, OWNER) is Imported.UNREADABLE
    assert redis.dbsize() == 0


async def test_another_executions_snapshot_is_left_out(store: Store, redis: Redis) -> None:
    """A card would show it as that of the execution that is followed."""
    await follow(store, ALICE, "e1")
    (line,) = [line async for line in store.transfer.lines(OWNER) if line is not None]
    redis.flushall()
    assert await store.transfer.read(line.replace(b'"e1"', b'"e2"', 1), OWNER) is Imported.UNREADABLE
    assert redis.dbsize() == 0


async def test_an_unreadable_row_is_counted(store: Store, redis: Redis) -> None:
    """The others are exported."""
    await follow(store, ALICE, "e1")
    await follow(store, ALICE, "e2")
    redis.set(KEYS.snapshot_of(f"{ACCOUNT}/T1/e2"), "rubbish")
    found = [line async for line in store.transfer.lines(OWNER)]
    assert sorted(line is None for line in found) == [False, True]


async def test_others_are_not_exported(store: Store) -> None:
    """Each owner exports its own."""
    await follow(store, ALICE, "e1")
    assert [line async for line in store.transfer.lines(ELSEWHERE)] == []
