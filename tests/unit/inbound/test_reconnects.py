"""Promises of `bot.slack.inbound.reconnects`: routine costs no time, a storm calms down, an outage ends soon."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.slack.inbound.reconnects import LONGEST_PAUSE, LONGEST_PAUSE_WHILE_AWAY, Reconnects


def seconds(reconnects: Reconnects, draw: float = 1.0) -> float:
    """The next pause, with the longest draw."""
    return reconnects.pause(draw).total_seconds()


def storm(reason: str, times: int, *, after_seconds: float = 0.1) -> list[float]:
    """The pauses after each of some connections that end soon."""
    reconnects, pauses = Reconnects(), []
    for _ in range(times):
        reconnects.ended(reason, after_seconds=after_seconds)
        pauses.append(seconds(reconnects))
    return pauses


def test_the_first_connection_waits_for_nothing() -> None:
    """Starting takes no pause."""
    assert seconds(Reconnects()) == 0
    assert not Reconnects().is_storm


@pytest.mark.parametrize("reason", ["refresh_requested", "warning", "closed"])
def test_a_lasting_connection_is_replaced_at_once(reason: str) -> None:
    """However often Slack renews it."""
    assert storm(reason, 50, after_seconds=60) == [0] * 50


@pytest.mark.parametrize("reason", ["refresh_requested", "warning", "closed", "a reason of tomorrow"])
def test_short_connections_pause_from_the_second_on(reason: str) -> None:
    """One that ends soon may be chance; several in a row are not."""
    assert storm(reason, 6) == [0, 1, 2, 4, 8, 16]


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled"])
def test_refused_connections_pause_at_once(reason: str) -> None:
    """Slack says that it wants none, even of one that had lasted."""
    assert storm(reason, 5) == [1, 2, 4, 8, 16]
    assert storm(reason, 5, after_seconds=60) == [1] * 5


def test_pauses_have_an_end() -> None:
    """And differ between copies of the bot, by half at most."""
    reconnects = Reconnects()
    for _ in range(5000):
        reconnects.ended("too_many_websockets", after_seconds=0)
    assert reconnects.pause(1.0) == LONGEST_PAUSE
    assert reconnects.pause(0.0) == LONGEST_PAUSE / 2


def test_an_outage_pauses_for_seconds_only() -> None:
    """People wait for the moment when Slack answers again."""
    reconnects = Reconnects()
    for _ in range(100):
        reconnects.away("no_answer")
    assert reconnects.pause(1.0) == LONGEST_PAUSE_WHILE_AWAY


def test_a_connection_after_an_outage_is_no_storm() -> None:
    """Failures to open one do not count against it."""
    reconnects = Reconnects()
    for _ in range(9):
        reconnects.away("no_answer")
    assert not reconnects.is_storm
    reconnects.ended("closed", after_seconds=0.1)
    assert seconds(reconnects) == 0


def test_a_rate_limit_is_obeyed() -> None:
    """The wait that Slack names is the least."""
    reconnects = Reconnects()
    reconnects.refused("ratelimited", wait=timedelta(seconds=40))
    assert reconnects.pause(0.0) == timedelta(seconds=40)


def test_a_connection_that_lasts_ends_a_storm() -> None:
    """Its end counts as the first again."""
    reconnects = Reconnects()
    for _ in range(9):
        reconnects.ended("too_many_websockets", after_seconds=0)
    was_storm = reconnects.is_storm
    reconnects.lasted()
    assert (was_storm, reconnects.is_storm) == (True, False)
    reconnects.ended("refresh_requested", after_seconds=60)
    assert seconds(reconnects) == 0
