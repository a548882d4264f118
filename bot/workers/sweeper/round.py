"""One reading of the whole list: which pages it takes, what they showed, and what dropped out since the last one.

Lives here: `Round`, and `Wanted`, a page of it. Does not live here: when a page is requested (`pacing`), fetching and
storing (`sweeper`). Pure; called by the sweeper's loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import NamedTuple

from bot.gcs.known import NOTHING_LISTED, Listed, Listing, Run
from bot.gcs.listing import Page
from bot.store.schedule import Coverage

PHASES = ("Running", "Pending")
"""The phases whose lists are read, one after the other. Other phases are short or rare: those are polled one by one."""

OVERLAP = 1
"""How many items of a page the next one repeats: an execution that ends meanwhile moves all behind it up by one."""

MOST_LISTED = 10**6
"""At most how many executions of one phase are listed, whatever total GCS gives."""

NOTHING_FOUND = Coverage()


def pages_of(executions: int, limit: int) -> int:
    """How many pages of `limit` items a list takes; none is read for an item that the page before it shows as well."""
    return min(executions, 1) if executions <= limit else -(-(executions - OVERLAP) // (limit - OVERLAP))


@dataclass(eq=False)
class Round:
    """One reading of the whole list."""

    began: float
    limit: int
    """Items to request per page."""
    defer_for: timedelta
    """How long the polls of executions that it shows unchanged are delayed."""
    useful_calls: int
    """How many calls of a quota window rounds like this one can use."""
    reports_all: bool = True
    """Whether unchanged executions are reported to the store, too."""
    pages_left: deque[tuple[str, int]] = field(init=False)
    """Phase and offset of each page to request; the first page of a phase adds those that were not expected."""
    under_way: int = 0
    """Pages that were requested and have not arrived."""
    page_bytes: int = 0
    """Size of the largest page so far."""
    totals: dict[str, int] = field(default_factory=dict)
    """Phase → how many executions its list has; until its first page arrives, as many as in the round before."""
    pages: dict[int, tuple[Listed, ...]] = field(default_factory=dict)
    """Place of each page's first item → its items, until the round is complete."""
    runs: list[Run] = field(default_factory=list)
    """Of unchanged items on these pages."""
    seen: set[str] = field(default_factory=set)
    """Ids of the executions on these pages."""
    listing: Listing = NOTHING_LISTED
    """All of it, once the round is complete."""
    found: Coverage = NOTHING_FOUND
    had_failures: bool = False
    """Whether a page had to be requested again."""

    def __post_init__(self) -> None:
        self.pages_left = deque(
            (phase, begin) for phase in PHASES for begin in range(0, self._expected_end(phase), self.step)
        )

    def add(self, phase: str, offset: int, page: Page) -> None:
        """Record a page; the first one of a phase says how many others there are."""
        self.page_bytes = max(self.page_bytes, page.size_bytes)
        if offset == 0:
            unexpected, total = self._expected_end(phase), min(page.total, MOST_LISTED)
            self.totals[phase] = total
            self.pages_left.extend((phase, begin) for begin in range(unexpected, total - OVERLAP, self.step))
        elif page.length <= OVERLAP:  # the list has ended, whatever its total says
            self.pages_left = deque(each for each in self.pages_left if each[0] != phase)
        self.pages[PHASES.index(phase) * MOST_LISTED + offset] = page.items
        self.runs += page.runs
        self.seen.update([item.execution_id for item in page.items])

    def next_page(self, item_bytes: float) -> Wanted:
        """Take the next page; it is expected to be empty where the length of its list is unknown."""
        phase, offset = self.pages_left.popleft()
        items = min(self.limit, max(self.totals.get(phase, 0) - offset, 0))
        return Wanted(self, phase, offset, items * item_bytes)

    def complete(self) -> None:
        """Put the pages together: every one has arrived."""
        pages = [page for _, page in sorted(self.pages.items())]
        self.listing = Listing.of(chain.from_iterable(pages), self.runs)
        self.pages, self.runs, self.seen = {}, [], set()

    def dropped(self, page: Page, seen: Container[str]) -> list[str]:
        """The executions of this round that stood between two of a later `page`, and were not `seen` since.

        Empty where that is more than a quarter of the page: then the list was sorted differently.
        """
        known = self.listing.places
        places = [known[item.execution_id] for item in page.items if item.execution_id in known]
        between = self.listing.items[min(places) : max(places)] if places else ()
        dropped = [item.execution_id for item in between if item.execution_id not in seen]
        return dropped if 4 * len(dropped) <= page.length else []

    def is_cut(self, offset: int, page: Page) -> bool:
        """Whether GCS returned fewer items than requested, although the list goes on."""
        return OVERLAP < page.length < min(self.limit, page.total - offset)

    def _expected_end(self, phase: str) -> int:
        """The offset after the last page that is expected; the first page always is."""
        return max(pages_of(self.totals.get(phase, 0), self.limit), 1) * self.step

    @property
    def listed(self) -> int:
        """How many executions the lists have."""
        return sum(self.totals.values())

    @property
    def step(self) -> int:
        """The distance between the offsets of two pages."""
        return self.limit - OVERLAP

    @property
    def may_be_followed(self) -> bool:
        """Whether every page was requested, as far as is known, and so the next round may begin."""
        return not self.pages_left and len(self.totals) == len(PHASES)

    @property
    def is_done(self) -> bool:
        """Whether every page has arrived."""
        return not self.pages_left and not self.under_way


class Wanted(NamedTuple):
    """A page to request."""

    round: Round
    phase: str
    offset: int
    expected_bytes: float
