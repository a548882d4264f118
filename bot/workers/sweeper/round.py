"""One reading of the whole list: which pages it takes, what they showed, and what is missing between two of them.

Lives here: `Round`. Pure. Called by the room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import timedelta

from bot.gcs.fingerprint import Page
from bot.store.schedule import Coverage

PHASES = ("Running", "Pending")
"""What is listed, one after the other. Other phases are short or rare: they are looked at one by one."""

OVERLAP = 1
"""Items of a page that the next one shows again: one execution that ends meanwhile moves all behind it up by one."""

NOTHING_FOUND = Coverage()
_MOST = 10**6
"""Executions of one phase that are listed at most."""


@dataclass
class Round:
    """One reading of the whole list."""

    began: float
    page: int
    """Items to ask for at once."""
    defer_for: timedelta
    """How long the executions that it shows unchanged are left alone."""
    calls: int
    """What rounds like this one can use of the calls in a window."""
    todo: deque[tuple[str, int]] = field(default_factory=lambda: deque((phase, 0) for phase in PHASES))
    """Phase and offset of the pages to fetch; those behind the first of a phase are known once that has come."""
    under_way: int = 0
    page_bytes: int = 0
    """Of the largest page so far."""
    totals: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    """Ids of all executions that were listed, and their places."""
    found: Coverage = NOTHING_FOUND
    order: list[str] = field(default_factory=list)
    """Their ids by place, once all have come."""
    has_stumbled: bool = False
    """Whether a page did not come at first."""

    def came(self, phase: str, offset: int, page: Page) -> None:
        """A page came; with the first one of its phase, one knows the others."""
        self.page_bytes = max(self.page_bytes, page.size_bytes)
        if offset == 0:
            self.totals[phase] = min(page.total, _MOST)
            self.todo.extend((phase, begin) for begin in range(self.step, self.totals[phase], self.step))
        elif page.length <= OVERLAP:  # the list has ended, whatever its total says
            self.todo = deque(each for each in self.todo if each[0] != phase)
        first = PHASES.index(phase) * _MOST + offset
        self.seen.update((item.execution_id, first + place) for place, item in enumerate(page.items))

    def end(self) -> None:
        """Everything has come."""
        self.order = sorted(self.seen, key=self.seen.__getitem__)
        self.seen = {execution_id: place for place, execution_id in enumerate(self.order)}

    def missing(self, page: Page, seen: Container[str]) -> list[str]:
        """What stood here between two executions that are on a later `page`, and was not `seen` since.

        Empty where so much is missing that the list must have been sorted anew.
        """
        places = [self.seen[item.execution_id] for item in page.items if item.execution_id in self.seen]
        between = self.order[min(places) : max(places)] if places else []
        missing = [execution_id for execution_id in between if execution_id not in seen]
        return missing if 4 * len(missing) <= page.length else []

    @property
    def step(self) -> int:
        """How far two pages lie apart."""
        return self.page - OVERLAP

    @property
    def is_done(self) -> bool:
        """Whether every page has come."""
        return not self.todo and not self.under_way
