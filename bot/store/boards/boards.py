"""Boards: a record for each, and the lanes by which their messages are posted and edited like cards.

Lives here: `Boards`. Does not live here: when a board is drawn, posted again or ended (`bot.boards`), what is on it
(`bot.domain.board`). Called by `bot.boards`, and for export, import and `forget-me` by the siblings.

A message is a lane of the outbox with an id of its own, so it is posted once, and read back after a crash, like others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from bot.domain.board import BoardRecord
from bot.domain.execution import Execution
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.snapshot import Board, Receipt, Snapshot
from bot.store.engine.connection import Connection
from bot.store.engine.wakeup import Wakeup
from bot.store.keys import Lane, execution_key, lane_of
from bot.store.owner import Owner, Ownership
from bot.store.rows import EPOCH, milliseconds, receipt_of, receipt_row, subscription_of, subscription_row
from bot.store.snapshots import first_text, snapshot_of
from bot.store.subscriptions.index import Index
from bot.store.unreadable import Unreadable, reading

MOST_BOARDS = 5
"""At most how many boards a channel has."""

POST_KEPT = timedelta(days=14)
"""How long it is remembered that a message was asked for, so that it is not posted again."""

_TOO_MANY = -1
"""What the script answers then."""

_record = msgspec.json.Decoder(BoardRecord).decode


class Post(NamedTuple):
    """A message of a board, as the store has it."""

    board: Board | None
    """What it is to show; None if another version of the bot wrote that."""
    revision: int
    receipt: Receipt | None
    """None while Slack does not show it."""
    is_ending: bool
    """Whether it is edited for the last time."""


class Boards:
    """The boards of this bot's account."""

    def __init__(self, connection: Connection, ownership: Ownership, *, deliveries: Wakeup) -> None:
        self._connection, self._keys, self._ownership = connection, connection.keys, ownership
        self._deliveries, self._index = deliveries, Index(connection)

    async def begin_round(self, *, every: timedelta) -> bool:
        """Whether this process draws the boards now: one of all copies does, once in `every`."""
        async with self._connection.guarded() as redis:
            return bool(await redis.set(f"{self._home()}round", 1, nx=True, px=milliseconds(every)))

    async def all(self, owner: Owner | None = None) -> tuple[BoardRecord, ...]:
        """All of them, or of another `owner`, without those that cannot be read."""
        async with self._connection.guarded() as redis:
            rows = await redis.hgetall(f"{self._home(owner)}rows")
        found = [_readable(str(field), str(row)) for field, row in rows.items()]
        return tuple(sorted((each for each in found if each is not None), key=lambda each: each.posted_at))

    async def of(self, channel: Subscriber) -> tuple[BoardRecord, ...]:
        """Those of a channel."""
        return tuple(each for each in await self.all() if each.subscriber == channel)

    async def change(
        self,
        channel: Subscriber,
        board: str,
        change: Callable[[BoardRecord | None], BoardRecord | None],
        *,
        owner: Owner | None = None,
    ) -> tuple[BoardRecord | None, bool]:
        """Write what `change` makes of the record of the board with this id; None deletes it.

        Returns:
            What it made of it; and whether replicas hold that. The first is None, too, where the channel has
            `MOST_BOARDS` already.
        """
        home, field = self._home(owner), f"{channel.id}/{board}"
        async with self._connection.guarded() as redis:
            text = str(await redis.hget(f"{home}rows", field) or "")
        while True:
            known = _readable(field, text) if text else None
            wanted = change(known)
            if wanted == known:
                return wanted, True
            row = msgspec.json.encode(wanted).decode() if wanted else ""
            (done, found), is_safe = await self._connection.keep("rules/swap", home, field, text, row, MOST_BOARDS)
            if done == _TOO_MANY:
                return None, True
            if done:
                return wanted, is_safe
            text = str(found)

    async def post(
        self, record: BoardRecord, board: Board, *, receipt: Receipt | None = None, owner: Owner | None = None
    ) -> bool:
        """Have the present message of a board posted, or edited if `receipt` says that it is there.

        A second time changes nothing.

        Returns:
            False when that was asked for before.
        """
        lane = self._lane(record.subscriber, record.message_id(), owner)
        subscription = Subscription(
            execution_id=lane.execution_id,
            subscriber=record.subscriber,
            level=Level.FINAL,
            owner=record.owner,
            created_at=EPOCH,  # the script writes the moment
        )
        done = await self._connection.run(
            "subscriptions/announce",
            self._keys.home_of(lane.execution),
            str(lane),
            subscription_row(subscription),
            _text(lane, board, 1),
            milliseconds(POST_KEPT),
            receipt_row(receipt) if receipt else "",
        )
        self._deliveries.set()
        return bool(done)

    async def restore(self, record: BoardRecord, board: Board, receipt: Receipt | None, owner: Owner) -> bool:
        """Bring a board into the store of `owner`, and its message; False where it has it."""
        written, _ = await self.change(
            record.subscriber, record.id, lambda known: known or replace(record, before=None), owner=owner
        )
        if written != replace(record, before=None):
            return False
        return await self.post(record, board, receipt=receipt, owner=owner)

    async def find(self, record: BoardRecord, *, owner: Owner | None = None) -> Post | None:
        """The present message of a board; None if it was not asked for, or its channel could not be reached.

        Raises:
            Unreadable: another version of the bot wrote it.
        """
        lane = self._lane(record.subscriber, record.message_id(), owner)
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(self._keys.subscriptions_of(lane.execution), lane.subscriber_id)
            pipeline.get(self._keys.snapshot_of(lane.execution))
            pipeline.hget(self._keys.receipts_of(lane.execution), lane.subscriber_id)
            row, text, receipt = await pipeline.execute()
        if not row or not text:
            return None
        subscription, snapshot = subscription_of(lane, str(row)), snapshot_of(str(text))
        return Post(snapshot.board, snapshot.revision, receipt_of(str(receipt or "")), subscription.is_ending)

    async def show(self, record: BoardRecord, board: Board, *, revision: int) -> bool:
        """Have the present message edited, which shows `revision`; False when another copy of the bot was faster."""
        lane = self._lane(record.subscriber, record.message_id())
        done = await self._connection.run(
            "boards/show",
            self._keys.home_of(lane.execution),
            str(lane),
            f"{revision:08d}",
            _text(lane, board, revision + 1),
        )
        self._deliveries.set()
        return bool(done)

    async def close(self, channel: Subscriber, message_id: str, *, by: str = "") -> None:
        """Have a message edited for the last time: by whom the board was ended, or that it goes on elsewhere."""
        lane = self._lane(channel, message_id)
        await self._connection.run(
            "subscriptions/unsubscribe", self._keys.home_of(lane.execution), str(lane), "", by, ""
        )
        self._deliveries.set()

    async def version(self, channel: Subscriber) -> str:
        """Changes whenever what a channel follows does, one of these executions, if it has a card, or how it ended."""
        account = self._ownership.owner.account
        ids = sorted(lane.execution_id for lane, _ in await self._index.of(account, channel))
        async with self._connection.guarded() as redis:
            rows = await redis.hgetall(self._keys.ends_of(account, channel.team_id, channel.id))
            async with redis.pipeline(transaction=False) as pipeline:
                for each in ids:
                    execution = execution_key(account, channel.team_id, each)
                    pipeline.getrange(self._keys.snapshot_of(execution), 0, 7)  # its revision
                    pipeline.hexists(self._keys.receipts_of(execution), channel.id)
                answers = list(map(str, await pipeline.execute() if ids else []))
        seen = zip(ids, answers[::2], answers[1::2], strict=True)
        ends = sorted(f"{execution_id!s}@{str(row).partition('|')[0]}" for execution_id, row in rows.items())
        return " ".join([*(f"{each}:{revision}:{has_card}" for each, revision, has_card in seen), *ends])

    async def forget_person(self, user_id: str, *, owner: Owner) -> None:
        """Delete the name of a person in the boards that they asked for, which go on."""
        for record in await self.all(owner):
            if record.owner == user_id:
                await self.change(
                    record.subscriber, record.id, lambda known: known and replace(known, owner=""), owner=owner
                )

    def _lane(self, channel: Subscriber, message_id: str, owner: Owner | None = None) -> Lane:
        return lane_of((owner or self._ownership.owner).account, channel, message_id)

    def _home(self, owner: Owner | None = None) -> str:
        owner = owner or self._ownership.owner
        return self._keys.boards_of(owner.account, owner.team)


def _text(lane: Lane, board: Board, revision: int) -> str:
    shown = Execution(id=lane.execution_id)
    return first_text(Snapshot(execution=shown, revision=revision, seen_at=EPOCH, board=board), None)


def _readable(field: str, row: str) -> BoardRecord | None:
    """The record; None if another version of the bot wrote it in a form that cannot be read."""
    try:
        with reading("board"):
            return _record(row)
    except Unreadable as error:
        error.report(field)
        return None
