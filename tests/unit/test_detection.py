"""Promises of `bot.workers.detection`: late changes are named, by GCS's own times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.execution import Execution
from bot.metrics import WATCHER_DETECTION_SECONDS
from bot.workers import detection as module
from bot.workers.detection import Detection

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def noted(detection: Detection, *delays: float) -> Detection:
    """`detection` after changes that were seen so many seconds after they happened."""
    for delay in delays:
        updated = NOW - timedelta(seconds=delay)
        before = Execution(id="e1", updated_at=updated - timedelta(hours=1))
        detection.note(before, Execution(id="e1", updated_at=updated), now=NOW)
    return detection


def test_late_changes_are_named() -> None:
    """The hundredth part counts, and not the mean."""
    detection = noted(Detection(timedelta(seconds=15)), *[5] * 97, *[80] * 3)
    assert detection.problem == "changes are seen late: 1 of 100 after 80 s or more, instead of 75 s"
    assert noted(Detection(timedelta(seconds=15)), *[74] * 100).problem is None


def test_a_few_changes_say_nothing() -> None:
    """One that GCS itself published late is no problem of the bot's."""
    assert noted(Detection(timedelta(seconds=15)), *[900] * 19).problem is None
    assert noted(Detection(timedelta(seconds=15)), *[900] * 20).problem


def test_short_intervals_do_not_cry_wolf() -> None:
    """Five times a second is less than what calls to GCS take."""
    assert noted(Detection(timedelta(seconds=1)), *[29] * 50).problem is None
    assert noted(Detection(timedelta(seconds=1)), *[31] * 50).problem


def test_what_is_over_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays count for ten minutes."""
    detection = noted(Detection(timedelta(seconds=15)), *[900] * 50)
    monkeypatch.setattr(module, "WINDOW_SECONDS", 0.0)
    assert detection.problem is None


@pytest.mark.parametrize(("known", "updated"), [(NOW, NOW), (None, None), (NOW, NOW - timedelta(hours=2)), (NOW, None)])
def test_a_time_that_stands_still_says_nothing(known: datetime | None, updated: datetime | None) -> None:
    """GCS does not update it with every change: two hours of progress would be a delay of two hours."""
    before = WATCHER_DETECTION_SECONDS._sum.get()
    Detection(timedelta(seconds=15)).note(
        Execution(id="e1", updated_at=known), Execution(id="e1", updated_at=updated), now=NOW + timedelta(hours=2)
    )
    assert WATCHER_DETECTION_SECONDS._sum.get() == before
