"""Pages of the list of executions, read while they arrive; an item is parsed only if its text has changed.

Lives here: `PageReader`, which finds the items in the pieces of a body, and `Listing`, what an earlier reading of the
list showed. Most items show the same each time, but for values that move by themselves, such as times of updates: those
items are known by a hash of the rest of their text, which costs a tenth of parsing. Does not live here: what an item
shows (`bot.gcs.fingerprint`), when pages are requested (the sweeper). Called by `bot.gcs.client`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from struct import Struct
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from bot.errors import GCSMalformed
from bot.gcs.body import mend
from bot.gcs.fingerprint import ItemState, item_state

MOVING = ("time_duration", "update_at", "updateAt", "resourceVersion")
"""The fields whose values may move by themselves and mean nothing to a fingerprint."""

LESSONS = 100
"""How many items of a page are searched for values that move: that costs more than parsing."""

NEAR = 64 * 1024
"""At most how far behind the beginning of an item the next one is looked for, in bytes."""

MOST_ITEMS = 10_000
"""At most how many items of a page are read: ten times as many as are ever requested."""

MOST_BRACKETS = 100_000
"""At most how many brackets of an item are read: several times as many as two thousand steps have."""

MOST_CUTS = 4096
"""At most how many ways to cut an item are shared by all items that are cut there."""


class Cuts(NamedTuple):
    """Where an item's text is cut around values that move by themselves."""

    kept: Struct
    """Unpacks the text between these values."""
    moving: Struct
    """Unpacks these values."""

    @classmethod
    @lru_cache(MOST_CUTS)
    def at(cls, places: tuple[int, ...]) -> Cuts:
        """Cut into pieces at `places`, from 0 to the text's length: every second piece is a value that moves."""
        sizes = [end - begin for begin, end in pairwise(places)]
        kept = "".join(f"{size}{'xs'[number % 2 == 0]}" for number, size in enumerate(sizes))
        moving = "".join(f"{size}{'xs'[number % 2]}" for number, size in enumerate(sizes))
        return cls(Struct(kept), Struct(moving))


class Listed(msgspec.Struct, frozen=True, gc=False):
    """One item of a list."""

    execution_id: str
    state: str
    """Equal to `Fingerprint.state` of the execution's own answer."""
    length: int = 0
    """Of its text, in bytes."""
    kept_hash: int = 0
    """Of its text without values that move by themselves; valid in this process."""
    cuts: Cuts | None = None
    """None where no value moves by itself."""

    @classmethod
    def of(cls, text: bytes, shown: ItemState, cuts: Cuts | None = None) -> Listed:
        """The item with this text."""
        kept = cuts.kept.unpack(text) if cuts else text
        return cls(shown.execution_id, shown.state, len(text), hash(kept), cuts)

    def is_at(self, text: bytes, at: int) -> bool:
        """Whether the item stands there in a text that is long enough, but for values that move by themselves."""
        cuts = self.cuts
        if cuts is None:
            return hash(text[at : at + self.length]) == self.kept_hash
        if hash(cuts.kept.unpack_from(text, at)) != self.kept_hash:
            return False
        return _PLAIN.fullmatch(b"".join(cuts.moving.unpack_from(text, at))) is not None


class Listing(NamedTuple):
    """One reading of the whole list."""

    items: Sequence[Listed]
    """In the order of the list."""
    places: Mapping[str, int]
    """Execution id → place in `items`."""


NOTHING_LISTED = Listing((), MappingProxyType({}))
"""What was listed before the first reading."""


class Page(NamedTuple):
    """One page of the list of executions."""

    items: tuple[Listed, ...]
    """Those that can be read; no order is promised."""
    length: int
    """Items on the page, unreadable ones included."""
    total: int
    """Executions in the whole list."""
    size_bytes: int


def parse_page(body: bytes, before: Listing = NOTHING_LISTED) -> Page:
    """One answer to list-executions that has arrived as a whole.

    Raises:
        GCSMalformed: `body` is no list.
    """
    reader = PageReader(before)
    reader.feed(body)
    return reader.page()


