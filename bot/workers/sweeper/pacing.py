"""Whether lists are read, how fast, in pages of which size, and how far they are trusted.

Lives here: pure values; a method that changes something returns the next value, and time is an argument. Does not live
here: what a page showed (`bot.workers.sweeper.round`), fetching and storing (`bot.workers.sweeper.sweeper`). Called by
the sweeper's loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.cadence import Cadence
from bot.store.gcs_quota import WINDOW
from bot.store.schedule import Coverage
from bot.workers.sweeper.round import pages_of

LARGEST_PAGE, SMALLEST_PAGE = 1000, 100
"""How many items to request per page: at first (GCS does not document its maximum), and at least."""

RETRY_LARGEST_AFTER = timedelta(hours=1)
"""How long until the largest page is tried again after GCS returned less: the fault may have been temporary."""

SHORTEST_ROUND = timedelta(seconds=2)
"""At least how long from the start of one round to the start of the next."""

REPORT_EVERY = timedelta(seconds=10)
"""At least how long from one round that reports unchanged executions to the store, too, to the next: reporting them
costs more than reading the list does."""

HEADROOM = 1
"""How many calls of a quota window are left to polls beyond those of the last minute."""

CATCH_UP_SECONDS = 0.5
"""How late a page may be requested without delaying those behind it."""

DISTRUST = timedelta(minutes=10)
"""How long lists are not read after GCS refused them, they never arrived, or they did not show what polls see."""

HOPELESS_PAGES = 10
"""How many of the smallest pages in a row must be refused or time out before lists are not read for `DISTRUST`. A GCS
that answers every other page fails ten in a row once in a thousand times."""

FAILING_PAGES = 3
"""How many pages in a row must fail before one at a time is requested, and no further round begins."""

BLIND_ROUNDS = 3
"""How many rounds in a row must show less than half of what polls see before lists are not read for `DISTRUST`."""

LONGEST_RETRY_SECONDS = 5.0
"""At most how long until a page that failed is requested again."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a round over the lists costs, and what the quota allows."""

    watched: int
    """Executions."""
    pages: int
    """Of a whole round."""
    calls_per_second: float
    """Allowed by the quota."""
    changed_per_second: float
    """Executions that lists show as changed, each of which is then polled."""

    def pays(self, cadence: Cadence) -> bool:
        """Whether reading lists shows every execution sooner than polling one after the other.

        A few executions are polled one by one, which shows more: as long as a third of the quota is enough for that.
        """
        if self.watched / cadence.poll.total_seconds() <= self.calls_per_second / 3:
            return False
        left = self.calls_per_second - self.changed_per_second
        one_by_one = max(cadence.poll.total_seconds(), self.watched / self.calls_per_second)
        return left > 0 and self.pages / left < one_by_one

    def defer_for(self, cadence: Cadence, duration: timedelta) -> timedelta:
        """How long polls of executions that a list shows unchanged are delayed, within bounds.

        That is three times as long as until they are reported to the store again. `duration` is how long the last round
        without a failed page took.
        """
        expected = max(timedelta(seconds=2 * self.pages / self.calls_per_second), duration)
        return min(max(cadence.poll, 3 * (REPORT_EVERY + expected)), DISTRUST, cadence.staleness / 2)


