"""Promises of `bot.clock`: a wrong clock is named, and one odd answer is not enough."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from bot import clock as module
from bot.clock import ClockSkew

NOW = 1_800_000_000.0


def heard(clock: ClockSkew, *offsets: float, server: str = "Slack") -> ClockSkew:
    """`clock` after answers whose dates are that many seconds ahead of ours."""
    for offset in offsets:
        clock.heard(server, formatdate(NOW + offset, usegmt=True))
    return clock


@pytest.fixture
def clock() -> ClockSkew:
    """A clock that stands still."""
    return ClockSkew(now=lambda: NOW)


@pytest.mark.parametrize(
    ("offset", "words"),
    [(360, "this machine's clock is 360 s behind Slack's"), (-61, "this machine's clock is 61 s ahead of Slack's")],
)
def test_a_wrong_clock_is_named(clock: ClockSkew, offset: float, words: str) -> None:
    """By how much, and in which direction."""
    assert heard(clock, offset, offset, offset).problem == words


def test_a_few_odd_answers_are_not_enough(clock: ClockSkew) -> None:
    """One from a cache, two that waited: neither sets the problem nor clears it."""
    assert heard(clock, 0, 400, 0, -90, -90, 3, -20).problem is None
    assert heard(clock, 360, 360).is_unsure
    assert heard(clock, 360).problem
    assert heard(clock, 0, 0, 360, 0).problem
    assert heard(clock, 0, 0).problem is None


def test_a_clock_at_the_limit_does_not_flap(clock: ClockSkew) -> None:
    """Between 50 and 60 s it stays what it was."""
    assert heard(clock, *[59, 61] * 20).problem is None
    assert heard(clock, 61, 61, 61).problem
    assert heard(clock, *[59, 61, 52] * 20).problem
    assert heard(clock, 49, 49, 49).problem is None


def test_each_server_has_a_say(clock: ClockSkew) -> None:
    """Slack's clock may be right and GCS's be wrong."""
    heard(clock, 1, 1, 1)
    assert heard(clock, -700, -700, -700, server="GCS").problem == "this machine's clock is 700 s ahead of GCS's"


def test_what_was_heard_long_ago_is_forgotten(clock: ClockSkew, monkeypatch: pytest.MonkeyPatch) -> None:
    """GCS is no longer called: nobody would ever say that the clock is right again."""
    heard(clock, 700, 700, 700, server="GCS")
    monkeypatch.setattr(module, "KNOWN_SECONDS", -1.0)
    assert clock.problem is None


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 01 Jan 99999 00:00:00 GMT", "0"])
def test_an_unreadable_date_says_nothing(clock: ClockSkew, date: str | None) -> None:
    """Proxies write what they want."""
    for _ in range(3):
        clock.heard("Slack", date)
    assert clock.problem is None
