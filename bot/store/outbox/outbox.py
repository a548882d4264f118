"""The outbox: what is to be delivered to which subscription, which worker delivers it, and the receipts.

Lives here: `Outbox`, its claims and dead letters. Does not live here: what a message looks like (`bot.blocks`), what
keeps one from being sent twice after a crash (`bot.workers.notifier.reconcile`). Called by the notifier. Each
subscription has one lane, claimed by one worker at a time: so changes stay in order, one worker writes a message, and
an older edit cannot overwrite a newer one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from bot.domain.change import Change
from bot.domain.snapshot import Notification, Receipt
from bot.errors import StoreUnavailable
from bot.store.catch_ups import CatchUps
from bot.store.engine.connection import Connection, Ready
from bot.store.engine.wakeup import Wakeup
from bot.store.keys import Lane
from bot.store.log.rows import Sent, code_field
from bot.store.outbox import dead_letters
from bot.store.outbox.dead_letters import DeadLetter, DeadLetters
from bot.store.owner import Ownership
from bot.store.rows import at, change_entry, change_of, milliseconds, receipt_of, receipt_row, subscription_of
from bot.store.snapshots import snapshot_of
from bot.store.subscriptions.index import Index
from bot.store.unreadable import ASIDE, Unreadable

LEASE = timedelta(seconds=30)
"""How long a claim lasts: longer than one message takes with all its retries. Each receipt renews it."""

IN_FLIGHT = timedelta(seconds=3)
"""How long a message whose sender got no answer, or died, may take to arrive; after that it is looked for."""

RECENT = timedelta(seconds=30)
"""At most how long ago a lane became due that counts as recently due."""

MOST_CHANGES = 50
"""At most how many changes are read with a claim: all of a lane, unless it has many outcomes (`outbox/prelude.lua`)."""


_DUE_AGAIN = 2
"""The answer of a script that gave a lane back, when something has happened to the lane since its claim."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A lane to deliver, claimed."""

    lane: Lane
    notification: Notification
    now: datetime
    """Server time of the claim."""
    in_doubt_since: datetime | None
    """Set when an earlier worker may have sent something without recording it: when it had begun."""
    is_quiet: bool
    """Whether the lane keeps its changes, and only its card is edited, because its subscriber wants quiet."""
    token: str
    began: float
    """When the claim was asked for, by this process's monotonic clock: its lease began after that."""


