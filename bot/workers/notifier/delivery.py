"""The delivery of one claimed lane: what is pending, what is recorded, how long the lease still lasts.

Lives here: `Delivery`, and the two reasons other than Slack's for which it stops. Called by the siblings.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

from bot.domain.model import Change, Receipt
from bot.domain.priority import Priority, priority
from bot.slack.messages import Mark
from bot.store.outbox import LEASE, Claim
from bot.store.rows import EPOCH, milliseconds

SEND = timedelta(seconds=12)
"""How long one send takes at most: the time-out of a call, plus a margin."""

GIVE_UP = timedelta(hours=1)
"""How long a message is retried that Slack refuses in every form."""


class ClaimLost(Exception):
    """The lease ran out; the worker that claimed the lane since then goes on."""


class Deferred(Exception):
    """The call is not admitted now; try again after `wait`."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"in {wait.total_seconds():g} s")
        self.wait = wait


class Delivery:
    """What the notifier knows while it delivers a lane."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.subscription = claim.notification.subscription
        self.receipt = claim.notification.receipt
        self.is_in_doubt = claim.in_doubt_since is not None
        self.is_reposted = False
        """Whether the card had to be posted again."""
        self.is_left = False
        """Whether the lane was released."""
        self._renewed = claim.began

    def check_lease(self) -> None:
        """Make sure that the lease lasts for as long as a send may take.

        Raises:
            ClaimLost: it does not.
        """
        if monotonic() - self._renewed > (LEASE - SEND).total_seconds():
            raise ClaimLost

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that are still to be delivered."""
        through = self.receipt.delivered_through if self.receipt else 0
        return tuple(change for change in self.claim.notification.changes if change.revision > through)

    @property
    def priority(self) -> Priority:
        """The priority of the next message."""
        return priority(self.pending, self.subscription.subscriber, has_card=self.receipt is not None)

    @property
    def is_overdue(self) -> bool:
        """Whether the next message has been pending for so long that the notifier may give up."""
        pending = self.pending
        since = pending[0].at if pending else None if self.receipt else self.subscription.created_at
        return since is not None and self.claim.now - since > GIVE_UP

    def is_all(self, receipt: Receipt) -> bool:
        """Whether nothing is pending once Slack shows what `receipt` says."""
        notification = self.claim.notification
        return (
            not self.subscription.is_ending
            and receipt.revision >= notification.snapshot.revision
            and all(change.revision <= receipt.delivered_through for change in notification.changes)
        )

    def recorded(self, receipt: Receipt) -> None:
        """Note that the receipt is in the store, so that nothing is in doubt."""
        self.receipt = receipt
        self.is_in_doubt = False
        self.is_left = self.is_all(receipt)
        self._renewed = monotonic()

    def mark(self, part: str, last: Change | None = None) -> Mark:
        """The mark of a message that reports this lane up to a change; a later subscription has another lane."""
        lane = f"{self.claim.lane}/{milliseconds(self.subscription.created_at - EPOCH)}"
        return Mark(lane, part, last.revision, milliseconds(last.at - EPOCH)) if last else Mark(lane, part, 0)
