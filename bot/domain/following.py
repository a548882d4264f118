"""Who follows what, how loud, and when they want to read nothing.

Lives here: `Subscriber`, `Subscription`, `Level`, `Rule` with the news about it, `Quiet`. Does not live here: what
a rule matches (`bot.domain.rules`), when quiet hours begin (`bot.domain.quiet`), where all of it is kept (`bot.store`).
Called by every layer above; reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from bot.domain.change import MANY_STEPS, Change, ChangeKind
from bot.domain.execution import Value


class Subscriber(Value, frozen=True):
    """Who follows: a person or a channel of one Slack workspace."""

    team_id: str
    id: str
    """`U…`/`W…` for a person, `C…`/`G…` for a channel."""

    @property
    def is_person(self) -> bool:
        """Whether it gets direct messages."""
        return self.id[:1] in {"U", "W"}


class Level(StrEnum):
    """Which changes have a message of their own; the card is edited on every change at every level.

    Each level includes what the ones before it do.
    """

    FAILURES = "failures"
    """What fails, is slow or near its time limit."""
    FINAL = "final"
    """And the end."""
    MILESTONES = "milestones"
    """And phases, and each quarter of the steps."""
    STEPS = "steps"
    """And each step; of an execution with many of them, every 5 percent."""

    @classmethod
    def _missing_(cls, value: object) -> Level:
        """Read a former word as what it is called now.

        The level of another version is one that includes everything, and is written back as it was.
        """
        if value in _FORMER_LEVELS:
            return cls(_FORMER_LEVELS[str(value)])
        level = str.__new__(cls, str(value))
        level._name_, level._value_ = "OTHER", str(value)
        return level

    def includes(self, change: Change) -> bool:
        """Whether `change` is posted at this level."""
        if change.is_trouble:
            return True
        if change.kind in {ChangeKind.OUTCOME, ChangeKind.REOPENED, ChangeKind.ENDED}:
            return self is not Level.FAILURES
        if change.kind is ChangeKind.PHASE or change.is_milestone:
            return self not in {Level.FAILURES, Level.FINAL}
        return self not in {Level.FAILURES, Level.FINAL, Level.MILESTONES} and (
            change.kind is not ChangeKind.PROGRESS or change.is_step
        )

    def names_steps(self, total: int | None) -> bool:
        """Whether each step of an execution with so many steps is posted at this level."""
        return self not in {Level.FAILURES, Level.FINAL, Level.MILESTONES} and (total or 0) <= MANY_STEPS


_FORMER_LEVELS = {"progress": "steps", "phase": "milestones"}
"""Words that the store may still hold, and people may still type."""


def louder(*levels: Level) -> Level:
    """The one of `levels` that includes most; a level of another version includes everything."""
    order = list(Level)
    return max(levels, key=lambda level: order.index(level) if level in order else len(order))


class RuleKind(StrEnum):
    """What the executions that a rule follows have in common."""

    WORKFLOW = "workflow"
    """They are runs of a workflow: its name or id."""
    LABEL = "label"
    """They have some labels: each `key=value`."""
    PROJECT = "project"
    """They belong to an enterprise project: its name or id."""
    OTHER = "other"
    """Of another version of the bot: nothing matches."""

    @classmethod
    def _missing_(cls, value: object) -> RuleKind:
        """Read an unknown kind as `OTHER`."""
        del value
        return cls.OTHER


def rule_id(subscriber: Subscriber, kind: RuleKind, values: Iterable[str]) -> str:
    """`Rule.id` of a rule about `values`."""
    parts = (subscriber.id, kind.value, *sorted(value.casefold() for value in values))
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


class Rule(Value, frozen=True, kw_only=True):
    """Follows each new execution of a kind for a subscriber."""

    subscriber: Subscriber
    kind: RuleKind
    values: tuple[str, ...]
    """As they were typed."""
    level: Level = Level.FAILURES
    owner: str
    """User id of the person who asked for it; empty once that person's data was deleted."""
    created_at: datetime
    """By the store's clock. What was created before that is not followed."""
    expires_at: datetime
    before: tuple[str, ...] = ()
    """Ids of executions that existed when it began, although they seem no older than it: clocks differ."""
    newest: datetime | None = None
    """When the newest of all that existed then was created, by GCS's clock: what is older existed, too."""
    is_announced: bool = False
    """Whether its subscriber was notified that it ends soon."""
    is_full: bool = False
    """Whether it follows as many executions as it may, and its subscriber was notified of that."""
    times_full: int = 0
    """How often its subscriber was notified of that."""
    ended_by: str | None = None
    """Set once it has ended: the person who ended it; empty where its time was over or its destination is dead."""
    code: str = ""
    """With `ended_by`: why its destination cannot be reached, as Slack's code."""

    @property
    def id(self) -> str:
        """16 hexadecimal digits that stand for what it follows for whom: a rule that is made twice is one."""
        return rule_id(self.subscriber, self.kind, self.values)


