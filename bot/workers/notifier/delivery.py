"""The delivery of one claimed lane: what is pending, what is recorded, how long the lease still lasts.

Lives here: `Delivery`, and the two reasons other than Slack's for which it stops. Called by the siblings.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from bot.audit import audit
from bot.domain.change import Change, ChangeKind
from bot.domain.priority import Priority, leads_up, priority
from bot.domain.snapshot import Receipt
from bot.slack.messages import Mark
from bot.store.outbox import LEASE, Claim
from bot.store.rows import EPOCH, milliseconds

SEND = timedelta(seconds=12)
"""How long one send takes at most: the time-out of a call, plus a margin."""

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""How long a lane pauses after its first refusal that may pass, and at most: twice as long after each."""

NEVER_EDITED = 1_000_000_000
"""Revision in the receipt of a card that Slack does not let the bot edit: higher than that of any snapshot."""

GIVE_UP = timedelta(hours=1)
"""How long a message that Slack refuses in every form is retried."""


class ClaimLost(Exception):
    """The lease ran out; the worker that has claimed the lane since then continues."""


class Deferred(Exception):
    """The call is not admitted now; try again after `wait`."""

    def __init__(self, wait: timedelta, code: str = "") -> None:
        """`code`: why what is pending may not be sent; empty where only Slack's limits leave no room."""
        super().__init__(f"in {wait.total_seconds():g} s")
        self.wait, self.code = wait, code


