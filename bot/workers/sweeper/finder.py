"""Finds new executions that rules match, has them followed, and ends rules whose time is over.

Lives here: `Finder`. What the sweeper's pages show as new is followed within a second or two. Once a minute one copy of
the bot scans the newest executions as well, in whatever phase: that finds what the sweeper does not read, what
was over between two rounds, and what came while no bot ran. Does not live here: which executions match
(`bot.domain.rules`), the pages of a scan (`scan`), what is stored (`bot.store.rules`). Run by the sweeper.

Whatever is found twice, or by two copies of the bot, is followed once (`bot.store.rules.enlisting`). What could not be
followed because the store was away is found again: a scan is done only when everything that it found is followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.audit import audit
from bot.domain.following import Rule, RuleNews, RuleNewsKind, Subscriber, louder
from bot.domain.rules import ANNOUNCED, CLOCKS_APART, RuleBook
from bot.domain.search import Match
from bot.errors import GCSError, GCSMalformed, GCSRequestRefused, GCSThrottled, StoreUnavailable
from bot.gcs.client import SMALLEST_PAGE, GCSClient
from bot.gcs.listing import Page
from bot.store.gcs_quota import GCSQuota
from bot.store.rules import Enlisted, Enlisting, Rules, RulesRead
from bot.workers.pool import Condition
from bot.workers.sweeper.scan import FIRST, LARGEST, Scan

log = structlog.get_logger()

READ_EVERY = timedelta(seconds=10)
"""How long until rules are read again; also how late a rule is noticed to be over."""

SOONEST_SECONDS = 1.0
"""How long at least from one run to the next."""

SCAN_EVERY = timedelta(seconds=60)
"""How long from one scan to the next, in all copies of the bot."""

MARGIN = timedelta(minutes=10)
"""How much farther back than the last scan the next one goes: GCS may list an execution late, and clocks differ."""

LONGEST_BACK = timedelta(days=7)
"""At most how far back a scan goes after a time without a running bot."""

AT_ONCE = 20
"""How many executions are enlisted at the same time."""

QUOTA_PATIENCE_SECONDS = 40
"""How long a page of a scan waits for a call of the quota."""

FAILING_SECONDS = 300.0
"""How long scans must fail until that is a problem."""

OWN_SHARE_SECONDS = 3
"""How long it waits for one of the bot's own, until it takes one that is kept for people: that is one in a minute."""

TIDY_SECONDS = 30.0
"""At least how long between two searches of a full rule for executions that are over."""

ROOM = 0.8
"""A full rule has room again once it follows no more than this share of what it may."""


