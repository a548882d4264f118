"""Quiet times: how long a person mutes an execution, and their quiet hours on the calendar of their zone.

Lives here: `MuteFor`, `QuietHours`, and the moments that they mean. Does not live here: what happens then
(`bot/store/outbox/prelude.lua`), words for it (`bot.blocks.quiet`). Pure; called by `bot.quiet` and by `handlers`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bot.domain.execution import Value
from bot.domain.following import Quiet

MORNING = time(9)
"""When a mute until tomorrow ends."""

KEPT_FOR = timedelta(hours=2)
"""How long the last quiet hours stay in a subscription: what waited for their end is late since then."""

SOON = timedelta(minutes=10)
"""How long before quiet hours begin they are in a subscription in any case."""


class MuteFor(StrEnum):
    """How long an execution may be muted."""

    HOUR = "1h"
    EIGHT_HOURS = "8h"
    TOMORROW = "tomorrow"
    END = "end"
    """Until the execution ends."""

    def from_now(self, now: datetime, zone: str, *, holds_failures: bool = False) -> Quiet:
        """The quiet time that begins now for somebody who lives in `zone`."""
        return Quiet(until=self._end(now, zone), holds_failures=holds_failures)

    def _end(self, now: datetime, zone: str) -> datetime | None:
        match self:
            case MuteFor.HOUR:
                return now + timedelta(hours=1)
            case MuteFor.EIGHT_HOURS:
                return now + timedelta(hours=8)
            case MuteFor.TOMORROW:
                place = zone_of(zone) or UTC
                return _moment(now.astimezone(place).date() + timedelta(days=1), MORNING, place)
            case MuteFor.END:
                return None


class QuietHours(Value, frozen=True, kw_only=True):
    """When a person wants to read nothing, every day, by the clocks of their zone."""

    begins: time
    ends: time
    """Of the next day, unless it is later than `begins`."""
    zone: str
    """An IANA name, such as `Asia/Shanghai`."""
    holds_failures: bool = False

    def at(self, now: datetime) -> Quiet | None:
        """The present quiet hours, else the last ones for `KEPT_FOR`, else the next ones; None in no known zone."""
        place = zone_of(self.zone)
        if place is None:
            return None
        today = now.astimezone(place).date()
        days = [self._on(today + timedelta(days=offset), place) for offset in range(-2, 3)]
        following = next(each for each in days if each.until is None or each.until > now)
        last = next((each for each in reversed(days) if each.until and each.until <= now), None)
        is_near = following.since is None or following.since - now <= SOON
        return following if is_near or last is None or _ago(last, now) > KEPT_FOR else last

    def _on(self, day: date, place: tzinfo) -> Quiet:
        next_day = day + timedelta(days=1) if self.ends <= self.begins else day
        # Of an hour that comes twice, all of it is quiet; a skipped time means what it does in `_moment`.
        ends = max(_moment(next_day, self.ends.replace(fold=fold), place) for fold in (0, 1))
        return Quiet(since=_moment(day, self.begins, place), until=ends, holds_failures=self.holds_failures)


def _ago(quiet: Quiet, now: datetime) -> timedelta:
    return now - (quiet.until or now)


def _moment(day: date, clock: time, place: tzinfo) -> datetime:
    """When clocks show that; one that they leap over in spring is as long after midnight as ever."""
    return datetime.combine(day, clock, place).astimezone(UTC)


def day_began(now: datetime, zone: str) -> datetime | None:
    """When the day of somebody began who lives in `zone`; None for no known zone."""
    place = zone_of(zone)
    return _moment(now.astimezone(place).date(), time(0), place) if place else None


def zone_of(name: str) -> tzinfo | None:
    """The zone of that name; None for none that is known here."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_named(typed: str) -> str:
    """The zone that somebody has typed, in any case, with spaces for underscores, or its city alone; empty for none."""
    folded = typed.strip().replace(" ", "_").casefold()
    return _zones().get(folded, "")


_CHINA = ("beijing", "china", "北京", "上海", "中国", "utc+8", "gmt+8")
"""What people call the zone of China, which has its name from another city; it has no summer time."""


@cache
def _zones() -> dict[str, str]:
    names = sorted(available_timezones())
    cities = {
        name.rpartition("/")[2].casefold(): name for name in names if not name.startswith(("Etc", "posix", "right"))
    }
    return cities | {name.casefold(): name for name in names} | {"utc": "UTC"} | dict.fromkeys(_CHINA, "Asia/Shanghai")
