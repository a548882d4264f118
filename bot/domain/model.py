"""The nouns of the bot, and nothing else.

Lives here: `Execution`, `Step`, `Phase`, `Change`, `Subscriber`, `Subscription`, `Rule`, `Snapshot`, `Notification`,
`Receipt`, as frozen values that are stored as JSON. Does not live here: how GCS spells them (`bot.gcs.tables`), rules
about them (`bot.domain.observing`), how they look (`bot.blocks`). Called by every layer above; imports nothing of the
bot and reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

import msgspec


class Phase(StrEnum):
    """The phases that GCS (reference 2.1, 2.2) and its Cromwell variant (5.7) document.

    GCS may send others. A phase is therefore a `str` everywhere; `canonical` gives known ones their usual spelling and
    returns unknown ones unchanged. An unknown phase is never terminal.
    """

    PENDING = "Pending"
    RUNNING = "Running"
    RETRYING = "Retrying"
    CANCELLING = "Cancelling"
    FORCE_CANCELLING = "ForceCancelling"
    DELETING = "Deleting"
    SUSPENDING = "Suspending"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"
    CANCELLED = "Cancelled"
    SUBMITTED = "Submitted"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    UNKNOWN = "Unknown"

    @classmethod
    def canonical(cls, text: str) -> str:
        """`text` in the documented spelling if it is a known phase in any case; otherwise only stripped."""
        text = text.strip()
        return _CANONICAL.get(text.casefold(), text)


_CANONICAL: dict[str, str] = {phase.value.casefold(): phase.value for phase in Phase}

TERMINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.ERROR, Phase.CANCELLED, Phase.ABORTED})
"""Phases in which an execution has ended. `Aborted` is the Cromwell variant's word for `Cancelled`."""

REOPENABLE_PHASES = TERMINAL_PHASES - {Phase.SUCCEEDED}
"""Terminal phases from which a retry can start the execution again (reference 3.1)."""

FAILED_PHASES = frozenset({Phase.FAILED, Phase.ERROR})
"""Phases of a step, or of an execution, that mean failure."""

WAITING_PHASES = frozenset({Phase.PENDING, Phase.SUBMITTED, ""})
"""Phases of a step that has not started; GCS also leaves the phase empty."""


QUARTERS = (25, 50, 75)
"""Shares of the steps that are a milestone, in percent."""

MANY_STEPS = 30
"""An execution with more steps than this has no line for each of them."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of all nouns: frozen, compared by value, as JSON without the fields that have their default.

    Types are checked when JSON is read; in our own code mypy checks them. Fields that a newer version of the bot added
    are ignored, so that both versions can run on one store; that version must do without what this one writes back.
    No value can contain itself, so the garbage collector does not track them.
    """


class Step(Value, frozen=True):
    """One node of the workflow's DAG."""

    name: str
    phase: str = ""
    sub_jobs: int = 0
    """Parallel sub-jobs of the step; the number may change while it runs (reference 3.4)."""
    sub_jobs_finished: int = 0
    elapsed: timedelta | None = None
    reason: str = ""
    message: str = ""
    """English where GCS sent it, as is `reason`; otherwise the text as GCS sent it."""
    reason_zh: str = ""
    message_zh: str = ""
    """The Chinese half beside an English one, as is `reason_zh`; else empty."""
    resources: dict[str, str | int | float] = {}

    @property
    def is_failed(self) -> bool:
        """Whether the step failed."""
        return self.phase in FAILED_PHASES

    @property
    def is_waiting(self) -> bool:
        """Whether the step has not started."""
        return self.phase in WAITING_PHASES

    @property
    def is_finished(self) -> bool:
        """Whether the step has ended: succeeded, failed or cancelled."""
        return self.phase in TERMINAL_PHASES or self.is_failed

    @property
    def is_running(self) -> bool:
        """Whether the step is running; unknown phases count as running, so that they are shown."""
        return not (self.is_waiting or self.is_finished)


