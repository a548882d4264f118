"""Promises of the levels: what has a message of its own at each."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.change import MANY_STEPS, Change, ChangeKind
from bot.domain.following import Level

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALL = list(Level)
"""From the level that includes least to the one that includes most."""


def change(kind: ChangeKind, **fields: object) -> Change:
    """A change of which only this matters."""
    return Change(kind=kind, revision=2, at=NOW, **fields)  # type: ignore[arg-type]  # a test names them


def progress(total: int, before: int, share: int) -> Change:
    """More steps of `total` are finished."""
    return change(ChangeKind.PROGRESS, total=total, finished=1, share_before=before, share=share)


WIDE = MANY_STEPS + 1
CASES = [
    (change(ChangeKind.STEP_FAILED, newly_failed_total=1), ALL),
    (change(ChangeKind.PHASE, newly_failed_total=1), ALL),
    (change(ChangeKind.SLOW), ALL),
    (change(ChangeKind.DEADLINE), ALL),
    (change(ChangeKind.VANISHED), ALL),
    (change(ChangeKind.OUTCOME, phase="Failed"), ALL),
    (change(ChangeKind.OUTCOME, phase="Error"), ALL),
    (change(ChangeKind.REOPENED, phase_before="Failed"), ALL),
    (change(ChangeKind.REOPENED, phase_before="Running"), ALL),
    (change(ChangeKind.REOPENED, phase_before="Cancelled"), ALL[1:]),
    (change(ChangeKind.OUTCOME, phase="Succeeded"), ALL[1:]),
    (change(ChangeKind.OUTCOME, phase="Cancelled"), ALL[1:]),
    (change(ChangeKind.ENDED, phase="Failed"), ALL[1:]),
    (change(ChangeKind.PHASE, phase="Running"), ALL[2:]),
    (progress(20, 20, 25), ALL[2:]),
    (progress(WIDE, 20, 25), ALL[2:]),
    (progress(WIDE, 45, 80), ALL[2:]),
    (progress(20, 25, 25), ALL[3:]),
    (progress(20, 95, 100), ALL[3:]),
    (progress(WIDE, 25, 30), ALL[3:]),
    (progress(MANY_STEPS, 25, 25), ALL[3:]),
    (progress(WIDE, 25, 25), []),
]


@pytest.mark.parametrize(("one", "levels"), CASES)
def test_each_level_includes_what_it_says(one: Change, levels: list[Level]) -> None:
    """Failures everywhere, then ends, then phases and quarters, then steps."""
    assert [level for level in Level if level.includes(one)] == levels


@pytest.mark.parametrize(("word", "level"), [("progress", Level.STEPS), ("phase", Level.MILESTONES)])
def test_former_words_are_read(word: str, level: Level) -> None:
    """The store may hold them."""
    assert Level(word) is level