class Delivery:
    """What the notifier knows while it delivers a lane."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.subscription = claim.notification.subscription
        self.receipt = claim.notification.receipt
        self.is_in_doubt = claim.in_doubt_since is not None
        self.refused_edits = 0
        """How many edits of the card Slack has refused in a row."""
        self.refused_posts = 0
        """How many posts Slack has refused in a row for a reason that may pass, before this delivery."""
        self.is_without_thread = False
        """Whether changes are posted beside the card, because Slack says that its thread does not exist."""
        self.notices = 0
        """How many notices were delivered and recorded."""
        self.is_owner_notified = False
        """Whether the owner has read the next notice."""
        self.is_edit_fault = False
        """Whether Slack answered an edit of the card with a fault, which delays nothing else."""
        self.is_edit_refused = False
        """Whether Slack did not take an edit of the card, and it is tried again."""
        self.is_recorded = False
        """Whether a receipt was recorded, which ends what was in doubt."""
        self.is_left = False
        """Whether the lane was released."""
        self.pause = timedelta(0)
        """How long nobody calls Slack, which did not answer a call for this lane."""
        self._renewed = claim.began

    @property
    def lane(self) -> str:
        """The subscription, as marks name it: a later one of the same subscriber has another."""
        return f"{self.claim.lane}/{milliseconds(self.subscription.created_at - EPOCH)}"

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
        pending, notices = [], 0
        for change in self.claim.notification.changes:
            notices += change.kind.is_notice
            if notices > self.notices if change.kind.is_notice else change.revision > through:
                pending.append(change)
        return tuple(pending)

    @property
    def is_quiet(self) -> bool:
        """Whether what is pending is kept: since the lane was claimed, or since a mute was announced to its readers."""
        sent = [change.kind for change in self.claim.notification.changes if change.kind.is_notice][: self.notices]
        mutes = [kind for kind in sent if kind in {ChangeKind.MUTED, ChangeKind.UNMUTED}]
        is_muted = bool(mutes) and mutes[-1] is ChangeKind.MUTED and not self.subscription.is_ending
        return self.claim.is_quiet or is_muted

    @property
    def priority(self) -> Priority:
        """The priority of the next message."""
        return priority(self.pending, self.subscription.subscriber, has_card=self.receipt is not None)

    @property
    def leads_up(self) -> bool:
        """Whether the next message only comes before a more urgent one."""
        return leads_up(self.pending, self.subscription.subscriber, has_card=self.receipt is not None)

    @property
    def is_overdue(self) -> bool:
        """Whether the next message has been pending for more than `GIVE_UP`."""
        return self.waited > GIVE_UP

    @property
    def refused_pause(self) -> timedelta:
        """How long the lane pauses after a refusal that may pass; other waits do not lengthen it."""
        before = max(0, self.refused_edits - 1, self.refused_posts)
        return min(SHORTEST_PAUSE * (1 << min(before, 6)), LONGEST_PAUSE)

    @property
    def held_pause(self) -> timedelta:
        """How long the lane pauses while its channel may not be written to: as long again as it has waited."""
        return min(max(self.waited, SHORTEST_PAUSE), LONGEST_PAUSE)

    @property
    def waited(self) -> timedelta:
        """How long the next message has been pending, quiet times apart; zero when only an edit is."""
        pending = self.pending
        if pending and self._breaks_quiet:  # only the store knows which one broke it; this is the shortest wait
            return self.claim.now - pending[-1].at
        if pending:
            return self.claim.now - self.late_since(pending[0])
        return timedelta(0) if self.receipt else self.claim.now - self._late_since(self.subscription.created_at)

    def late_since(self, change: Change) -> datetime:
        """Since when a change could have been delivered: since it was seen, or since a quiet time was over."""
        return self._late_since(change.at)

    def _late_since(self, moment: datetime) -> datetime:
        return max(filter(None, (moment, self.subscription.quiet_ended_at(self.claim.now))))

    @property
    def _breaks_quiet(self) -> bool:
        """Whether the lane is delivered although its subscriber wants quiet."""
        wishes = filter(None, (self.subscription.muted, self.subscription.hours))
        return not self.claim.is_quiet and any(wish.is_on(self.claim.now) for wish in wishes)

    def is_all(self, receipt: Receipt, *, notices: int = 0) -> bool:
        """Whether nothing is pending once Slack shows what `receipt` says, and so many notices more."""
        notification = self.claim.notification
        return (
            not self.subscription.is_ending
            and receipt.revision >= notification.snapshot.revision
            and all(change.revision <= receipt.delivered_through for change in notification.changes)
            and sum(change.kind.is_notice for change in notification.changes) == self.notices + notices
        )

    def recorded(self, receipt: Receipt, *, notices: int = 0) -> None:
        """Note that the receipt is in the store, so that nothing is in doubt."""
        self.receipt = receipt
        self.notices += notices
        self.is_owner_notified = self.is_owner_notified and not notices
        self.is_recorded = True
        self.is_in_doubt = False
        self.is_left = self.is_all(receipt)
        self._renewed = monotonic()

    @property
    def now(self) -> datetime:
        """The store's time."""
        return self.claim.now + timedelta(seconds=monotonic() - self.claim.began)

    def log_sent(self, kind: str, channel: str, ts: str, *, attempt: int, change: Change | None = None) -> None:
        """Write to the audit trail which message was sent, and how long after `change`, or the request, was stored."""
        since = self.late_since(change) if change else None if self.receipt else self.subscription.created_at
        audit(
            "message.sent",
            kind=kind,
            change=change.kind.value if change else "",
            lane=str(self.claim.lane),
            execution=self.claim.lane.execution_id,
            channel=channel,
            ts=ts,
            attempt=attempt,
            delay_s=round((self.now - since).total_seconds(), 3) if since else None,
            request_id=self.subscription.request_id,
        )

    def log_ended(self, why: str, *, code: str = "") -> None:
        """Write to the audit trail that the subscription has ended without a request."""
        lane = self.claim.lane
        audit(
            "subscription.ended",
            why=why,
            code=code,
            team=lane.team_id,
            subscriber=lane.subscriber_id,
            execution=lane.execution_id,
            owner=self.subscription.owner,
            request_id=self.subscription.request_id,
        )

    @property
    def shows_card(self) -> bool:
        """Whether the card is still to be posted, with nothing else pending.

        A subscription that somebody has ended meanwhile gets none, nor does one that is silent until something fails or
        ends. A message about a rule is posted like a card.
        """
        if self.claim.notification.snapshot.rule_news is not None:
            return True
        return not self.subscription.is_silent and (not self.subscription.is_ending or self.is_over)

    @property
    def is_over(self) -> bool:
        """Whether the execution's end ended the subscription. Somebody else may have followed it again since then."""
        snapshot, subscription = self.claim.notification.snapshot, self.subscription
        is_ended = snapshot.is_vanished or snapshot.execution.is_terminal
        return subscription.is_ending and not subscription.ended_by and is_ended

    @property
    def is_stopped(self) -> bool:
        """Whether somebody, or the end of a rule, ended the subscription, and what was pending was dropped."""
        return self.subscription.is_ending and not self.is_over

    @property
    def has_only_goodbyes(self) -> bool:
        """Whether nothing is left to be posted but who ended the subscription of an execution, or a board."""
        is_news = self.claim.notification.snapshot.rule_news is not None
        return self.subscription.is_ending and not is_news and all(each.kind.is_notice for each in self.pending)

    def mark(self, part: str, last: Change | None = None) -> Mark:
        """The mark of a message that reports this lane up to a change."""
        return Mark(self.lane, part, last.revision, milliseconds(last.at - EPOCH)) if last else Mark(self.lane, part, 0)
