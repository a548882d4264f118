"""Doubles of what people ask for: they remember what they were asked, and raise the error that a test sets.

Lives here: `FakeSubscriptions` with its rules, boards and quiet times, and the execution and the rule that they know.
Does not live here: doubles of the store (`store_doubles`), Slack (`tiny_slack`). Called by `conftest` and the tests of
this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import structs

from bot.boards import BoardMade
from bot.domain.board import BoardRecord
from bot.domain.change import ChangeKind
from bot.domain.events import Event
from bot.domain.execution import Execution, Phase
from bot.domain.fates import LaneState, Log, Seen
from bot.domain.following import Level, Rule, RuleKind, Subscriber, Subscription
from bot.domain.home import Home
from bot.domain.past import Past
from bot.domain.quiet import MuteFor, QuietHours
from bot.domain.search import Found
from bot.domain.snapshot import Followed, Snapshot
from bot.quiet import Muted
from bot.rules import RuleEnded, RuleMade
from bot.store.people import Forgotten
from bot.subscriptions import Explained, Subscribed, Summary, Unsubscribed

ID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
NOW = datetime(2026, 3, 4, 10, 41, 3, tzinfo=UTC)
SNAPSHOT = Snapshot(
    execution=Execution(id=ID, name="deepvariant", phase="Running", steps_total=5, steps_finished=2),
    revision=1,
    seen_at=NOW,
)
RULE = Rule(
    subscriber=Subscriber(team_id="T1", id="U1"),
    kind=RuleKind.WORKFLOW,
    values=("germline-wgs",),
    owner="U1",
    created_at=NOW,
    expires_at=NOW + timedelta(days=90),
)


class FakeSubscriptions:
    """In the place of `Subscriptions`: remembers its calls, and raises the error that a test sets."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.admitted: list[str] = []
        self.is_refresh = False
        """Whether the last summary was to be newer than the one before."""
        self.error: Exception | None = None
        self.by = ""
        """Who stopped following last."""
        self.refusal: Exception | None = None
        self.events: tuple[Event, ...] | None = ()
        """What GCS shows of the events; None: it refuses them."""
        self.followed = True
        self.found = Found()
        """What any search finds."""
        self.queries: list[tuple[str, str, bool]] = []
        """Who searched for what, and whether what they follow is enough."""
        self.followers: set[str] | None = None
        """Who follows the execution; None for everybody."""
        self.was_subscribed = True
        self.search = self
        self.rules = FakeRules(self._note)
        self.boards = FakeBoards(self._note)
        self.quiet = FakeQuiet(self._note)
        self.also: frozenset[str] = frozenset()
        """Who else follows what is asked about."""
        self.followed_at_home = 1
        self.level = Level.MILESTONES
        """How many executions a Home shows."""
        self.zone = ""
        """Where they were said to live."""
        self.shared: set[tuple[str, str, str]] = set()
        """Channel, execution and person of what was shared."""
        self.channels: Collection[str] | None = None
        """Which channels the person was said to be in who has opened their Home last; None: not known."""

    async def is_new_share(self, channel: Subscriber, execution_id: str, *, by: str) -> bool:
        """Whether they have not shared it."""
        share = channel.id, execution_id, by
        is_new = share not in self.shared
        self.shared.add(share)
        return is_new

    async def forget_share(self, channel: Subscriber, execution_id: str, *, by: str) -> None:
        """They may share it again."""
        self.shared.remove((channel.id, execution_id, by))

    def _note(self, *asked: Any) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error

    async def admit(self, asker: Subscriber) -> None:
        """Someone asks for something that costs calls."""
        self.admitted.append(asker.id)
        if self.refusal is not None:
            raise self.refusal

    async def summary(self, team_id: str, execution_id: str, user_id: str, *, is_refresh: bool = False) -> Summary:
        """Someone wants the summary."""
        self.is_refresh = is_refresh
        self._note("summary", team_id, execution_id, user_id)
        return Summary(SNAPSHOT, None)

    async def log(self, execution_id: str, *subscribers: Subscriber) -> Log:
        """Someone asks for the log."""
        self._note("log", execution_id, *(each.id for each in subscribers))
        seen = Seen(kind=ChangeKind.OUTCOME, revision=2, at=NOW, rank=2, phase="Failed")
        lanes = [
            LaneState(subscriber_id=each.id, subscription=subscription_of(each, Level.STEPS)) for each in subscribers
        ]
        return Log(now=NOW, snapshot=SNAPSHOT, entries=(seen,), lanes=tuple(lanes))

    async def explain(self, team_id: str, execution_id: str, user_id: str) -> Explained:
        """Someone wants to know why it failed."""
        self._note("explain", team_id, execution_id, user_id)
        return Explained(SNAPSHOT, self.events, self.events is None, Past())

    async def subscribe(
        self, subscriber: Subscriber, execution_id: str, *, level: Level | None, owner: str
    ) -> Subscribed:
        """Someone follows."""
        self._note("subscribe", subscriber.id, execution_id, level, owner)
        subscription = subscription_of(subscriber, level or Level.STEPS)
        return Subscribed(subscription, SNAPSHOT, None, followed=self.followed)

    async def unsubscribe(self, subscriber: Subscriber, execution_id: str, *, by: str) -> Unsubscribed:
        """Someone stops following."""
        self.by = by
        self._note("unsubscribe", subscriber.id, execution_id)
        return Unsubscribed(self.was_subscribed)

    async def home(self, person: Subscriber, channels: Collection[str] | None, *, zone: str = "") -> Home:
        """Someone looks at their Home."""
        self._note("home", person.id)
        self.channels, self.zone = channels, zone
        item = (subscription_of(person, Level.STEPS), SNAPSHOT)
        return Home(
            followed=Followed(items=(item,) * self.followed_at_home),
            are_channels_known=channels is not None,
            rules=tuple(rule for rule, _ in self.rules.items),
            hours=self.quiet.kept,
        )

    async def that_follow(self, team_id: str, execution_id: str) -> frozenset[str]:
        """Someone follows, and it is asked who else does."""
        assert (team_id, execution_id) == ("T1", ID)
        return self.also

    async def level_of(self, subscriber: Subscriber) -> Level:
        """Someone is about to name a level."""
        del subscriber
        return self.level

    async def choose_level(self, person: Subscriber, level: Level) -> None:
        """Someone chooses a level."""
        self._note("choose_level", person.id, level)

    async def of(self, subscriber: Subscriber) -> Followed:
        """Someone wants the list of what they follow."""
        self._note("of", subscriber.id)
        if self.followers is not None and subscriber.id not in self.followers:
            return Followed()
        return Followed(items=((subscription_of(subscriber, Level.STEPS), SNAPSHOT),))

    async def find(self, subscriber: Subscriber, query: str, *, is_followed: bool = False) -> Found:
        """Someone knows a name."""
        self.queries.append((subscriber.id, query, is_followed))
        if self.error is not None:
            raise self.error
        return self.found

    async def in_phase(self, phase: Phase) -> Found:
        """Someone wants to know what runs, or what has failed."""
        self._note("in_phase", phase)
        return self.found

    async def forget(self, person: Subscriber) -> Forgotten:
        """Someone wants their data deleted."""
        self._note("forget", person.id)
        return Forgotten(subscriptions=2, owned=1)

    async def resume(self, channel: Subscriber) -> None:
        """A channel may be written to again."""
        self._note("resume", channel.id)

    async def refresh_card(self, subscriber: Subscriber, execution_id: str) -> None:
        """Someone wants a fresh card."""
        self._note("refresh_card", subscriber.id, execution_id)

    async def following(self, subscriber: Subscriber, execution_id: str) -> tuple[Subscription, Snapshot]:
        """Someone wants to know at which level it is followed."""
        self._note("following", subscriber.id, execution_id)
        return subscription_of(subscriber, Level.FINAL), SNAPSHOT

    async def change_level(self, subscriber: Subscriber, execution_id: str, level: Level, *, by: str) -> Subscribed:
        """Someone chooses a level."""
        self._note("change_level", subscriber.id, execution_id, level, by)
        return Subscribed(subscription_of(subscriber, level), SNAPSHOT, None, followed=True)

    async def announce_success(
        self, subscriber: Subscriber, execution_id: str, *, is_wanted: bool, by: str
    ) -> Subscribed:
        """Someone has successes posted to a channel, or not."""
        self._note("announce_success", subscriber.id, execution_id, is_wanted, by)
        changed = structs.replace(subscription_of(subscriber, Level.FINAL), announces_success=is_wanted)
        return Subscribed(changed, SNAPSHOT, None, followed=True)


