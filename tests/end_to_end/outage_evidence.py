"""Living through an hour of outage, and what people and servers saw of it.

Lives here: `lived` and the views of its `Evidence` that the tests compare. Does not live here: what happens in the hour
(`outages`), how it passes in half a minute (`leaping`). Called by the tests of both outages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest

from tests.chaos.evidence import Said
from tests.chaos.reading import read_line
from tests.chaos.verdict import judge
from tests.end_to_end.leaping import leaped
from tests.end_to_end.outages import EXECUTIONS, HOUR, Evidence

REAL_SECONDS = 1500.0
"""How long the process may take for an hour and some minutes; half a minute on an idle machine."""

PATIENTLY = pytest.mark.timeout(REAL_SECONDS + 100)
"""Marks the tests that read the evidence: the first of them waits for it."""


def lived(day: str, folders: pytest.TempPathFactory) -> Evidence:
    """The evidence of `day`, a function of `outages`."""
    seen = leaped(f"tests.end_to_end.outages:{day}", folders.mktemp(day), within=REAL_SECONDS)
    return cast("Evidence", seen)


def check_every_outcome(day: Evidence) -> None:
    """No outcome is lost, repeated or out of order, cards end at the truth, and no server had to refuse a call."""
    violations = judge(day.record).violations
    assert violations == [], violations
    assert len(late_outcomes(day)) > 0.7 * EXECUTIONS  # every fourth person reads of failures only
    assert day.back - day.gone == pytest.approx(HOUR, abs=30)


def late_outcomes(day: Evidence) -> dict[str, float]:
    """When people read the outcome of each execution that ended during the outage, in seconds after the outage."""
    late = {}
    for said in day.record.said:
        truth = day.record.truths[said.execution_id]
        moment = None if said.is_card else read_line(said.text, truth.name)
        if moment and moment.is_outcome and day.gone < truth.moments[-1].at < day.back:
            late[said.execution_id] = said.at - day.back
    return late


def since_return(day: Evidence, moments: Iterable[float]) -> list[float]:
    """Those moments that came after the outage, in order, in seconds after it."""
    return sorted(at - day.back for at in moments if at >= day.back)


def posted_since_return(day: Evidence) -> list[Said]:
    """What the bot posted after the outage, in order."""
    return sorted((said for said in day.record.said if said.at >= day.back), key=lambda said: said.at)
