"""What is delivered first, and what is delivered together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.change import Change, ChangeKind
from bot.domain.following import Subscriber, Subscription
from bot.domain.priority import Priority, batch, is_announced, leads_up, mentions_owner, priority, priority_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE, LAB = Subscriber(team_id="T1", id="U1"), Subscriber(team_id="T1", id="C1")


def of(subscriber: Subscriber) -> Subscription:
    """What it follows."""
    return Subscription(execution_id="e1", subscriber=subscriber, owner="U1", created_at=NOW)


def change(kind: ChangeKind, *, revision: int = 2, fails: bool = False) -> Change:
    """A change of which only this matters."""
    return Change(kind=kind, revision=revision, at=NOW, newly_failed_total=int(fails))


@pytest.mark.parametrize(
    ("kind", "fails", "person", "channel"),
    [
        (ChangeKind.OUTCOME, True, Priority.OUTCOME_TO_PERSON, Priority.OUTCOME_TO_CHANNEL),
        (ChangeKind.VANISHED, False, Priority.OUTCOME_TO_PERSON, Priority.OUTCOME_TO_CHANNEL),
        (ChangeKind.REOPENED, False, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.STEP_FAILED, True, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.PHASE, True, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.SLOW, False, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.DEADLINE, False, Priority.FAILURE, Priority.FAILURE),
        (ChangeKind.PHASE, False, Priority.PHASE, Priority.PHASE),
        (ChangeKind.ENDED, False, Priority.PHASE, Priority.PHASE),
        (ChangeKind.PROGRESS, False, Priority.PROGRESS, Priority.PROGRESS),
    ],
)
def test_each_change_has_its_priority(kind: ChangeKind, fails: bool, person: Priority, channel: Priority) -> None:
    """Outcomes before failures before phases before progress; people before channels."""
    each = change(kind, fails=fails)
    assert (priority_of(each, ALICE), priority_of(each, LAB)) == (person, channel)


def test_a_message_inherits_the_priority_behind_it() -> None:
    """The order in a lane is kept, so progress in front of an outcome must not delay it."""
    pending = [change(ChangeKind.PROGRESS), change(ChangeKind.OUTCOME)]
    assert priority(pending, ALICE, has_card=True) is Priority.OUTCOME_TO_PERSON


def test_a_card_leads_up_to_an_outcome() -> None:
    """A card, or the lines before it; not the outcome, nor lines that are as urgent as what follows."""
    step, end = change(ChangeKind.PROGRESS), change(ChangeKind.OUTCOME)
    assert leads_up([end], ALICE, has_card=False)
    assert leads_up([step, end], ALICE, has_card=True)
    assert not leads_up([end], ALICE, has_card=True)
    assert not leads_up([step, step], ALICE, has_card=True)
    assert not leads_up([], ALICE, has_card=False)
    assert not leads_up([], ALICE, has_card=True)


def test_first_cards_go_before_edits() -> None:
    """Somebody who has just subscribed is waiting for it; an edit of a card comes last."""
    assert priority([], LAB, has_card=False) is Priority.PHASE
    assert priority([], LAB, has_card=True) is Priority.EDIT
    assert priority([change(ChangeKind.PROGRESS)], LAB, has_card=False) is Priority.PHASE


def test_a_batch_stops_before_an_outcome() -> None:
    """Pending progress is one message; the outcome is one of its own."""
    pending = [
        change(ChangeKind.PROGRESS, revision=2),
        change(ChangeKind.PHASE, revision=3),
        change(ChangeKind.OUTCOME, revision=4),
    ]
    assert [item.revision for item in batch(pending)] == [2, 3]
    assert [item.revision for item in batch(pending[2:])] == [4]


@given(kinds=st.lists(st.sampled_from(ChangeKind), max_size=12))
def test_batches_deliver_everything_once_in_order(kinds: list[ChangeKind]) -> None:
    """Whatever is pending, each change is in exactly one batch, in order."""
    pending = [change(kind, revision=revision) for revision, kind in enumerate(kinds, 1)]
    delivered: list[Change] = []
    while head := batch(pending[len(delivered) :]):
        delivered += head
    assert delivered == pending


FAILED = change(ChangeKind.STEP_FAILED, fails=True)
FIRST = replace(FAILED, is_alert=True)
OUTCOME = change(ChangeKind.OUTCOME)


@pytest.mark.parametrize(
    ("changes", "person", "channel"),
    [
        ([FIRST], True, True),
        ([FAILED], False, False),
        ([change(ChangeKind.PROGRESS), FIRST, change(ChangeKind.PROGRESS)], True, True),
        ([change(ChangeKind.PROGRESS)], False, False),
        ([replace(change(ChangeKind.PHASE), is_alert=True, newly_failed_total=1)], True, True),
        ([change(ChangeKind.DEADLINE)], True, True),
        ([change(ChangeKind.SLOW)], True, True),
        ([replace(change(ChangeKind.SLOW), step="bwa-mem")], False, False),
        ([replace(OUTCOME, phase="Succeeded")], True, False),
        ([replace(OUTCOME, phase="Failed")], True, True),
        ([replace(OUTCOME, phase="Cancelled")], True, True),
        ([change(ChangeKind.VANISHED)], True, True),
        ([replace(change(ChangeKind.REOPENED), phase_before="Failed")], True, True),
        ([replace(change(ChangeKind.REOPENED), phase_before="Cancelled")], False, False),
    ],
)
def test_failures_are_announced_once_a_burst(changes: list[Change], person: bool, channel: bool) -> None:
    """Outside the thread stand failures, ends and what takes a failure back; a channel's success is in the thread."""
    assert (is_announced(changes, of(ALICE)), is_announced(changes, of(LAB))) == (person, channel)


def test_a_channel_may_ask_for_successes() -> None:
    """Then they are announced like all other ends, and nothing else is that was not."""
    lab = replace(of(LAB), announces_success=True)
    assert is_announced([replace(OUTCOME, phase="Succeeded")], lab)
    assert not is_announced([change(ChangeKind.PROGRESS)], lab)


@pytest.mark.parametrize(
    ("one", "is_mentioned"),
    [
        (FIRST, True),
        (FAILED, False),
        (replace(OUTCOME, phase="Failed", is_alert=True), True),
        (replace(OUTCOME, phase="Failed"), False),
        (change(ChangeKind.DEADLINE), False),
    ],
)
def test_owners_are_mentioned_for_failures(one: Change, is_mentioned: bool) -> None:
    """In channels, once for a burst; a person has no need of it."""
    assert (mentions_owner([one], LAB), mentions_owner([one], ALICE)) == (is_mentioned, False)
