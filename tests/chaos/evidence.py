"""The evidence of a run: what GCS showed, what people were told, what stands in Slack.

Lives here: `Record` and what it consists of. Does not live here: gathering it (`arena`), judging it (`verdict`).
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
    """A subscription that a person was told of."""

    execution_id: str
    subscriber: str
    level: str
    told_at: float
    """When the person read it: what happens from then on must be told."""
    left_at: float | None = None
    """When they read that it is over by their own wish: nothing is told any more."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message of the bot as it stands in Slack."""

    execution_id: str
    subscriber: str
    lane: str
    """The mark: of which subscription."""
    is_card: bool
    versions: tuple[tuple[float, str], ...]
    """Since when it said what, the first one first."""

    @property
    def at(self) -> float:
        """When it was posted."""
        return self.versions[0][0]

    @property
    def text(self) -> str:
        """What it says now."""
        return self.versions[-1][1]


@dataclass(kw_only=True)
class Record:
    """All the evidence of a run."""

    truths: dict[str, Truth]
    promises: list[Promise]
    said: list[Said]
    asked: dict[str, list[float]] = field(default_factory=dict)
    """Execution → when GCS answered about it, in order."""
    gcs_quota: int = 0
    gcs_worst_minute: int = 0
    slack_over_limit: int = 0
    """Calls that Slack refused for its limits, not because a fault was added."""
    unheard: list[str] = field(default_factory=list)
    """What people typed again and again without an answer."""
    died: list[str] = field(default_factory=list)
    """Bots that ended without being killed."""
    lossy: list[tuple[float, float]] = field(default_factory=list)
    """From when to when what was written may be lost: what was sent then may be sent again."""