class RuleNewsKind(StrEnum):
    """The kinds of news about a rule."""

    ENDED = "ended"
    EXPIRES = "expires"
    """It ends in a week, unless somebody keeps it."""
    FULL = "full"
    """It follows as many executions at once as it may."""

    @classmethod
    def _missing_(cls, value: object) -> RuleNewsKind:
        """Read the kind of another version as `EXPIRES`, which names the rule and offers to keep it."""
        del value
        return cls.EXPIRES


class RuleNews(Value, frozen=True):
    """A message about a rule, as data."""

    kind: RuleNewsKind
    rule: Rule
    executions: int = 0
    """With `ENDED` how many are not followed any more, with `FULL` how many it may follow at once."""


class Quiet(Value, frozen=True, kw_only=True):
    """A time in which a subscriber wants to read nothing."""

    until: datetime | None = None
    """None until the execution ends."""
    since: datetime | None = None
    """When it begins; None at once."""
    holds_failures: bool = False
    """Whether failures wait for its end like everything else."""

    def is_on(self, now: datetime) -> bool:
        """Whether it has begun and is not over."""
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)


class Subscription(Value, frozen=True, kw_only=True):
    """The link between a subscriber and an execution."""

    execution_id: str
    subscriber: Subscriber
    level: Level = Level.MILESTONES
    owner: str
    """User id of the person who asked for it; usually equal to `subscriber.id` if that is a person."""
    created_at: datetime
    is_ending: bool = False
    """Ended, but its last message is still in the outbox."""
    request_id: str = ""
    """Of the request that made or last changed it; the log names it with every message."""
    ended_by: str = ""
    """The person who ended it; empty while it goes on, and where the execution's end did."""
    is_by_rule: bool = False
    """Whether a rule has a part in it: then `level` is the louder of the rule's level and the chosen one."""
    own_level: Level | None = None
    """With `is_by_rule`: the level that somebody chose for this execution; None where nobody did."""
    announces_success: bool = False
    """Whether a success is posted in the channel itself, not only in the thread, as all other ends are."""

    @property
    def is_by_rule_only(self) -> bool:
        """Whether it ends with its rule."""
        return self.is_by_rule and self.own_level is None

    @property
    def is_silent(self) -> bool:
        """Whether it has no card until there is something to say."""
        return self.is_by_rule_only and self.level in {Level.FAILURES, Level.FINAL}

    muted: Quiet | None = None
    """Until when its subscriber wants to read nothing of it; stays when that is over."""
    hours: Quiet | None = None
    """The quiet hours of its subscriber: the present ones, the next or the last ones."""

    def quiet_ended_at(self, now: datetime) -> datetime | None:
        """When the last quiet time was over; None if there was none, or it is not over."""
        ended = [each.until for each in (self.muted, self.hours) if each and each.until and each.until <= now]
        return max(ended, default=None)
