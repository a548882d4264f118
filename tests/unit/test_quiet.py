"""Promises of quiet times: when they begin and end, on the clocks of a person's zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from bot.domain.following import Quiet
from bot.domain.quiet import KEPT_FOR, SOON, MuteFor, QuietHours, zone_named, zone_of

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "zone", "until"),
    [
        (MuteFor.HOUR, "", NOW + timedelta(hours=1)),
        (MuteFor.EIGHT_HOURS, "Asia/Shanghai", NOW + timedelta(hours=8)),
        (MuteFor.TOMORROW, "", datetime(2026, 3, 11, 9, tzinfo=UTC)),
        (MuteFor.TOMORROW, "Mars/Olympus", datetime(2026, 3, 11, 9, tzinfo=UTC)),
        (MuteFor.TOMORROW, "Europe/Paris", datetime(2026, 3, 11, 8, tzinfo=UTC)),
        (MuteFor.TOMORROW, "Asia/Shanghai", datetime(2026, 3, 11, 1, tzinfo=UTC)),
        (MuteFor.TOMORROW, "Pacific/Auckland", datetime(2026, 3, 11, 20, tzinfo=UTC)),
        (MuteFor.END, "", None),
    ],
)
def test_a_mute_ends(span: MuteFor, zone: str, until: datetime | None) -> None:
    """After hours, or when tomorrow's morning comes where the person lives."""
    assert span.from_now(NOW, zone) == Quiet(until=until)


def test_tomorrow_is_after_clocks_changed() -> None:
    """Nine o'clock is nine o'clock, though the night is an hour shorter."""
    evening = datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert MuteFor.TOMORROW.from_now(evening, "Europe/Paris").until == datetime(2026, 3, 29, 7, tzinfo=UTC)


def test_a_quiet_time_is_on_within_its_bounds() -> None:
    """Its first moment is in it, its last is not."""
    quiet = Quiet(since=NOW, until=NOW + timedelta(hours=1))
    assert [quiet.is_on(NOW + timedelta(minutes=minutes)) for minutes in (-1, 0, 59, 60)] == [False, True, True, False]
    assert Quiet().is_on(NOW)


def hours(begins: str, ends: str, zone: str = "Europe/Paris") -> QuietHours:
    """Quiet hours in a zone."""
    return QuietHours(begins=time.fromisoformat(begins), ends=time.fromisoformat(ends), zone=zone)


def utc(text: str) -> datetime:
    """A moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        ("2026-03-10 22:30", "2026-03-10 22:00", "2026-03-11 06:00"),  # it is 23:30 there
        ("2026-03-11 05:59", "2026-03-10 22:00", "2026-03-11 06:00"),
        ("2026-03-11 07:30", "2026-03-10 22:00", "2026-03-11 06:00"),  # over, and kept for a while
        ("2026-03-11 12:00", "2026-03-11 22:00", "2026-03-12 06:00"),
        ("2026-03-28 23:00", "2026-03-28 22:00", "2026-03-29 05:00"),  # 23:00 to 7:00 in seven hours
        ("2026-10-25 02:00", "2026-10-24 21:00", "2026-10-25 06:00"),  # in nine
    ],
)
def test_hours_cross_midnight(now: str, since: str, until: str) -> None:
    """From eleven to seven by the clocks in Paris, also in the nights in which these change."""
    assert hours("23:00", "07:00").at(utc(now)) == Quiet(since=utc(since), until=utc(until))


def test_hours_of_one_day() -> None:
    """From noon to one; the same time twice means all day."""
    assert hours("12:00", "13:00", "UTC").at(NOW) == Quiet(since=NOW, until=NOW + timedelta(hours=1))
    whole = hours("12:00", "12:00", "UTC").at(NOW)
    assert whole == Quiet(since=NOW, until=NOW + timedelta(days=1))


def test_a_time_that_clocks_leap_over() -> None:
    """At 2:30 nobody's clock shows that in the night of 29 March: the hours begin, and end, when it would be."""
    assert hours("02:30", "07:00").at(utc("2026-03-29 02:00")) == Quiet(
        since=utc("2026-03-29 01:30"), until=utc("2026-03-29 05:00")
    )
    night = hours("23:00", "02:30").at(utc("2026-03-28 23:00"))
    assert night is not None
    assert night.until == utc("2026-03-29 01:30")
    short = hours("02:15", "02:45").at(utc("2026-03-29 01:20"))
    assert short == Quiet(since=utc("2026-03-29 01:15"), until=utc("2026-03-29 01:45"))


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    """Hours that begin in it begin with the first, those that end in it end with the second."""
    assert hours("02:30", "07:00").at(utc("2026-10-25 01:00")) == Quiet(
        since=utc("2026-10-25 00:30"), until=utc("2026-10-25 06:00")
    )
    assert hours("23:00", "02:30").at(utc("2026-10-25 00:45")) == Quiet(
        since=utc("2026-10-24 21:00"), until=utc("2026-10-25 01:30")
    )


def test_the_next_hours_come_in_time() -> None:
    """The last ones are kept for a while, unless the next ones are near."""
    short = hours("12:00", "11:00", "UTC")
    over = NOW - timedelta(hours=1)
    assert short.at(over) == Quiet(since=over - timedelta(hours=23), until=over)
    assert short.at(NOW - SOON) == Quiet(since=NOW, until=NOW + timedelta(hours=23))
    long_ago = hours("22:00", "07:00", "UTC").at(utc("2026-03-10 07:00") + KEPT_FOR + timedelta(minutes=1))
    assert long_ago is not None
    assert long_ago.since == utc("2026-03-10 22:00")


def test_no_known_zone_means_no_hours() -> None:
    """The machine may have no such zone."""
    assert hours("22:00", "07:00", "Mars/Olympus").at(NOW) is None
    assert zone_of("") is zone_of("../etc/passwd") is None


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("asia/shanghai", "Asia/Shanghai"),
        ("Shanghai", "Asia/Shanghai"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
        ("Beijing", "Asia/Shanghai"),
        ("北京", "Asia/Shanghai"),
        ("UTC+8", "Asia/Shanghai"),
        ("gmt+8", "Asia/Shanghai"),
        ("nowhere", ""),
        ("", ""),
    ],
)
def test_a_zone_is_found_as_it_is_typed(typed: str, zone: str) -> None:
    """In any case, with spaces, or by its city alone."""
    assert zone_named(typed) == zone
