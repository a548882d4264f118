"""An hour without GCS: the bot polls seldom, people know since when, and there is no storm afterwards.

The hour is lived through once (`outages`), on clocks that leap over idle time (`leaping`); every test reads the same
evidence. Quota and limits are those of GCS and Slack, and of the bot's defaults.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from statistics import median

import pytest

from sandbox.slack.limits import most_within
from tests.end_to_end.outage_evidence import check_every_outcome, late_outcomes, lived, since_return
from tests.end_to_end.outages import EXECUTIONS, MINUTE, Evidence

AWAY = "GCS unreachable since"

QUOTA_AT_ONCE, QUOTA_SECONDS = 114, 62 / 6 - 1.5
"""The budget's pace for the watch: a fifth of its calls in a sixth of the window (`take.lua`), which counts when they
leave; and they may be so long on their way."""


@pytest.fixture(scope="module")
def no_gcs(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The day on which GCS was away."""
    return lived("without_gcs", tmp_path_factory)


def test_every_outcome_arrives_once(no_gcs: Evidence) -> None:
    """None is lost, repeated or out of order, and cards end at the truth."""
    check_every_outcome(no_gcs)


def test_cards_say_since_when_gcs_is_away(no_gcs: Evidence) -> None:
    """All that are followed, as soon as Slack lets so many be edited; and none of them any more after the return."""
    since, until = [], []
    for card in (said for said in no_gcs.record.said if said.is_card):
        away = [at for at, text in card.versions if AWAY in text]
        since += away[:1]
        until += [later for (_, before), (later, now) in pairwise(card.versions) if AWAY in before and AWAY not in now]
        assert AWAY not in card.text
    assert len(since) == len(until) > 0.9 * EXECUTIONS
    assert min(since) - no_gcs.gone < MINUTE
    assert max(since) - no_gcs.gone < EXECUTIONS / 50 * MINUTE + 2 * MINUTE  # Slack's limit is 50 edits a minute
    assert no_gcs.gone < max(since) < no_gcs.back < min(until)


def test_a_gcs_that_is_away_is_asked_seldom(no_gcs: Evidence) -> None:
    """After ten minutes: each execution once in five minutes, and the lists once in five seconds."""
    asked = defaultdict[str, list[float]](list)
    for call in no_gcs.looks:
        if no_gcs.gone + 10 * MINUTE < call.at < no_gcs.gone + 40 * MINUTE:
            asked[call.execution_id].append(call.at)
    lists = asked.pop("")
    assert len(asked) > 0.9 * EXECUTIONS
    assert all(later - before > 4.9 * MINUTE for looks in asked.values() for before, later in pairwise(looks))
    assert len(lists) <= 30 * MINUTE / 5


def test_gcs_meets_no_storm_at_its_return(no_gcs: Evidence) -> None:
    """Everybody is overdue; calls come no faster than the budget's pace at any time, and nothing is refused."""
    came = since_return(no_gcs, (call.at for call in no_gcs.looks))
    assert most_within(came, QUOTA_SECONDS) <= QUOTA_AT_ONCE
    assert {call.status for call in no_gcs.looks if call.at >= no_gcs.back} <= {200, 404}


def test_what_ended_without_gcs_is_told_soon_since_return(no_gcs: Evidence) -> None:
    """Most within a minute, since lists show it; what lists do not show, when its turn comes, after five minutes."""
    late = sorted(late_outcomes(no_gcs).values())
    assert late[0] > 0
    assert median(late) < MINUTE
    assert late[-1] < 7 * MINUTE
