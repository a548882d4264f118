"""Readers for single values of GCS's JSON: text, numbers, times, durations, bilingual sentences.

Lives here: what one value means, however the service spells it; pure functions that never raise. An unreadable value
is unknown (empty or None), never a guess. Does not live here: which field holds it (`bot.gcs.tables`). Called by
`tables` and `fingerprint`.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from bot.domain.execution import Phase

ID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Shape of an id. Looser than RFC 4122: GCS hands out ids of no valid version or variant (reference 1.1)."""

_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")

_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)  # the zero times of Go, Java and Unix are earlier and mean "not set"
_NONE, _LONGEST = timedelta(), timedelta(days=3660)  # a longer duration is a mistake, and would overflow further on
_SINCE_1970 = re.compile(r"(\d{10})(\d{3})?(?:\.\d*)?", re.ASCII)
_UUID_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)
_TIME_BASED_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_RATIO_KEYS = frozenset({"ratio", "timeratio", "runratio", "percent", "percentage"})
_KNOWN_PHASES = frozenset(phase.value for phase in Phase)
_NO_PHASE = frozenset({"null", "none", "nil", "<nil>", "-", "n/a"})
"""How services write "nothing" as text."""
_SECRET = re.compile(r"[A-Za-z0-9+/=_%.-]{37,}|\b[A-Z0-9]{20,36}\b|(?i:(access|signature)=\S+)")
"""Access keys, secret keys, tokens and signatures that a server may echo; ids (36 characters) stay readable."""

EXACT = 2**53
"""Up to this value a float holds every integer exactly."""

MAX_PAIRS = 100
"""At most this many labels, kinds of resource or parts of a text are read; a card shows a few."""

LONGEST = 2_000
"""How many characters of a text in one language are kept."""

Scalars = dict[str, str | int | float]


class Bilingual(NamedTuple):
    """A text of GCS by language."""

    text: str
    """The English half, or the whole text where it has no two halves."""
    chinese: str = ""
    """The Chinese half beside an English one."""


def unless_blank(value: Any) -> Any:
    """`value`, or None for the ways in which Java writes "nothing"."""
    return None if value in ("", [], None) else value


