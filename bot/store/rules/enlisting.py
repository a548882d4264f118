"""The subscriptions that rules make, and what becomes of them when a rule ends.

Lives here: `Enlisting`. Does not live here: the rules (`rules`), which executions match them (`bot.domain.rules`).
Called by the sweeper, and by `bot.rules` when somebody ends a rule.

An execution is followed once for a subscriber: its subscription says that a rule has a part in it, and the script that
forgets the subscription notes that. The note is kept for as long as scans go back that far. Once
somebody has stopped following it, or it has ended, it is not followed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from bot.domain import observing
from bot.domain.change import Change
from bot.domain.execution import TERMINAL_PHASES, Execution
from bot.domain.following import Level, Rule, RuleNews, RuleNewsKind, Subscriber, Subscription, louder
from bot.domain.search import Match
from bot.domain.snapshot import Snapshot
from bot.errors import StoreUnavailable
from bot.store.engine.connection import Connection
from bot.store.engine.wakeup import Wakeup
from bot.store.keys import Lane, lane_of
from bot.store.owner import Ownership
from bot.store.quiet_hours import HoursKept
from bot.store.rows import EPOCH, change_entry, milliseconds, subscription_of, subscription_row
from bot.store.rules.rules import Rules
from bot.store.schedule import rank_of
from bot.store.snapshots import first_text
from bot.store.subscriptions import Subscribers
from bot.store.subscriptions.index import SUBSCRIBING_FOR, Index
from bot.store.unreadable import Unreadable

CARD_WAIT = timedelta(seconds=15)
"""How long the first card waits for the first poll."""

PASSED_KEPT = timedelta(hours=12)
"""How much longer than scans go back it is remembered what was followed: if the store's clock is set back, they go back
as far, and a clock in the wrong time zone is off by hours."""

TRIES = 5
"""How often it is tried with the snapshot that others have just written."""

NEWS_KEPT = timedelta(days=14)
"""How long a message about a rule is remembered, so that it is not sent again."""

_NEWS_LETTERS = {RuleNewsKind.ENDED: "e", RuleNewsKind.EXPIRES: "a", RuleNewsKind.FULL: "f"}
"""Stand for them in keys, in hexadecimal digits like all ids."""


class Enlisted(StrEnum):
    """What became of an execution that rules match."""

    MADE = "made"
    """It is followed now."""
    LOUDER = "louder"
    """Somebody followed it by hand already, and its level is louder now."""
    KEPT = "kept"
    """The same, and the level by hand was the louder one."""
    SEEN = "seen"
    """It was followed before, or has just ended."""
    OLD = "old"
    """It is older than scans go back."""


class Enlisting:
    """Makes subscriptions for rules, and ends them."""

    def __init__(  # what the store has
        self,
        connection: Connection,
        ownership: Ownership,
        rules: Rules,
        subscribers: Subscribers,
        *,
        polls: Wakeup,
        deliveries: Wakeup,
    ) -> None:
        self._connection, self._ownership, self._rules = connection, ownership, rules
        self._subscribers, self._index, self._hours = subscribers, Index(connection), HoursKept(connection)
        self._polls, self._deliveries = polls, deliveries

    async def enlist(
        self, wanted: Mapping[Subscriber, Sequence[Rule]], match: Match, *, now: datetime, floor: datetime
    ) -> dict[Subscriber, Enlisted]:
        """Have each subscriber follow an execution that `wanted` rules of theirs match; a second time changes nothing.

        These rules have taken a place for it: that is where it is found among what the subscriber follows.
        Nothing is reported from the list that shows it: its first poll comes at once. Executions that are older than
        `floor` were scanned before. All are of one workspace. Who is missing in the result does not follow it yet: its
        snapshot cannot be read, or is written all the time.

        Raises:
            StoreUnavailable: the store does not answer; repeat it.
        """
        lanes = {each: lane_of(self._ownership.owner.account, each, match.execution_id) for each in wanted}
        rows = {each: subscription_row(await self._subscription(each, wanted[each], match, now)) for each in wanted}
        done, failure = await self._run(lanes, rows, match, now=now, floor=floor)
        alive = await self._rules.alive([rule for each in done for rule in wanted[each]])
        for each, enlisted in done.items():
            if enlisted in {Enlisted.MADE, Enlisted.LOUDER, Enlisted.KEPT}:
                levels = [rule.level for rule in alive if rule.subscriber == each]
                if len(levels) < len(wanted[each]):  # a rule has ended meanwhile, and its end did not see this
                    await self._unlist(lanes[each], louder(*levels) if levels else None)
        await asyncio.gather(*(self._keep_place(lanes[each], wanted[each], done[each]) for each in done))
        if Enlisted.MADE in done.values():
            self._polls.set()
            self._deliveries.set(after=CARD_WAIT.total_seconds())
        if Enlisted.LOUDER in done.values():
            self._deliveries.set()
        if failure is not None:
            raise failure
        return done

    async def _run(
        self, lanes: Mapping[Subscriber, Lane], rows: Mapping[Subscriber, str], match: Match, **when: datetime
    ) -> tuple[dict[Subscriber, Enlisted], StoreUnavailable | None]:
        """Run the script for all, in one round trip; what was done, and why not all of it was."""
        done: dict[Subscriber, Enlisted] = {}
        for _ in range(TRIES):
            left = [each for each in lanes if each not in done]
            if not left:
                break
            known = await self._subscribers.snapshot(left[0].team_id, match.execution_id)
            about, home = _about(match, known, **when), self._connection.keys.home_of(lanes[left[0]].execution)
            answers = await self._connection.run_many(
                [("subscriptions/enlist", home, (str(lanes[each]), rows[each], *about)) for each in left]
            )
            answered = list(zip(left, answers, strict=True))
            # A number says that the snapshot is another one by now.
            done |= {each: Enlisted(str(answer[0])) for each, answer in answered if isinstance(answer, list)}
            failure = next((answer for answer in answers if isinstance(answer, StoreUnavailable)), None)
            if failure is not None:
                return done, failure
        return done, None

    async def _subscription(
        self, subscriber: Subscriber, rules: Sequence[Rule], match: Match, now: datetime
    ) -> Subscription:
        hours = await self._hours.find(subscriber.team_id, subscriber.id) if subscriber.is_person else None
        return Subscription(
            execution_id=match.execution_id,
            subscriber=subscriber,
            level=louder(*(rule.level for rule in rules)),
            owner=next((rule.owner for rule in rules if rule.owner), ""),
            created_at=now,
            is_by_rule=True,
            hours=hours.at(now) if hours else None,
        )

    async def _keep_place(self, lane: Lane, rules: Sequence[Rule], enlisted: Enlisted) -> None:
        """Take the rules' places again for what they follow now, as another copy may have left them; or leave them."""
        if enlisted is Enlisted.MADE:
            await self._rules.take_places(rules, lane.execution_id, most=None)
        elif enlisted in {Enlisted.SEEN, Enlisted.OLD} and not await self._is_followed(lane):
            await self._index.keep_ending(lane)
            for rule in rules:
                await self._rules.leave_places(rule, [lane.execution_id])

    async def tidy(self, rule: Rule) -> int:
        """Have a rule leave the places of executions that are over, or not followed any more; returns how many stay."""
        places = await self._rules.places(rule)
        followed = await self._followed(rule, places)
        over = [each for each in places if each not in followed and not _is_beginning(places[each])]
        lanes = [lane_of(self._ownership.owner.account, rule.subscriber, each) for each in over]
        await asyncio.gather(*map(self._index.keep_ending, lanes))
        await self._rules.leave_places(rule, over)
        return len(followed)

    async def finish(self, rule: Rule) -> int:
        """End what only a rule that has ended follows, say goodbye once, and delete the rule.

        Repeated after a crash, it does what is left to do. A rule stays while another copy of the bot may be about to
        follow something for it: repeated a minute later, it ends that, too.

        Returns:
            How many executions are not followed any more.

        Raises:
            StoreUnavailable: the store does not answer; repeat it.
        """
        others = {other: await self._rules.places(other) for other in await self._rules.of(rule.subscriber)}
        ended, mine = 0, await self._rules.places(rule)
        followed = await self._followed(rule, mine)
        for execution_id in mine:
            levels = [other.level for other, places in others.items() if execution_id in places]
            lane = lane_of(self._ownership.owner.account, rule.subscriber, execution_id)
            ended += await self._unlist(lane, louder(*levels) if levels else None, by=rule.ended_by or "")
        reader = _reader(rule)
        if reader is not None:
            await self.announce(RuleNews(RuleNewsKind.ENDED, rule, ended), reader=reader)
        if not any(_is_beginning(age) for each, age in mine.items() if each not in followed):
            await self._rules.delete(rule)
        return ended

    async def announce(self, news: RuleNews, *, reader: Subscriber | None = None) -> bool:
        """Have a message about a rule delivered, once each time that it is true; False when that was done before.

        A person's quiet hours hold it: it may come at any time of the day.
        """
        rule, reader = news.rule, reader or news.rule.subscriber
        times = rule.times_full if news.kind is RuleNewsKind.FULL else milliseconds(rule.expires_at - EPOCH)
        news_id = f"{rule.id}-{_NEWS_LETTERS[news.kind]}-{times:x}"
        lane = lane_of(self._ownership.owner.account, reader, news_id)
        hours = await self._hours.find(reader.team_id, reader.id) if reader.is_person else None
        subscription = Subscription(
            execution_id=news_id,
            subscriber=reader,
            level=rule.level,
            owner=rule.owner,
            created_at=EPOCH,  # the script writes the moment
            is_ending=True,
            hours=hours.at((await self._rules.read()).now) if hours else None,
        )
        shown = Execution(id=news_id, name=" ".join(rule.values)[:60])
        snapshot = Snapshot(execution=shown, revision=1, seen_at=EPOCH, rule_news=news)
        is_new = await self._connection.run(
            "subscriptions/announce",
            self._connection.keys.home_of(lane.execution),
            str(lane),
            subscription_row(subscription),
            first_text(snapshot, None),
            milliseconds(NEWS_KEPT),
            "",
        )
        self._deliveries.set()
        return bool(is_new)

    async def _unlist(self, lane: Lane, level: Level | None, *, by: str = "") -> bool:
        """End what rules have made, but for what keeps it at `level`; whether it has ended."""
        done = await self._connection.run(
            "subscriptions/unlist",
            self._connection.keys.home_of(lane.execution),
            str(lane),
            level.value if level else "",
            by,
        )
        if done is not None:
            self._deliveries.set()
        if done == "ended":
            await self._index.remove(lane)
        return bool(done == "ended")

    async def _is_followed(self, lane: Lane) -> bool:
        return bool(await self._that_go_on([lane]))

    async def _followed(self, rule: Rule, execution_ids: Iterable[str]) -> set[str]:
        """Those that the subscriber of a rule follows."""
        lanes = [lane_of(self._ownership.owner.account, rule.subscriber, each) for each in execution_ids]
        return {lane.execution_id for lane in await self._that_go_on(lanes)}

    async def _that_go_on(self, lanes: list[Lane]) -> set[Lane]:
        """Those that somebody follows; one that cannot be read is taken for one of them."""
        if not lanes:
            return set()
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            for lane in lanes:
                pipeline.hget(self._connection.keys.subscriptions_of(lane.execution), lane.subscriber_id)
            rows = await pipeline.execute()
        return {lane for lane, row in zip(lanes, rows, strict=True) if row is not None and _goes_on(lane, str(row))}


