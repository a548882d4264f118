"""Slack's date tokens, in the reader's time zone.

Lives here: `<!date^…>` templates such as `{date_short_pretty} at {time_secs}`, and the page's own short clock times.
Does not live here: finding them in a text (`mrkdwn`). Reads no clock: `now` is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

TOKEN = re.compile(r"\{(\w+)\}")


def render(template: str, when: datetime, now: datetime) -> str:
    """`template` with Slack's tokens filled in; unknown tokens stay unchanged."""

    def fill(match: re.Match[str]) -> str:
        make = TOKENS.get(match[1])
        return make(when, now) if make else match[0]

    return TOKEN.sub(fill, template)


def clock(when: datetime) -> str:
    """`9:05 AM`."""
    return f"{when.hour % 12 or 12}:{when:%M %p}"


def day(when: datetime, now: datetime) -> str:
    """`Today`, `Yesterday`, or `Tuesday, February 18th`, for the line between two days."""
    relative = _relative_day(when, now)
    return relative.capitalize() if relative else f"{when:%A}, {when:%B} {_ordinal(when.day)}"


def ago(when: datetime, now: datetime) -> str:
    """`3 minutes ago`, `in 2 hours`, `now`."""
    seconds = (now - when).total_seconds()
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if count := int(abs(seconds) // size):
            span = f"{count} {name}{'' if count == 1 else 's'}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "now"


def _relative_day(when: datetime, now: datetime) -> str:
    return {0: "today", 1: "yesterday", -1: "tomorrow"}.get((now.date() - when.date()).days, "")


def _ordinal(number: int) -> str:
    if number in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _date(when: datetime, _now: datetime) -> str:
    return f"{when:%B} {_ordinal(when.day)}, {when.year}"


def _short(when: datetime, _now: datetime) -> str:
    return f"{when:%b} {when.day}, {when.year}"


def _long(when: datetime, now: datetime) -> str:
    return f"{when:%A}, {_date(when, now)}"


def _pretty(plain: Callable[[datetime, datetime], str]) -> Callable[[datetime, datetime], str]:
    return lambda when, now: _relative_day(when, now) or plain(when, now)


TOKENS: dict[str, Callable[[datetime, datetime], str]] = {
    "date_num": lambda when, _now: f"{when:%Y-%m-%d}",
    "date_slash": lambda when, _now: f"{when:%m/%d/%Y}",
    "date": _date,
    "date_short": _short,
    "date_long": _long,
    "date_pretty": _pretty(_date),
    "date_short_pretty": _pretty(_short),
    "date_long_pretty": _pretty(_long),
    "time": lambda when, _now: clock(when),
    "time_secs": lambda when, _now: f"{when.hour % 12 or 12}:{when:%M:%S %p}",
    "ago": ago,
}
