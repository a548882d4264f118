"""Promises of `bot.store.rows`: what is written can be read again, by later versions too, and is small."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.execution import Execution, Step
from bot.domain.following import Level, Quiet, Subscriber, Subscription
from bot.domain.snapshot import Snapshot
from bot.store.keys import Lane
from bot.store.rows import BYTES, DICTIONARY, RAW_DEFLATE, packed, subscription_of, subscription_row, unpacked

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SNAPSHOT = Snapshot(
    execution=Execution(
        id="e1", name="run-1", phase="Running", message="样本", steps=(Step(name="bwa-mem", phase="Running"),)
    ),
    revision=7,
    seen_at=NOW,
)
WRITTEN = (
    b"\xc3\x96JS\r\x11\xc9\xb4\xa84O\xd7\x10\xab_\x11\xc9\xff\xd9\x82\xed\xcf\xe6\xacQB\xa4)\xb8\xe9I\xe5\x89\xba@{"
    b"\xb1\xe8\xaf\x8dE\x89!s\x8c(20\xd650\x0c14\xb220\x00\xa2(\xa5Z\x00"
)


def on_the_wire(row: str) -> str:
    """`row` as it comes back from the store."""
    return row.encode(errors=BYTES).decode(errors=BYTES)


@given(text=st.text(), revision=st.integers(1, 10**9))
def test_a_snapshot_comes_back_as_it_was(text: str, revision: int) -> None:
    """Whatever GCS wrote in it."""
    execution = Execution(id="e1", name=text, message=text, steps=(Step(name=text),), labels={text: text})
    snapshot = Snapshot(execution=execution, revision=revision, seen_at=NOW)
    assert unpacked(on_the_wire(packed(snapshot))) == snapshot


def test_what_was_written_stays_readable() -> None:
    """A row of an earlier version means the same for ever: neither dictionary nor form may change."""
    assert unpacked(WRITTEN.decode(errors=BYTES)) == SNAPSHOT


def test_twenty_named_steps_are_small() -> None:
    """There are tens of thousands of them: less than a fifth of the JSON, though nobody knew the names beforehand."""
    steps = tuple(
        Step(
            name=f"{word}-{number * 7919 % 1000}",
            phase="Succeeded",
            sub_jobs=1,
            sub_jobs_finished=1,
            elapsed=timedelta(seconds=number * 7919 % 5000),
            reason="SuccessfulFinish",
        )
        for number, word in enumerate(("align", "sort", "call", "merge") * 5)
    )
    snapshot = Snapshot(execution=Execution(id="e1", phase="Running", steps=steps), revision=1, seen_at=NOW)
    assert len(packed(snapshot).encode(errors=BYTES)) < len(msgspec.json.encode(snapshot)) / 5


def test_a_duration_was_a_number_once() -> None:
    """What was written in seconds is still read; `PT1.5S` is written now."""
    text = b'{"execution":{"id":"e1","elapsed":1.5,"timeout":60},"revision":7,"seen_at":"2026-03-01T12:00:00Z"}'
    deflate = zlib.compressobj(wbits=RAW_DEFLATE, zdict=DICTIONARY)
    row = (deflate.compress(text) + deflate.flush()).decode(errors=BYTES)
    execution = Execution(id="e1", elapsed=timedelta(seconds=1.5), timeout=timedelta(minutes=1))
    assert unpacked(row) == unpacked(packed(unpacked(row))) == Snapshot(execution=execution, revision=7, seen_at=NOW)


@pytest.mark.parametrize("row", ["", "no row", '{"from": "the future"}', "\udcff\udc00"])
def test_what_is_no_snapshot_is_a_value_error(row: str) -> None:
    """The callers know by it what a newer version wrote."""
    with pytest.raises(ValueError, match=r"."):
        unpacked(row)


def test_a_subscription_row_is_small() -> None:
    """The longest one stays below the size above which a server stores the whole hash in another form."""
    subscription = Subscription(
        execution_id="e1",
        subscriber=Subscriber(team_id="T1", id="C1"),
        level=Level.STEPS,
        owner="U0123456789",
        created_at=datetime(2026, 3, 4, tzinfo=UTC),
        is_ending=True,
        request_id="0123456789ab",
        ended_by="W0123456789",
    )
    row = subscription_row(subscription)
    assert len(row) < 64
    assert subscription_of(Lane("acct", "T1", "e1", "C1"), row) == subscription


@pytest.mark.parametrize(
    ("muted", "hours", "fields"),
    [
        (Quiet(until=NOW), None, "1772366400000"),
        (Quiet(), None, "end"),
        (Quiet(holds_failures=True), None, "end!"),
        (None, Quiet(since=NOW, until=NOW + timedelta(hours=8)), "|1772366400000-1772395200000"),
        (
            Quiet(until=NOW, holds_failures=True),
            Quiet(since=NOW, until=NOW + timedelta(hours=8), holds_failures=True),
            "1772366400000!|1772366400000-1772395200000!",
        ),
    ],
)
def test_quiet_times_come_back(muted: Quiet | None, hours: Quiet | None, fields: str) -> None:
    """As the scripts read them."""
    lane = Lane("gcs1", "T1", "e1", "U1")
    subscription = Subscription(
        execution_id="e1",
        subscriber=Subscriber(team_id="T1", id="U1"),
        owner="U1",
        created_at=NOW,
        muted=muted,
        hours=hours,
    )
    assert subscription_row(subscription) == f"milestones|U1|1772366400000|||||{fields}"
    assert subscription_of(lane, subscription_row(subscription)) == subscription


def test_announced_successes_come_back() -> None:
    """Behind all other fields."""
    lab = Subscriber(team_id="T1", id="C1")
    subscription = Subscription(execution_id="e1", subscriber=lab, owner="U1", created_at=NOW, announces_success=True)
    assert subscription_row(subscription) == "milestones|U1|1772366400000|||||||a"
    assert subscription_of(Lane("gcs1", "T1", "e1", "C1"), subscription_row(subscription)) == subscription


@pytest.mark.parametrize("field", ["soon", "1-", "!", "1" * 20, "end?"])
def test_quiet_times_of_another_version_are_none(field: str) -> None:
    """Their subscriber gets more than they asked for, and misses nothing."""
    subscription = subscription_of(Lane("gcs1", "T1", "e1", "U1"), f"final|U1|5|||||{field}|{field}")
    assert (subscription.muted, subscription.hours) == (None, None)