def subscription_of(subscriber: Subscriber, level: Level) -> Subscription:
    """A subscription to the one execution of these tests."""
    return Subscription(execution_id=ID, subscriber=subscriber, level=level, owner="U1", created_at=NOW)


class FakeRules:
    """In the place of `RuleRequests`."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.was: Rule | None = None
        """The rule before."""
        self.has_run = self.is_there = True
        """Whether something that matches has run lately, and whether there is a rule to end."""
        self.workflows = 1
        """How many workflows have the name."""
        self.items: tuple[tuple[Rule, int], ...] = ()
        """What anybody has."""

    async def make(
        self, subscriber: Subscriber, kind: RuleKind, values: tuple[str, ...], *, level: Level | None, owner: str
    ) -> RuleMade:
        """Someone has new executions followed."""
        self._note("make", subscriber.id, kind, values, level, owner)
        rule = structs.replace(RULE, subscriber=subscriber, kind=kind, values=values, level=level or Level.FAILURES)
        return RuleMade(rule, self.was, self.has_run, workflows=self.workflows)

    async def end(self, subscriber: Subscriber, rule_id: str, *, by: str) -> RuleEnded:
        """Someone ends that."""
        self._note("end", subscriber.id, rule_id, by)
        return RuleEnded(structs.replace(RULE, subscriber=subscriber) if self.is_there else None, 3)

    async def keep(self, subscriber: Subscriber, rule_id: str) -> Rule:
        """Someone keeps a rule."""
        self._note("keep", subscriber.id, rule_id)
        return structs.replace(RULE, subscriber=subscriber)

    async def of(self, subscriber: Subscriber) -> tuple[tuple[Rule, int], ...]:
        """Someone wants the list."""
        del subscriber
        return self.items


class FakeBoards:
    """In the place of `BoardRequests`."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.is_there = False
        """Whether the channel has a board."""

    async def make(self, channel: Subscriber, workflow: str, *, owner: str) -> BoardMade:
        """Someone wants a board."""
        self._note("board", channel.id, workflow, owner)
        record = BoardRecord(subscriber=channel, workflow=workflow, owner=owner, posted_at=NOW)
        return BoardMade(record, not self.is_there)

    async def of(self, channel: Subscriber) -> tuple[tuple[BoardRecord, str], ...]:
        """Someone wants to know which ones there are."""
        record = BoardRecord(subscriber=channel, workflow="germline-wgs", owner="U1", posted_at=NOW)
        return ((record, "1772366400.123456"), (structs.replace(record, workflow=""), "")) if self.is_there else ()

    async def end(self, channel: Subscriber, board: str, *, by: str) -> tuple[BoardRecord | None, bool]:
        """Someone ends one."""
        self._note("end_board", channel.id, board, by)
        return (BoardRecord(subscriber=channel, owner=by, posted_at=NOW) if self.is_there else None), True

    async def end_named(self, channel: Subscriber, workflow: str, *, by: str) -> tuple[BoardRecord | None, bool]:
        """The same, by its workflow."""
        return await self.end(channel, workflow, by=by)


