"""What happened to an execution between two polls, or was done by a person.

Lives here: `Change` with its kinds, and which of them are trouble, milestones or steps. Does not live here:
finding changes (`bot.domain.comparing`, `bot.domain.observing`), who reads which (`bot.domain.following`). Called by
every layer above; reads no clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.execution import FAILED_PHASES, Phase, Step, Value

QUARTERS = (25, 50, 75)
"""Shares of the steps that are a milestone, in percent."""

MANY_STEPS = 30
"""An execution with more steps than this has no line for each of them."""


class ChangeKind(StrEnum):
    """What happened between two polls, from the least to the most important."""

    PROGRESS = "progress"
    """`finished_node_number` (or the number of steps) changed."""
    PHASE = "phase"
    """The phase changed to one that is not terminal."""
    SLOW = "slow"
    """A step, or the whole execution, takes longer than it usually does at most."""
    DEADLINE = "deadline"
    """GCS will soon stop the execution: its time limit is near."""
    STEP_FAILED = "step_failed"
    """A step failed while the execution goes on, in the same phase; step counts may have changed, too."""
    REOPENED = "reopened"
    """The execution was retried: it left a terminal phase, whether or not that had been seen."""
    OUTCOME = "outcome"
    """A terminal phase was reached."""
    VANISHED = "vanished"
    """The execution no longer exists."""
    ENDED = "ended"
    """The execution did not change: the bot stops watching it (`Change.why` is the reason)."""
    LEVEL = "level"
    """Nor here: `Change.by` changed the level of a channel's subscription to `Change.level`."""
    STOPPED = "stopped"
    """Nor here: `Change.by` ended a channel's subscription."""
    MUTED = "muted"
    """Nor here: `Change.by` muted a channel's subscription until `Change.until`."""
    UNMUTED = "unmuted"
    """Nor here: `Change.by` ended that."""
    ACTED = "acted"
    """`Change.by` had GCS do `Change.action`; what that changes is a change of its own."""

    @classmethod
    def _missing_(cls, value: object) -> ChangeKind:
        """Read the kind of another version as `PROGRESS`: a line in the thread, which holds back no outcome."""
        del value
        return cls.PROGRESS

    @property
    def is_final(self) -> bool:
        """Whether people get a new message for it instead of a line in the thread."""
        return self in {ChangeKind.OUTCOME, ChangeKind.VANISHED}

    @property
    def is_warning(self) -> bool:
        """Whether it says that a running execution needs somebody's attention."""
        return self in {ChangeKind.SLOW, ChangeKind.DEADLINE, ChangeKind.STEP_FAILED}

    @property
    def is_notice(self) -> bool:
        """Whether it says what a person did. Such a change has no revision: receipts count them instead."""
        return self in {ChangeKind.LEVEL, ChangeKind.STOPPED, ChangeKind.MUTED, ChangeKind.UNMUTED, ChangeKind.ACTED}


class EndReason(StrEnum):
    """Why the bot stops watching an execution that has ended before."""

    NO_RETRY = "no_retry"
    """It failed or was cancelled, and was not retried within the grace period; `Change.phase` is where it stays."""
    DELETED = "deleted"
    """It was deleted from GCS."""
    OTHER = "other"
    """A reason that another version of the bot stored."""

    @classmethod
    def _missing_(cls, value: object) -> EndReason:
        """Read an unknown reason as `OTHER`: it must not keep its subscription from ending."""
        del value
        return cls.OTHER


class Change(Value, frozen=True):
    """The difference between two snapshots, complete enough to be delivered later, whatever has happened since."""

    kind: ChangeKind
    revision: int
    """Of the snapshot in which it was found."""
    at: datetime
    phase_before: str = ""
    phase: str = ""
    finished_before: int | None = None
    finished: int | None = None
    total: int | None = None
    share_before: int = 0
    """`Snapshot.share` before, and now; equal unless more of the steps are finished than ever."""
    share: int = 0
    elapsed: timedelta | None = None
    """How long the execution had taken by then (`estimate.time_taken`)."""
    reason: str = ""
    message: str = ""
    reason_zh: str = ""
    message_zh: str = ""
    finished_steps: tuple[str, ...] = ()
    """Names of steps that finished, at most `comparing.NAMED_STEPS`."""
    failed_steps: tuple[Step, ...] = ()
    """All failed steps, at most `comparing.NAMED_STEPS`."""
    failed_steps_total: int = 0
    newly_failed: tuple[Step, ...] = ()
    """Those of them that failed since the snapshot before, at most `comparing.NAMED_STEPS`."""
    newly_failed_total: int = 0
    is_alert: bool = False
    """Whether it is the first failure for a while: it is announced, and the owner mentioned."""
    retry_until: datetime | None = None
    """With a failed or cancelled outcome: until when the execution is polled in case it is retried."""
    why: EndReason | None = None
    """Set with `ENDED` only."""
    step: str = ""
    """With `SLOW`: the name of the step that is slow; empty when the whole execution is."""
    taken: timedelta | None = None
    """With `SLOW`: how long it had taken by then."""
    usual: timedelta | None = None
    """With `SLOW`: how long it usually takes at most (97 of 100 times)."""
    deadline: datetime | None = None
    """With `DEADLINE`: when GCS will stop the execution."""
    by: str = ""
    """With a notice: the person whose doing it was."""
    level: str = ""
    """With `LEVEL`: the new one."""
    announces_success: bool = False
    """With `LEVEL`: `Subscription.announces_success`."""
    until: datetime | None = None
    """With `MUTED`: until when; None until the execution ends."""
    action: str = ""
    """With `ACTED`: `cancel` or `retry`."""
    caught_up: datetime | None = None
    """Of a final one in the outbox: when the quiet time ended after which a catch-up message reports it."""

    @property
    def fails(self) -> bool:
        """Whether it says that something failed: a step since the snapshot before, or the execution."""
        return self.newly_failed_total > 0 or (self.kind is ChangeKind.OUTCOME and self.phase in FAILED_PHASES)

    @property
    def is_trouble(self) -> bool:
        """Whether it is posted at every level: something failed, or needs attention, or a failure is taken back."""
        if self.kind is ChangeKind.REOPENED:
            return self.fails or self.phase_before not in {Phase.CANCELLED, Phase.ABORTED}
        return self.fails or self.kind.is_warning or self.kind.is_notice or self.kind is ChangeKind.VANISHED

    @property
    def is_milestone(self) -> bool:
        """Whether a quarter of the steps was reached for the first time; that all have finished is left to the end."""
        return any(self.share_before < quarter <= self.share for quarter in QUARTERS)

    @property
    def is_step(self) -> bool:
        """Whether it is worth a line for those who want to read every step: of many steps only every 5 percent is."""
        return not self.total or self.total <= MANY_STEPS or self.share > self.share_before
