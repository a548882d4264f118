"""Living through an hour of outage, and what people and servers saw of it.

Lives here: `lived` and the views of its `Evidence` that the tests compare. Does not live here: what happens in the hour
(`outages`), how it passes in half a minute (`leaping`). Called by the tests of both outages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import pytest

from tests.chaos.evidence import Said
from tests.chaos.reading import read_line
from tests.chaos.verdict import judge
from tests.end_to_end.institute import COHORT, EXECUTIONS, HOUR
from tests.end_to_end.leaping import leaped
from tests.end_to_end.outages import Evidence

REAL_SECONDS = 1500.0
"""How long the process may take for an hour and some minutes; half a minute on an idle machine."""

PATIENTLY = pytest.mark.timeout(REAL_SECONDS + 100)
"""Marks the tests that read the evidence: the first of them waits for it."""


def lived(day: str, folders: pytest.TempPathFactory) -> Evidence:
    """The evidence of `day`, a function of `outages`."""
    seen = leaped(f"tests.end_to_end.outages:{day}", folders.mktemp(day), within=REAL_SECONDS)
    return cast("Evidence", seen)


def check_every_outcome(day: Evidence) -> None:
    """No outcome is lost, repeated or out of order, cards end at the truth, and no server had to refuse a call.

    Nothing is told unasked or while somebody wants quiet.
    """
    violations = judge(day.record).violations
    assert violations == [], violations
    by_hand = {(promise.execution_id, promise.subscriber) for promise in day.record.promises}
    assert len(late_outcomes(day).keys() & by_hand) > 0.7 * EXECUTIONS  # every fourth person reads of failures only
    assert day.back - day.gone == pytest.approx(HOUR, abs=30)


def check_what_was_held(day: Evidence, *, within: float) -> None:
    """Who wanted quiet reads how it ended soon after that, or after the outage where it ends later; in seconds."""
    read = {key: at for key, at in _outcomes(day) if is_held(day, key)}
    assert len(read) > len(day.record.quiet)
    for (execution_id, subscriber), at in read.items():
        spans = [quiet for quiet in day.record.quiet if quiet.subscriber == subscriber]
        until = max(quiet.until or 0.0 for quiet in spans if quiet.execution_id in {"", execution_id})
        assert at < max(until, day.back) + within


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


def _outcomes(day: Evidence) -> Iterator[tuple[tuple[str, str], float]]:
    """Execution and subscriber of each message about the end of what ended during the outage, and when it came."""
    for said in day.record.said:
        truth = day.record.truths[said.execution_id]
        moment = None if said.is_card else read_line(said.text, truth.name)
        if moment and moment.is_outcome and day.gone < truth.moments[-1].at < day.back:
            yield (said.execution_id, said.subscriber), said.at


def since_return(day: Evidence, moments: Iterable[float]) -> list[float]:
    """Those moments that came after the outage, in order, in seconds after it."""
    return sorted(at - day.back for at in moments if at >= day.back)


def posted_since_return(day: Evidence) -> list[Said]:
    """What the bot posted after the outage, in order."""
    return sorted((said for said in day.record.said if said.at >= day.back), key=lambda said: said.at)
