"""What is told first when not everything can be told at once.

Pure; called by the notifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from bot.domain.model import Change, ChangeKind, Subscriber


class Priority(IntEnum):
    """How urgent it is to tell something; the less, the sooner."""

    OUTCOME_TO_PERSON = 0
    OUTCOME_TO_CHANNEL = 1
    FAILURE = 2
    """Steps went wrong, or an end was taken back."""
    PHASE = 3
    """The first card too: somebody waits for it."""
    PROGRESS = 4
    EDIT = 5

    @property
    def label(self) -> str:
        """How metrics call it."""
        return self.name.lower()


def priority_of(change: Change, subscriber: Subscriber) -> Priority:
    """How urgent `change` is by itself."""
    if change.kind.is_final:
        return Priority.OUTCOME_TO_PERSON if subscriber.is_person else Priority.OUTCOME_TO_CHANNEL
    if change.fails or change.kind is ChangeKind.REOPENED:
        return Priority.FAILURE
    return Priority.PROGRESS if change.kind is ChangeKind.PROGRESS else Priority.PHASE


def priority(pending: Sequence[Change], subscriber: Subscriber, *, has_card: bool) -> Priority:
    """How urgent the next message of a lane is: as urgent as the most urgent that waits behind it."""
    card = Priority.EDIT if has_card else Priority.PHASE
    return min([card, *(priority_of(change, subscriber) for change in pending)])
