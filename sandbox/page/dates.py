"""Slack's date tokens, in the reader's time zone and language.

Lives here: `<!date^…>` templates such as `{date_short_pretty} at {time_secs}`, in English and Chinese, and the English
line between two days. Does not live here: finding them in a text (`mrkdwn`). Reads no
clock: `now` is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

TOKEN = re.compile(r"\{(\w+)\}")

Make = Callable[[datetime, datetime], str]
"""What a token says of a moment, at another."""


def render(template: str, when: datetime, now: datetime, locale: str = "en-US") -> str:
    """`template` with Slack's tokens filled in, for a reader of `locale`; unknown tokens stay unchanged."""
    tokens = CHINESE if locale.partition("-")[0] == "zh" else TOKENS

    def fill(match: re.Match[str]) -> str:
        make = tokens.get(match[1])
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
    count, unit = _largest(now - when)
    if not count:
        return "now"
    span = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{span} ago" if when < now else f"in {span}"


def _largest(span: timedelta) -> tuple[int, str]:
    """How many of the largest unit that it has; 0 seconds if it has none."""
    seconds = abs(span.total_seconds())
    sizes = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, size = next(((unit, size) for unit, size in sizes if seconds >= size), sizes[-1])
    return int(seconds // size), unit


def _relative_day(when: datetime, now: datetime) -> str:
    return {0: "today", 1: "yesterday", -1: "tomorrow"}.get((now.date() - when.date()).days, "")


def _chinese_ago(when: datetime, now: datetime) -> str:
    count, unit = _largest(now - when)
    if not count:
        return "刚刚"
    span = f"{count} { {'day': '天', 'hour': '小时', 'minute': '分钟', 'second': '秒'}[unit] }"
    return f"{span}前" if when < now else f"{span}后"


def _chinese_day(when: datetime, now: datetime) -> str:
    return {0: "今天", 1: "昨天", -1: "明天"}.get((now.date() - when.date()).days, "")


def _chinese_date(when: datetime, _now: datetime) -> str:
    return f"{when.year}年{when.month}月{when.day}日"


def _chinese_long(when: datetime, now: datetime) -> str:
    return f"{_chinese_date(when, now)}星期{'一二三四五六日'[when.weekday()]}"


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


def _pretty(plain: Make, relative: Make = _relative_day) -> Make:
    return lambda when, now: relative(when, now) or plain(when, now)


TOKENS: dict[str, Make] = {
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

CHINESE = TOKENS | {
    "date_slash": lambda when, _now: f"{when:%Y/%m/%d}",
    "date": _chinese_date,
    "date_short": _chinese_date,
    "date_long": _chinese_long,
    "date_pretty": _pretty(_chinese_date, _chinese_day),
    "date_short_pretty": _pretty(_chinese_date, _chinese_day),
    "date_long_pretty": _pretty(_chinese_long, _chinese_day),
    "time": lambda when, _now: f"{when:%H:%M}",
    "time_secs": lambda when, _now: f"{when:%H:%M:%S}",
    "ago": _chinese_ago,
}
