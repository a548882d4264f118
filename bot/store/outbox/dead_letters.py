"""Dead letters: what could not be delivered, kept with all that restores its subscription.

Lives here: `DeadLetter`, and `DeadLetters`, which lists, restores, carries over and deletes them. Does not live here:
when one is written (`forget.lua`, for `bot.workers.notifier.dead_letters`). Called by `execution-bot dead-letters`.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from bot.domain import observing
from bot.domain.change import Change
from bot.domain.execution import Value
from bot.domain.snapshot import Receipt, Snapshot
from bot.store.engine.connection import Connection
from bot.store.keys import PARTITIONS, Lane
from bot.store.rows import BYTES, at, change_of, milliseconds, packed, receipt_of, receipt_row, subscription_of
from bot.store.snapshots import Header, header_of, snapshot_of
from bot.store.subscriptions.index import Index
from bot.store.unreadable import Unreadable, reading

KEPT, LIVE = 100, timedelta(days=30)
"""How many dead letters of each partition are kept, and for how long after the last one."""

RESTORE_TRIES, RETRY_SECONDS = 20, 0.5
"""How often a letter is tried whose execution is being polled, and how long until the next try."""

_RESTORED, _GONE, _BUSY = 1, 0, -1


class DeadLetter(Value, frozen=True):
    """What could not be delivered, and why."""

    at: int
    """Server time, ms."""
    lane: str
    owner: str
    reason: str
    """Slack's code."""
    undelivered: int
    """How many changes were still to be delivered; 0 when only the card was."""
    last: str
    """The last of them, JSON; empty when there was none."""
    subscription: str = ""
    """Row of the subscription; empty where it could not be kept."""
    receipt: str = ""
    snapshot: str = ""
    """Header and snapshot of the execution, in hexadecimal digits."""
    doubt: int = 0
    """When a send began whose outcome is unknown, ms; 0 for none."""
    entries: tuple[str, ...] = ()
    """All changes that were still to be delivered, as the outbox holds them."""

    @property
    def given_up_at(self) -> datetime:
        """When that was."""
        return at(self.at)

    @property
    def last_change(self) -> Change | None:
        """The last of them; None when there was none, or when a newer version of the bot wrote it."""
        try:
            return change_of(self.last) if self.last else None
        except Unreadable:
            return None

    @property
    def changes(self) -> list[Change]:
        """The changes of `entries`.

        Raises:
            Unreadable: another version of the bot wrote one of them.
        """
        return [change_of(entry.partition("|")[2]) for entry in self.entries]


class DeadLetters:
    """The dead letters of a store, as rows of JSON."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys
        self._index = Index(connection)

    async def rows(self) -> list[tuple[str, DeadLetter]]:
        """Each letter with its row, the newest first; those that cannot be read are left out and reported."""
        async with self._connection.guarded() as redis:
            found = [await redis.lrange(self._key(number), 0, -1) for number in range(PARTITIONS)]
        letters = []
        for row in (str(row) for rows in found for row in rows):
            try:
                letters.append((row, letter_of(row)))
            except Unreadable as error:
                error.report("a dead letter")
        return sorted(letters, key=lambda letter: letter[1].at, reverse=True)

    async def add(self, row: str) -> bool | None:
        """Keep a letter of another store; False when it is there already, None when it is no letter."""
        try:
            key = self._key_of(letter_of(row))
        except Unreadable as error:
            error.report("an imported dead letter")
            return None
        async with self._connection.guarded() as redis:
            if row in map(str, await redis.lrange(key, 0, -1)):
                return False
            await redis.rpush(key, row)
            await redis.ltrim(key, 0, KEPT - 1)
            await redis.pexpire(key, milliseconds(LIVE))
        return True

    async def delete(self, row: str) -> bool:
        """Delete a letter; False when it is gone already."""
        async with self._connection.guarded() as redis:
            return bool(await redis.lrem(self._key_of(letter_of(row)), 1, row))

    async def resurrect(self, row: str) -> bool:
        """Restore the subscription of a letter, and have delivered what was not; the letter is gone then.

        False when the subscriber follows the execution again, or the letter is gone, holds too little, or is a board's.

        Raises:
            Unreadable: another version of the bot wrote the letter.
        """
        letter = letter_of(row)
        if not letter.subscription or not letter.snapshot:
            return False
        lane = Lane.parse(letter.lane)
        if snapshot_of(bytes.fromhex(letter.snapshot).decode(errors=BYTES)).board is not None:
            return False  # somebody asks for a board again
        subscription = subscription_of(lane, letter.subscription)
        since, is_by_rule = subscription.created_at, subscription.is_by_rule_only
        # Before and after: the index may hold stale entries, but never miss one.
        await self._index.enter(lane, since, is_by_rule=is_by_rule)
        for _ in range(RESTORE_TRIES):
            restored = await self._restore(row, letter)
            if restored != _BUSY:
                break
            await asyncio.sleep(RETRY_SECONDS)
        if restored == _RESTORED:
            await self._index.enter(lane, since, is_by_rule=is_by_rule)
        return bool(restored == _RESTORED)

    async def _restore(self, row: str, letter: DeadLetter) -> int:
        lane = Lane.parse(letter.lane)
        async with self._connection.guarded() as redis:
            stored = await redis.get(self._keys.snapshot_of(lane.execution))
        known = bytes.fromhex(letter.snapshot).decode(errors=BYTES)
        text = str(stored) if stored else known
        header, now, changes = header_of(text), snapshot_of(text), letter.changes
        receipt = receipt_of(letter.receipt)
        # Changes that come later need higher revisions than all that was delivered, or they would count as delivered.
        top = max([now.revision, receipt.delivered_through if receipt else 0, *(each.revision for each in changes)])
        missed = observing.missed(_last_known(snapshot_of(known), changes), now, revision=top + 1)
        entries = list(letter.entries)
        if missed and subscription_of(lane, letter.subscription).level.includes(missed):
            entries.append(f"{missed.revision}|{msgspec.json.encode(missed).decode()}")
        revision = top + (missed is not None)
        return int(
            await self._connection.run(
                "outbox/resurrect",
                self._keys.home_of(lane.execution),
                row,
                letter.lane,
                text[:8] if stored else "",
                _text(header, now, revision),
                letter.subscription,
                _shown(receipt),
                letter.doubt,
                *entries,
            )
        )

    def _key(self, number: int) -> str:
        return f"{self._keys.partition(number)}dead"

    def _key_of(self, letter: DeadLetter) -> str:
        return f"{self._keys.home_of(Lane.parse(letter.lane).execution)}dead"


def letter_of(row: str | bytes) -> DeadLetter:
    """The letter that a row stands for.

    Raises:
        Unreadable: it stands for none.
    """
    with reading("dead_letter"):
        letter = msgspec.json.decode(row, type=DeadLetter)
        Lane.parse(letter.lane)
        return letter


def _last_known(snapshot: Snapshot, changes: list[Change]) -> Snapshot:
    """What the subscriber knows once `changes` are delivered."""
    phases = [change.phase for change in changes if change.phase]
    execution = replace(snapshot.execution, phase=phases[-1]) if phases else snapshot.execution
    return replace(snapshot, execution=execution)


def _text(header: Header, snapshot: Snapshot, revision: int) -> str:
    return header._replace(revision=revision).row() + packed(replace(snapshot, revision=revision))


def _shown(receipt: Receipt | None) -> str:
    """The receipt's row, with which the card is edited in any case."""
    return receipt_row(replace(receipt, revision=0)) if receipt else ""