def number(value: object) -> float | None:
    """A finite number, also from digits in a string; None for everything else."""
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("%"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # an integer with hundreds of digits
        return None
    return found if math.isfinite(found) else None


def whole(value: object) -> int | None:
    """The whole number that `value` is, or None."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def count(value: int | None) -> int | None:
    """A number of things; a negative one is unknown."""
    return value if value is not None and value >= 0 else None


def cut(text: str, most: int = 300) -> str:
    """`text` without blanks around it, at most `most` characters; empty if nothing of it can be seen."""
    text = text.strip()
    if not text.isprintable() and not any(character.isprintable() and character != " " for character in text):
        return ""
    return text if len(text) <= most else text[: most - 1] + "…"


def safe(text: str, most: int) -> str:
    """Foreign text for an error or a log: one line, without what looks like a secret, cut."""
    printable = "".join(char if char.isprintable() else " " for char in text[:2000])
    return cut(" ".join(_SECRET.sub("…", printable).split()), most)


def bilingual(text: str) -> Bilingual:
    """Both halves of `中文 ## English` (reference 5.2), in any order; any other text is kept whole, even with `##`.

    Only a `##` with Chinese characters on one side and none on the other separates halves.
    """
    chinese = [match.start() for match in _CHINESE.finditer(text)] if "##" in text else []
    if chinese:
        for separator in (" ## ", "##"):  # a quotation in a half may hold a bare one
            after, before = text.find(separator, chinese[-1]), text.rfind(separator, 0, chinese[0])
            if after >= 0:  # the documented order
                return _halves(text[after + len(separator) :], text[:after])
            if before >= 0:
                return _halves(text[:before], text[before + len(separator) :])
    return Bilingual(cut(text, LONGEST) if text.replace("##", "").strip() else "")


def _halves(english: str, chinese: str) -> Bilingual:
    english, chinese = cut(english, LONGEST), cut(chinese, LONGEST)
    return Bilingual(english, chinese) if english else Bilingual(chinese)


def phase(text: str) -> str:
    """A phase in its documented spelling if it is known, else unchanged; empty for a word that means "nothing"."""
    if text in _KNOWN_PHASES:
        return text
    visible = text if text.isprintable() else "".join(filter(str.isprintable, text))
    found = cut(Phase.canonical(visible), 60)
    return "" if found.casefold() in _NO_PHASE else found


def moment(text: str) -> datetime | None:
    """The instant that an RFC 3339 text names, in UTC; text without a zone names none (reference 3.6).

    Digits are the time since 1970, in seconds or, if there are 13, in milliseconds: those have no zone.
    """
    try:
        if since := _SINCE_1970.fullmatch(text.strip()):
            return datetime.fromtimestamp(int(since[1]) + int(since[2] or 0) / 1000, UTC)
        found = datetime.fromisoformat(text.strip().upper())
        return None if found.tzinfo is None or found < _EARLIEST else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def first_moment(texts: Iterable[str]) -> datetime | None:
    """The first of `texts` that names an instant."""
    return next((found for found in map(moment, texts) if found is not None), None)


def moment_of_id(guid: str) -> datetime | None:
    """When a time-based id was made, to the second; None for ids that hold no time."""
    if not _TIME_BASED_UUID.fullmatch(guid):
        return None
    found = _UUID_EPOCH + timedelta(microseconds=uuid.UUID(guid).time // 10)
    return found.replace(microsecond=0) if found > _EARLIEST else None


def span(value: float | None, *, unit: timedelta) -> timedelta | None:
    """`value` units of time; None where that is negative or absurd."""
    if value is None:
        return None
    try:
        found = (int(value) if value.is_integer() else value) * unit  # usually an integer, which is cheaper
    except OverflowError:
        return None
    return found if _NONE <= found <= _LONGEST else None


def duration_unit(values: Iterable[float | None], life: timedelta | None, age: timedelta | None = None) -> timedelta:
    """The unit of `time_duration`: seconds, unless one value is ten times longer than the execution's life (3.6).

    They are seconds all the same if milliseconds do not fit into that life but seconds do into its `age`, the time
    since it was created: then GCS's last update is older than the end.
    """
    lived = life.total_seconds() if life is not None else 0
    longest = max((value for value in values if value is not None), default=0)
    if not 0 < 10 * lived < longest:
        return timedelta(seconds=1)
    is_not_updated = age is not None and 1000 * (1.1 * lived + 1) < longest <= age.total_seconds()
    return timedelta(seconds=1) if is_not_updated else timedelta(milliseconds=1)


def scalars(values: Mapping[str, Any]) -> Scalars:
    """The entries that can be shown: text and finite numbers. Undocumented shapes are left out."""
    shown: Scalars = {}
    for key, value in islice(values.items(), MAX_PAIRS):
        if type(value) is int and abs(value) <= EXACT:
            shown[cut(key, 60)] = value
        elif isinstance(value, str):
            shown[cut(key, 60)] = cut(value, 100)
        elif not isinstance(value, bool) and (found := number(value)) is not None:
            shown[cut(key, 60)] = int(found) if found.is_integer() else found
    return shown


def labels(values: Mapping[str, Any]) -> dict[str, str]:
    """User labels as text; nested values are left out."""
    return {
        cut(key, 100): cut(plain(value), 100)
        for key, value in islice(values.items(), MAX_PAIRS)
        if not isinstance(value, dict | list)
    }


def plain(value: object) -> str:
    """A scalar as text; anything else is unknown."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value) if isinstance(value, int | float) else ""
    except ValueError:  # more digits than Python converts: no name and no phase
        return ""


def code(value: object) -> str:
    """A code of an error, in at most 200 characters: 404 for the fraction 404.0."""
    found = whole(value) if isinstance(value, float) else None
    return plain(value if found is None else found).strip()[:200]


def prose(value: object) -> str:
    """A text for people, also from several in a list or an object."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return "; ".join(filter(None, map(plain, islice(parts, MAX_PAIRS))))


def pairs(value: object) -> dict[str, Any]:
    """A map, also from a list of `{key, value}`, of named objects or of maps with one entry each."""
    if isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for entry in value if isinstance(value, list) else ():
        if not isinstance(entry, dict):
            continue
        name = plain(entry.get("key") or entry.get("name"))
        if name:
            found[name] = entry.get("value", entry)
        elif len(entry) == 1:
            found |= entry
    return found


def without_ratio(resources: Mapping[str, Any]) -> tuple[Scalars, float | None]:
    """Resources, and separately the time ratio, whose key is not documented beyond "ratio" (Table 3)."""
    rest: dict[str, Any] = {}
    ratio: float | None = None
    for key, value in resources.items():
        if key.casefold().replace("_", "") in _RATIO_KEYS:
            ratio = number(value) if ratio is None else ratio
        else:
            rest[key] = value
    return scalars(rest), ratio