class Execution(Value, frozen=True):
    """What the bot knows about one execution: everything that may be shown, and nothing that may not.

    Inputs, workflow source (`objectData`), topology picture and outputs are left out on purpose: they may contain
    sample names and paths. Times are aware datetimes in UTC or None; durations are `timedelta`.
    """

    id: str
    name: str = ""
    workflow_id: str = ""
    workflow_name: str = ""
    """Empty when the execution was submitted from a file."""
    phase: str = ""
    """From `execution.status`, the primary witness (reference 3.2), in canonical spelling."""
    witness: str = ""
    """`objectStatus.phase`, the second witness, meaningful only together with `action`; empty if there is none."""
    action: str = ""
    """`object.status.actionName`: what the control object is doing, `create` or `delete`."""
    reason: str = ""
    message: str = ""
    """English where GCS sent it, as is `reason`; otherwise the text as GCS sent it."""
    reason_zh: str = ""
    message_zh: str = ""
    """The Chinese half beside an English one, as is `reason_zh`; else empty."""
    steps_total: int | None = None
    """`node_number`; None if GCS sent no counts (early, and in lists)."""
    steps_finished: int | None = None
    """`finished_node_number`; may never reach `steps_total`. Display only: success is never derived from it."""
    steps: tuple[Step, ...] = ()
    steps_left_out: int = 0
    """Steps that GCS sent besides `steps`: an execution may have more than are kept."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    elapsed: timedelta | None = None
    """GCS's own duration, if it sends one."""
    timeout: timedelta | None = None
    """Time limit, from `timeoutInMinutes`."""
    target: str = ""
    cluster: str = ""
    namespace: str = ""
    project_id: str = ""
    enterprise_project: str = ""
    description: str = ""
    priority: int | None = None
    labels: dict[str, str] = {}
    resources: dict[str, str | int | float] = {}
    time_ratio: float | None = None
    """Run time as a percentage of the total time, which includes scheduling and failure handling."""
    is_cromwell: bool = False
    is_partial: bool = False
    """Whether step counts are missing because GCS's answer about the execution is too large to be read."""

    @property
    def is_terminal(self) -> bool:
        """Whether the execution has ended; it may still be retried, see `is_reopenable`."""
        return self.phase in TERMINAL_PHASES

    @property
    def is_reopenable(self) -> bool:
        """Whether it has ended in a phase from which a retry may start it again."""
        return self.phase in REOPENABLE_PHASES

    @property
    def deadline(self) -> datetime | None:
        """When GCS will stop the execution; None if start or limit are unknown."""
        if self.created_at is None or not self.timeout:
            return None
        try:
            return self.created_at + self.timeout
        except OverflowError:  # a limit beyond the calendar is none
            return None

    @property
    def title(self) -> str:
        """What people call it: its name, or its id if it has none."""
        return self.name or self.id

    @property
    def failed_steps(self) -> tuple[Step, ...]:
        """The failed steps, in GCS's order."""
        return tuple(step for step in self.steps if step.is_failed)


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
    """The largest share of finished steps so far, a multiple of `changes.SHARE_STEP` percent; a retry begins again."""
    alerted_at: datetime | None = None
    """When a failure was last announced, of the current try of the execution."""
    contradicted: bool = False
    """A terminal phase was seen that the second witness denied; it counts only when seen again."""
    is_vanished: bool = False
    """The execution no longer exists; no poll will follow."""
    usual: Usual | None = None
    """How long runs of its workflow take; None where too few are known."""
    by_steps: timedelta | None = None
    """How long the whole run takes, judged by the work that its steps have done; None where its time says the same."""
    slow_steps: tuple[SlowStep, ...] = ()
    """Steps that were running for longer than usual when it was seen, at most `alarms.NAMED`, the longest first."""
    raised: tuple[str, ...] = ()
    """What was told already about time, each once a run: `slow`, `deadline`, and `step:` with a name or stem."""
    is_interrupted: bool = False
    """It was retried or suspended, so the time since its start says nothing about the work."""
    waited: timedelta | None = None
    """How long it waited before it began to run; None unless that was seen."""
    usual_wait: timedelta | None = None
    """How long runs of its workflow wait at most, 97 of 100 times; set while it waits, and has for longer than that."""
    rule_news: RuleNews | None = None
    """What is told about a rule: such a snapshot shows no execution, and its lane delivers this message only."""

    @property
    def is_quiet(self) -> bool:
        """Whether a poll that shows the same again means that nothing happened: nothing else is pending."""
        has_problem = self.misses or self.missing or self.contradicted or self.unreachable_since
        return not (has_problem or self.is_vanished or self.retry_until or self.execution.is_terminal)


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
    """Names of steps that finished, at most `changes.NAMED_STEPS`."""
    failed_steps: tuple[Step, ...] = ()
    """All failed steps, at most `changes.NAMED_STEPS`."""
    failed_steps_total: int = 0
    newly_failed: tuple[Step, ...] = ()
    """Those of them that failed since the snapshot before, at most `changes.NAMED_STEPS`."""
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
    until: datetime | None = None
    """With `MUTED`: until when; None until the execution ends."""
    action: str = ""
    """With `ACTED`: `cancel` or `retry`."""

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
        """Whether a quarter of the steps was reached for the first time; all of them are the end's to tell."""
        return any(self.share_before < quarter <= self.share for quarter in QUARTERS)

    @property
    def is_step(self) -> bool:
        """Whether it is worth a line for those who want to read every step: of many steps only every 5 percent is."""
        return not self.total or self.total <= MANY_STEPS or self.share > self.share_before


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
    is_announced: bool = False
    """Whether its subscriber was told that it ends soon."""
    is_full: bool = False
    """Whether it follows as many executions as it may, and its subscriber was told so."""
    times_full: int = 0
    """How often that was told."""
    ended_by: str | None = None
    """Set once it has ended: the person who ended it, or empty where its time or its destination did."""
    code: str = ""
    """With `ended_by`: why its destination cannot be reached, as Slack's code."""

    @property
    def id(self) -> str:
        """16 hexadecimal digits that stand for what it follows for whom: a rule that is made twice is one."""
        return rule_id(self.subscriber, self.kind, self.values)


class RuleNewsKind(StrEnum):
    """What is told about a rule."""

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
    """Whether a rule has a part in it: then `level` is the louder one of the rule's and that which was chosen."""
    own_level: Level | None = None
    """With `is_by_rule`: the level that somebody chose for this execution; None where nobody did."""

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


class Followed(Value, frozen=True):
    """What one subscriber follows."""

    items: tuple[tuple[Subscription, Snapshot | None], ...] = ()
    """Oldest subscription first; the snapshot is None if it is lost."""
    unreadable: tuple[str, ...] = ()
    """Ids of executions about which the store holds something that cannot be read."""


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