class Outbox:
    """The lanes of all subscriptions that have something to be delivered."""

    def __init__(self, connection: Connection, ownership: Ownership, *, deliveries: Wakeup) -> None:
        self._connection, self._keys, self.deliveries = connection, connection.keys, deliveries
        self._ownership, self._index = ownership, Index(connection)
        self.letters = DeadLetters(connection)
        self.catch_ups = CatchUps(connection, deliveries=deliveries)

    async def ready(self, *, is_recent: bool = False) -> Ready:
        """Where lanes are due; with `is_recent` only those count that became so within `RECENT`."""
        return await self._connection.ready("outbox/ready", *_recent(is_recent))

    async def claim(self, number: int, limit: int, *, is_recent: bool = False) -> list[Claim]:
        """Claim at most `limit` lanes of partition `number` that are due; `is_recent` as for `ready`."""
        began = monotonic()
        token, rows = await self._connection.claim(
            "outbox/claim",
            number,
            limit,
            milliseconds(LEASE),
            MOST_CHANGES,
            self._ownership.owner.scope,
            milliseconds(ASIDE),
            *_recent(is_recent),
            durable=True,
        )
        now, i, claims = at(rows[0]), 1, []
        while i < len(rows):
            name, doubt, is_quiet, subscription, receipt, snapshot, count = rows[i : i + 7]
            entries = rows[i + 7 : i + 7 + count]
            i += 7 + count
            lane = Lane.parse(name)
            try:
                notification = Notification(
                    subscription=subscription_of(lane, subscription),
                    snapshot=snapshot_of(snapshot),
                    receipt=receipt_of(receipt),
                    changes=tuple(change_of(entry.partition("|")[2]) for entry in entries),
                )
            except Unreadable as error:
                await self._set_aside(lane, token, error, is_in_doubt=bool(doubt))
                continue
            claims.append(Claim(lane, notification, now, at(doubt) if doubt else None, bool(is_quiet), token, began))
        return claims

    async def _set_aside(self, lane: Lane, token: str, error: Unreadable, *, is_in_doubt: bool) -> None:
        """Leave a claimed lane with unreadable rows alone for a while, or until something new happens to it."""
        error.report(str(lane))
        in_doubt = "1" if is_in_doubt else ""
        with suppress(StoreUnavailable):  # then it comes again when the lease ends
            await self._connection.run(
                "outbox/release",
                self._keys.home_of(lane.execution),
                str(lane),
                token,
                milliseconds(ASIDE),
                in_doubt,
                "",
            )

    async def record(
        self, claim: Claim, receipt: Receipt, *, is_last: bool = False, notices: int = 0, sent: Sent | None = None
    ) -> bool:
        """Record what Slack shows; changes up to `receipt.delivered_through` and the next `notices` are delivered.

        `is_last` also gives the lane back. `sent`: the message that reported the changes, for the log. A receipt
        without a ts says that they were delivered, and that there is no card.

        Returns:
            False when the claim was lost.
        """
        recorded = await self._connection.run(
            "outbox/record",
            self._keys.home_of(claim.lane.execution),
            str(claim.lane),
            claim.token,
            receipt_row(receipt),
            "" if is_last else milliseconds(LEASE),
            notices,
            sent.row() if sent else "",
            patient=True,
        )
        if recorded == _DUE_AGAIN:
            self.deliveries.set()
        return bool(recorded)

    async def amend(self, claim: Claim, change: Change) -> bool:
        """Keep `change` in place of the one with its revision and kind; False when the claim was lost."""
        done = await self._connection.run(
            "outbox/amend",
            self._keys.home_of(claim.lane.execution),
            str(claim.lane),
            claim.token,
            change_entry(change),
            patient=True,
        )
        return bool(done)

    async def release(
        self, claim: Claim, *, wait: timedelta | None = None, in_doubt: bool = False, code: str = ""
    ) -> None:
        """Give the lane back; with `wait` it is claimed again after that time, even if nothing else happens.

        Something that happens has it claimed sooner, unless it is in doubt. A `wait` of `-RECENT` leaves it due, not
        recently so. `code`: why Slack refuses it, for the log.
        """
        released = await self._connection.run(
            "outbox/release",
            self._keys.home_of(claim.lane.execution),
            str(claim.lane),
            claim.token,
            "" if wait is None else milliseconds(wait),
            "1" if in_doubt else "",
            code_field(code),
            patient=True,
        )
        if released == _DUE_AGAIN:
            self.deliveries.set()
        elif wait is not None and wait >= timedelta(0):
            self.deliveries.set(after=wait.total_seconds())

    async def forget(self, claim: Claim, *, reason: str = "", is_ruled: bool = False) -> bool:
        """Forget a subscription after its last delivery, or one whose destination is dead for a `reason`: Slack's code.

        The second leaves a dead letter. `is_ruled`: the subscriber has rules, which may find the execution yet; they do
        not follow it again.

        Returns:
            False when somebody has subscribed again since, or the claim was lost; then the subscription stays.
        """
        forgotten = await self._connection.run(
            "outbox/forget",
            self._keys.home_of(claim.lane.execution),
            str(claim.lane),
            claim.token,
            reason,
            dead_letters.KEPT,
            milliseconds(dead_letters.LIVE),
            int(is_ruled),
            patient=True,
        )
        if forgotten:
            with suppress(StoreUnavailable):  # then it is removed when its subscriber lists what they follow
                await self._index.remove(claim.lane)
        return bool(forgotten)

    async def dead_letters(self) -> list[DeadLetter]:
        """What could not be delivered, the newest first."""
        return [letter for _, letter in await self.letters.rows()]


def _recent(is_recent: bool) -> tuple[int, ...]:
    """The last argument of the scripts that say what is due."""
    return (milliseconds(RECENT),) if is_recent else ()
