"""Logs of executions: which changes were seen, and what became of each of them for some of those who follow it.

Lives here: `Logs`, which reads them. Does not live here: writing, which each script does for what it has changed
(`log/prelude.lua`), and what follows from the entries (`bot.domain.fates`). Called by `bot.subscriptions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from bot.domain.fates import LaneState, Log
from bot.domain.following import Subscriber, Subscription
from bot.domain.snapshot import Receipt
from bot.store.engine.connection import Connection
from bot.store.keys import Lane, execution_key, lane_of
from bot.store.log.rows import entries_of
from bot.store.owner import Ownership
from bot.store.rows import at, receipt_of, subscription_of
from bot.store.snapshots import snapshot_of
from bot.store.unreadable import Unreadable

_END = "end"


class Logs:
    """The logs of this bot's GCS account."""

    def __init__(self, connection: Connection, ownership: Ownership) -> None:
        self._connection, self._keys, self._ownership = connection, connection.keys, ownership

    async def read(self, team_id: str, execution_id: str, subscribers: Iterable[Subscriber]) -> Log:
        """The log of an execution, with what it says about `subscribers` and about nobody else.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        asked, account = list(subscribers), self._ownership.owner.account
        execution = execution_key(account, team_id, execution_id)
        ids = [each.id for each in asked]
        now, text, rows, *lanes = await self._connection.run("log/read", self._keys.home_of(execution), execution, *ids)
        snapshot = None
        with suppress(Unreadable):  # only its name is read
            snapshot = snapshot_of(str(text)) if text else None
        entries, dropped = entries_of(map(str, rows))
        return Log(
            now=at(now),
            snapshot=snapshot,
            entries=entries,
            lanes=tuple(
                _lane(lane_of(account, each, execution_id), *row) for each, row in zip(asked, lanes, strict=True)
            ),
            dropped=dropped,
        )


def _lane(key: Lane, row: str, receipt: str, next_at: int | str, in_doubt: int, quiet: int | str) -> LaneState:
    subscription, shown = _readable(key, row, receipt)
    return LaneState(
        subscriber_id=key.subscriber_id,
        subscription=subscription,
        receipt=shown,
        next_at=at(int(next_at)) if next_at else None,
        is_in_doubt=bool(in_doubt),
        is_quiet=bool(quiet),
        quiet_until=at(int(quiet)) if quiet and quiet != _END else None,
    )


def _readable(key: Lane, row: str, receipt: str) -> tuple[Subscription | None, Receipt | None]:
    """Subscription and receipt; None for one that does not exist, or cannot be read."""
    try:
        return subscription_of(key, row) if row else None, receipt_of(receipt)
    except Unreadable as error:
        error.report(str(key))
        return None, None
