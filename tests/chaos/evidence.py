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


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message of the bot in Slack."""

    execution_id: str
    subscriber: str
    lane: str
    """The subscription, from the message's mark."""
    is_card: bool
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
    polled: dict[str, list[float]] = field(default_factory=dict)
    """Execution → when GCS responded to its polls, in order."""
    gcs_quota: int = 0
    gcs_worst_minute: int = 0
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
    """Periods, begin and end, in which GCS showed nothing."""
    lossy: list[tuple[float, float]] = field(default_factory=list)
    """Periods, begin and end, whose writes may be lost: what was sent then may be sent again."""