class PageReader:
    """Reads one answer to list-executions while it arrives, and keeps the text that is not read yet only."""

    def __init__(self, before: Listing = NOTHING_LISTED) -> None:
        """`before`: what an earlier reading of the list showed; an item that is still the same is not parsed."""
        self._before = before
        self._place = len(before.items)
        """Where in `before` the next item is expected: the order of the list rarely changes."""
        self._pieces: list[bytes] = []
        self._unread = self._enough = 0
        """Bytes in `_pieces`, and how many are worth another attempt."""
        self._head: bytes | None = None
        """The text in front of the first item, once it has arrived."""
        self._gap = b","
        """What stands between two items."""
        self._lessons = LESSONS
        self._items: list[Listed] = []
        self._length = self._size_bytes = 0
        self._is_closed = False
        """Whether the end of the items was read."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            GCSMalformed: it is no list.
        """
        self._size_bytes += len(piece)
        self._unread += len(piece)
        self._pieces.append(piece)
        if self._unread >= self._enough:
            self._read(is_whole=False)

    def page(self) -> Page:
        """What the page shows, once all of its body has arrived.

        Raises:
            GCSMalformed: it is no list.
        """
        self._read(is_whole=True)
        try:
            rest = _rest.decode(mend((self._head or b"") + b"".join(self._pieces)))
            total = int(rest.total_num or 0)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise _no_list() from None
        if rest.executions or not self._is_closed:
            raise _no_list()
        return Page(tuple(self._items), self._length, max(total, self._length), self._size_bytes)

    def _read(self, *, is_whole: bool) -> None:
        """Read all items that have arrived to their end."""
        text, at = b"".join(self._pieces), 0
        if self._head is None and (head := _HEAD.search(text)):
            at = head.end()
            self._head = text[:at]
        while self._head is not None and not self._is_closed:
            at = self._unchanged_end(text, at)
            is_expected = self._may_be_unchanged(text, at) and not is_whole
            end = None if is_expected else self._next_end(text, at, is_whole=is_whole)
            if end is None:
                break
            at = end
        self._pieces = [text[at:]]
        self._unread = len(text) - at
        self._enough = 2 * self._unread  # doubled, or the text of a huge item would be searched with each piece

    def _unchanged_end(self, text: bytes, at: int) -> int:
        """Read the items behind `at` that are expected there and unchanged; returns where the last of them ends."""
        first, gap = self._place, self._gap
        for expected in islice(self._before.items, first, None):
            begin = at + len(gap)
            end = begin + expected.length
            if end > len(text) or not text.startswith(gap, at) or not expected.is_at(text, begin):
                break
            self._place += 1
            at = end
        self._items += self._before.items[first : self._place]
        self._length += self._place - first
        return at

    def _may_be_unchanged(self, text: bytes, at: int) -> bool:
        """Whether too little has arrived behind `at` to know that the item which is expected there has changed."""
        items, place = self._before.items, self._place
        return place < len(items) and at + len(self._gap) + items[place].length > len(text)

    def _next_end(self, text: bytes, at: int, *, is_whole: bool) -> int | None:
        """Read what follows at `at`, any item or the end of all; returns where it ends.

        None if it has not arrived to its end.
        """
        begin = _GAP.match(text, at).end()  # type: ignore[union-attr]  # matches everywhere
        gap = text[at:begin]
        if begin == len(text):
            return None
        if text.startswith(b"]", begin) and b"," not in gap:
            self._is_closed = True
            return begin
        if (b"," in gap) != (self._length > 0) or self._length >= MOST_ITEMS:
            raise _no_list()
        if self._length:
            self._gap = gap
        end = _likely_end(text, begin, self._gap)
        if end is None and not is_whole and len(text) < begin + NEAR:
            return None
        shown = item_state(text[begin:end]) if end is not None else None  # if that can be read, it is the whole item
        if shown is None:
            end = _value_end(text, begin)
            shown = item_state(text[begin:end]) if end is not None else None
        if end is not None:
            self._length += 1
        if shown is not None:
            self._items.append(self._listed(shown, text[begin:end]))
        return end

    def _listed(self, shown: ItemState, text: bytes) -> Listed:
        """The item with this text, which was not expected."""
        place = self._before.places.get(shown.execution_id)
        if place is None:
            return Listed.of(text, shown)
        self._place = place + 1
        known = self._before.items[place]
        if known.length == len(text) and known.is_at(text, 0):
            return known
        has_moved = known.cuts is not None or known.state == shown.state
        if not has_moved or not self._lessons or not shown.labels.isdisjoint(MOVING):
            return Listed.of(text, shown)
        self._lessons -= 1
        is_cut_wrong = known.cuts is not None and known.state == shown.state and known.length == len(text)
        return Listed.of(text, shown, _cuts(text, all_times=is_cut_wrong))


def _cuts(text: bytes, *, all_times: bool) -> Cuts | None:
    """Where an item's text is cut around the values that move by themselves.

    Of the times, usually only the latest moves: a step that has ended keeps its own.
    """
    found = list(_VALUE.finditer(text))
    latest = max((each[1] for each in found if not each[1].isdigit()), default=b"")
    moving = [each.span(1) for each in found if all_times or each[1].isdigit() or each[1] == latest]
    return Cuts.at((0, *(cut for span in moving for cut in span), len(text))) if moving else None


def _likely_end(text: bytes, begin: int, gap: bytes) -> int | None:
    """Where the next item seems to begin with the same words as the one at `begin`, less the gap between them."""
    opening = _OPENING.match(text, begin)
    end = text.find(gap + opening[0], begin + 1, begin + NEAR) if opening else -1
    return end if end >= 0 else None


def _value_end(text: bytes, begin: int) -> int | None:
    """Where the JSON value ends that begins there; None if it has not arrived to its end.

    Raises:
        GCSMalformed: it has too many brackets.
    """
    if text[begin : begin + 1] not in {b"{", b"["}:
        end = _SCALAR.match(text, begin).end()  # type: ignore[union-attr]  # matches everywhere
        return end if begin < end < len(text) else None
    depth, at = 0, begin
    for _ in range(MOST_BRACKETS):
        found = _BRACKET.match(text, at)
        if found is None:
            return None
        at = found.end()
        depth += 1 if found[1] in b"{[" else -1
        if depth == 0:
            return at
    raise _no_list()


def _no_list() -> GCSMalformed:
    return GCSMalformed("not a list of executions: is this GeneContainer Service?")


class _Rest(msgspec.Struct):
    """A list without its items."""

    executions: list[msgspec.Raw]
    total_num: int | str | None = None


_rest = msgspec.json.Decoder(_Rest)
_HEAD = re.compile(rb'"executions"\s*+:\s*+\[')
_OPENING = re.compile(rb'\{\s*+"[^"\\]*+"')
_GAP = re.compile(rb"\s*+,?\s*+")
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_SCALAR = re.compile(rb"(?:" + _STRING + rb'|[^",\[\]{}\s]++)?', re.DOTALL)
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[\]{}])", re.DOTALL)
_VALUE = re.compile(rb'(?<!\\)"(?:' + "|".join(MOVING).encode() + rb')"\s*+:\s*+"?+([\w:.+-]++)')
"""A value of a field that may move; a quote in front of its name begins the name, unless it is part of a text."""
_PLAIN = re.compile(rb"[\w:.+-]*+")
"""Values that cannot hide anything else: no quote, bracket or comma is in them."""
