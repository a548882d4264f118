"""Promises of the choice which ends are reported together after a quiet time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from bot.domain.catch_up import HeldEnd, catch_up_id, caught, held_end
from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.execution import Execution, Step
from bot.domain.following import Quiet, Subscriber, Subscription
from bot.domain.snapshot import Receipt, Snapshot

MORNING = datetime(2026, 3, 10, 7, tzinfo=UTC)
NIGHT = MORNING - timedelta(hours=3)
HOURS = Quiet(since=MORNING - timedelta(hours=9), until=MORNING)
ALICE, LAB = Subscriber("T1", "U1"), Subscriber("T1", "C1")
SLEEPER = Subscription(execution_id="e1", subscriber=ALICE, owner="U1", created_at=NIGHT, hours=HOURS)
NOW = MORNING + timedelta(seconds=1)


def change(kind: ChangeKind, revision: int = 2, phase: str = "", at: datetime = NIGHT) -> Change:
    """A change in the night."""
    return Change(kind=kind, revision=revision, at=at, phase=phase)


PROGRESS, SLOW = change(ChangeKind.PROGRESS), change(ChangeKind.SLOW)
DONE = change(ChangeKind.OUTCOME, 3, "Succeeded")
FAILED = change(ChangeKind.OUTCOME, 3, "Failed")
STEP_FAILED = change(ChangeKind.STEP_FAILED)
GONE = change(ChangeKind.VANISHED, 3)
UNWATCHED = replace(change(ChangeKind.ENDED, 4), why=EndReason.NO_RETRY)


@pytest.mark.parametrize(
    ("pending", "through"),
    [
        ([DONE], 3),
        ([GONE], 3),
        ([PROGRESS, SLOW, DONE], 3),
        ([STEP_FAILED, FAILED], 3),
        ([FAILED, UNWATCHED], 4),
    ],
)
def test_an_end_and_what_led_there_wait(pending: list[Change], through: int) -> None:
    """Nobody needs to read how far it was, or that it is not watched any more."""
    end = next(each for each in pending if each.kind.is_final)
    assert held_end(pending, SLEEPER, now=NOW) == HeldEnd(end, through, MORNING)


@pytest.mark.parametrize(
    "pending",
    [
        [],
        [PROGRESS],
        [UNWATCHED],
        [STEP_FAILED, DONE],
        [FAILED, change(ChangeKind.REOPENED, 4), change(ChangeKind.OUTCOME, 5, "Succeeded")],
        [change(ChangeKind.ACTED, 0), DONE],
        [DONE, change(ChangeKind.ACTED, 0)],
        [replace(DONE, at=MORNING - timedelta(seconds=9))],
        [replace(DONE, at=NOW)],
        [FAILED, replace(UNWATCHED, at=NOW)],
    ],
)
def test_other_news_is_reported_as_ever(pending: list[Change]) -> None:
    """Two ends, a failed step of a run that succeeded, what a person did, and what hardly had to wait."""
    assert held_end(pending, SLEEPER, now=NOW) is None


@pytest.mark.parametrize("other", [replace(SLEEPER, subscriber=LAB), replace(SLEEPER, hours=None)])
def test_others_are_notified_as_ever(other: Subscription) -> None:
    """A channel, and who did not want quiet."""
    assert held_end([DONE], other, now=NOW) is None


def test_the_last_quiet_time_counts() -> None:
    """A mute that outlasted the night."""
    later = MORNING + timedelta(hours=1)
    muted = replace(SLEEPER, muted=Quiet(until=later))
    found = held_end([DONE], muted, now=later + timedelta(seconds=1))
    assert found is not None
    assert found.until == later


def test_an_end_that_was_handed_over_stays_so() -> None:
    """Whatever the subscription says since, and whatever has happened since."""
    known = replace(DONE, caught_up=MORNING)
    pending = [known, change(ChangeKind.REOPENED, 4, at=NOW)]
    assert held_end(pending, replace(SLEEPER, hours=None), now=NOW) == HeldEnd(known, 3, MORNING)


def test_a_message_holds_what_it_shows() -> None:
    """The cause of a failure, and of a success nothing but its name."""
    step = Step(name="bwa-mem", phase="Failed", message="exit 137")
    execution = Execution(id="e1", name="rna", phase="Failed", steps=(step,), labels={"a": "b"})
    snapshot = Snapshot(execution=execution, revision=3, seen_at=NOW)
    failed = caught(replace(FAILED, failed_steps=(step,), newly_failed=(step,)), snapshot, None)
    assert failed.change.failed_steps == (step,)
    assert failed.execution == Execution(id="e1", name="rna")
    done = caught(replace(DONE, finished_steps=("a", "b")), snapshot, Receipt("D1", "1.2", 3))
    assert (done.change, done.channel, done.ts) == (DONE, "D1", "1.2")


def test_one_message_for_one_morning() -> None:
    """Subscriptions end their quiet some milliseconds apart; people have messages of their own."""
    assert catch_up_id("U1", MORNING) == catch_up_id("U1", MORNING + timedelta(milliseconds=900))
    ids = {catch_up_id("U1", MORNING), catch_up_id("U2", MORNING), catch_up_id("U1", MORNING + timedelta(days=1))}
    assert len(ids) == 3
