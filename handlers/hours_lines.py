"""Lines about quiet hours: two times of day, a zone, or `off`.

Lives here: the grammar of `quiet …`. Does not live here: all other lines (`handlers.parsing`, which calls this), zones
(`bot.domain.quiet`), what quiet hours do (`handlers.commands`). Pure.
"""

from __future__ import annotations

import re
from datetime import time

from bot.errors import InputProblem, InvalidInput
from handlers.typed import MAX_WORD, Typed, line_words, plain
from handlers.vocabulary import EVERYTHING, ME, OFF, QUIET_FILLERS, VERBS, Command, Verb

_CLOCK = r"(\d{1,2})(?:[:.](\d{2})|点)?(?:\s*(am|pm)\b)?"
_CLOCKS = re.compile(rf"{_CLOCK}(?:\s*(?:-+|~|to|until|至|到)\s*|\s+){_CLOCK}(?![\d:.])", re.ASCII | re.IGNORECASE)
"""Two times of day: `22:00-07:00`, `22 - 7`, `10pm to 7am`."""


def hours_line(typed: Typed) -> Command:
    """When somebody wants quiet, in any order: two times of day, a zone, `everything`; or `off`.

    Raises:
        InvalidInput: it is neither, or both.
    """
    line = plain(" ".join(word.shown for word in typed.words if VERBS.get(word.known) is not Verb.QUIET))
    spans = [_clocks(found) for found in _CLOCKS.finditer(line)]
    words = [word for word in line_words(_CLOCKS.sub(" ", line)).words if word.known not in {ME, *QUIET_FILLERS}]
    zone = [word.shown for word in words if word.known not in {OFF, EVERYTHING}]
    is_off, is_for_everything = any(word.known == OFF for word in words), any(w.known == EVERYTHING for w in words)
    is_wrong = len(spans) > 1 or None in spans or is_off is bool(spans) or (is_off and len(words) > 1)
    if typed.ids or ((words or spans) and is_wrong):
        raise InvalidInput(InputProblem.WHICH_HOURS, verb=Verb.QUIET)
    hours = spans[0] if spans else None
    return Command(
        Verb.QUIET, is_for_everything=is_for_everything, hours=hours, zone=" ".join(zone)[:MAX_WORD], is_off=is_off
    )


def _clocks(span: re.Match[str]) -> tuple[time, time] | None:
    """Two times of day; None where a day has no such time."""
    try:
        return _clock(*span.groups()[:3]), _clock(*span.groups()[3:])
    except ValueError:
        return None


def _clock(hours: str, minutes: str | None, half: str | None) -> time:
    hour, minute = int(hours), int(minutes or 0)
    if half is not None:
        if not 1 <= hour <= 12:  # noqa: PLR2004  # the hours of half a day
            raise ValueError(hours)
        hour = hour % 12 + (12 if half.casefold() == "pm" else 0)
    return time(0 if hour == 24 and not minute else hour, minute)  # noqa: PLR2004  # midnight
