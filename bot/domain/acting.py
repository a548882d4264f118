"""What people can have GCS do to an execution: cancel it, or retry it.

Lives here: when GCS takes which action (reference 3.3), how it shows that it did, and the record of an act. Does not
live here: the call (`bot.gcs.client`), who may (`bot.domain.access`), the order of things (`bot.acting`). Pure.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from bot.domain.execution import FAILED_PHASES, Execution, Phase, Value
from bot.domain.snapshot import Snapshot

ASKED_FOR = timedelta(minutes=2)
"""How long an answer to the question counts after it was asked; then what it was about may have changed too much."""


OWN_EFFECT = timedelta(minutes=10)
"""How long after an act whose answer was lost what GCS shows is taken for its effect."""

_CLOCKS_APART = timedelta(minutes=1)
"""By how much the store's clock may be ahead of GCS's."""


class Action(StrEnum):
    """What GCS calls it, too."""

    CANCEL = "cancel"
    RETRY = "retry"


class Result(StrEnum):
    """How an act ended."""

    UNDER_WAY = ""
    """GCS has not answered yet, or the bot that asked it has died."""
    DONE = "done"
    """GCS took it."""
    REFUSED = "refused"
    """GCS refused it, or was never asked."""
    UNKNOWN = "unknown"
    """GCS did not answer, and showed nothing of it."""

    @classmethod
    def _missing_(cls, value: object) -> Result:
        """Read the result of another version as `UNKNOWN`: then GCS is asked."""
        del value
        return cls.UNKNOWN


class Act(Value, frozen=True):
    """That a person had GCS do something to an execution."""

    token: str
    """Distinguishes it from every other one."""
    action: Action
    by: str
    """User id of the person."""
    began_at: datetime
    result: Result = Result.UNDER_WAY

    @property
    def is_open(self) -> bool:
        """Whether it is not known if GCS took it."""
        return self.result in {Result.UNDER_WAY, Result.UNKNOWN}

    def explains(self, execution: Execution, *, now: datetime) -> bool:
        """Whether an execution as GCS shows it `now` is taken for the effect of this act.

        After a time without GCS that comes late; then it counts when GCS says that the execution has changed.
        """
        if not has_taken(self.action, execution):
            return False
        changed = execution.updated_at
        is_soon = now - self.began_at <= OWN_EFFECT
        return is_soon or (changed is not None and -_CLOCKS_APART <= changed - self.began_at <= OWN_EFFECT)


class Question(Value, frozen=True):
    """What a person was shown when they were asked whether they mean it."""

    execution_id: str
    action: Action
    state: str
    """`state_of` the execution."""
    act: str
    """Token of the last act; empty for none."""
    asked_at: datetime

    def still_holds(self, execution: Execution, last: Act | None, *, now: datetime) -> bool:
        """Whether what it asks about is still so, and whether it was asked a short while ago."""
        is_same = self.state == state_of(execution) and self.act == (last.token if last else "")
        return is_same and self.action is possible(execution) and abs(now - self.asked_at) < ASKED_FOR


_CANCELLABLE = frozenset({Phase.PENDING, Phase.RUNNING})
_RETRIABLE = FAILED_PHASES | {Phase.CANCELLED}
_STOPPED = frozenset({Phase.CANCELLING, Phase.FORCE_CANCELLING, Phase.CANCELLED})


def possible(execution: Execution) -> Action | None:
    """What GCS would do to an execution in this state, by both witnesses; at most one action is possible.

    For the Cromwell variant no such call is documented.
    """
    witness, control = execution.witness, execution.action.casefold()
    if execution.is_cromwell or control not in {"", "create", "delete"}:
        return None
    if control == "delete":
        return Action.RETRY if witness in FAILED_PHASES else None
    if execution.phase in _CANCELLABLE and witness in {"", *_CANCELLABLE}:
        return Action.CANCEL
    return Action.RETRY if execution.phase in _RETRIABLE and witness in {"", *_RETRIABLE} else None


def offered(snapshot: Snapshot, *, is_operator: bool) -> Action | None:
    """What a person is offered beside an execution, which is read again before they are asked whether they mean it."""
    return possible(snapshot.execution) if is_operator and not snapshot.is_vanished else None


def has_taken(action: Action, execution: Execution) -> bool:
    """Whether an execution that allowed `action` shows that GCS took it."""
    if action is Action.CANCEL:
        return execution.phase in _STOPPED
    return bool(execution.phase) and not execution.is_terminal and execution.phase != Phase.DELETING


def state_of(execution: Execution) -> str:
    """What a person decides upon, as 12 characters: what can be done, what has failed, and which try has ended.

    How many steps are done is no part of it: of a wide execution that changes faster than somebody can read.
    """
    failed = sorted(step.name for step in execution.failed_steps)
    ended = execution.updated_at.isoformat() if execution.is_terminal and execution.updated_at else ""
    parts = [execution.phase, execution.witness, execution.action, ended, *failed]
    return sha256("|".join(parts).encode(errors="surrogatepass")).hexdigest()[:12]
