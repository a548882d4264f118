"""The evidence of a run: what GCS showed, what the bot confirmed, which messages are in Slack.

Lives here: `Record` and its parts. Does not live here: gathering it (`arena`), judging it (`verdict`). Called by both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chaos.reading import Moment


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What GCS showed of one execution."""

    name: str
    moments: tuple[Moment, ...]
    marks: frozenset[tuple[str, str]] = frozenset()
    """Kind and value of each rule that would match it."""

    @property
    def began(self) -> float:
        """When GCS began to show it."""
        return self.moments[0].at


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A subscription that the bot confirmed to a person."""

    execution_id: str
    subscriber: str
    level: str
    promised_at: float
    """When the person read it: what happens from then on must be delivered."""
    left_at: float | None = None
    """When they read that their own command ended it: nothing is delivered any more."""
    found_by: float = 0.0
    """Until when the bot may not know the execution yet, where a rule has to find it."""
    is_by_rule: bool = False


@dataclass(frozen=True, kw_only=True)
class RulePromise:
    """A rule that somebody has asked for."""

    subscriber: str
    kind: str
    value: str
    level: str
    asked_at: float
    """When they first typed it: what ran before is not reported."""
    promised_at: float | None = None
    """When they read that it is so; None: they never did."""
    end_asked_at: float | None = None
    """When they first typed that it is to end."""
    ended_at: float | None = None
    """When they read that it has ended."""
    ended_by: str = ""

    def matches(self, truth: Truth) -> bool:
        """Whether it is about an execution, whenever that began."""
        return (self.kind, self.value) in truth.marks


@dataclass(frozen=True, kw_only=True)
class BoardPromise:
    """A board that a channel has."""

    subscriber: str
    ended_at: float | None = None
    """When somebody read that it has ended."""


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """Somebody wants to read nothing, and the bot confirmed that."""

    subscriber: str
    execution_id: str = ""
    """Empty: of everything."""
    since: float
    """When they read that it is so."""
    until: float | None = None
    """When it ends, or when they first typed that it is to end; None: when the execution ends."""
    is_for_everything: bool = False
    """Whether failures wait, too."""


@dataclass(frozen=True, kw_only=True)
class Press:
    """An operator has confirmed that an execution is to be cancelled, or retried."""

    execution_id: str
    by: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is said beside executions: what an operator did, the end of a rule, a board."""

    about: str
    """Id of the execution, or of the message about a rule or a board."""
    subscriber: str
    text: str
    edits: tuple[float, ...] = ()
    """When it was edited, in order."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message of the bot in Slack."""

    execution_id: str
    subscriber: str
    lane: str
    """The subscription, from the message's mark."""
    is_card: bool
    is_caught_up: bool = False
    """Whether it is a part of a message about all that has ended while somebody wanted quiet."""
    versions: tuple[tuple[float, str], ...]
    """Each text with the time since which it stood, oldest first."""

    @property
    def at(self) -> float:
        """When it was posted."""
        return self.versions[0][0]

    @property
    def text(self) -> str:
        """The newest text."""
        return self.versions[-1][1]


@dataclass(kw_only=True)
class Record:
    """All the evidence of a run."""

    truths: dict[str, Truth]
    promises: list[Promise]
    said: list[Said]
    unreadable: list[str] = field(default_factory=list)
    """Messages about several executions that nobody could understand."""
    asked: set[tuple[str, str]] = field(default_factory=set)
    """Execution and subscriber of each command to follow one that was typed, whether or not it had a response."""
    rules: list[RulePromise] = field(default_factory=list)
    quiet: list[Quiet] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    acted: list[tuple[str, float]] = field(default_factory=list)
    """Execution and time of each action that reached GCS, whatever it answered."""
    operated: set[str] = field(default_factory=set)
    """Executions that GCS has cancelled or started again."""
    acts: list[Notice] = field(default_factory=list)
    """Those about what operators did."""
    goodbyes: list[Notice] = field(default_factory=list)
    """Those about the ends of rules."""
    boards: list[BoardPromise] = field(default_factory=list)
    board_posts: list[Notice] = field(default_factory=list)
    """The messages of boards, as they are now."""
    polled: dict[str, list[float]] = field(default_factory=dict)
    """Execution → when GCS responded to its polls, in order."""
    gcs_quota: int = 0
    gcs_worst_minute: int = 0
    slack_calls: int = 0
    slack_over_limit: int = 0
    """Calls that Slack refused for its limits, without those of an injected fault."""
    unanswered: list[str] = field(default_factory=list)
    """Commands that people repeated without getting a response."""
    died: list[str] = field(default_factory=list)
    """Bots that ended without being killed."""
    dead_letters: list[str] = field(default_factory=list)
    """Subscriptions that ended because they could not be delivered, although every place takes messages."""
    admitted: list[str] = field(default_factory=list)
    """Bots with another region, project or workspace that were not refused."""
    blind: list[tuple[float, float]] = field(default_factory=list)
    """Periods, begin and end, in which GCS showed nothing, no bot ran, or there was no store; they may overlap."""
    lossy: list[tuple[float, float]] = field(default_factory=list)
    """Periods, begin and end, whose writes may be lost: what was sent then may be sent again."""
