"""What the store keeps about one person, and how it is deleted.

Lives here: `People`. Does not live here: what the person reads (`bot.blocks.replies`), what the log keeps. Called by
`bot.subscriptions` (for `/execution forget-me`) and by `execution-bot forget`.

Each execution and each channel is one script. A store that fails in between has deleted the first ones; the next
request deletes the rest, since what is gone already counts for nothing.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from bot.domain.access import NOBODY
from bot.domain.following import Subscriber
from bot.errors import StoreUnavailable
from bot.store.boards import Boards
from bot.store.catch_ups import CatchUps
from bot.store.contents import BATCH, Contents
from bot.store.engine.connection import Connection
from bot.store.keys import PARTITIONS
from bot.store.outbox.dead_letters import DeadLetters
from bot.store.owner import Owner, Ownership
from bot.store.rules import Rules
from bot.store.subscriptions.index import Index


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was deleted."""

    subscriptions: int = 0
    """Of the person's own, rules among them."""
    owned: int = 0
    """Subscriptions of channels, and rules, that go on without an owner."""
    letters: int = 0
    """Dead letters that named the person."""
    channels: int = 0
    """Channels whose record named the person: as who approved it, or who was notified that it waits."""


class People:
    """Deletes what is kept about people."""

    def __init__(
        self, connection: Connection, ownership: Ownership, rules: Rules, boards: Boards, catch_ups: CatchUps
    ) -> None:
        self._connection, self._keys, self._ownership = connection, connection.keys, ownership
        self._rules, self._boards, self._catch_ups = rules, boards, catch_ups
        self._contents, self._letters = Contents(connection), DeadLetters(connection)
        self._index = Index(connection)

    async def forget(self, user_id: str, *, owner: Owner | None = None) -> Forgotten:
        """Delete what the store of `owner`, by default this bot's, keeps about a person; twice deletes nothing more.

        How much they asked for in the last minutes stays until it expires, or they could ask without a limit.

        Raises:
            StoreUnavailable: the store does not answer; what was deleted until then stays deleted.
        """
        owner = owner or self._ownership.owner
        rules, owned_rules = await self._rules.forget_person(user_id, owner=owner)  # first: they would follow more
        await self._boards.forget_person(user_id, owner=owner)  # first: the next message would name its owner
        followed = {execution async for execution, _ in self._contents.executions()}
        logged = {execution async for execution in self._contents.logged()}
        found = [execution for execution in followed | logged if execution.startswith(owner.scope)]
        deleted = owned = 0
        for begin in range(0, len(found), BATCH):
            for one, more in await self._forget_executions(found[begin : begin + BATCH], user_id):
                deleted, owned = deleted + one, owned + more
        await self._catch_ups.forget_person(owner.scope, user_id)  # last: no lane of theirs can enter any more
        await self._forget_passed(owner, user_id)
        letters = await self._forget_letters(owner, user_id)
        channels = await self._forget_channels(owner, user_id)
        await self._forget_index(owner, user_id)
        async with self._connection.guarded() as redis:
            await redis.delete(self._keys.ends_of(owner.account, owner.team, user_id))
            await redis.delete(self._keys.language_of(owner.team, user_id))
            await redis.hdel(self._keys.quiet_hours_of(owner.team), user_id)
            await redis.delete(self._keys.level_of(owner.team, user_id))
        return Forgotten(deleted + rules, owned + owned_rules, letters, channels)

    async def _forget_executions(self, executions: list[str], user_id: str) -> list[tuple[int, int]]:
        answers = await self._connection.run_many(
            [
                ("subscriptions/forget_person", self._keys.home_of(execution), (execution, user_id))
                for execution in executions
            ]
        )
        for answer in answers:
            if isinstance(answer, StoreUnavailable):
                raise answer
        return [(int(deleted), int(owned)) for deleted, owned in answers]

    async def _forget_index(self, owner: Owner, user_id: str) -> None:
        """Delete the entries of what was followed; what they have followed since then keeps its own."""
        lanes = await self._index.of(owner.account, Subscriber(team_id=owner.team, id=user_id))
        await asyncio.gather(*(self._index.remove(lane) for lane, _ in lanes))

    async def _forget_passed(self, owner: Owner, user_id: str) -> None:
        """Delete the notes of what their rules were not to follow again: the rules are gone, too."""
        async with self._connection.guarded() as redis:
            for number in range(PARTITIONS):
                key = f"{self._keys.partition(number)}passed"
                found = [
                    lane async for lane, _ in redis.zscan_iter(key, match=f"{owner.scope}*/{user_id}", count=BATCH)
                ]
                if found:
                    await redis.zrem(key, *found)

    async def _forget_letters(self, owner: Owner, user_id: str) -> int:
        named = re.compile(rf"(?<![A-Za-z0-9]){re.escape(user_id)}(?![A-Za-z0-9])")
        rows = [row for row, letter in await self._letters.rows() if letter.lane.startswith(owner.scope)]
        return sum([await self._letters.delete(row) for row in rows if named.search(row)])

    async def _forget_channels(self, owner: Owner, user_id: str) -> int:
        async with self._connection.guarded() as redis:
            keys = [
                str(key) async for key in redis.scan_iter(match=self._keys.channel_of(owner.team, "*"), count=BATCH)
            ]
        return sum([await self._connection.run("channels/forget_person", key, user_id, NOBODY) for key in keys])
