"""An hour without Slack: the bot calls it seldom, and afterwards outcomes come first and within all limits."""

from __future__ import annotations

from collections import Counter
from statistics import quantiles

from sandbox.slack.limits import most_within
from tests.chaos.operators import ONGOING
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
    posted_since_return,
    since_return,
    tried_without_slack,
)
from tests.end_to_end.outages import Evidence

pytestmark = PATIENTLY


no_slack = living("without_slack")


def test_every_outcome_arrives_once(no_slack: Evidence) -> None:
    """None is lost, repeated or out of order, and cards end at the truth."""
    check_every_outcome(no_slack)


def test_an_unreachable_slack_is_called_seldom(no_slack: Evidence) -> None:
    """However many messages wait, the bot probes once a minute, and opens a socket as often as the SDK does."""
    calls = [call for call in no_slack.calls if no_slack.gone < call.at < no_slack.back]
    asked = [call.at for call in calls if call.method != "apps.connections.open"]
    assert 30 <= len(asked) <= 60
    assert most_within([at for at in asked if at > no_slack.gone + 2 * MINUTE], MINUTE) <= 2
    assert most_within([call.at for call in calls], MINUTE) <= 40  # at first: lanes, a dozen sockets, a press's answers


def test_no_storm_hits_slack_afterwards(no_slack: Evidence) -> None:
    """Slow at first, then within each limit: 300 messages a minute, 60 in one channel, 50 edits."""
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


def test_a_persons_outcome_finds_out_about_slack(no_slack: Evidence) -> None:
    """One message a minute is tried, a person's outcome once some are known: so the outbox orders what waits.

    One lane keeps trying for five minutes, and is in doubt: so few others are tried. What becomes due at the moment
    when a pause ends may be tried instead.
    """
    tried = [is_outcome for at, is_outcome in tried_without_slack(no_slack) if at > no_slack.gone + 5 * MINUTE]
    assert len(tried) >= 3
    assert tried.count(False) <= 1


def test_outcomes_come_first_after_an_hour_without_slack(no_slack: Evidence) -> None:
    """People's outcomes, then channels', each after its lane's lines, then what goes on: so Slack's limits admit them.

    The last tenth of each may come later, since one channel takes one message a second, and the first tenth sooner.
    Those who wanted quiet are left out, since what they read depends on when that ends, and so is what operators retry.
    What ended shortly before Slack returned may have been polled after that.
    """
    truths = no_slack.record.truths
    known = {
        key: at
        for key, at in late_outcomes(no_slack).items()
        if truths[key[0]].moments[-1].at < no_slack.back - 4 * MINUTE
    }
    people, channels = [[at for (_, reader), at in known.items() if reader.startswith(kind)] for kind in "UC"]
    lasting = [
        said.at - no_slack.back
        for said in posted_since_return(no_slack)
        if not truths[said.execution_id].moments[-1].is_outcome
        and not is_held(no_slack, (said.execution_id, said.subscriber))
        and said.execution_id not in no_slack.record.operated
    ]
    assert min(len(people), len(channels), len(lasting)) > 30
    for sooner, later in ((people, channels), (channels, lasting)):
        assert quantiles(sooner, n=10)[-1] < quantiles(later, n=10)[0]
    assert max(known.values()) < 3 * MINUTE


def test_lines_that_waited_become_one(no_slack: Evidence) -> None:
    """One line before the outcome sums up an hour of steps."""
    late = late_outcomes(no_slack)
    lines = Counter(
        (said.execution_id, said.subscriber)
        for said in posted_since_return(no_slack)
        if not said.is_card and said.at - no_slack.back < late.get((said.execution_id, said.subscriber), 0)
    )
    assert set(lines.values()) == {1}


def test_what_was_held_comes_after_a_slack_outage(no_slack: Evidence) -> None:
    """Mutes end during the outage and after it, and so do quiet hours."""
    check_what_was_held(no_slack, within=3 * MINUTE)


def test_runs_that_begin_without_slack_are_found(no_slack: Evidence) -> None:
    """Rules find them on time: GCS is there."""
    found = found_after(no_slack, since=no_slack.gone)
    assert len(found) > len(DURING)
    assert max(found) < 2 * MINUTE


def test_a_board_outlives_a_slack_outage(no_slack: Evidence) -> None:
    """It is edited before and after the hour, and shows the truth at the end of the day."""
    check_board(no_slack)


def test_what_operators_did_is_reported_afterwards(no_slack: Evidence) -> None:
    """A press whose answer no longer reached the modal is done once, and the thread says so when Slack is back."""
    check_acts(no_slack, unanswered=((200,), ONGOING[0], "began done"))
