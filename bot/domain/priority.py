"""What is delivered first, what is delivered together, and what is announced.

Lives here: the priority of a change and of a lane, how pending changes are grouped into messages, and which messages
are seen outside the thread. Does not live here: sending (`bot.workers.notifier`). Pure; called by the notifier and by
`bot.blocks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from bot.domain.change import Change, ChangeKind
from bot.domain.execution import FAILED_PHASES, Phase
from bot.domain.following import Subscriber, Subscription


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


def leads_up(pending: Sequence[Change], subscriber: Subscriber, *, has_card: bool) -> bool:
    """Whether the next message of a lane only comes before its most urgent one: the card, or earlier lines."""
    if not (pending and has_card):
        return bool(pending)
    urgent = priority(pending, subscriber, has_card=True)
    return all(priority_of(change, subscriber) > urgent for change in batch(pending))


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


def is_announced(changes: Iterable[Change], subscription: Subscription) -> bool:
    """Whether a message is seen outside the card's thread: in a channel by a broadcast, by a person as a new message.

    A success is announced to persons, and to channels that asked for it. Of failures in a burst, the first one is; so
    is what takes a failure back. That one step is slow stays in the thread, as workflows have many.
    """
    return any(_is_announced(change, subscription) for change in changes)


def _is_announced(change: Change, subscription: Subscription) -> bool:
    match change.kind:
        case ChangeKind.OUTCOME:
            is_for_all = subscription.subscriber.is_person or subscription.announces_success
            return is_for_all or change.phase != Phase.SUCCEEDED
        case ChangeKind.REOPENED:
            return change.is_alert or change.phase_before in FAILED_PHASES
        case ChangeKind.SLOW:
            return not change.step
        case _:
            return change.is_alert or change.kind in {ChangeKind.VANISHED, ChangeKind.DEADLINE}


def mentions_owner(changes: Iterable[Change], subscriber: Subscriber) -> bool:
    """Whether a message mentions the owner of the subscription: in a channel, once for a burst of failures."""
    return not subscriber.is_person and any(change.fails and change.is_alert for change in changes)


def _is_alone(change: Change) -> bool:
    return change.kind.is_final or change.kind.is_notice
