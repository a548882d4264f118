"""What the store keeps of boards: a record each, and a lane for each message."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
from redis import Redis

from bot.domain.board import BoardRecord
from bot.domain.execution import Execution
from bot.domain.home import CHANNEL_ENDS_KEPT
from bot.domain.snapshot import Board, Receipt, Snapshot
from bot.store import Store
from bot.store.boards.boards import MOST_BOARDS
from bot.store.transfer import Imported
from tests.servers import OWNER
from tests.store.following import ALICE, LAB, NOW, deliver, follow, lanes, settle

RECORD = BoardRecord(subscriber=LAB, owner=ALICE.id, posted_at=NOW)


async def made(store: Store, record: BoardRecord = RECORD) -> BoardRecord | None:
    """The record, written."""
    return (await store.boards.change(record.subscriber, record.id, lambda known: known or record))[0]


async def test_a_message_is_asked_for_once(store: Store) -> None:
    """By all copies together; it is a lane like any other, of an execution that nobody polls."""
    assert sum(await asyncio.gather(*(store.boards.post(RECORD, Board(failed=1)) for _ in range(5)))) == 1
    (claim,) = await lanes(store)
    assert claim.notification.snapshot.board == Board(failed=1)
    await deliver(store, claim)
    assert not await store.boards.post(RECORD, Board())
    assert await lanes(store) == []
    assert (await store.subscribers.of(LAB)).items == ()


async def test_one_copy_edits(store: Store) -> None:
    """What another one has drawn from an older state does not overwrite it."""
    await store.boards.post(RECORD, Board())
    for claim in await lanes(store):
        await deliver(store, claim)
    done = [await store.boards.show(RECORD, Board(failed=number), revision=1) for number in (1, 2)]
    assert done == [True, False]
    post = await store.boards.find(RECORD)
    assert post is not None
    assert (post.board, post.revision, post.is_ending) == (Board(failed=1), 2, False)
    assert [claim.notification.snapshot.revision for claim in await lanes(store)] == [2]


async def test_a_closed_message_is_not_changed(store: Store) -> None:
    """Its last edit says that it has ended."""
    await store.boards.post(RECORD, Board())
    await store.boards.close(LAB, RECORD.message_id(), by=ALICE.id)
    assert not await store.boards.show(RECORD, Board(failed=1), revision=1)
    (claim,) = await lanes(store)
    assert claim.notification.subscription.ended_by == ALICE.id


async def test_a_channel_has_few_boards(store: Store) -> None:
    """The one that is too many is not written; another channel has its own."""
    for number in range(MOST_BOARDS):
        assert await made(store, replace(RECORD, workflow=f"w{number}"))
    assert await made(store) is None
    assert await made(store, replace(RECORD, subscriber=replace(LAB, id="C2")))
    assert len(await store.boards.of(LAB)) == MOST_BOARDS


async def test_its_version_changes_with_what_is_followed(store: Store) -> None:
    """With each visible difference, and not with a poll that shows the same."""
    versions = [await store.boards.version(LAB)]
    await follow(store, LAB, "e1")
    versions.append(await store.boards.version(LAB))
    await settle(store)
    assert await store.boards.version(LAB) == versions[-1]
    await store.subscribers.unsubscribe(LAB, "e1")
    versions.append(await store.boards.version(LAB))
    assert len(set(versions)) == 2
    assert versions[0] == versions[2]


async def test_one_copy_draws(store: Store) -> None:
    """Once in the time that was said."""
    draws = [await store.boards.begin_round(every=timedelta(minutes=1)) for _ in range(3)]
    assert draws == [True, False, False]


async def test_a_board_is_carried_over(store: Store, redis: Redis) -> None:
    """Its message is edited there, not posted again."""
    record = await made(store)
    assert record is not None
    await store.boards.post(record, Board(failed=3))
    (claim,) = await lanes(store)
    await store.outbox.record(claim, Receipt(channel="C1", ts="1.2", revision=1), is_last=True)
    lines = [line async for line in store.transfer.lines(OWNER) if line]
    redis.flushall()
    assert [await store.transfer.read(line, OWNER) for line in lines] == [Imported.ADDED]
    assert [await store.transfer.read(line, OWNER) for line in lines] == [Imported.KNOWN]
    (claim,) = await lanes(store)
    assert claim.notification.receipt == Receipt(channel="C1", ts="1.2", revision=0)
    assert claim.notification.snapshot.board == Board(failed=3)
    assert await store.boards.all() == (record,)
    assert await store.transfer.read(lines[0], replace(OWNER, team="T9")) is Imported.FOREIGN


async def test_forgetting_a_person_keeps_the_board(store: Store) -> None:
    """Nothing names them any more."""
    await made(store)
    await store.boards.post(RECORD, Board())
    await store.people.forget(ALICE.id)
    assert [each.owner for each in await store.boards.all()] == [""]
    (claim,) = await lanes(store)
    assert claim.notification.subscription.owner == ""


async def test_another_versions_record_hides_none(store: Store, redis: Redis) -> None:
    """It stays as it is."""
    record = await made(store)
    (key,) = redis.scan_iter("*boards*rows")
    redis.hset(str(key), "C9/0123", "?")
    assert await store.boards.all() == (record,)
    assert redis.hget(str(key), "C9/0123") == "?"


async def test_a_channel_keeps_more_ends(store: Store) -> None:
    """Its board shows a day of them."""
    now = datetime.now(UTC)
    for number in range(CHANNEL_ENDS_KEPT + 5):
        at = now - timedelta(minutes=number)
        shown = Execution(id=f"e{number}", phase="Failed", updated_at=at, workflow_name="wgs")
        await store.homes.note_end(LAB, Snapshot(execution=shown, revision=2, seen_at=at))
    ends = await store.homes.ended(LAB)
    assert len(ends) == CHANNEL_ENDS_KEPT
    assert (ends[0].execution.id, ends[0].execution.workflow_name) == ("e0", "wgs")
