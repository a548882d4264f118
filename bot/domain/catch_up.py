"""Ends that waited for a quiet time to be over: which of them one catch-up message reports, instead of one each.

Lives here: `held_end`, which finds such an end among what is pending, and `Caught`, an end in the message. Does not
live here: how it looks (`bot.blocks.catch_up`), handing it over (`bot.store.catch_ups`,
`bot.workers.notifier.catch_up`). Pure; called by those.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import takewhile

from msgspec.structs import replace

from bot.domain.change import Change, ChangeKind
from bot.domain.execution import FAILED_PHASES, Execution, Value
from bot.domain.following import Subscription
from bot.domain.snapshot import Receipt, Snapshot

BRIEFLY = timedelta(seconds=10)
"""An end that was held for less than this gets its own message: for example one that ends its own mute."""

_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUPERSEDED = frozenset({ChangeKind.PROGRESS, ChangeKind.PHASE, ChangeKind.SLOW, ChangeKind.DEADLINE})
"""What an end makes meaningless."""


class HeldEnd(Value, frozen=True):
    """An end that a catch-up message reports."""

    change: Change
    through: int
    """The revision up to which this reports changes: what led to the end, and that polling has stopped."""
    until: datetime
    """When the quiet time that it waited for ended."""


class Caught(Value, frozen=True, kw_only=True):
    """An end in a catch-up message: no more of it than the message shows."""

    execution: Execution
    change: Change
    channel: str = ""
    """With the next: where its card is; both empty for one without a card."""
    ts: str = ""

    @property
    def is_failed(self) -> bool:
        """Whether the execution failed."""
        return self.change.kind is ChangeKind.OUTCOME and self.change.phase in FAILED_PHASES


def held_end(pending: Sequence[Change], subscription: Subscription, *, now: datetime) -> HeldEnd | None:
    """The end among what is pending for a person that waited until now; None where it gets its own message.

    The run must have ended only once, since no end may be lost; and what led to it must be meaningless by now.
    """
    if not subscription.subscriber.is_person:
        return None
    before = tuple(takewhile(lambda change: not change.kind.is_final, pending))
    if len(before) == len(pending):
        return None
    end, *rest = pending[len(before) :]
    until = end.caught_up or _held_until(before, end, rest, subscription, now)
    if until is None:
        return None
    ended = takewhile(lambda change: change.kind is ChangeKind.ENDED and change.at <= until, rest)
    return HeldEnd(end, max([end.revision, *(change.revision for change in ended)]), until)


def _held_until(
    before: Sequence[Change], end: Change, rest: Sequence[Change], subscription: Subscription, now: datetime
) -> datetime | None:
    until, superseded = subscription.quiet_ended_at(now), _SUPERSEDED
    if end.kind is ChangeKind.OUTCOME and end.phase in FAILED_PHASES:  # which names the step
        superseded |= {ChangeKind.STEP_FAILED}
    is_alone = all(change.kind in superseded for change in before) and all(
        change.kind is ChangeKind.ENDED for change in rest
    )
    if until is None or not is_alone or until - end.at < BRIEFLY:
        return None
    return until if all(change.at <= until for change in rest) else None


def caught(end: Change, snapshot: Snapshot, card: Receipt | None) -> Caught:
    """`end` in brief, of an execution that is shown by `card`."""
    known = snapshot.execution
    execution = Execution(
        id=known.id,
        name=known.name,
        workflow_name=known.workflow_name,
        timeout=known.timeout,
        created_at=known.created_at,
    )
    if end.kind is ChangeKind.VANISHED or end.phase not in FAILED_PHASES:
        end = Change(kind=end.kind, revision=end.revision, at=end.at, phase=end.phase)
    else:
        end = replace(end, newly_failed=(), finished_steps=())
    return Caught(execution=execution, change=end, channel=card.channel if card else "", ts=card.ts if card else "")


def catch_up_id(person_id: str, until: datetime) -> str:
    """What stands for a person's catch-up message in place of an execution's id; `until`: when their quiet time ended.

    Quiet times that end in the same minute share one: each subscription is written at a slightly different moment.
    """
    return f"{catch_up_ids(person_id)}{(until - _EPOCH) // _MINUTE:x}"


def catch_up_ids(person_id: str) -> str:
    """What all of them begin with: hexadecimal digits, as in all ids."""
    return f"{sha256(person_id.encode()).hexdigest()[:16]}-c-"
