"""Living through an hour of outage, and what people and servers saw of it.

Lives here: `living` and the views of its `Evidence` that the tests compare, and what must be true of both outages. Does
not live here: what happens in the hour (`outages`), how it passes in half a minute (`leaping`). Called by the tests of
both outages. Each hour is lived through once, and all tests of its module read the same evidence. Quota and limits are
those of GCS and Slack, and of the bot's defaults.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest

from sandbox.slack.limits import most_within
from tests.chaos.acts_verdict import judge_acts
from tests.chaos.boards_verdict import judge_boards
from tests.chaos.evidence import Record, Said
from tests.chaos.operators import NOT_KNOWN, TAKEN
from tests.chaos.reading import read_line
from tests.chaos.verdict import judge
from tests.end_to_end.institute import COHORT, HOUR
from tests.end_to_end.leaping import leaped
from tests.end_to_end.outages import Evidence

REAL_SECONDS = 1500.0
"""How long the process may take for an hour and some minutes; half a minute on an idle machine."""

PATIENTLY = pytest.mark.timeout(REAL_SECONDS + 100)
"""Marks the tests that read the evidence: the first of them waits for it."""

BOARD_EVERY = 30.0
"""How often the bot edits a board at most, in seconds."""


def living(day: str) -> Any:
    """A fixture: the evidence of `day`, a function of `outages`."""

    @pytest.fixture(scope="module")
    def lived(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
        """What was seen of a day."""
        seen = leaped(f"tests.end_to_end.outages:{day}", tmp_path_factory.mktemp(day), within=REAL_SECONDS)
        return cast("Evidence", seen)

    return lived


def check_every_outcome(day: Evidence) -> None:
    """No outcome is lost, repeated or out of order, cards end at the truth, and no server had to refuse a call.

    Nothing is delivered unasked or while somebody wants quiet.
    """
    violations = judge(day.record).violations
    assert violations == [], violations
    by_hand = {(promise.execution_id, promise.subscriber) for promise in day.record.promises}
    assert len(late_outcomes(day).keys() & by_hand) > 0.7 * day.executions  # every fourth person reads of failures only
    assert day.back - day.gone == pytest.approx(HOUR, abs=30)


def check_what_was_held(day: Evidence, *, within: float) -> None:
    """Who wanted quiet reads how it ended soon after that, or after the outage where it ends later; in seconds."""
    read = {key: at for key, at in _outcomes(day) if is_held(day, key)}
    assert len(read) > len(day.record.quiet)
    for (execution_id, subscriber), at in read.items():
        spans = [quiet for quiet in day.record.quiet if quiet.subscriber == subscriber]
        until = max(quiet.until or 0.0 for quiet in spans if quiet.execution_id in {"", execution_id})
        assert at < max(until, day.back) + within


def check_board(day: Evidence) -> None:
    """It is one message, true when the day ends, which was edited within its own limit, never in a storm.

    An edit may be late by as much as passes between two.
    """
    assert _broken(judge_boards, day) == []
    (board,) = day.record.board_posts
    assert {"running", "failed", "succeeded"} <= set(board.text.split())
    for spans in (1, 4, 20):
        assert most_within(board.edits, spans * BOARD_EVERY) <= spans + 1
    assert board.edits[0] < day.gone
    assert since_return(day, board.edits)


def check_acts(day: Evidence, *, unanswered: tuple[tuple[int, ...], str, str]) -> None:
    """What operators confirmed was sent once for each press, nothing was while a server was away, and all read of it.

    `unanswered`, of what the outage began with: statuses of the calls, what the modal said last, and the audit trail.
    """
    assert _broken(judge_acts, day) == []
    expected = {
        "repeated": ((503, 200), f"{NOT_KNOWN}|{TAKEN}", "began unknown began done"),
        "unanswered": unanswered,
        "delayed": ((200,), TAKEN, "began done"),
        "afterwards": ((200,), TAKEN, "began done"),
    }
    for act, (sent, read, audited) in expected.items():
        operated = day.operated[act]
        assert operated.sent == sent, act
        assert [says in modal for says, modal in zip(read.split("|"), operated.read, strict=True)] == [True] * len(sent)
        assert [(by, result) for by, result in operated.audited] == [(operated.by, each) for each in audited.split()]
    assert not [call for call in day.polls if call.method == "PUT" and day.gone + 1 < call.at < day.back]
    notices = Counter((notice.about, notice.subscriber) for notice in day.record.acts)
    assert len(notices) == len(expected)
    assert set(notices.values()) == {1}
    shown = Counter(
        call.args["view_id"]
        for call in day.calls
        if call.method == "views.update"
        and not call.error
        and any(each in str(call.args) for each in (NOT_KNOWN, TAKEN))
    )
    assert shown.total() == len(shown)


def _broken(judged: Callable[[Record, Callable[..., None]], None], day: Evidence) -> list[str]:
    """What a part of the judge finds."""
    found: list[str] = []
    judged(day.record, lambda kind, what, **_: found.append(f"{kind}: {what}"))
    return found


def found_after(day: Evidence, *, since: float) -> list[float]:
    """How long after they began, or `since`, the runs of the cohort were polled that began in the outage or later."""
    polled: dict[str, float] = {}
    for call in day.polls:
        if call.status == 200:
            polled.setdefault(call.execution_id, call.at)
    runs = [
        (execution_id, truth)
        for execution_id, truth in day.record.truths.items()
        if ("workflow", COHORT) in truth.marks
    ]
    return [polled[each] - max(truth.began, since) for each, truth in runs if truth.began > day.gone]


def is_held(day: Evidence, key: tuple[str, str]) -> bool:
    """Whether a subscriber wanted to read nothing of an execution for a while."""
    return any(quiet.subscriber == key[1] and quiet.execution_id in {"", key[0]} for quiet in day.record.quiet)


def late_outcomes(day: Evidence) -> dict[tuple[str, str], float]:
    """When people read the outcome of each execution that ended during the outage, in seconds after the outage.

    By execution and subscriber, without those who wanted quiet.
    """
    return {key: at - day.back for key, at in _outcomes(day) if not is_held(day, key)}


def tried_without_slack(day: Evidence) -> list[tuple[float, bool]]:
    """Each message and edit of a lane that was tried during the outage, in order: when, and whether it leads to an end.

    That is one that a person reads: of an execution that had ended. What comes before it in its lane counts, too.
    """
    tried = list[tuple[float, bool]]()
    for call in day.calls:
        mark = call.args.get("metadata")  # what is said to a person about a press of theirs has none
        if mark and call.method in {"chat.postMessage", "chat.update"} and day.gone < call.at < day.back:
            _, _, about, reader, _ = mark["event_payload"]["lane"].split("/")
            truth = day.record.truths.get(about)  # boards have none
            last = truth.moments[-1] if truth and reader.startswith("U") else None
            tried.append((call.at, last is not None and last.is_outcome and last.at < call.at))
    return tried


def _outcomes(day: Evidence) -> Iterator[tuple[tuple[str, str], float]]:
    """Execution and subscriber of each message about the end of what ended during the outage, and when it came."""
    for said in day.record.said:
        truth = day.record.truths[said.execution_id]
        moment = None if said.is_card else read_line(said.text, truth.name)
        ended = truth.moments[-1]  # what is retried goes on
        if moment and moment.is_outcome and ended.is_outcome and day.gone < ended.at < day.back:
            yield (said.execution_id, said.subscriber), said.at


def since_return(day: Evidence, moments: Iterable[float]) -> list[float]:
    """Those moments that came after the outage, in order, in seconds after it."""
    return sorted(at - day.back for at in moments if at >= day.back)


def posted_since_return(day: Evidence) -> list[Said]:
    """What the bot posted after the outage, in order."""
    return sorted((said for said in day.record.said if said.at >= day.back), key=lambda said: said.at)
