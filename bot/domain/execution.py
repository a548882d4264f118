"""An execution and its steps, as GCS shows them.

Lives here: `Execution`, `Step`, `Phase`, and `Value`, the base of all nouns: frozen values that are stored as JSON.
Does not live here: how GCS spells them (`bot.gcs.tables`), what happened to them (`bot.domain.change`), how they look
(`bot.blocks`). Called by every layer above; imports nothing of the bot and reads no clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

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

MOST_STEPS = 2000
"""At most this many steps of an execution are kept, failed ones before others; the others are counted."""


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
