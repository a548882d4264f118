"""What is delivered first, and what is delivered together.

Lives here: the priority of a change and of a lane, and how pending changes are grouped into messages. Does not live
here: sending (`bot.workers.notifier`). Pure; called by the notifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from bot.domain.model import Change, ChangeKind, Subscriber


class Priority(IntEnum):
    """How urgent a message is; the lower, the sooner."""

    OUTCOME_TO_PERSON = 0
    OUTCOME_TO_CHANNEL = 1
    FAILURE = 2
    """Steps failed, an execution is slow or near its time limit, or an ended one runs again."""
    PHASE = 3
    """Also the first card, since somebody is waiting for it."""
    PROGRESS = 4
    EDIT = 5

    @property
    def label(self) -> str:
        """Its name in metrics."""
        return self.name.lower()


def priority_of(change: Change, subscriber: Subscriber) -> Priority:
    """The priority of `change` by itself."""
    if change.kind.is_final:
        return Priority.OUTCOME_TO_PERSON if subscriber.is_person else Priority.OUTCOME_TO_CHANNEL
    if change.fails or change.kind.is_warning or change.kind is ChangeKind.REOPENED:
        return Priority.FAILURE
    return Priority.PROGRESS if change.kind is ChangeKind.PROGRESS else Priority.PHASE


def priority(pending: Sequence[Change], subscriber: Subscriber, *, has_card: bool) -> Priority:
    """The priority of the next message of a lane: that of the most urgent change waiting in it."""
    card = Priority.EDIT if has_card else Priority.PHASE
    return min([card, *(priority_of(change, subscriber) for change in pending)])


def batch(pending: Sequence[Change]) -> tuple[Change, ...]:
    """The first of `pending` changes that make one message: a final one or a notice alone, others together up to it."""
    if pending and _is_alone(pending[0]):
        return (pending[0],)
    head: list[Change] = []
    for change in pending:
        if _is_alone(change) or (change.kind is ChangeKind.ENDED and head):
            break
        head.append(change)
    return tuple(head)


def _is_alone(change: Change) -> bool:
    return change.kind.is_final or change.kind.is_notice