@dataclass(frozen=True, slots=True)
class PageSize:
    """How many items to request per page: the most that GCS accepts."""

    items: int = LARGEST_PAGE
    shrunk_at: float = 0.0

    def pages(self, executions: int) -> int:
        """How many pages a list of so many `executions` takes."""
        return pages_of(executions, self.items)

    def shrunk(self, items: int, *, now: float) -> PageSize:
        """GCS returned no more than `items`."""
        return PageSize(items, now)

    def halved(self, items: int, *, now: float) -> PageSize:
        """GCS refused a page of `items`, or took too long for it."""
        return PageSize(max(items // 2, SMALLEST_PAGE), now)

    def retried(self, *, now: float) -> PageSize:
        """The largest page again, once `RETRY_LARGEST_AFTER` has passed."""
        is_over = now - self.shrunk_at > RETRY_LARGEST_AFTER.total_seconds()
        return PageSize() if is_over else self


@dataclass(frozen=True, slots=True)
class Pacing:
    """When the next page may be requested: as fast as the quota allows beside polls, within a limit on bytes."""

    bytes_per_second: int
    item_bytes: float = 0.0
    """Size of an execution on the last page that had any."""
    requested_at: float = -math.inf
    """When the last page was requested, or should have been."""
    bytes_due: float = -math.inf
    """From when on the limit on bytes allows another page."""
    read_at: tuple[float, ...] = ()
    """When this process read pages, within the last quota window."""

    def spacing(self, calls_left: int, *, now: float) -> float:
        """Seconds between two pages by the quota, if its window has `calls_left` for lists."""
        ours = calls_left + len(self._recent(now)) - HEADROOM
        return WINDOW.total_seconds() / max(ours, 1)

    def due(self, spacing: float) -> float:
        """When the next page may be requested."""
        return max(self.requested_at + spacing, self.bytes_due)

    def requested(self, spacing: float, *, size_bytes: float, now: float) -> Pacing:
        """A page of about `size_bytes` is requested; if it is late by less than `CATCH_UP_SECONDS`, the next is not."""
        due = self.requested_at + spacing
        return replace(
            self,
            requested_at=due if now - due < CATCH_UP_SECONDS else now,
            bytes_due=max(self.bytes_due, now - CATCH_UP_SECONDS) + size_bytes / self.bytes_per_second,
        )

    def read(self, size_bytes: int, items: int, expected_bytes: float, *, now: float) -> Pacing:
        """A page that shows so many `items` was read; `expected_bytes` is what its request was counted with."""
        return replace(
            self,
            item_bytes=size_bytes / items if items else self.item_bytes,
            bytes_due=self.bytes_due + (size_bytes - expected_bytes) / self.bytes_per_second,
            read_at=(*self._recent(now), now),
        )

    def useful_calls(self, pages: int, page_bytes: int) -> int:
        """How many calls of a quota window rounds of so many `pages` of `page_bytes` can use."""
        rate = min(pages / SHORTEST_ROUND.total_seconds(), self.bytes_per_second / max(page_bytes, 1))
        return math.ceil(rate * WINDOW.total_seconds()) + HEADROOM

    def _recent(self, now: float) -> tuple[float, ...]:
        since = now - WINDOW.total_seconds()
        return tuple(at for at in self.read_at if at >= since)


@dataclass(frozen=True, slots=True)
class Trust:
    """How far lists are trusted: whether pages arrive, and whether rounds show what polls see."""

    failures: int = 0
    """Pages in a row that failed."""
    unfit: int = 0
    """Of the smallest pages: how many in a row were refused or timed out."""
    blind_rounds: int = 0
    """Rounds in a row that showed less than half of what polls see."""

    def page_read(self) -> Trust:
        """A page arrived."""
        return replace(self, failures=0, unfit=0)

    def page_failed(self, *, is_unfit: bool) -> Trust:
        """A page failed; `is_unfit`: one of the smallest was refused or too slow while GCS answered other calls."""
        return replace(self, failures=self.failures + 1, unfit=self.unfit + is_unfit)

    def round_read(self, found: Coverage) -> Trust:
        """A round was read; executions whose poll is still to come say nothing about it."""
        is_blind = found.same * 2 < found.watched - found.waiting
        return replace(self, blind_rounds=self.blind_rounds + 1 if is_blind else 0)

    @property
    def is_failing(self) -> bool:
        """Whether no page arrives now: then one page at a time finds out when that has changed."""
        return self.failures >= FAILING_PAGES

    @property
    def is_hopeless(self) -> bool:
        """Whether pages never arrive."""
        return self.unfit >= HOPELESS_PAGES

    @property
    def is_blind(self) -> bool:
        """Whether lists do not show what polls see."""
        return self.blind_rounds >= BLIND_ROUNDS

    @property
    def retry_seconds(self) -> float:
        """How long until a page that failed is requested again."""
        return min(0.25 * 2.0 ** min(self.failures, 10), LONGEST_RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class Measured:
    """What earlier rounds showed."""

    changed_per_second: float = 0.0
    """Executions shown as changed; a moving average over rounds."""
    duration: timedelta = timedelta(0)
    """Of the last round without a failed page: a page that hangs says nothing about the next round."""

    def changed(self, count: int, *, seconds: float) -> Measured:
        """`count` executions changed within `seconds`."""
        rate = self.changed_per_second + (count / seconds - self.changed_per_second) / 4
        return replace(self, changed_per_second=rate)

    def not_read(self) -> Measured:
        """No list was read: what changes cannot be measured then, and a burst of changes passes."""
        return replace(self, changed_per_second=self.changed_per_second / 2)
