"""The sweeper's loop: choose the next page, fetch it, compare it with the last polls, end the round.

Lives here: `Sweeper`, which composes `round` and `pacing`, and decides what a failed page means. Does not live here:
rules about speed, size and trust (`pacing`), what one reading of the list showed (`round`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TypeVar

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
from bot.gcs.known import NOTHING_LISTED
from bot.gcs.listing import Page
from bot.store.gcs_quota import GCSQuota
from bot.store.schedule import Coverage, Schedule
from bot.store.snapshots import GONE
from bot.workers.sweeper.finder import Finder
from bot.workers.sweeper.pacing import (
    DISTRUST,
    REPORT_EVERY,
    SHORTEST_ROUND,
    SMALLEST_PAGE,
    Cost,
    Measured,
    Pacing,
    PageSize,
    Trust,
)
from bot.workers.sweeper.round import PHASES, Round, Wanted

log = structlog.get_logger()

T = TypeVar("T")

CONCURRENCY = 10
"""At most how many pages are under way at once: a large one takes longer than the time until the next."""

RECONSIDER = timedelta(seconds=5)
"""How long until the next decision whether to read lists."""

STORE_AWAY_SECONDS = 1.0
"""How long until the next attempt when the store did not answer."""

IDLE_SECONDS = 0.05
"""How long until the next attempt when there was no page to request."""

KEEP_LEASE_SECONDS = 1.0
"""At most how long between two renewals of the reader lease, and between two checks of the quota."""

TEMPORARY = (GCSUnavailable, GCSThrottled, GCSBadCredentials, GCSMalformed)
"""Failures after which the page is requested again; any other means that GCS refuses lists."""


class Sweeper:
    """Reads the lists of one GCS user; one copy of the bot does at a time."""

    def __init__(  # noqa: PLR0913  # all that it works with, once
        self,
        gcs: GCSClient,
        schedule: Schedule,
        *,
        quota: GCSQuota,
        team_id: str,
        cadence: Cadence,
        bytes_per_second: int,
        finder: Finder | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`finder` gets the executions that are new."""
        self._finder = finder
        self._gcs, self._schedule, self._quota, self._team_id = gcs, schedule, quota, team_id
        self._cadence, self._clock = cadence, clock
        self._pacing, self._page_size, self._trust = Pacing(bytes_per_second), PageSize(), Trust()
        self._measured = Measured()
        self._choosing = asyncio.Lock()
        """One task at a time chooses the next page, however long the store takes."""
        self._rounds: list[Round] = []
        """The rounds that are not complete, oldest first: the next one begins while pages of the last are under way."""
        self._last: Round | None = None
        """The last complete round."""
        self._reported_at = -math.inf
        """When the last round began that reports unchanged executions to the store, too."""
        self._not_before = 0.0
        """When the next page may be requested, or the next decision made."""
        self._lease_checked = -math.inf
        """When this process last found that it has the reader lease; checked again long before that ends."""

    async def run(self, stop: asyncio.Event) -> None:
        """Read lists while that pays, until `stop` is set."""
        finding = [self._finder.run(stop)] if self._finder else []
        await asyncio.gather(self._read_pages(stop), self._keep_reader_lease(stop), *finding)

    async def run_once(self) -> float:
        """Request one page if it is time for it; returns the seconds until there may be another one."""
        if (wanted := await self._chosen()) is not None:
            await self._read(wanted)
        return self._pause_seconds

    async def _read_pages(self, stop: asyncio.Event) -> None:
        """Request page after page, and read at most `CONCURRENCY` at once."""
        free, reading = asyncio.Semaphore(CONCURRENCY), set[asyncio.Task[None]]()
        while not stop.is_set():
            async with free:  # none is chosen before it can be requested
                wanted = await self._guarded(self._chosen())
            if wanted is not None:
                reading.add(task := asyncio.create_task(self._read_within(free, wanted)))
                task.add_done_callback(reading.discard)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._pause_seconds or IDLE_SECONDS)
        await asyncio.gather(*reading)

    async def _read_within(self, free: asyncio.Semaphore, wanted: Wanted) -> None:
        async with free:
            await self._guarded(self._read(wanted))

    async def _guarded(self, work: Awaitable[T]) -> T | None:
        """The result of `work`; None after an error, which no list survives."""
        try:
            return await work
        except StoreUnavailable as error:
            log.warning("sweeper.store_away", error=str(error))
            self._stop(STORE_AWAY_SECONDS)
        except Exception:
            log.exception("sweeper.failed")
            self._stop(DISTRUST.total_seconds())
        return None

    async def _keep_reader_lease(self, stop: asyncio.Event) -> None:
        """Keep the lease also while no page may be requested, since nothing else renews it then."""
        while not stop.is_set():
            if self._rounds:
                try:
                    with suppress(StoreUnavailable):
                        await self._holds_reader_lease()
                except Exception:  # a bug of ours; lists are read all the same, and the next renewal may work
                    log.exception("sweeper.lease_failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), KEEP_LEASE_SECONDS)

    async def _holds_reader_lease(self) -> bool:
        now = self._clock()
        reading = (self._rounds[-1].defer_for, self._rounds[-1].useful_calls) if self._rounds else None
        has_lease = await self._quota.hold_reader_lease(self._team_id, reading=reading)
        self._lease_checked = now if has_lease else -math.inf
        return has_lease

    async def _chosen(self) -> Wanted | None:
        async with self._choosing:
            return await self._next_page()

    @property
    def _pause_seconds(self) -> float:
        """How long until the next page may be requested."""
        return max(0.0, self._not_before - self._clock())

    async def _next_page(self) -> Wanted | None:
        """The page to request now; None while another process reads lists, or it is too early."""
        now = self._clock()
        if now < self._not_before or (self._trust.is_failing and any(each.under_way for each in self._rounds)):
            return None
        self._not_before = now + IDLE_SECONDS
        if now > self._lease_checked + KEEP_LEASE_SECONDS and not await self._holds_reader_lease():
            self._stop(RECONSIDER.total_seconds())
        elif unread := next((each for each in self._rounds if each.pages_left), None):
            return await self._page_of(unread)
        elif not self._rounds or (self._rounds[-1].may_be_followed and not self._trust.is_failing):
            await self._begin_round()
        return None

    async def _begin_round(self) -> None:
        """Begin a round, if it is time for it and it pays."""
        now = self._clock()
        newest = self._rounds[-1] if self._rounds else self._last
        if newest is not None and now < newest.began + SHORTEST_ROUND.total_seconds():
            self._not_before = newest.began + SHORTEST_ROUND.total_seconds()
            return
        if self._last is not None and now - self._last.began > DISTRUST.total_seconds():
            self._last = None  # what it showed is too old to compare with
        self._page_size = self._page_size.retried(now=now)
        cost = await self._cost()
        if not cost.pays(self._cadence):
            self._measured = self._measured.not_read()
            self._pause(RECONSIDER.total_seconds())
        if self._not_before > now + IDLE_SECONDS:  # or a page that failed meanwhile pauses lists
            return
        metrics.SWEEPER_ACTIVE.set(1)
        reports_all = now >= self._reported_at + REPORT_EVERY.total_seconds()
        if reports_all:
            self._reported_at = now
        self._rounds.append(
            Round(
                began=now,
                limit=self._page_size.items,
                defer_for=cost.defer_for(self._cadence, self._measured.duration),
                useful_calls=self._pacing.useful_calls(cost.pages, self._last.page_bytes if self._last else 0),
                reports_all=reports_all,
                totals=dict(newest.totals) if newest else {},
            )
        )
        self._lease_checked = -math.inf  # what this round defers is stored with the lease

    async def _cost(self) -> Cost:
        watched = await self._schedule.size()
        metrics.WATCHER_EXECUTIONS.set(watched)
        listed = max(self._last.listed if self._last else 0, watched)
        return Cost(
            watched=watched,
            pages=self._page_size.pages(listed) + len(PHASES) - 1,
            calls_per_second=self._quota.per_second,
            changed_per_second=self._measured.changed_per_second,
        )

    async def _page_of(self, round_: Round) -> Wanted | None:
        """The next page of a round, once it is time for it and the quota has a call."""
        now = self._clock()
        spacing = self._pacing.spacing(await self._quota.left_for_lists(), now=now)
        wait = self._pacing.due(spacing) - now
        if wait > 0 or not await self._quota.take_up_to(1, for_lists=True):
            self._not_before = now + min(wait if wait > 0 else spacing, KEEP_LEASE_SECONDS)
            return None
        if round_ not in self._rounds or not round_.pages_left:  # a worker that came back may have ended it
            return None
        wanted = round_.next_page(self._pacing.item_bytes)
        self._pacing = self._pacing.requested(spacing, size_bytes=wanted.expected_bytes, now=now)
        self._not_before = min(self._pacing.due(spacing), now + KEEP_LEASE_SECONDS)
        return wanted

    async def _read(self, wanted: Wanted) -> None:
        """Read one page; the last worker to come back ends the round."""
        round_ = wanted.round
        round_.under_way += 1
        try:
            await self._fetch(wanted)
        finally:
            round_.under_way -= 1
        if round_ in self._rounds and round_.is_done:
            await self._end_round(round_)

    async def _fetch(self, wanted: Wanted) -> None:
        round_, answered = wanted.round, self._gcs.answered
        try:
            before = self._last.listing if self._last else NOTHING_LISTED
            page = await self._gcs.list_page(wanted.phase, offset=wanted.offset, limit=round_.limit, before=before)
        except GCSError as error:
            round_.pages_left.appendleft((wanted.phase, wanted.offset))
            round_.had_failures = True
            is_slow = isinstance(error, GCSTooLate) and self._gcs.answered > answered  # other calls were answered
            self._page_failed(round_, error, is_unfit=is_slow or isinstance(error, GCSMalformed))
        else:
            await self._page_read(wanted, page)

    async def _page_read(self, wanted: Wanted, page: Page) -> None:
        round_, now = wanted.round, self._clock()
        sizes = page.size_bytes, page.length, wanted.expected_bytes
        self._trust, self._pacing = self._trust.page_read(), self._pacing.read(*sizes, now=now)
        metrics.SWEEPER_PAGES.inc()
        metrics.SWEEPER_BYTES.inc(page.size_bytes)
        if self._finder is not None:
            self._finder.note(page.new)
        if round_ not in self._rounds:  # given up, or a later round has read the same since
            return
        round_.add(wanted.phase, wanted.offset, page)
        dropped = self._last.dropped(page, round_.seen) if self._last else []
        reported = page.items if round_.reports_all else page.changed
        shown = [(item.execution_id, item.state) for item in reported]
        found = await self._compare(round_, [*shown, *_gone(dropped)])
        round_.found += found  # read after the wait: other pages are counted during it
        if round_.is_cut(wanted.offset, page):
            self._restart(round_, self._page_size.shrunk(page.length, now=now))

    def _page_failed(self, round_: Round, error: GCSError, *, is_unfit: bool) -> None:
        """A page failed; `is_unfit`: because of its size, it seems, and not because GCS has problems."""
        log.warning("sweeper.page_failed", kind=type(error).__name__, error=str(error), page=round_.limit)
        if is_unfit and round_.limit > SMALLEST_PAGE:
            self._restart(round_, self._page_size.halved(round_.limit, now=self._clock()))
            return
        self._trust = self._trust.page_failed(is_unfit=is_unfit)
        if isinstance(error, TEMPORARY) and not (is_unfit and self._trust.is_hopeless):
            self._not_before = self._clock() + self._trust.retry_seconds
        else:
            self._stop(DISTRUST.total_seconds())

    def _restart(self, round_: Round, page_size: PageSize) -> None:
        """Begin again with smaller pages, unless another page of this round had that effect already."""
        if round_ in self._rounds:
            self._page_size = page_size
            self._give_up_rounds()

    async def _end_round(self, round_: Round) -> None:
        """The whole list was read: what dropped out of it has ended, or was deleted. Older rounds end with this one."""
        changed = sum(each.found.changed for each in self._rounds if each.began <= round_.began)
        self._rounds = [each for each in self._rounds if each.began > round_.began]
        gone = self._last.listing.places.keys() - round_.seen if self._last else await self._unlisted(round_)
        changed += (await self._compare(round_, _gone(gone))).changed
        if self._last is not None and self._last.began > round_.began:  # the next one has ended meanwhile
            return
        self._measure(round_, changed)
        round_.complete()
        self._last = round_
        if round_.reports_all:
            metrics.SWEEPER_COVERED.set(round_.found.same)
            self._trust = self._trust.round_read(round_.found)
        if self._trust.is_blind:
            log.warning("sweeper.distrusted", watched=round_.found.watched, same=round_.found.same)
            self._trust, self._last = Trust(), None
            self._stop(DISTRUST.total_seconds())

    async def _unlisted(self, round_: Round) -> set[str]:
        """What dropped out before this process began to read: all that is watched and not listed.

        Empty where that is most of it: then this is another project's list, or broken.
        """
        watched = await self._schedule.watched(self._team_id)
        unlisted = watched - round_.seen
        return unlisted if 2 * len(unlisted) <= len(watched) else set()

    def _measure(self, round_: Round, changed: int) -> None:
        took = timedelta(seconds=self._clock() - round_.began)
        metrics.SWEEPER_ROUND_SECONDS.observe(took.total_seconds())
        metrics.SWEEPER_CHANGED.inc(changed)
        if self._last and round_.began > self._last.began:
            self._measured = self._measured.changed(changed, seconds=round_.began - self._last.began)
        if not round_.had_failures:
            self._measured = replace(self._measured, duration=took)

    async def _compare(self, round_: Round, shown: Iterable[tuple[str, str]]) -> Coverage:
        """Have the store compare what a list shows (id and fingerprint) with the last polls."""
        return await self._schedule.listed(self._team_id, shown, defer_for=round_.defer_for)

    def _stop(self, seconds: float) -> None:
        """Give up the rounds that are not complete, and read no list for so many seconds."""
        self._give_up_rounds()
        self._pause(seconds)

    def _give_up_rounds(self) -> None:
        """Forget the rounds that are not complete; the next one reports what they have not reported."""
        self._rounds, self._reported_at = [], -math.inf

    def _pause(self, seconds: float) -> None:
        """Request no page for so many seconds; those under way still count."""
        metrics.SWEEPER_ACTIVE.set(0)
        metrics.SWEEPER_COVERED.set(0)
        self._not_before = self._clock() + seconds


def _gone(execution_ids: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((execution_id, GONE) for execution_id in execution_ids)
