"""The room itself: whose turn it is, what is fetched when, and what a page or its failure means.

Lives here: `Sweeper`. Does not live here: what one reading of the list has shown (`reading`).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from time import monotonic

import structlog

from bot import metrics
from bot.domain.cadence import Cadence
from bot.errors import (
    GCSBadCredentials,
    GCSError,
    GCSMalformed,
    GCSThrottled,
    GCSTooLate,
    GCSUnavailable,
    StoreUnavailable,
)
from bot.gcs.client import GCSClient
from bot.store.gcs_quota import WINDOW, GCSQuota
from bot.store.schedule import Coverage, Schedule
from bot.store.snapshots import GONE
from bot.workers.sweeper.pacing import Cost, sweep_pays
from bot.workers.sweeper.round import OVERLAP, PHASES, Round

log = structlog.get_logger()

LARGEST_PAGE, SMALLEST_PAGE = 1000, 100
"""Items to ask for at first (GCS's maximum is not documented), and at least."""

HANDS = 4
"""Pages under way at once: a large one may take longer than the time until the next."""

SHORTEST_ROUND = timedelta(seconds=2)
"""From the beginning of one round to that of the next, at least."""

HEADROOM = 5
"""Calls of a minute that are left to looks beyond those of the last minute."""

THINK_AGAIN = timedelta(seconds=5)
"""How long until it is asked anew whether a list pays."""

TRY_AGAIN = timedelta(hours=1)
"""How long until the largest page is tried again, after GCS has given less: it may have been a fault of the moment."""

DISTRUST = timedelta(minutes=10)
"""How long lists are left alone that GCS refuses, that do not come, or that do not show what looks see."""

HOPELESS = 10
"""So many of the smallest pages must be refused or come too late, and none come between them, before lists are left
alone. A GCS in trouble that lets half of them through seems hopeless once in a thousand times."""

BLIND_ROUNDS = 3
"""So many rounds in a row must show less than half of what looks see, before lists are left alone."""

MOMENT = 0.05
"""Seconds until it is asked again what is to be done, when nothing was."""

BREATH = 1.0
"""Seconds after which a turn is kept and the pace reckoned anew, however long the next page is still to wait."""

CATCH_UP = 0.5
"""Seconds by which a page may be late without the next ones being late, too."""

DEFER_FOR = timedelta(seconds=15)
"""How long an execution that a list shows unchanged is left alone, at least; else for three rounds.

Long enough for another process to take over, and no longer: when lists fail, nobody looks for so long.
"""


class Sweeper:
    """Reads the lists of one GCS user, in turn with its copies in other processes."""

    def __init__(  # a door, two parts of the table, three rules
        self,
        gcs: GCSClient,
        schedule: Schedule,
        *,
        budget: GCSQuota,
        team_id: str,
        cadence: Cadence,
        bytes_per_second: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._gcs, self._schedule, self._budget, self._team_id, self._cadence = gcs, schedule, budget, team_id, cadence
        self._bytes_per_second, self._clock = bytes_per_second, clock
        self._deciding = asyncio.Lock()
        """One hand at a time finds out what is to be done, however long the store takes."""
        self._page = LARGEST_PAGE
        self._round: Round | None = None
        self._last: Round | None = None
        """The last round that was read to its end."""
        self._not_before = 0.0
        self._page_at = float("-inf")
        """When the last page was fetched, or should have been."""
        self._calls: deque[float] = deque()
        """When this process fetched pages, within the last window."""
        self._took = timedelta(0)
        """The last round whose pages all came at once: a page that hangs says nothing about the next ones."""
        self._changed_per_second = 0.0
        self._page_bytes = 0
        """Of the last page."""
        self._blind_rounds = 0
        """Rounds in a row that did not show what looks see."""
        self._failures = 0
        """Pages in a row that did not come."""
        self._unfit = 0
        """Of the smallest pages: how many were refused or came too late since one came."""
        self._shrunk = 0.0
        """When pages were made smaller."""

    async def run(self, stop: asyncio.Event) -> None:
        """Read lists while that pays, until told to stop."""
        await asyncio.gather(*(self._work(stop) for _ in range(HANDS)), self._keep_reader_lease(stop))

    async def _keep_reader_lease(self, stop: asyncio.Event) -> None:
        """While all hands wait for pages, none of them keeps the turn."""
        while not stop.is_set():
            round_ = self._round
            if round_ is not None and round_.under_way == HANDS:
                with suppress(StoreUnavailable):
                    await self._budget.hold_reader_lease(self._team_id, reading=(round_.defer_for, round_.calls))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), BREATH)

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                pause = await self.run_once()
            except StoreUnavailable as error:
                log.warning("sweeper.store_away", error=str(error))
                self._stop(1.0)
            except Exception:
                log.exception("sweeper.failed")
                self._stop(DISTRUST.total_seconds())
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(pause, MOMENT))

    async def run_once(self) -> float:
        """Fetch one page if it is time for it; returns the seconds until there may be another one."""
        async with self._deciding:
            page = await self._next_page()
        if page is not None:
            await self._read(*page)
        return max(0.0, self._not_before - self._clock())

    async def _next_page(self) -> tuple[Round, str, int] | None:
        """Round, phase and offset of the page to fetch now, if it is our turn and time for one."""
        now = self._clock()
        if now < self._not_before:
            return None
        self._not_before = now + MOMENT
        round_ = self._round
        if not await self._budget.hold_reader_lease(
            self._team_id, reading=(round_.defer_for, round_.calls) if round_ else None
        ):
            self._stop(THINK_AGAIN.total_seconds())
        elif round_ is None:
            await self._begin()
        elif round_.todo:
            return await self._page_of(round_)
        return None

    async def _page_of(self, round_: Round) -> tuple[Round, str, int] | None:
        """The next page of a round, once it is time for it."""
        now, spacing = self._clock(), await self._spacing()
        due = self._page_at + spacing
        if now < due or not await self._budget.take_up_to(1, for_lists=True):
            self._not_before = now + min(due - now if now < due else spacing, BREATH)
            return None
        self._page_at = due if now - due < CATCH_UP else now
        self._not_before = min(self._page_at + spacing, now + BREATH)
        if round_ is not self._round or not round_.todo:  # a hand that came back may have ended it
            return None
        return round_, *round_.todo.popleft()

    async def _read(self, round_: Round, phase: str, offset: int) -> None:
        """Read one page; the last hand to come back ends the round."""
        round_.under_way += 1
        try:
            await self._fetch(round_, phase, offset)
        finally:
            round_.under_way -= 1
        if round_ is self._round and round_.is_done:
            self._round = None
            await self._end(round_)

    async def _begin(self) -> None:
        """Begin a round, if it pays."""
        now = self._clock()
        if self._last is not None and now - self._last.began > DISTRUST.total_seconds():
            self._last = None  # what was measured is old
        if self._page < LARGEST_PAGE and now - self._shrunk > TRY_AGAIN.total_seconds():
            self._page = LARGEST_PAGE
        watched = await self._schedule.size()
        metrics.WATCHER_EXECUTIONS.set(watched)
        listed = max(sum(self._last.totals.values()), watched) if self._last else watched
        cost = Cost(
            watched=watched,
            pages=-(-listed // (self._page - OVERLAP)) + len(PHASES) - 1,
            calls_per_second=self._budget.per_second,
            changed_per_second=self._changed_per_second,
        )
        if not sweep_pays(cost, cadence=self._cadence):
            self._changed_per_second /= 2  # unseen it cannot be measured, and a storm passes
            self._stop(THINK_AGAIN.total_seconds())
            return
        metrics.SWEEPER_ACTIVE.set(1)
        expected = max(timedelta(seconds=2 * cost.pages / cost.calls_per_second), self._took)
        defer_for = min(max(DEFER_FOR, self._cadence.poll, 3 * expected), DISTRUST, self._cadence.staleness / 2)
        bytes_ = self._last.page_bytes if self._last else self._page_bytes
        rate = min(cost.pages / SHORTEST_ROUND.total_seconds(), self._bytes_per_second / max(bytes_, 1))
        calls = math.ceil(rate * WINDOW.total_seconds()) + HEADROOM
        self._round = Round(began=now, page=self._page, defer_for=defer_for, calls=calls)

    def _stop(self, seconds: float) -> None:
        """Read nothing for so long."""
        metrics.SWEEPER_ACTIVE.set(0)
        metrics.SWEEPER_COVERED.set(0)
        self._round, self._not_before = None, self._clock() + seconds

    async def _spacing(self) -> float:
        """Seconds between two pages: what the last minute's looks leave of the quota, and the cap on bytes."""
        window = WINDOW.total_seconds()
        while self._calls and self._calls[0] < self._clock() - window:
            self._calls.popleft()
        ours = await self._budget.left_for_lists() + len(self._calls) - HEADROOM
        return max(window / max(ours, 1), self._page_bytes / self._bytes_per_second)

    async def _fetch(self, round_: Round, phase: str, offset: int) -> None:
        answered = self._gcs.answered
        try:
            page = await self._gcs.listed(phase, offset=offset, limit=round_.page)
        except GCSError as error:
            round_.todo.appendleft((phase, offset))
            round_.has_stumbled = True
            is_late = isinstance(error, GCSTooLate) and self._gcs.answered > answered  # others were answered meanwhile
            self._failed(round_, error, is_unfit=is_late or isinstance(error, GCSMalformed))
            return
        self._failures = self._unfit = 0
        self._calls.append(self._clock())
        metrics.SWEEPER_PAGES.inc()
        metrics.SWEEPER_BYTES.inc(page.size_bytes)
        self._page_bytes = page.size_bytes
        round_.came(phase, offset, page)
        shown = [(item.execution_id, item.state) for item in page.items]
        gone = self._last.missing(page, round_.seen) if self._last else []
        found = await self._compare(round_, [*shown, *((execution_id, GONE) for execution_id in gone)])
        round_.found += found
        is_short = OVERLAP < page.length < min(round_.page, page.total - offset)
        if is_short and round_ is self._round:  # GCS gives less than is asked for
            self._shrink(page.length)

    def _shrink(self, page: int) -> None:
        """Begin anew with smaller pages; larger ones are tried again after a while."""
        self._page, self._shrunk, self._round = page, self._clock(), None

    def _failed(self, round_: Round, error: GCSError, *, is_unfit: bool) -> None:
        """A page did not come; `is_unfit`: because of what it is, it seems, and not because GCS is in trouble."""
        log.warning("sweeper.page_failed", kind=type(error).__name__, error=str(error), page=round_.page)
        if is_unfit and round_.page > SMALLEST_PAGE:  # so large a page is refused, or takes too long
            if round_ is self._round:
                self._shrink(max(round_.page // 2, SMALLEST_PAGE))
            return
        self._failures += 1
        self._unfit += is_unfit
        is_trouble = isinstance(error, GCSUnavailable | GCSThrottled | GCSBadCredentials | GCSMalformed)
        if is_trouble and not (is_unfit and self._unfit >= HOPELESS):
            pause = min(timedelta(seconds=0.25 * 2 ** min(self._failures, 10)), THINK_AGAIN)
            self._not_before = self._clock() + pause.total_seconds()
        else:
            self._stop(DISTRUST.total_seconds())

    async def _end(self, round_: Round) -> None:
        """Everything was read: what dropped out of the list has ended, or was deleted."""
        last = self._last or round_
        gone = last.seen.keys() - round_.seen.keys() if self._last else await self._unlisted(round_)
        dropped = await self._compare(round_, ((execution_id, GONE) for execution_id in gone))
        self._learn(round_, round_.found.changed + dropped.changed, round_.began - last.began)
        round_.end()
        self._last = round_
        self._not_before = max(self._not_before, round_.began + SHORTEST_ROUND.total_seconds())
        took = timedelta(seconds=self._clock() - round_.began)
        metrics.SWEEPER_ROUND_SECONDS.observe(took.total_seconds())
        if not round_.has_stumbled:
            self._took = took
        if self._blind_rounds >= BLIND_ROUNDS:
            log.warning("sweeper.distrusted", watched=round_.found.watched, same=round_.found.same)
            self._blind_rounds, self._last = 0, None
            self._stop(DISTRUST.total_seconds())

    async def _unlisted(self, round_: Round) -> set[str]:
        """What dropped out before we began to read: all that is watched and not listed, unless that is most of it."""
        watched = await self._schedule.watched(self._team_id)
        unlisted = watched - round_.seen.keys()
        return unlisted if 2 * len(unlisted) <= len(watched) else set()

    def _learn(self, round_: Round, changed: int, seconds: float) -> None:
        found = round_.found
        metrics.SWEEPER_CHANGED.inc(changed)
        metrics.SWEEPER_COVERED.set(found.same)
        if seconds > 0:
            self._changed_per_second += (changed / seconds - self._changed_per_second) / 4
        is_blind = found.same * 2 < found.watched - found.waiting
        self._blind_rounds = self._blind_rounds + 1 if is_blind else 0

    async def _compare(self, round_: Round, shown: Iterable[tuple[str, str]]) -> Coverage:
        return await self._schedule.listed(self._team_id, shown, defer_for=round_.defer_for)
