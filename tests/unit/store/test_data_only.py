"""Promises of what the store holds: codes and values, no sentences; texts are made where people read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from bot.domain.cadence import Cadence
from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.execution import Execution, Phase, Step
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.observing import MISSES_BEFORE_UNREACHABLE, observe, observe_failure, observe_missing
from bot.domain.snapshot import Receipt, Snapshot, Unseen
from bot.store.outbox import DeadLetter
from bot.store.rows import receipt_row, subscription_row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(minutes=30), staleness=timedelta(hours=2))
GCS = "GCS wrote this"
"""How every text of GCS begins here."""
RUNNING = Execution(
    id="e1",
    name=GCS,
    workflow_name=GCS,
    phase="Running",
    message=GCS,
    description=GCS,
    labels={GCS: GCS},
    steps=(Step(name=GCS, phase="Running", message=GCS),),
    steps_total=3,
    steps_finished=1,
)
FAILED = replace(RUNNING, phase="Failed", reason=GCS, steps=(Step(name=GCS, phase="Failed", message=GCS),))


def before(execution: Execution, **fields: object) -> Snapshot:
    """The snapshot of an earlier poll."""
    return replace(Snapshot(execution=execution, revision=1, seen_at=NOW - timedelta(minutes=5)), **fields)


def every_change() -> list[Change]:
    """A change of each kind, and each reason to stop watching, as the rules make them."""
    verdicts = [
        observe(before(RUNNING), replace(RUNNING, steps_finished=2), now=NOW, cadence=CADENCE),
        observe(before(RUNNING), replace(RUNNING, steps=FAILED.steps), now=NOW, cadence=CADENCE),
        observe(before(RUNNING), replace(RUNNING, phase=Phase.CANCELLING), now=NOW, cadence=CADENCE),
        observe(before(FAILED), RUNNING, now=NOW, cadence=CADENCE),
        observe(before(RUNNING), FAILED, now=NOW, cadence=CADENCE),
        observe_missing(before(RUNNING, missing=1), now=NOW),
        observe(before(FAILED, retry_until=NOW), FAILED, now=NOW, cadence=CADENCE),
        observe_missing(before(FAILED, missing=1), now=NOW),
    ]
    stopped = Change(kind=ChangeKind.STOPPED, revision=0, at=NOW, by="U1")
    level = Change(kind=ChangeKind.LEVEL, revision=0, at=NOW, by="U1", level="final")
    slow = Change(
        kind=ChangeKind.SLOW, revision=2, at=NOW, step=GCS, taken=timedelta(hours=3), usual=timedelta(hours=1)
    )
    near = Change(kind=ChangeKind.DEADLINE, revision=2, at=NOW, deadline=NOW + timedelta(minutes=28))
    acted = Change(kind=ChangeKind.ACTED, revision=0, at=NOW, by="U1", action="cancel")
    quiet = [Change(kind=kind, revision=0, at=NOW, by="U1") for kind in (ChangeKind.MUTED, ChangeKind.UNMUTED)]
    return [*(change for verdict in verdicts for change in verdict.changes), slow, near, stopped, level, acted, *quiet]


def every_snapshot() -> list[Snapshot]:
    """What the rules store of an execution: as seen, unreachable, and deleted."""
    unreachable = before(RUNNING, misses=MISSES_BEFORE_UNREACHABLE)
    return [
        observe(before(RUNNING), FAILED, now=NOW, cadence=CADENCE).snapshot,
        observe_failure(unreachable, cadence=CADENCE, why=Unseen.REFUSED).snapshot,
        observe_missing(before(RUNNING, missing=1), now=NOW).snapshot,
    ]


def strings(value: object) -> Iterator[str]:
    """Every string in decoded JSON, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield from (key, *strings(inner))
        case list():
            for inner in value:
                yield from strings(inner)


def is_data(value: object) -> bool:
    """Whether no text of ours has words: only what GCS wrote may hold a space."""
    return not [text for text in strings(value) if " " in text and not text.startswith(GCS)]


def test_every_kind_of_change_is_tried() -> None:
    """The changes above leave out no kind and no reason."""
    assert {change.kind for change in every_change()} == set(ChangeKind)
    assert {change.why for change in every_change()} == {None, *EndReason} - {EndReason.OTHER}


@pytest.mark.parametrize("change", every_change(), ids=lambda change: f"{change.kind}-{change.why}")
def test_an_outbox_entry_is_data(change: Change) -> None:
    """As an entry, and as the last change in a dead letter, which is JSON inside JSON."""
    entry = msgspec.json.encode(change)
    letter = DeadLetter(at=1, lane="T1/e1/C1", owner="U1", reason="is_archived", undelivered=1, last=entry.decode())
    assert is_data(msgspec.json.decode(entry))
    assert is_data({**msgspec.json.decode(msgspec.json.encode(letter)), "last": msgspec.json.decode(letter.last)})
    assert letter.last_change == change


@pytest.mark.parametrize("snapshot", every_snapshot(), ids=["seen", "unreachable", "deleted"])
def test_a_snapshot_is_data(snapshot: Snapshot) -> None:
    """Problems are flags and times."""
    assert is_data(msgspec.json.decode(msgspec.json.encode(snapshot)))


def test_subscriptions_and_receipts_are_data() -> None:
    """Levels are codes; the rest are ids and times."""
    subscriber = Subscriber(team_id="T1", id="C1")
    for level in Level:
        subscription = Subscription(
            execution_id="e1", subscriber=subscriber, level=level, owner="U1", created_at=NOW, is_ending=True
        )
        assert is_data(subscription_row(subscription))
    assert is_data(receipt_row(Receipt(channel="C1", ts="1.2", revision=1, delivered_through=1)))


def test_an_unknown_end_reason_is_readable() -> None:
    """A reason of another version, such as the sentence of an earlier one, keeps no subscription from ending."""
    ended = next(change for change in every_change() if change.why is EndReason.NO_RETRY)
    stored = msgspec.json.encode({**msgspec.json.decode(msgspec.json.encode(ended)), "why": "No retry came."})
    assert msgspec.json.decode(stored, type=Change) == replace(ended, why=EndReason.OTHER)
