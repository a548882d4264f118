"""An hour without GCS, an hour without Slack, and what the servers saw of the whole bot: seldom asked, no storm after.

Each hour is lived through once (`outages`), on clocks that leap over idle time (`leaping`); every test reads the same
evidence. Quota and limits are those of GCS and Slack, and of the bot's defaults.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import cast

import pytest

from sandbox.slack.limits import most_within
from tests.chaos.evidence import Said
from tests.chaos.reading import read_line
from tests.chaos.verdict import judge
from tests.end_to_end.leaping import leaped
from tests.end_to_end.outages import EXECUTIONS, HOUR, MINUTE, Evidence

AWAY = "GCS unreachable since"
REAL_SECONDS = 500.0
"""For an hour and some; half a minute on an idle machine."""

QUOTA_AT_ONCE, QUOTA_SECONDS = 114, 62 / 6 - 1.5
"""The budget's pace for the watch: a fifth of its calls in a sixth of the window (`take.lua`), which counts when they
leave; and they may be so long on their way."""

gcs_day, slack_day = pytest.mark.xdist_group("no_gcs"), pytest.mark.xdist_group("no_slack")
"""Each day is lived through in one worker."""


@pytest.fixture(scope="module")
def no_gcs(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The day on which GCS was away."""
    return _lived("without_gcs", tmp_path_factory)


@pytest.fixture(scope="module")
def no_slack(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The day on which Slack was away."""
    return _lived("without_slack", tmp_path_factory)


def _lived(day: str, folders: pytest.TempPathFactory) -> Evidence:
    seen = leaped(f"tests.end_to_end.outages:{day}", folders.mktemp(day), within=REAL_SECONDS)
    return cast("Evidence", seen)


def told_late(day: Evidence) -> dict[str, float]:
    """Executions that ended during the outage, and when its outcome was read, in seconds from the return."""
    late = {}
    for said in day.record.said:
        truth = day.record.truths[said.execution_id]
        moment = None if said.is_card else read_line(said.text, truth.name)
        if moment and moment.is_outcome and day.gone < truth.moments[-1].at < day.back:
            late[said.execution_id] = said.at - day.back
    return late


def after(day: Evidence, moments: Iterable[float]) -> list[float]:
    """Those since the return, in order."""
    return sorted(at - day.back for at in moments if at >= day.back)


def posted(day: Evidence) -> list[Said]:
    """What was posted since the return, in order."""
    return sorted((said for said in day.record.said if said.at >= day.back), key=lambda said: said.at)


@pytest.mark.parametrize("day", [pytest.param("no_gcs", marks=gcs_day), pytest.param("no_slack", marks=slack_day)])
def test_every_outcome_arrives_once(day: str, request: pytest.FixtureRequest) -> None:
    """None lost, doubled or out of order, cards end at the truth, and neither server had to refuse a call."""
    seen: Evidence = request.getfixturevalue(day)
    assert judge(seen.record).violations == []
    assert len(told_late(seen)) > 0.8 * EXECUTIONS
    assert seen.back - seen.gone == pytest.approx(HOUR, abs=30)


# -- GCS away --


@gcs_day
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


@gcs_day
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


@gcs_day
def test_gcs_meets_no_storm_at_its_return(no_gcs: Evidence) -> None:
    """Everybody is overdue; calls come no faster than the budget's pace at any time, and nothing is refused."""
    came = after(no_gcs, (call.at for call in no_gcs.looks))
    assert most_within(came, QUOTA_SECONDS) <= QUOTA_AT_ONCE
    assert {call.status for call in no_gcs.looks if call.at >= no_gcs.back} <= {200, 404}


@gcs_day
def test_what_ended_without_gcs_is_told_soon_after(no_gcs: Evidence) -> None:
    """Most within a minute, since lists show it; what lists do not show, when its turn comes, after five minutes."""
    late = sorted(told_late(no_gcs).values())
    assert late[0] > 0
    assert median(late) < MINUTE
    assert late[-1] < 7 * MINUTE


# -- Slack away --


@slack_day
def test_a_slack_that_is_away_is_asked_seldom(no_slack: Evidence) -> None:
    """However much there is to tell: once a minute whether it answers, and for a socket as the SDK does."""
    calls = [call for call in no_slack.calls if no_slack.gone < call.at < no_slack.back]
    asked = [call.at for call in calls if call.method != "apps.connections.open"]
    assert 30 <= len(asked) <= 60
    assert most_within([at for at in asked if at > no_slack.gone + 2 * MINUTE], MINUTE) <= 2
    assert most_within([call.at for call in calls], MINUTE) <= 30


@slack_day
def test_slack_meets_no_storm_at_its_return(no_slack: Evidence) -> None:
    """Slow at first, then within every limit of the bot: 300 messages a minute, 60 of them in one channel, 50 edits."""
    day = posted(no_slack)
    came = [said.at for said in day]
    assert len([at for at in came if at < came[0] + 10]) <= 30
    assert most_within(came, 10) <= 300 / 10 + 10 * 300 / 60  # a tenth at once, the rest evenly
    assert most_within(came, MINUTE) <= 300
    in_one_place = [
        [said.at for said in day if said.subscriber == place] for place in {said.subscriber for said in day}
    ]
    assert max(most_within(here, MINUTE) for here in in_one_place) <= 60
    edits = [call.at for call in no_slack.calls if call.method == "chat.update"]
    assert most_within(after(no_slack, edits), MINUTE) <= 50


@slack_day
def test_outcomes_come_first_after_an_hour_without_slack(no_slack: Evidence) -> None:
    """People's, then channels', each with what its lane had before it; the others wait, but for a few on their way."""
    late = told_late(no_slack)
    lanes = ["U" if said.subscriber.startswith("U") else "C" for said in posted(no_slack) if said.execution_id in late]
    others = [said.at for said in posted(no_slack) if said.execution_id not in late]
    last = no_slack.back + max(late.values())
    assert len([at for at in others if at < last]) <= 16
    assert lanes[: len(lanes) // 3].count("C") <= 16
    assert max(late.values()) < 3 * MINUTE


@slack_day
def test_lines_that_waited_become_one(no_slack: Evidence) -> None:
    """An hour of steps in one line before the outcome, from where to where."""
    late = told_late(no_slack)
    lines = Counter(
        said.execution_id
        for said in posted(no_slack)
        if not said.is_card and said.at - no_slack.back < late.get(said.execution_id, 0)
    )
    assert set(lines.values()) == {1}
