"""What is told first when not everything can be told at once.

Pure; called by the notifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from bot.model import Change, ChangeKind, Subscriber


class Urgency(IntEnum):
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


def urgency_of(change: Change, subscriber: Subscriber) -> Urgency:
    """How urgent `change` is by itself."""
    if change.kind.is_final:
        return Urgency.OUTCOME_TO_PERSON if subscriber.is_person else Urgency.OUTCOME_TO_CHANNEL
    if change.fails or change.kind is ChangeKind.REOPENED:
        return Urgency.FAILURE
    return Urgency.PROGRESS if change.kind is ChangeKind.PROGRESS else Urgency.PHASE


def urgency(pending: Sequence[Change], subscriber: Subscriber, *, has_card: bool) -> Urgency:
    """How urgent the next message of a lane is: as urgent as the most urgent that waits behind it."""
    card = Urgency.EDIT if has_card else Urgency.PHASE
    return min([card, *(urgency_of(change, subscriber) for change in pending)])
