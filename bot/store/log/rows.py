"""Rows of the log: short, since each execution has some for each of its changes.

Lives here: how a change and the message that reported it are written, and how all rows are read. Does not live here:
the other rows, which scripts write (`log/prelude.lua` lists all of them). Called by the sibling modules of `bot.store`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.domain.change import Change, ChangeKind
from bot.domain.fates import Note, NoteKind, QuietTime, Seen
from bot.domain.following import Level
from bot.store.rows import EPOCH, milliseconds
from bot.store.unreadable import Unreadable, reading

STEP_LIMIT = 40
"""How much of a step's name is kept, in characters."""

_SEPARATOR = "|"
_NOT_IN_CODES = re.compile(r"[^a-z0-9_]+")
_BREAKS = re.compile(r"[|\s]+")
_CODE_LIMIT = 60
_END = "end"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MICROSECOND = 6
"""How many digits of a timestamp stand behind its dot."""
_PADDING = ("",) * 6
"""Fields at the end of a row that are empty are left out."""


class Sent(NamedTuple):
    """A message that reported changes."""

    ts: str
    is_in_thread: bool

    def row(self) -> str:
        """The last fields of its row."""
        whole, _, part = self.ts.partition(".")
        is_usual = whole.isdecimal() and len(part) == _MICROSECOND and part.isdecimal()
        return f"{_base_36(int(whole + part)) if is_usual else self.ts}|{'' if self.is_in_thread else 'm'}".rstrip("|")


def code_field(code: str) -> str:
    """Slack's code as a field of a row; one in another shape is brought into Slack's."""
    return _NOT_IN_CODES.sub("_", code.casefold())[:_CODE_LIMIT]


def change_row(change: Change, rank: int) -> str:
    """The row of a change; `rank` says which levels include it (`bot.domain.fates.Seen`)."""
    kind = "" if change.kind is ChangeKind.PROGRESS else change.kind.value  # the most frequent one
    return f"c{change.revision}|{_base_36(_seconds(change.at))}|{rank}|{kind}|{_more(change)}".rstrip(_SEPARATOR)


def _more(change: Change) -> str:
    """What a line about it says, in one field."""
    match change.kind:
        case ChangeKind.PROGRESS:
            return f"{_count(change.finished)}/{_count(change.total)}"
        case ChangeKind.STEP_FAILED:
            names = [step.name for step in change.newly_failed]
            return f"{change.newly_failed_total or len(names)}/{_name(names[0] if names else '')}"
        case ChangeKind.SLOW:
            return _name(change.step)
        case _:
            return _name(change.phase)


def _base_36(number: int) -> str:
    """`int(…, 36)` reads it. Negative numbers become 0: no change was seen before 1970."""
    digits, number = "", max(number, 0)
    while number or not digits:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _count(count: int | None) -> str:
    return "" if count is None else str(count)


def _name(name: str) -> str:
    return _BREAKS.sub(" ", name)[:STEP_LIMIT]


def _seconds(moment: datetime) -> int:
    return milliseconds(moment - EPOCH) // 1000


def entries_of(rows: Iterable[str]) -> tuple[tuple[Seen | Note, ...], int]:
    """The entries that rows stand for, and how many changes before them are not kept.

    Rows of another version that say something else are left out.
    """
    entries: list[Seen | Note] = []
    dropped = 0
    for row in rows:
        kind, fields = row[:1], [*row[1:].split(_SEPARATOR), *_PADDING]
        try:
            with reading("log"):
                if kind == "x":
                    dropped = int(fields[0])
                elif kind in _ENTRIES:
                    entries.append(_ENTRIES[kind](fields))
        except Unreadable as error:
            error.report("log")
    return tuple(entries), dropped


def _seen(fields: Sequence[str]) -> Seen:
    revision, at, rank, word, more, times, span, *_ = fields
    seen_at = EPOCH + timedelta(seconds=int(at, 36))
    kind, (number, _, name) = ChangeKind(word or ChangeKind.PROGRESS), more.partition("/")
    is_progress, is_failure = kind is ChangeKind.PROGRESS, kind is ChangeKind.STEP_FAILED
    return Seen(
        kind=kind,
        revision=int(revision),
        at=seen_at,
        rank=int(rank),
        phase="" if is_progress or is_failure or kind is ChangeKind.SLOW else more,
        finished=int(number) if is_progress and number.isdecimal() else None,
        total=int(name) if is_progress and name.isdecimal() else None,
        step=name if is_failure else more if kind is ChangeKind.SLOW else "",
        failed=int(number or 1) if is_failure else 0,
        times=int(times or 1),
        since=seen_at - timedelta(seconds=int(span)) if span else None,
    )


def _level(fields: Sequence[str]) -> Note:
    who, before, after, at, *_ = fields
    was = Level(before) if before else None
    return Note(kind=NoteKind.LEVEL, subscriber_id=who, at=_moment(at), level_before=was, level=Level(after))


def _ended(fields: Sequence[str]) -> Note:
    who, before, at, code, *_ = fields
    was = Level(before) if before else None
    return Note(kind=NoteKind.ENDED, subscriber_id=who, at=_moment(at), level_before=was, code=code)


def _dropped(fields: Sequence[str]) -> Note:
    return Note(kind=NoteKind.DROPPED, subscriber_id=fields[0])


def _quiet(fields: Sequence[str]) -> Note:
    who, until, why, *_ = fields
    quiet = QuietTime(is_mute=why == "m", until=None if until == _END else _moment(until))
    return Note(kind=NoteKind.QUIET, subscriber_id=who, quiet=quiet)


def _refused(fields: Sequence[str]) -> Note:
    who, code, at, *_ = fields
    return Note(kind=NoteKind.REFUSED, subscriber_id=who, code=code, at=_moment(at))


def _sent(fields: Sequence[str]) -> Note:
    who, revision, sent, where, *_ = fields
    digits = "" if "." in sent else f"{int(sent, 36):0{_MICROSECOND + 1}d}"
    ts = f"{digits[:-_MICROSECOND]}.{digits[-_MICROSECOND:]}" if digits else sent
    at, is_in_thread = _moment(ts.partition(".")[0]), where != "m"
    return Note(kind=NoteKind.SENT, subscriber_id=who, revision=int(revision), ts=ts, at=at, is_in_thread=is_in_thread)


def _card(fields: Sequence[str]) -> Note:
    who, channel, ts, *_ = fields
    return Note(kind=NoteKind.CARD, subscriber_id=who, channel=channel, ts=ts)


_ENTRIES: dict[str, Callable[[Sequence[str]], Seen | Note]] = {
    "c": _seen,
    "l": _level,
    "e": _ended,
    "d": _dropped,
    "q": _quiet,
    "r": _refused,
    "s": _sent,
    "k": _card,
}


def _moment(seconds: str) -> datetime:
    return EPOCH + timedelta(seconds=int(seconds))
