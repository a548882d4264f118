"""Two neighbouring versions read each other's rows: an upgrade and a rollback lose no subscription."""

from __future__ import annotations

import json

import msgspec
import pytest

from bot.app.ownership import refusal_text
from bot.blocks.levels import level_words
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.snapshot import Receipt
from bot.errors import StoreNotOurs
from bot.store.keys import Lane
from bot.store.outbox import DeadLetter
from bot.store.owner import SCHEMA, Owner
from bot.store.rows import change_entry, change_of, receipt_of, receipt_row, subscription_of, subscription_row
from bot.store.snapshots import first_text, header_of, snapshot_of
from tests.unit.store import schema_1
from tests.unit.store.schema_1 import ROWS, reads_text, stored, types
from tests.unit.store.test_data_only import NOW, every_change, every_snapshot

UNKNOWN = "weather"
"""What another version may have stored."""

LANE = Lane("gcs1", "T1", "e1", "C1")
FINGERPRINT = ("aaaaaaaa", "bbbbbbbb", True)


def every_subscription() -> list[Subscription]:
    """Each level, with and without an end."""
    who = Subscriber(team_id="T1", id="C1")
    return [
        Subscription(execution_id="e1", subscriber=who, level=level, owner="U1", created_at=NOW, is_ending=ending)
        for level in Level
        for ending in (False, True)
    ]


def test_the_rows_of_a_neighbour_are_here() -> None:
    """When `SCHEMA` grows, the rows that were written before it are kept beside these."""
    assert SCHEMA - ROWS["schema"] in {0, 1}


def test_rows_of_schema_1_are_read() -> None:
    """An upgrade: all that another version left in the store."""
    former = [Level.STEPS, Level.STEPS, Level.MILESTONES, Level.MILESTONES, Level.FINAL, Level.FINAL]
    read = [subscription_of(LANE, row) for row in ROWS["subscriptions"]]
    assert [(each.level, each.is_ending) for each in read] == list(zip(former, [False, True] * 3, strict=True))
    assert {(each.subscriber.id, each.owner, each.created_at) for each in read} == {("C1", "U1", NOW)}
    assert [receipt_of(row) for row in ROWS["receipts"]] == [
        Receipt(channel="C1", ts="1.2", revision=7, delivered_through=3)
    ]
    texts = [stored(text) for text in ROWS["snapshots"]]
    assert [snapshot_of(text).execution.id for text in texts] == [each.execution.id for each in every_snapshot()]
    assert {header_of(text).state for text in texts} == {"aaaaaaaa"}
    changes = [change_of(entry.partition("|")[2]) for entry in ROWS["changes"]]
    assert len(changes) >= len({change.kind for change in changes}) >= 6
    (letter,) = [msgspec.json.decode(row, type=DeadLetter) for row in ROWS["dead_letters"]]
    assert letter.last_change
    assert msgspec.json.decode(ROWS["owners"][0], type=Owner).team == "T1"


def test_schema_1_reads_subscriptions_and_receipts() -> None:
    """A rollback: short rows."""
    for row in map(subscription_row, every_subscription()):
        assert reads_text("subscriptions", row)
    assert reads_text("receipts", receipt_row(Receipt(channel="C1", ts="1.2", revision=7, delivered_through=3)))


@pytest.mark.parametrize("snapshot", every_snapshot(), ids=["seen", "unreachable", "deleted"])
def test_schema_1_reads_snapshots(snapshot: object) -> None:
    """Header, dictionary and fields; a field that it knows has the type that it had."""
    known = dict(pair for text in ROWS["snapshots"] for pair in types(schema_1.snapshot(stored(text))))
    found = dict(types(schema_1.snapshot(first_text(snapshot, FINGERPRINT))))  # type: ignore[arg-type]  # one of them
    assert {path: kind for path, kind in found.items() if known.get(path, kind) != kind} == {}
    assert len(found.keys() & known.keys()) > 5


def test_schema_1_reads_changes_and_letters() -> None:
    """The same for what is to be delivered, and for what never was."""
    known = dict(pair for entry in ROWS["changes"] for pair in types(schema_1.change(entry)))
    for change in every_change():
        found = dict(types(schema_1.change(change_entry(change))))
        assert {path: kind for path, kind in found.items() if known.get(path, kind) != kind} == {}
    (row,) = ROWS["dead_letters"]
    letter = DeadLetter(at=1, lane="l", owner="U1", reason="r", undelivered=0, last="")
    assert json.loads(row).keys() <= json.loads(msgspec.json.encode(letter)).keys()


def test_a_level_of_another_version_is_kept() -> None:
    """In a row and in an export; it is taken for one that includes everything."""
    row = f"{UNKNOWN}|U1|1772366400000|e"
    subscription = subscription_of(LANE, row)
    assert subscription_row(subscription) == row
    assert msgspec.json.decode(msgspec.json.encode(subscription), type=Subscription) == subscription
    assert all(subscription.level.includes(change) for change in every_change())
    assert level_words(subscription.level) == level_words(Level.STEPS)
    assert UNKNOWN not in list(Level)


def test_a_kind_of_another_version_is_read() -> None:
    """As one that is neither an end nor about the subscription."""
    kind = change_of(f'{{"kind":"{UNKNOWN}","revision":2,"at":"2026-03-01T12:00:00Z"}}').kind
    assert (kind.is_final, kind.is_notice) == (False, False)


def test_too_old_rows_are_refused_in_words() -> None:
    """An operator who leaves a version out reads which one to run first."""
    assert refusal_text(StoreNotOurs({"oldest": ("1", "3")})).startswith(
        "The store holds rows of schema 1, and this version knows rows of schema 3: run the version before this one "
    )
