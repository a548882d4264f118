"""An hour without Slack: the bot calls it seldom, and afterwards outcomes come first and within all limits.

The hour is lived through once (`outages`), on clocks that leap over idle time (`leaping`); every test reads the same
evidence. Quota and limits are those of GCS and Slack, and of the bot's defaults.
"""

from __future__ import annotations

from collections import Counter

import pytest

from sandbox.slack.limits import most_within
from tests.end_to_end.outage_evidence import (
    check_every_outcome,
    late_outcomes,
    lived,
    posted_since_return,
    since_return,
)
from tests.end_to_end.outages import MINUTE, Evidence


@pytest.fixture(scope="module")
def no_slack(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The day on which Slack was away."""
    return lived("without_slack", tmp_path_factory)


def test_every_outcome_arrives_once(no_slack: Evidence) -> None:
    """None is lost, repeated or out of order, and cards end at the truth."""
    check_every_outcome(no_slack)


def test_a_slack_that_is_away_is_asked_seldom(no_slack: Evidence) -> None:
    """However much there is to tell: once a minute whether it answers, and for a socket as the SDK does."""
    calls = [call for call in no_slack.calls if no_slack.gone < call.at < no_slack.back]
    asked = [call.at for call in calls if call.method != "apps.connections.open"]
    assert 30 <= len(asked) <= 60
    assert most_within([at for at in asked if at > no_slack.gone + 2 * MINUTE], MINUTE) <= 2
    assert most_within([call.at for call in calls], MINUTE) <= 30


def test_slack_meets_no_storm_at_its_return(no_slack: Evidence) -> None:
    """Slow at first, then within every limit of the bot: 300 messages a minute, 60 of them in one channel, 50 edits."""
    day = posted_since_return(no_slack)
    came = [said.at for said in day]
    assert len([at for at in came if at < came[0] + 10]) <= 30
    assert most_within(came, 10) <= 300 / 10 + 10 * 300 / 60  # a tenth at once, the rest evenly
    assert most_within(came, MINUTE) <= 300
    in_one_place = [
        [said.at for said in day if said.subscriber == place] for place in {said.subscriber for said in day}
    ]
    assert max(most_within(here, MINUTE) for here in in_one_place) <= 60
    edits = [call.at for call in no_slack.calls if call.method == "chat.update"]
    assert most_within(since_return(no_slack, edits), MINUTE) <= 50


def test_outcomes_come_first_after_an_hour_without_slack(no_slack: Evidence) -> None:
    """People's, then channels', each with what its lane had before it; the others wait, but for a few on their way."""
    late = late_outcomes(no_slack)
    lanes = [
        "U" if said.subscriber.startswith("U") else "C"
        for said in posted_since_return(no_slack)
        if said.execution_id in late
    ]
    others = [said.at for said in posted_since_return(no_slack) if said.execution_id not in late]
    last = no_slack.back + max(late.values())
    assert len([at for at in others if at < last]) <= 16
    assert lanes[: len(lanes) // 3].count("C") <= 16
    assert max(late.values()) < 3 * MINUTE


def test_lines_that_waited_become_one(no_slack: Evidence) -> None:
    """An hour of steps in one line before the outcome, from where to where."""
    late = late_outcomes(no_slack)
    lines = Counter(
        said.execution_id
        for said in posted_since_return(no_slack)
        if not said.is_card and said.at - no_slack.back < late.get(said.execution_id, 0)
    )
    assert set(lines.values()) == {1}
