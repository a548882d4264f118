"""What people ask for: a summary, follow, stop following, a list of what they follow.

Lives here: what a request means for the store. Does not live here: asking GCS (`bot.reads`, `bot.search`), what people
ask for about rules, boards and quiet (`bot.rules`, `bot.boards`, `bot.quiet`), parsing and replying (`handlers`),
delivering (`bot.workers.notifier`). Called by the handlers; every error is a `BotError` with a sentence in
`bot.blocks.sentences`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic

from msgspec.structs import replace

from bot.audit import audit, current_request
from bot.boards import BoardRequests
from bot.domain import observing
from bot.domain.cadence import Cadence
from bot.domain.change import Change, ChangeKind
from bot.domain.events import Event
from bot.domain.execution import Phase
from bot.domain.fates import Log
from bot.domain.following import Level, Subscriber, Subscription, louder
from bot.domain.home import Home
from bot.domain.past import Past
from bot.domain.quiet import day_began
from bot.domain.snapshot import Followed, Snapshot
from bot.errors import InputProblem, InvalidInput, TooManyRequests
from bot.gcs.client import GCSClient
from bot.gcs.search import SharedSearches
from bot.quiet import QuietTimes
from bot.reads import WITHIN, Reads, State
from bot.rules import RuleRequests
from bot.search import Searches
from bot.store import Store
from bot.store.gcs_quota import PersonLimit
from bot.store.patience import in_time
from bot.store.people import Forgotten
from bot.store.subscriptions import Decided, SubscriptionChanged

FORGET_WITHIN = timedelta(minutes=1)
"""At most how long it takes to delete what is kept about a person: all executions are searched."""

SHARED_ONCE = timedelta(seconds=10)
"""Within this time the same person shares the same execution with the same channel once: who waits may press twice."""

REDRAW_SECONDS = 0.2
"""How long a refreshed card waits before it checks again whether the watcher has seen what GCS shows."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much people may ask for."""

    requests: PersonLimit
    per_person: int
    """Executions that one person may follow."""
    per_channel: int
    """The same for a channel."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The state of an execution."""

    snapshot: Snapshot
    subscription: Subscription | None
    """The subscription of the person who asked."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What is known about why an execution failed."""

    snapshot: Snapshot
    events: tuple[Event, ...] | None
    """What GCS says happened to its steps; None where it does not show that."""
    is_refused: bool
    """Whether GCS shows no events because the bot may not read them."""
    past: Past
    """How earlier runs of its workflow ended."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The result of following an execution."""

    subscription: Subscription
    snapshot: Snapshot
    was: Subscription | None
    """The subscription before that."""
    followed: bool
    """False if there is nothing to follow: the execution has already succeeded."""
    is_safe: bool = True
    """False if fewer replicas of the store hold it than configured, so that losing one server could lose it."""


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The result of no longer following an execution."""

    was_followed: bool
    is_safe: bool = True
    """As with `Subscribed`."""


class Subscriptions:
    """Serves what people ask for."""

    def __init__(
        self,
        gcs: GCSClient,
        store: Store,
        *,
        boards: BoardRequests,
        allowance: Allowance,
        cadence: Cadence,
        now: Callable[[], datetime],
        default_level: Level = Level.MILESTONES,
    ) -> None:
        """`default_level` is for those who name none, and have not chosen one."""
        self._subscribers, self._people = store.subscribers, store.people
        self._homes, self._logs, self._requests = store.homes, store.logs, store.requests
        self._allowance, self._cadence, self._now, self._default_level = allowance, cadence, now, default_level
        self._reads = Reads(gcs, store.subscribers, store.history, cadence=cadence, now=now)
        searches = SharedSearches(gcs, within=WITHIN, now=now)
        self.search = Searches(store.subscribers, searches)
        """Searches for executions by name or phase."""
        self.rules = RuleRequests(store.rules, store.enlisting, searches)
        """What people ask for about rules."""
        self.boards = boards
        """What people ask for about boards."""
        self.quiet = QuietTimes(store.subscribers, store.quiet_hours, now=now)
        """What people ask for about mutes and quiet hours."""

    async def admit(self, asker: Subscriber) -> None:
        """Count one request of a person.

        Raises:
            TooManyRequests: it is one too many, and is not served.
        """
        refusal = await in_time(self._allowance.requests.count(asker))
        if refusal is not None:
            raise TooManyRequests(refusal.wait, is_repeated=refusal.is_repeated)

    async def summary(self, team_id: str, execution_id: str, user_id: str, *, is_refresh: bool = False) -> Summary:
        """The current state of an execution; the last known one if GCS does not answer and somebody follows it.

        `is_refresh`: the person has an answer and wants a newer one.
        """
        snapshot = (
            await self._reads.state(team_id, execution_id, newer_than=self._now() if is_refresh else None)
        ).snapshot
        await in_time(self._subscribers.viewed(team_id, execution_id, soon=self._cadence.soon))
        subscriber = Subscriber(team_id=team_id, id=user_id)
        return Summary(snapshot, await in_time(self._subscribers.find(subscriber, execution_id)))

    async def explain(self, team_id: str, execution_id: str, user_id: str) -> Explained:
        """The current state of an execution, its events, and how earlier runs ended, as far as available."""
        summary, (events, is_refused) = await asyncio.gather(
            self.summary(team_id, execution_id, user_id), self._reads.events(execution_id)
        )
        past = await self._reads.past(team_id, summary.snapshot.execution)
        return Explained(summary.snapshot, events, is_refused, past)

    async def subscribe(
        self,
        subscriber: Subscriber,
        execution_id: str,
        *,
        level: Level | None,
        owner: str,
        is_exact: bool = False,
        announces_success: bool | None = None,
    ) -> Subscribed:
        """Let `subscriber` follow an execution from now on; if it does already, `level` replaces the level.

        `owner` is the person who asks. A subscription that exists keeps its owner, who reads who changed it, if it has
        one. Where a rule follows it, too, the louder level counts, unless `level` is to be exactly that.
        `announces_success` stays as it was where it is None.

        Raises:
            TooManySubscriptions: it follows as many executions as it may.
        """
        polled = await self._reads.state(subscriber.team_id, execution_id)
        usual = self._default_level if level else await self.level_of(subscriber)
        hours = await self.quiet.present(subscriber)
        while True:
            was = await in_time(self._subscribers.find(subscriber, execution_id))
            subscription = Subscription(
                execution_id=execution_id,
                subscriber=subscriber,
                level=self._level(was, level, usual, is_exact=is_exact),
                owner=(was.owner if was else "") or owner,
                created_at=was.created_at if was else self._now(),
                request_id=current_request(),
                is_by_rule=was is not None and was.is_by_rule,
                own_level=self._own_level(was, level, usual) if was is not None and was.is_by_rule else None,
                muted=was.muted if was else None,
                hours=hours,
                announces_success=(
                    announces_success if announces_success is not None else was is not None and was.announces_success
                ),
            )
            with suppress(SubscriptionChanged):  # by a rule, or by somebody else in the same channel
                return await self._subscribed(subscription, was, polled, by=owner)

    async def _subscribed(
        self, subscription: Subscription, was: Subscription | None, polled: State, *, by: str
    ) -> Subscribed:
        """Write `subscription`, which was decided from `was`.

        Raises:
            SubscriptionChanged, TooManySubscriptions: nothing was written.
        """
        snapshot, fingerprint, alarm_at = polled
        snapshot = observing.until_confirmed(snapshot)
        if snapshot.execution.phase == Phase.SUCCEEDED and was is None:
            return Subscribed(subscription, snapshot, None, followed=False)
        is_person = subscription.subscriber.is_person
        _, is_safe = await in_time(
            self._subscribers.subscribe(
                subscription,
                snapshot,
                first_poll=self._cadence.soon if snapshot.contradicted else self._cadence.poll,
                alarm=alarm_at - snapshot.seen_at if alarm_at else None,
                fingerprint=fingerprint,
                most=self._allowance.per_person if is_person else self._allowance.per_channel,
                decided=Decided(was, self._level_notice(subscription, by=by)),
            )
        )
        _audit(subscription, was)
        return Subscribed(subscription, snapshot, was, followed=True, is_safe=is_safe)

    async def unsubscribe(self, subscriber: Subscriber, execution_id: str, *, by: str = "") -> Unsubscribed:
        """Stop `subscriber` from following an execution; a channel reads `by` whom."""
        ending = self._subscribers.unsubscribe(
            subscriber,
            execution_id,
            request_id=current_request(),
            notice=self._notice(ChangeKind.STOPPED, subscriber, by),
            is_ruled=await self.rules.has(subscriber),
        )
        was_followed, is_safe = await in_time(ending)
        if was_followed:
            audit(
                "subscription.ended",
                why="unsubscribed",
                team=subscriber.team_id,
                subscriber=subscriber.id,
                execution=execution_id,
            )
        return Unsubscribed(was_followed, is_safe)

    async def of(self, subscriber: Subscriber) -> Followed:
        """What `subscriber` follows."""
        return await in_time(self._subscribers.of(subscriber))

    async def that_follow(self, team_id: str, execution_id: str) -> frozenset[str]:
        """Ids of the people and channels that follow an execution."""
        return await in_time(self._subscribers.that_follow_it(team_id, execution_id))

    async def home(self, person: Subscriber, channels: Collection[str] | None, *, zone: str = "") -> Home:
        """What `person`, who is in `channels`, sees on their Home; `channels` is None where they are not known.

        `zone` is that of their Slack; the one that they have chosen for their quiet hours comes first.
        """
        hours = await self.quiet.hours(person)
        since = day_began(self._now(), hours.zone if hours else zone)
        home = await in_time(self._homes.of(person, channels, since=since))
        rules = await self.rules.mine(person, channels or ())
        return home._replace(level=home.level or self._default_level, hours=hours, rules=rules)

    async def level_of(self, subscriber: Subscriber) -> Level:
        """The level of what `subscriber` follows without naming one."""
        chosen = await in_time(self._homes.level_of(subscriber)) if subscriber.is_person else None
        return chosen or self._default_level

    async def choose_level(self, person: Subscriber, level: Level) -> None:
        """Use `level` from now on where `person` names none; what they follow already keeps its level."""
        await in_time(self._homes.choose_level(person, level))
        audit("level.chosen", subscriber=person.id, changes=level.value)

    async def log(self, execution_id: str, *subscribers: Subscriber) -> Log:
        """What is kept of an execution's changes, and what became of them for `subscribers` of one workspace."""
        return await in_time(self._logs.read(subscribers[0].team_id, execution_id, subscribers))

    async def forget(self, person: Subscriber) -> Forgotten:
        """Delete what the store keeps about a person; the log keeps its lines."""
        forgotten = await in_time(self._people.forget(person.id), within=FORGET_WITHIN)
        audit("person.forgotten", team=person.team_id, subscriber=person.id, subscriptions=forgotten.subscriptions)
        return forgotten

    async def is_new_share(self, channel: Subscriber, execution_id: str, *, by: str) -> bool:
        """Whether `by` has not just shared an execution with a channel; notes that they do."""
        identity = _share(channel, execution_id, by)
        return await in_time(self._requests.is_first(channel.team_id, identity, within=SHARED_ONCE))

    async def forget_share(self, channel: Subscriber, execution_id: str, *, by: str) -> None:
        """Have them share it at the next press: Slack did not take this one."""
        await in_time(self._requests.forget(channel.team_id, _share(channel, execution_id, by)))

    async def resume(self, channel: Subscriber) -> None:
        """Deliver what waits for a channel, since it may be written to now."""
        await in_time(self._subscribers.resume(channel))

    async def refresh_card(self, subscriber: Subscriber, execution_id: str) -> None:
        """Have the card of a subscription show what GCS shows now: asked after this call, or later.

        Raises:
            InvalidInput: the card no longer belongs to a subscription.
            GCSError: GCS does not show it; the card stays as it is.
        """
        team_id = subscriber.team_id
        await self._subscription(subscriber, execution_id)
        fingerprint, at = await self._reads.fingerprint(team_id, execution_id)
        end = monotonic() + WITHIN.total_seconds()
        try:
            while not await in_time(self._subscribers.redraw(subscriber, execution_id, fingerprint, at)):
                if monotonic() > end:  # nobody polls: the card says when GCS answered
                    await in_time(self._subscribers.refresh(subscriber, execution_id))
                    return
                await asyncio.sleep(REDRAW_SECONDS)
        except KeyError:
            raise InvalidInput(InputProblem.CARD_ENDED, execution_id=execution_id) from None

    async def following(self, subscriber: Subscriber, execution_id: str) -> tuple[Subscription, Snapshot | None]:
        """A subscription, and the last snapshot of its execution.

        Raises:
            InvalidInput: there is no such subscription.
        """
        subscription = await self._subscription(subscriber, execution_id)
        return subscription, await in_time(self._subscribers.snapshot(subscriber.team_id, execution_id))

    async def change_level(self, subscriber: Subscriber, execution_id: str, level: Level, *, by: str) -> Subscribed:
        """Give a subscription another level; a channel reads `by` whom.

        Raises:
            InvalidInput: there is no such subscription.
        """
        await self._subscription(subscriber, execution_id)
        return await self.subscribe(subscriber, execution_id, level=level, owner=by, is_exact=True)

    async def announce_success(
        self, subscriber: Subscriber, execution_id: str, *, is_wanted: bool, by: str
    ) -> Subscribed:
        """Post a success in the channel itself, too, or in the thread only; the channel reads that `by` chose it.

        Raises:
            InvalidInput: there is no such subscription.
        """
        was = await self._subscription(subscriber, execution_id)
        return await self.subscribe(
            subscriber, execution_id, level=was.level, owner=by, is_exact=True, announces_success=is_wanted
        )

    def _level(self, was: Subscription | None, level: Level | None, usual: Level, *, is_exact: bool) -> Level:
        """The level of a subscription from now on; `was` is the one before, `usual` the level where none is named."""
        if was is None or not was.is_by_rule or is_exact:
            return level or (was.level if was else usual)
        return louder(self._own_level(was, level, usual), was.level)

    def _own_level(self, was: Subscription, level: Level | None, usual: Level) -> Level:
        """The level that is chosen for an execution that a rule follows."""
        return level or was.own_level or usual

    async def _subscription(self, subscriber: Subscriber, execution_id: str) -> Subscription:
        subscription = await in_time(self._subscribers.find(subscriber, execution_id))
        if subscription is None:
            raise InvalidInput(InputProblem.CARD_ENDED, execution_id=execution_id)
        return subscription

    def _level_notice(self, subscription: Subscription, *, by: str) -> Change | None:
        notice = self._notice(ChangeKind.LEVEL, subscription.subscriber, by)
        announces = subscription.announces_success
        return notice and replace(notice, level=subscription.level.value, announces_success=announces)

    def _notice(self, kind: ChangeKind, subscriber: Subscriber, by: str) -> Change | None:
        """What a channel reads when somebody changes its subscription. People know what they did themselves."""
        if subscriber.is_person or not by:
            return None
        return Change(kind=kind, revision=0, at=self._now(), by=by)


def _share(channel: Subscriber, execution_id: str, by: str) -> str:
    """What recognises that the same person shares the same execution with the same channel."""
    return sha256(f"share {channel.id} {execution_id} {by}".encode()).hexdigest()


def _audit(subscription: Subscription, was: Subscription | None) -> None:
    """Note that a subscription began, or has another level; `was` is the one before."""
    if was is not None and was.level is subscription.level:
        return
    audit(
        "subscription.changed" if was else "subscription.created",
        team=subscription.subscriber.team_id,
        subscriber=subscription.subscriber.id,
        execution=subscription.execution_id,
        owner=subscription.owner,
        changes=subscription.level.value,
        changes_before=was.level.value if was else "",
    )
