"""An execution as last seen, and what is pending for those who follow it.

Lives here: `Snapshot`, `Notification`, `Receipt`, `Followed`, `Board`. Does not live here: what a poll means
(`bot.domain.observing`), what is on a board (`bot.domain.board`), how they are delivered (`bot.workers.notifier`).
Called by every layer above; reads no clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.change import Change
from bot.domain.execution import Execution, Value
from bot.domain.following import RuleNews, Subscription


class Unseen(StrEnum):
    """Why GCS does not show an execution, as far as that is known."""

    AWAY = "away"
    """It does not answer, or what answers is not GCS."""
    REFUSED = "refused"
    """It refuses access."""
    UNREADABLE = "unreadable"
    """It answers with something that cannot be read."""
    TOO_LARGE = "too_large"
    """Its answer is larger than what is read."""
    MISSING = "missing"
    """It says that the execution does not exist, and that is not believed."""

    @classmethod
    def _missing_(cls, value: object) -> Unseen:
        """Read the reason of another version as `AWAY`."""
        del value
        return cls.AWAY


class Usual(Value, frozen=True, array_like=True):
    """How long a run or a step usually takes: Student's t-distribution of the logarithm of seconds (`estimate`)."""

    count: int
    """How many durations it was made of."""
    center: float
    """Mean of their logarithms."""
    scale: float
    """How far the next one may be from it: what the distribution's quantiles are multiplied with."""
    freedom: int
    """Degrees of freedom."""


class SlowStep(Value, frozen=True):
    """A step that runs, and has been running for longer than it usually does at most."""

    name: str
    usual: timedelta
    """How long it takes at most, 97 of 100 times."""


class Snapshot(Value, frozen=True):
    """An execution as last seen, and what earlier polls say about it."""

    execution: Execution
    revision: int
    """Starts at 1 and grows by one with each visible difference that is settled."""
    seen_at: datetime
    """When GCS last answered."""
    retry_until: datetime | None = None
    """Set while a failed or cancelled execution is polled in case it is retried."""
    unreachable_since: datetime | None = None
    """Set after several failed polls in a row; None again with the next answer."""
    unseen: Unseen = Unseen.AWAY
    """Why GCS has not shown it since then."""
    misses: int = 0
    """Failed polls in a row."""
    missing: int = 0
    """How many polls in a row said "no such execution"; a repeat that comes too soon does not count. Above 1 it was
    confirmed, and not believed."""
    share: int = 0
    """The largest share of finished steps so far, a multiple of `comparing.SHARE_STEP` percent; a retry starts at 0."""
    failed_at: datetime | None = None
    """When the last of the failed steps was first seen to have failed; None where that was before it was followed."""
    alerted_at: datetime | None = None
    """When a failure was last announced, of the current try of the execution."""
    contradicted: bool = False
    """What was seen counts only when seen again: an end that the second witness denied, or an older state."""
    is_vanished: bool = False
    """The execution no longer exists; no poll will follow."""
    usual: Usual | None = None
    """How long runs of its workflow take; None where too few are known."""
    by_steps: timedelta | None = None
    """How long the whole run takes, judged by the work that its steps have done; None where its time says the same."""
    slow_steps: tuple[SlowStep, ...] = ()
    """Steps that were running for longer than usual when it was seen, at most `alarms.NAMED`, the longest first."""
    raised: tuple[str, ...] = ()
    """What was reported already about time, each once a run: `slow`, `deadline`, and `step:` with a name or stem."""
    is_interrupted: bool = False
    """It was retried or suspended, so the time since its start says nothing about the work."""
    waited: timedelta | None = None
    """How long it waited before it began to run; None unless that was seen."""
    typical_wait: timedelta | None = None
    """How long runs of its workflow wait on average; None where too few were seen to wait."""
    usual_wait: timedelta | None = None
    """How long runs of its workflow wait at most, 97 of 100 times; set while it waits, and has for longer than that."""
    rule_news: RuleNews | None = None
    """News about a rule: such a snapshot shows no execution, and its lane delivers this message only."""
    board: Board | None = None
    """What a channel's board shows: such a snapshot shows no execution, and its lane posts and edits the board."""
    card: str = ""
    """On a board, and of what has ended: timestamp of the card in the channel that follows it; empty for none."""
    is_catch_up: bool = False
    """Such a snapshot shows no execution, and its lane delivers a person's catch-up message (`bot.store.catch_ups`)."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is gone."""
        return self.is_vanished or self.execution.is_terminal

    @property
    def is_quiet(self) -> bool:
        """Whether a poll that shows the same again means that nothing happened: nothing else is pending."""
        has_problem = self.misses or self.missing or self.contradicted or self.unreachable_since
        return not (has_problem or self.retry_until or self.is_over)


class BoardGroup(Value, frozen=True):
    """Executions that share a line of a board."""

    title: str
    """Their workflow, or what their names have in common; empty for those that fit nowhere else."""
    phase: str
    number: int
    names: tuple[str, ...] = ()
    """Of those that failed: as many as there is room for."""
    steps_finished: int = 0
    """With the next: of all that run together, as far as known."""
    steps_total: int = 0
    at: datetime | None = None
    """When the last of them ended, or is likely to be done."""


class Board(Value, frozen=True):
    """What a channel follows, in as much detail as one message has room for."""

    workflow: str = ""
    """The name or id of the only workflow that it is about; empty for all that the channel follows."""
    rows: tuple[Snapshot, ...] = ()
    """Executions with a line of their own, in brief: failed ones first, then what is in trouble, then what runs."""
    groups: tuple[BoardGroup, ...] = ()
    """The others: failed ones, what runs, what has ended."""
    failed: int = 0
    """How many have failed in the last 24 hours."""
    running: int = 0
    waiting: int = 0
    succeeded: int = 0
    """In the last 24 hours, as is the next."""
    others: int = 0
    """Cancelled, aborted or deleted."""
    unseen_since: datetime | None = None
    """Since when GCS has not shown some that run; None while it shows them all."""
    newest: datetime | None = None
    """When the last of them began or ended."""
    oldest: datetime | None = None
    """When the first of those that have ended did so."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing on it."""
        return not (self.rows or self.groups)


class Followed(Value, frozen=True):
    """What one subscriber follows."""

    items: tuple[tuple[Subscription, Snapshot | None], ...] = ()
    """Oldest subscription first; the snapshot is None if it is lost."""
    unreadable: tuple[str, ...] = ()
    """Ids of executions about which the store holds something that cannot be read."""
    ending: tuple[Snapshot, ...] = ()
    """What is over and whose last message has yet to be delivered: nothing follows, and it is not kept as ended yet."""


class Receipt(Value, frozen=True):
    """Proof of what Slack shows for one subscription."""

    channel: str
    """Channel of the card; for a person its `D…` id, since an edit needs it."""
    ts: str
    """Timestamp of the card, which identifies it in the channel."""
    revision: int
    """Snapshot revision that the card shows; 0 requests an edit in any case."""
    delivered_through: int = 0
    """Revision up to which changes were delivered."""


class Notification(Value, frozen=True):
    """What is pending for one subscription: its undelivered changes, oldest first; none means that only the card is."""

    subscription: Subscription
    snapshot: Snapshot
    receipt: Receipt | None
    changes: tuple[Change, ...] = ()