def _start(match: Match, *, now: datetime, revision: int) -> Snapshot:
    """What a new subscription starts from: the execution as a list shows it, or before it ran where that shows its end.

    A list is no evidence of an end: the first poll reports it, and what has failed until then.
    """
    phase = "Pending" if match.phase in {"", *TERMINAL_PHASES} else match.phase
    shown = Execution(
        id=match.execution_id,
        name=match.name,
        workflow_id=match.workflow_id,
        workflow_name=match.workflow_name,
        phase=phase,
        created_at=match.created_at,
    )
    return Snapshot(execution=shown, revision=revision, seen_at=now)


def _about(match: Match, known: Snapshot | None, *, now: datetime, floor: datetime) -> tuple[str | int, ...]:
    """The script's arguments about an execution that others follow as `known`, after the subscription."""
    start = _start(match, now=now, revision=known.revision + 1 if known else 1)
    missed = _missed(start, known)
    return (
        first_text(start, None),
        start.revision,
        milliseconds((match.created_at or now) - EPOCH),
        milliseconds(floor - EPOCH),
        milliseconds(PASSED_KEPT),
        milliseconds(CARD_WAIT),
        change_entry(missed) if missed else "",
        rank_of(missed) if missed else -1,
        known.revision if known else "",
    )


def _missed(start: Snapshot, known: Snapshot | None) -> Change | None:
    """What others have read of an execution that has ended already."""
    if known is None or not (known.execution.is_terminal or known.is_vanished):
        return None
    return observing.missed(replace(start, revision=known.revision), known, revision=known.revision)


def _reader(rule: Rule) -> Subscriber | None:
    """Who reads that a rule has ended: its owner where its destination is dead, and nobody who ended their own."""
    if rule.code:
        is_other = rule.owner not in {"", rule.subscriber.id}
        return Subscriber(team_id=rule.subscriber.team_id, id=rule.owner) if is_other else None
    return None if rule.ended_by and rule.subscriber.is_person else rule.subscriber


def _is_beginning(age: timedelta) -> bool:
    """Whether a place that was taken so long ago may be for an execution that is just about to be followed."""
    return age < SUBSCRIBING_FOR


def _goes_on(lane: Lane, row: str) -> bool:
    try:
        return not subscription_of(lane, row).is_ending
    except Unreadable:
        return True
