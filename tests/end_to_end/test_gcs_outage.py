"""An hour without GCS: the bot polls seldom, people know since when, and there is no storm afterwards."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from statistics import median

from sandbox.slack.limits import most_within
from tests.chaos.operators import NOT_KNOWN
from tests.end_to_end.institute import DURING, MINUTE
from tests.end_to_end.outage_evidence import (
    PATIENTLY,
    check_acts,
    check_board,
    check_every_outcome,
    check_what_was_held,
    found_after,
    is_held,
    late_outcomes,
    living,
    since_return,
)
from tests.end_to_end.outages import Evidence

pytestmark = PATIENTLY

AWAY = "GCS has not answered since"

QUOTA_AT_ONCE, QUOTA_SECONDS = 114, 62 / 6 - 1.5
"""The quota's pace for polls: a fifth of the calls in a sixth of the window (`take.lua`), counted when calls leave;
each may take up to 1.5 s to arrive."""
DELAYED = 12
"""How many calls may arrive together with later ones, since a busy machine delayed them on their way."""


no_gcs = living("without_gcs")


def test_every_outcome_arrives_once(no_gcs: Evidence) -> None:
    """None is lost, repeated or out of order, and cards end at the truth."""
    check_every_outcome(no_gcs)


def test_cards_say_since_when_gcs_is_away(no_gcs: Evidence) -> None:
    """All cards say so as soon as Slack's limit on edits allows it, and none does after the outage.

    Those that somebody has muted are not edited.
    """
    since, until = [], []
    cards = [said for said in no_gcs.record.said if said.is_card]
    for card in (card for card in cards if not is_held(no_gcs, (card.execution_id, card.subscriber))):
        away = [at for at, text in card.versions if AWAY in text]
        since += away[:1]
        until += [later for (_, before), (later, now) in pairwise(card.versions) if AWAY in before and AWAY not in now]
        assert AWAY not in card.text
    assert len(since) == len(until) > 0.9 * no_gcs.executions
    assert min(since) - no_gcs.gone < MINUTE
    assert max(since) - no_gcs.gone < no_gcs.executions / 50 * MINUTE + 2 * MINUTE  # Slack's limit is 50 edits a minute
    assert no_gcs.gone < max(since) < no_gcs.back < min(until)


def test_an_unreachable_gcs_is_polled_seldom(no_gcs: Evidence) -> None:
    """After ten minutes each execution is polled once in five minutes, and lists are read once in five seconds."""
    asked = defaultdict[str, list[float]](list)
    for call in no_gcs.polls:
        if no_gcs.gone + 10 * MINUTE < call.at < no_gcs.gone + 40 * MINUTE:
            asked[call.execution_id].append(call.at)
    lists = asked.pop("")
    for press in no_gcs.record.presses:  # operators look, too
        asked.pop(press.execution_id, None)
    assert len(asked) > 0.9 * no_gcs.executions
    assert all(later - before > 4.9 * MINUTE for polls in asked.values() for before, later in pairwise(polls))
    assert len(lists) <= 30 * MINUTE / 5


def test_no_storm_hits_gcs_afterwards(no_gcs: Evidence) -> None:
    """All executions are overdue; calls never come faster than the quota's pace, and none is refused.

    Those of operators come on top of it: people do not wait behind polls.
    """
    looked_at = {press.execution_id for press in no_gcs.record.presses}
    came = since_return(no_gcs, (call.at for call in no_gcs.polls if call.execution_id not in looked_at))
    assert most_within(came, QUOTA_SECONDS) <= QUOTA_AT_ONCE + DELAYED
    assert {call.status for call in no_gcs.polls if call.at >= no_gcs.back} <= {200, 404}


def test_outcomes_arrive_soon_after_a_gcs_outage(no_gcs: Evidence) -> None:
    """Everything is polled within five minutes, and most people read an outcome seconds after the poll that saw it.

    Lists say nothing here: most executions ended, and where most are not listed, the list may be another project's.
    """
    late = late_outcomes(no_gcs)
    polled: dict[str, float] = {}
    for call in no_gcs.polls:
        if call.at > no_gcs.back and call.status in {200, 404}:
            polled.setdefault(call.execution_id, call.at - no_gcs.back)
    assert min(late.values()) > 0
    assert max(polled[execution_id] for execution_id, _ in late) < 6 * MINUTE
    after = [at - polled[execution_id] for (execution_id, _), at in late.items()]
    assert median(after) < MINUTE / 4
    assert max(after) < 2 * MINUTE  # a deletion is confirmed by another poll, and Slack takes 60 messages in a channel


def test_what_was_held_comes_after_a_gcs_outage(no_gcs: Evidence) -> None:
    """Mutes end during the outage and after it, and so do quiet hours."""
    check_what_was_held(no_gcs, within=6 * MINUTE)


def test_runs_that_began_without_gcs_are_found_soon(no_gcs: Evidence) -> None:
    """Rules find them with the first look after the outage, however much is overdue."""
    found = found_after(no_gcs, since=no_gcs.back)
    assert len(found) > len(DURING)
    assert max(found) < 2 * MINUTE


def test_a_board_outlives_a_gcs_outage(no_gcs: Evidence) -> None:
    """It is edited before and after the hour, and shows the truth at the end of the day."""
    check_board(no_gcs)


def test_operators_act_once_around_an_outage(no_gcs: Evidence) -> None:
    """An action whose answer is lost as GCS goes away is not repeated; an hour later the thread says who it was."""
    check_acts(no_gcs, unanswered=((0,), NOT_KNOWN, "began unknown done"))
