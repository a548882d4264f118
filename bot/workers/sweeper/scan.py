"""One scan of the newest executions, in whatever phase: which pages it takes.

Lives here: `Scan`. The order of the list is not documented: it is read from the end where the newest are, and as a
whole where it has no order. Does not live here: asking for pages (`finder`), what matches a rule
(`bot.domain.rules`). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from itertools import pairwise

from bot.gcs.listing import Page

FIRST = 100
"""How many executions are on the first page, which is all that a scan usually takes."""

LARGEST = 500
"""How many are on the others at most."""

OVERLAP = 1
"""How many items of a page the next one repeats: an execution that is deleted meanwhile moves all behind it up."""

MOST_PAGES = 200
"""At most how many pages one scan takes."""


class _Order(Enum):
    NEWEST_FIRST = auto()
    OLDEST_FIRST = auto()
    NONE = auto()


class Scan:
    """Goes back to `floor`, an execution's creation."""

    def __init__(self, floor: datetime, *, largest: int = LARGEST) -> None:
        self._floor, self._largest, self._most = floor, largest, largest
        self._order: _Order | None = None
        self._covered = 0
        """With the newest at the end: how many the first page has, which are the oldest."""
        self._next: tuple[int, int] | None = (0, min(FIRST, largest))
        self.pages = 0

    @property
    def next_page(self) -> tuple[int, int] | None:
        """Offset and limit of the page to read now; None once the scan is done."""
        return self._next

    @property
    def is_cut_off(self) -> bool:
        """Whether there were more pages than one scan takes."""
        return self.pages >= MOST_PAGES and self._next is not None

    def add(self, page: Page) -> None:
        """Go on behind the page that was asked for."""
        assert self._next is not None  # noqa: S101  # the caller has asked for it
        offset, limit = self._next
        self.pages += 1
        times = [match.created_at for match in page.new if match.created_at is not None]
        order, is_past = _order(times), bool(times) and min(times) < self._floor
        is_full = page.length >= limit and offset + page.length >= page.total  # then there may be more than GCS says
        is_total_wrong = page.length <= OVERLAP or offset + page.length > page.total
        if self._order is None:
            self._order = _Order.NONE if is_full and order is _Order.OLDEST_FIRST else order
        elif is_total_wrong and self._order is _Order.OLDEST_FIRST:  # so the newest are somewhere else
            self._order, self._largest = _Order.NONE, self._most
            self._next = (0, self._largest)
            return
        elif order is not self._order and self._order is not _Order.NONE and len(set(times)) > 1:
            self._order, self._next = _Order.NONE, (0, self._largest)  # from the beginning, as a whole
            return
        is_end = page.length <= OVERLAP or (offset + page.length >= page.total and not is_full)
        if self._order is _Order.OLDEST_FIRST:
            is_cut = page.length < limit and offset + page.length < page.total
            if is_cut and page.length:  # GCS gives no more at once
                self._largest = page.length
            ends = offset + limit if is_cut and offset else offset
            self._next = self._before(ends, page, is_past=is_past and not is_cut)
        elif is_end or (is_past and self._order is _Order.NEWEST_FIRST):
            self._next = None
        else:
            self._next = (offset + page.length - OVERLAP, self._largest)

    def _before(self, ends: int, page: Page, *, is_past: bool) -> tuple[int, int] | None:
        """The page before `ends`, from where on all was read: the end of the list at first."""
        if ends == 0:
            ends, self._covered = page.total, page.length
        elif is_past:
            return None
        if ends <= self._covered:
            return None
        start = max(self._covered - OVERLAP, ends + OVERLAP - self._largest)
        return start, ends + OVERLAP - start


def _order(times: Sequence[datetime]) -> _Order:
    if all(newer >= older for newer, older in pairwise(times)):
        return _Order.NEWEST_FIRST
    if all(older <= newer for older, newer in pairwise(times)):
        return _Order.OLDEST_FIRST
    return _Order.NONE
