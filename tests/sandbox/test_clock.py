"""Story time moves as the test says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.clock import Clock


class Wall:
    """Wall time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """As `time.monotonic`."""
        return self.seconds


def test_rate_speeds_up_time() -> None:
    """At rate 60 a wall second is a story minute; a new rate applies from when it is set."""
    wall = Wall()
    clock = Clock(rate=60, monotonic=wall)
    wall.seconds += 2
    clock.rate = 1
    wall.seconds += 3
    assert clock.now() == 123
    assert clock.rate == 1


def test_pause_and_resume() -> None:
    """Paused time stands still and does not catch up afterwards."""
    wall = Wall()
    clock = Clock(monotonic=wall)
    clock.pause()
    wall.seconds += 10
    assert (clock.now(), clock.is_paused) == (0, True)
    clock.resume()
    wall.seconds += 5
    assert (clock.now(), clock.is_paused) == (5, False)


def test_advance_moves_even_paused_time() -> None:
    """A test steps through a story without waiting."""
    clock = Clock(monotonic=Wall())
    clock.pause()
    clock.advance(30)
    clock.advance(0.5)
    assert clock.now() == 30.5


def test_time_does_not_run_backwards() -> None:
    """A negative step is refused, so that shown frames are not taken back."""
    with pytest.raises(ValueError, match="backwards"):
        Clock().advance(-1)


def test_dates_count_from_the_beginning() -> None:
    """Bodies carry real dates: the beginning plus story time."""
    clock = Clock(begin=datetime(2018, 8, 20, 6, 41, 40, 999, tzinfo=UTC), monotonic=Wall())
    clock.advance(20)
    assert clock.date() == datetime(2018, 8, 20, 6, 42, tzinfo=UTC)
    assert clock.date(80) == datetime(2018, 8, 20, 6, 43, tzinfo=UTC)
