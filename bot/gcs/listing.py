"""Pages of the list of executions, read while they arrive; an item is parsed only if its text has changed.

Lives here: `PageReader`, which finds the items in the pieces of a body, and `Page`. Does not live here: how an item
is recognised (`bot.gcs.known`), what an item shows (`bot.gcs.fingerprint`), when pages are requested (the sweeper).
Called by `bot.gcs.client`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bot.domain.search import Match
from bot.errors import GCSMalformed
from bot.gcs import values
from bot.gcs.body import listed, mend
from bot.gcs.fingerprint import ItemState, item_state
from bot.gcs.known import LONGEST_RUN, NOTHING_LISTED, VOLATILE_FIELDS, Listed, Listing, Run, cuts_of

READ_BYTES = 128 * 1024
"""How much of a page is read at once, since whole runs of items are compared."""

CUT_SEARCHES = 100
"""How many items of a page are searched for volatile values, which costs more than parsing."""

SEARCH_BYTES = 64 * 1024
"""How far after the beginning of an item the next one is searched for."""

MOST_ITEMS = 10_000
"""At most this many items of a page are read: ten times as many as are ever requested."""

MOST_BRACKETS = 100_000
"""At most this many brackets of an item are read: several times as many as two thousand steps have."""


class Page(NamedTuple):
    """One page of the list of executions."""

    items: tuple[Listed, ...]
    """The items that can be read, in no particular order."""
    length: int
    """Items on the page, unreadable ones included."""
    total: int
    """Executions in the whole list."""
    size_bytes: int
    runs: tuple[Run, ...] = ()
    """Runs of items that were unchanged."""
    new: tuple[Match, ...] = ()
    """The items that the earlier reading did not show."""
    changed: tuple[Listed, ...] = ()
    """The new items, and those of which the earlier reading showed another state."""


def parse_page(body: bytes, before: Listing = NOTHING_LISTED) -> Page:
    """One answer to list-executions that has arrived as a whole.

    Raises:
        GCSMalformed: `body` is not a list.
    """
    reader = PageReader(before)
    reader.feed(body)
    return reader.page()


class PageReader:
    """Reads one answer to list-executions while it arrives, and keeps only the text that is not read yet."""

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
        self._cut_searches_left = CUT_SEARCHES
        self._items: list[Listed] = []
        self._runs: list[Run] = []
        self._new: list[Match] = []
        self._changed: list[Listed] = []
        self._length = self._size_bytes = 0
        self._is_closed = False
        """Whether the end of the items was read."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            GCSMalformed: it is not a list.
        """
        self._size_bytes += len(piece)
        self._unread += len(piece)
        self._pieces.append(piece)
        if self._unread >= self._enough:
            self._read(is_whole=False)

    def page(self) -> Page:
        """What the page shows, once all of its body has arrived.

        Raises:
            GCSMalformed: it is not a list.
        """
        self._read(is_whole=True)
        try:
            rest = listed(mend((self._head or b"") + b"".join(self._pieces)))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise _no_list() from None
        if rest.items or (self._head is not None and not self._is_closed):
            raise _no_list()
        total = values.count(values.whole(rest.total)) or 0
        return Page(
            items=tuple(self._items),
            length=self._length,
            total=max(total, self._length),
            size_bytes=self._size_bytes,
            runs=tuple(self._runs),
            new=tuple(self._new),
            changed=tuple(self._changed),
        )

    def _read(self, *, is_whole: bool) -> None:
        """Read all items that have arrived to their end."""
        text, at = b"".join(self._pieces), 0
        if self._head is None and (head := _HEAD.search(text)):
            at = head.end()
            self._head = text[:at]
        while self._head is not None and not self._is_closed:
            at, is_short = self._unchanged_end(text, at, is_whole=is_whole)
            end = None if is_short else self._next_end(text, at, is_whole=is_whole)
            if end is None:
                break
            at = end
        self._pieces = [text[at:]]
        self._unread = len(text) - at
        # At least doubled, or the text of a huge item would be searched with each piece.
        self._enough = self._unread + max(self._unread, READ_BYTES)

    def _unchanged_end(self, text: bytes, at: int, *, is_whole: bool) -> tuple[int, bool]:
        """Read the items from `at` on that are unchanged and in the expected order.

        Returns:
            Where the last of them ends, and whether too little has arrived to judge the next one.
        """
        items, runs, gap = self._before.items, self._before.runs, self._gap
        place = first = self._place
        first_at, is_short = at, False
        while place < len(items):
            expected = items[place]
            run = runs.get(expected.execution_id)
            if run is not None or expected.begins_run or place - first == LONGEST_RUN:
                self._take(items[first:place], text[first_at:at])
                first, first_at = place, at
            if run is not None and run.known.is_at(text, at):
                self._take_run(run)
                at += run.known.length
                place += len(run.items)
                first, first_at = place, at
                continue
            begin = at + len(gap)
            end = begin + expected.known.length
            if not is_whole and (at + run.known.length if run is not None else end) > len(text):
                is_short = True
                break
            if not text.startswith(gap, at) or not expected.known.is_at(text, begin):
                break
            place, at = place + 1, end
        if is_short:  # the items of a run that has not arrived are read with the rest of it
            self._place = first
            return first_at, True
        self._take(items[first:place], text[first_at:at])
        self._place = place
        return at, False

    def _take(self, items: Sequence[Listed], text: bytes) -> None:
        """Items that are unchanged, and their text."""
        if len(items) > 1:
            self._runs.append(Run.of(items, text, self._gap))
        self._items += items
        self._length += len(items)

    def _take_run(self, run: Run) -> None:
        self._runs.append(run)
        self._items += run.items
        self._length += len(run.items)

    def _next_end(self, text: bytes, at: int, *, is_whole: bool) -> int | None:
        """Read what is at `at`, an item or the end of the list; returns where it ends.

        None if not all of it has arrived.
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
        if end is None and not is_whole and len(text) < begin + SEARCH_BYTES:
            return None
        shown = item_state(text[begin:end]) if end is not None else None  # if this can be read, it is the whole item
        if shown is None:
            end = _value_end(text, begin)
            shown = item_state(text[begin:end]) if end is not None else None
        if end is not None:
            self._length += 1
        if shown is not None:
            self._items.append(self._listed(shown, text[begin:end]))
        return end

    def _listed(self, shown: ItemState, text: bytes) -> Listed:
        """The item with this text, which was not expected at this place."""
        place = self._before.places.get(shown.execution_id)
        if place is None:
            self._new.append(shown.match())
            self._changed.append(item := Listed.of(text, shown))
            return item
        self._place = place + 1
        known = self._before.items[place]
        item = self._learnt(known, shown, text)
        if item.state != known.state:
            self._changed.append(item)
        return item

    def _learnt(self, known: Listed, shown: ItemState, text: bytes) -> Listed:
        """The item that was `known`, perhaps with other cuts from now on."""
        before = known.known
        if before.length == len(text) and before.is_at(text, 0):
            return known
        has_moved = before.cuts is not None or known.state == shown.state
        if not has_moved or not self._cut_searches_left or not shown.labels.isdisjoint(VOLATILE_FIELDS):
            return Listed.of(text, shown)
        self._cut_searches_left -= 1
        is_cut_wrong = before.cuts is not None and known.state == shown.state and before.length == len(text)
        return Listed.of(text, shown, cuts_of(text, all_times=is_cut_wrong))


def _likely_end(text: bytes, begin: int, gap: bytes) -> int | None:
    """Where the item at `begin` probably ends: before the gap and a text that begins in the same way."""
    opening = _OPENING.match(text, begin)
    end = text.find(gap + opening[0], begin + 1, begin + SEARCH_BYTES) if opening else -1
    return end if end >= 0 else None


def _value_end(text: bytes, begin: int) -> int | None:
    """Where the JSON value at `begin` ends; None if not all of it has arrived.

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


_HEAD = re.compile(rb'"executions"\s*+:\s*+\[')
_OPENING = re.compile(rb'\{\s*+"[^"\\]*+"')
_GAP = re.compile(rb"\s*+,?\s*+")
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_SCALAR = re.compile(rb"(?:" + _STRING + rb'|[^",\[\]{}\s]++)?', re.DOTALL)
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[\]{}])", re.DOTALL)
