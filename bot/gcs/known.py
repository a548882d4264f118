"""What earlier readings of a list showed, so that an item is parsed only if its text has changed.

Lives here: `Listed` (an item), `Run` (neighbours that are compared at once) and `Listing` (all of a list). Most items
show the same each time except for volatile values, such as times of updates, which change by themselves. Such an item
is recognised by a hash of the rest of its text, which costs a hundredth of parsing. Does not live here: where an item
begins and ends (`bot.gcs.listing`), what it shows (`bot.gcs.fingerprint`). Called by `bot.gcs.listing` and the sweeper.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from struct import Struct
from types import MappingProxyType
from typing import NamedTuple
from zlib import crc32

import msgspec

from bot.gcs.fingerprint import ItemState

VOLATILE_FIELDS = ("time_duration", "update_at", "updateAt", "resourceVersion")
"""The fields whose values change by themselves and are not part of a fingerprint."""

MOST_CUTS = 4096
"""At most this many ways to cut an item are kept; all items that are cut in the same places share one."""

MEAN_RUN = 16
"""How many items a run has on average: one comparison for all of them costs a third of one for each."""

LONGEST_RUN = 64
"""How many items a run has at most."""


class Cuts(NamedTuple):
    """Where a text is cut around its volatile values."""

    kept: Struct
    """Unpacks the text between these values."""
    volatile: Struct
    """Unpacks these values."""

    @classmethod
    @lru_cache(MOST_CUTS)
    def at(cls, places: tuple[int, ...]) -> Cuts:
        """Cut into pieces at `places`, from 0 to the text's length: every second piece is a volatile value."""
        sizes = [end - begin for begin, end in pairwise(places)]
        kept = "".join(f"{size}{'xs'[number % 2 == 0]}" for number, size in enumerate(sizes))
        volatile = "".join(f"{size}{'xs'[number % 2]}" for number, size in enumerate(sizes))
        return cls(Struct(kept), Struct(volatile))

    @classmethod
    def of_run(cls, items: Sequence[Listed], gap: int) -> Cuts:
        """Cut each of `items` at its own places, with `gap` bytes in front of each."""
        cuts = [item.known.cuts or cls.at((0, item.known.length)) for item in items]
        kept = "".join(f"{gap}s{each.kept.format}" for each in cuts)
        volatile = "".join(f"{gap}x{each.volatile.format}" for each in cuts)
        return cls(Struct(kept), Struct(volatile))


class Known(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a text that was read: a hash of it without its volatile values."""

    length: int
    """In bytes."""
    kept_hash: int
    """Valid in this process."""
    cuts: Cuts | None = None
    """None if no value is volatile."""

    @classmethod
    def of(cls, text: bytes, cuts: Cuts | None = None) -> Known:
        """Remember `text`."""
        return cls(len(text), hash(cuts.kept.unpack(text) if cuts else text), cuts)

    def is_at(self, text: bytes, at: int) -> bool:
        """Whether `text` has it at `at`, apart from volatile values."""
        if at + self.length > len(text):
            return False
        cuts = self.cuts
        if cuts is None:
            return hash(text[at : at + self.length]) == self.kept_hash
        if hash(cuts.kept.unpack_from(text, at)) != self.kept_hash:
            return False
        return not b"".join(cuts.volatile.unpack_from(text, at)).translate(None, _PLAIN)


class Listed(msgspec.Struct, frozen=True, gc=False):
    """One item of a list."""

    execution_id: str
    state: str
    """Equal to `Fingerprint.state` of the execution's own answer."""
    known: Known = Known(0, 0)
    """What is remembered of its text."""

    @classmethod
    def of(cls, text: bytes, shown: ItemState, cuts: Cuts | None = None) -> Listed:
        """The item with this text."""
        return cls(shown.execution_id, shown.state, Known.of(text, cuts))

    @property
    def begins_run(self) -> bool:
        """Whether a run begins with it: decided by its id, so that no run shifts when others begin or end."""
        return crc32(self.execution_id.encode()) % MEAN_RUN == 0


class Run(msgspec.Struct, frozen=True, gc=False):
    """Neighbours in a list, compared at once."""

    items: tuple[Listed, ...]
    known: Known
    """Their texts, with the gap in front of each."""

    @classmethod
    def of(cls, items: Sequence[Listed], text: bytes, gap: bytes) -> Run:
        """Two or more `items` that make up `text`."""
        return cls(tuple(items), Known.of(text, Cuts.of_run(items, len(gap))))


class Listing(NamedTuple):
    """One reading of the whole list."""

    items: Sequence[Listed]
    """In the order of the list."""
    places: Mapping[str, int]
    """Execution id → place in `items`."""
    runs: Mapping[str, Run] = MappingProxyType({})
    """Execution id → the run that begins with it."""

    @classmethod
    def of(cls, items: Iterable[Listed], runs: Iterable[Run] = ()) -> Listing:
        """A list with these items; if an execution is listed twice, the first item counts."""
        listed: dict[str, Listed] = {}
        for item in items:
            listed.setdefault(item.execution_id, item)
        places = {execution_id: place for place, execution_id in enumerate(listed)}
        return cls(tuple(listed.values()), places, {run.items[0].execution_id: run for run in runs})


NOTHING_LISTED = Listing((), MappingProxyType({}))
"""What was listed before the first reading."""


def cuts_of(text: bytes, *, all_times: bool) -> Cuts | None:
    """Where an item's text is cut around its volatile values.

    Of the times, usually only the latest changes: a step that has ended keeps its own.
    """
    found = list(_VALUE.finditer(text))
    latest = max((each[1] for each in found if not each[1].isdigit()), default=b"")
    volatile = [each.span(1) for each in found if all_times or each[1].isdigit() or each[1] == latest]
    return Cuts.at((0, *(cut for span in volatile for cut in span), len(text))) if volatile else None


_VALUE = re.compile(rb'(?<!\\)"(?:' + "|".join(VOLATILE_FIELDS).encode() + rb')"\s*+:\s*+"?+([\w:.+-]++)')
"""A value of a volatile field; a quote before the field's name begins the name, unless it is escaped in a text."""
_PLAIN = (string.ascii_letters + string.digits + "_:.+-").encode()
"""What volatile values consist of; they cannot hide anything else, since there is no quote, bracket or comma."""