class Finder:
    """Follows for each rule what is new; any number of copies may run."""

    def __init__(  # all that it works with, once
        self,
        gcs: GCSClient,
        rules: Rules,
        enlisting: Enlisting,
        *,
        quota: GCSQuota,
        most: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`most`: how many executions a rule follows at once."""
        self._gcs, self._rules, self._enlisting, self._quota = gcs, rules, enlisting, quota
        self._most, self._clock = most, clock
        self._book = RuleBook()
        self._waiting: dict[str, Match] = {}
        """What the sweeper's pages have shown since the last run, by execution id."""
        self._wake = asyncio.Event()
        self._done: dict[tuple[str, Subscriber], datetime] = {}
        """What was enlisted, and when that was created: it is found again with each scan."""
        self._tidied: dict[str, float] = {}
        """Rule id → when it was tidied last, by the clock."""
        self._largest = LARGEST
        self._has_scanned = False
        self._failing_since: float | None = None
        """When the first scan failed since the last one that was done, by the clock."""
        self._condition = Condition()
        """Why nothing is found."""

    @property
    def problem(self) -> str | None:
        """Why rules find no new executions; None when they do, or there are none."""
        return self._condition.text

    def note(self, shown: Iterable[Match]) -> None:
        """A page of a list shows executions that the one before it did not."""
        found = {match.execution_id: match for match in shown if self._book.matching(match)}
        self._waiting |= found
        if found:
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            try:
                await self.run_once()
            except StoreUnavailable as error:
                log.warning("finder.store_away", error=str(error))
            except GCSError as error:
                self._failed(error)
            except Exception:
                log.exception("finder.failed")
            await self._pause(stop)

    async def run_once(self) -> None:
        """Read the rules, end those that are over, and have everything followed that was found.

        Raises:
            StoreUnavailable: the store does not answer.
            GCSError: GCS does not show its list.
        """
        self._wake.clear()
        read = await self._rules.read()
        self._book = RuleBook(read.rules)
        metrics.SWEEPER_RULES.set(len(self._book.rules))
        for rule in read.rules:
            await self._keep_up(rule, read.now)
        if not self._book.rules:
            self._waiting, self._done = {}, {}
            self._succeeded()
            return
        floor = max(read.through - MARGIN, read.now - LONGEST_BACK)
        self._done = {key: created for key, created in self._done.items() if created >= floor}
        waiting = tuple(self._waiting.values())
        await self._enlist_all(waiting, now=read.now, floor=floor)
        for match in waiting:
            self._waiting.pop(match.execution_id, None)
        is_time = await self._rules.begin_scan(every=SCAN_EVERY)
        if is_time or not self._has_scanned:  # a bot that was started finds what it has missed
            await self._scan(read, floor)
            self._has_scanned = True

    def _failed(self, error: GCSError) -> None:
        """A scan has failed; that is a problem once GCS has shown no list for a while."""
        log.warning("finder.scan_failed", kind=type(error).__name__, error=str(error))
        if self._failing_since is None:
            self._failing_since = self._clock()
        if self._clock() >= self._failing_since + FAILING_SECONDS:
            why = f"GCS does not show the list of executions ({error.words}), so rules find no new ones"
            self._condition.set(why, next_try=SCAN_EVERY)

    def _succeeded(self) -> None:
        """A scan was done, or none is needed."""
        self._failing_since = None
        self._condition.clear()

    async def _pause(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({stopping}, timeout=SOONEST_SECONDS)
            left = READ_EVERY.total_seconds() - SOONEST_SECONDS
            await asyncio.wait({stopping, waking}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            waking.cancel()

    async def _scan(self, read: RulesRead, floor: datetime) -> None:
        """Scan the newest executions, and have everything followed that matches."""
        since = self._book.since
        scan = Scan(max(floor, since - CLOCKS_APART) if since else floor, largest=self._largest)
        while (wanted := scan.next_page) is not None and not scan.is_cut_off:
            page = await self._page(*wanted)
            await self._enlist_all([match for match in page.new if self._book.matching(match)], read.now, floor)
            scan.add(page)
        if scan.is_cut_off:
            log.warning("finder.scan_cut_off", pages=scan.pages)
        await self._rules.end_scan(read.now)
        self._succeeded()

    async def _page(self, offset: int, limit: int) -> Page:
        """One page, as soon as the quota has a call.

        Raises:
            GCSError: GCS does not show it.
        """
        for tries in range(QUOTA_PATIENCE_SECONDS):
            if await self._quota.take_up_to(1, for_lists=True):
                break
            # Polls may use up all that is not kept for people, as long as no lists are read.
            if tries >= OWN_SHARE_SECONDS and not await self._quota.take(is_person=True):
                break
            await asyncio.sleep(1)
        else:
            raise GCSThrottled("no call is left in our share of the quota", retry_after=SCAN_EVERY)
        try:
            return await self._gcs.list_page("", offset=offset, limit=limit)
        except GCSMalformed as error:
            if limit > FIRST:
                self._largest = FIRST  # so large a page is refused: the next scan asks for smaller ones
                raise
            if limit <= SMALLEST_PAGE or not isinstance(error, GCSRequestRefused):
                raise
            self._largest = max(limit // 2, SMALLEST_PAGE)
        return await self._page(offset, self._largest)

    async def _enlist_all(self, found: Sequence[Match], now: datetime, floor: datetime) -> None:
        """Have these followed, the oldest first.

        Raises:
            StoreUnavailable: not all of them are; repeat it.
        """
        found = sorted(found, key=lambda match: (match.created_at or floor, match.name))
        for begin in range(0, len(found), AT_ONCE):
            some = found[begin : begin + AT_ONCE]
            await asyncio.gather(*(self._enlist(match, now=now, floor=floor) for match in some))

    async def _enlist(self, match: Match, *, now: datetime, floor: datetime) -> None:
        created = match.created_at or floor
        if created < floor:
            return
        found = self._book.matching(match)
        new = {each: rules for each, rules in found.items() if (match.execution_id, each) not in self._done}
        placed = await self._placed(new, match.execution_id)
        if not placed:
            return  # another scan finds it while it is new
        enlisted = await self._enlisting.enlist(placed, match, now=now, floor=floor)
        for subscriber, what in enlisted.items():
            self._done[match.execution_id, subscriber] = created
            if what in {Enlisted.MADE, Enlisted.LOUDER}:
                self._audit(what, subscriber, placed[subscriber], match)
            if what is Enlisted.MADE:
                metrics.SWEEPER_FOUND_SECONDS.observe(max(0.0, (now - created).total_seconds()))

    async def _placed(
        self, wanted: Mapping[Subscriber, Sequence[Rule]], execution_id: str
    ) -> dict[Subscriber, list[Rule]]:
        """The rules that may follow one more execution, by subscriber."""
        all_rules = [rule for rules in wanted.values() for rule in rules]
        having = await self._rules.take_places(all_rules, execution_id, most=self._most)
        placed = {each: [rule for rule in rules if rule in having] for each, rules in wanted.items()}
        for subscriber, rules in wanted.items():
            if not placed[subscriber]:
                placed[subscriber] = await self._after_tidying(rules, execution_id)
        return {subscriber: rules for subscriber, rules in placed.items() if rules}

    async def _after_tidying(self, rules: Sequence[Rule], execution_id: str) -> list[Rule]:
        """The rules that have a place once they have left those of executions that are over."""
        for rule in rules:
            if self._clock() < self._tidied.get(rule.id, -TIDY_SECONDS) + TIDY_SECONDS:
                continue
            self._tidied[rule.id] = self._clock()
            if await self._enlisting.tidy(rule) >= self._most and not rule.is_full:
                await self._say_full(rule)
        return await self._rules.take_places(rules, execution_id, most=self._most)

    async def _say_full(self, rule: Rule) -> None:
        times = rule.times_full + 1
        news = RuleNews(RuleNewsKind.FULL, replace(rule, times_full=times), self._most)
        await self._enlisting.announce(news)
        await self._rules.change(
            rule.subscriber,
            rule.id,
            lambda known: replace(known, is_full=True, times_full=max(times, known.times_full)),
        )
        log.warning("finder.rule_full", rule=rule.id, most=self._most)

    async def _keep_up(self, rule: Rule, now: datetime) -> None:
        """End a rule whose time is over, finish one that has ended, and say in time that one will end.

        Where nobody could say so, because no bot ran or the clock was set forward, it ends that much later.
        """
        if rule.ended_by is None and now >= rule.expires_at and rule.is_announced:
            ended, _ = await self._rules.change(
                rule.subscriber, rule.id, lambda known: replace(known, ended_by="") if now >= known.expires_at else None
            )
            if ended is not None:
                audit(
                    "rule.ended",
                    why="expired",
                    team=rule.subscriber.team_id,
                    subscriber=rule.subscriber.id,
                    rule=rule.id,
                )
                await self._enlisting.finish(ended)
            self._book = RuleBook(each for each in self._book.rules if each.id != rule.id)
        elif rule.ended_by is not None:
            await self._enlisting.finish(rule)
        elif now >= rule.expires_at - ANNOUNCED and not rule.is_announced:
            ends = _ends(rule, now)
            await self._enlisting.announce(RuleNews(RuleNewsKind.EXPIRES, replace(rule, expires_at=ends)))
            await self._rules.change(rule.subscriber, rule.id, lambda known: _announced(known, rule, ends))
        elif rule.is_full and self._clock() >= self._tidied.get(rule.id, -TIDY_SECONDS) + TIDY_SECONDS:
            self._tidied[rule.id] = self._clock()
            if await self._enlisting.tidy(rule) <= self._most * ROOM:
                await self._rules.change(rule.subscriber, rule.id, lambda known: replace(known, is_full=False))

    @staticmethod
    def _audit(enlisted: Enlisted, subscriber: Subscriber, rules: Sequence[Rule], match: Match) -> None:
        audit(
            "subscription.created" if enlisted is Enlisted.MADE else "subscription.changed",
            team=subscriber.team_id,
            subscriber=subscriber.id,
            execution=match.execution_id,
            owner=rules[0].owner,
            changes=louder(*(rule.level for rule in rules)).value,
            rule=rules[0].id,
        )


def _announced(known: Rule, rule: Rule, ends: datetime) -> Rule | None:
    """`known` as it is once its end was announced; None where somebody has kept it since `rule` was read."""
    return replace(known, is_announced=True, expires_at=ends) if known.expires_at == rule.expires_at else None


def _ends(rule: Rule, now: datetime) -> datetime:
    """When a rule ends of which that is announced now; two copies of the bot that do so at once say the same."""
    if now < rule.expires_at:
        return rule.expires_at
    return rule.expires_at + ((now - rule.expires_at) // ANNOUNCED + 2) * ANNOUNCED