class FakeQuiet:
    """In the place of `QuietTimes`."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.kept: QuietHours | None = None

    async def hours(self, person: Subscriber) -> QuietHours | None:
        """Someone wants to know their quiet hours."""
        del person
        return self.kept

    async def choose_hours(self, person: Subscriber, hours: QuietHours | None) -> None:
        """Someone wants other ones."""
        self._note("choose_hours", person.id, hours)
        self.kept = hours

    async def mute(
        self,
        subscriber: Subscriber,
        execution_id: str,
        span: MuteFor,
        holds_failures: bool = False,
        *,
        by: str,
        zone: str = "",
    ) -> Muted:
        """Someone wants to read nothing for a while."""
        self._note("mute", subscriber.id, execution_id, span, holds_failures, by, zone)
        quiet = span.from_now(NOW, zone, holds_failures=holds_failures)
        return Muted(msgspec.structs.replace(subscription_of(subscriber, Level.FINAL), muted=quiet), SNAPSHOT, NOW)

    async def unmute(self, subscriber: Subscriber, execution_id: str, *, by: str) -> Muted:
        """Someone wants to read again."""
        self._note("unmute", subscriber.id, execution_id, by)
        return Muted(subscription_of(subscriber, Level.FINAL), SNAPSHOT, NOW)
