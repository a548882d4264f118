"""What a person's Home tab shows, from the store; and how what somebody followed has ended, also for boards.

Lives here: `Homes`. Does not live here: in which channels a person is (`bot.slack.channels`), how it looks
(`bot.blocks.home`). Called by `bot.subscriptions` and `bot.boards`, and by the notifier when a subscription is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime

import msgspec

from bot.domain.following import Level, Subscriber
from bot.domain.home import CHANNEL_ENDS_KEPT, ENDS_KEPT, SHOWN_FOR, Home, InChannels, ended_at, ends_of, kept_of
from bot.domain.snapshot import Followed, Snapshot
from bot.store.engine.connection import Connection
from bot.store.owner import Owner, Ownership
from bot.store.rows import EPOCH, milliseconds
from bot.store.subscriptions import Subscribers

MOST_CHANNELS = 30
"""At most this many channels of one person are read."""


class Homes:
    """The Home tabs of all workspaces."""

    def __init__(self, connection: Connection, ownership: Ownership, subscribers: Subscribers) -> None:
        self._connection, self._keys, self._ownership = connection, connection.keys, ownership
        self._subscribers = subscribers

    async def note_end(self, subscriber: Subscriber, snapshot: Snapshot, *, owner: Owner | None = None) -> None:
        """Keep for a day how an execution ended that `subscriber` followed until then; a second time changes nothing.

        `owner`: in whose store, by default this bot's.

        Raises:
            StoreUnavailable: the store does not answer, or takes no writes.
        """
        await self._connection.run(
            "homes/ended",
            self._ended(subscriber, owner),
            snapshot.execution.id,
            milliseconds(ended_at(snapshot) - EPOCH),
            msgspec.json.encode(kept_of(snapshot)).decode(),
            ENDS_KEPT if subscriber.is_person else CHANNEL_ENDS_KEPT,
            milliseconds(SHOWN_FOR),
        )

    async def ended(
        self, subscriber: Subscriber, *, since: datetime | None = None, owner: Owner | None = None
    ) -> tuple[Snapshot, ...]:
        """What `subscriber` followed until it ended after `since`, by default in the last 24 hours, the last end first.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        async with self._connection.guarded() as redis:
            rows = await redis.hvals(self._ended(subscriber, owner))
        ends = sorted(filter(None, map(_read, map(str, rows))), key=ended_at, reverse=True)
        since = since or datetime.now(UTC) - SHOWN_FOR
        return tuple(snapshot for snapshot in ends if ended_at(snapshot) > since)

    def _ended(self, subscriber: Subscriber, owner: Owner | None = None) -> str:
        return self._keys.ends_of((owner or self._ownership.owner).account, subscriber.team_id, subscriber.id)

    async def level_of(self, person: Subscriber) -> Level | None:
        """The level that a person has chosen for what they follow without naming one; None for none.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        async with self._connection.guarded() as redis:
            found = await redis.get(self._keys.level_of(person.team_id, person.id))
        return Level(str(found)) if found else None

    async def choose_level(self, person: Subscriber, level: Level) -> None:
        """Keep such a choice, until the person asks to be forgotten.

        Raises:
            StoreUnavailable: the store does not answer, or takes no writes.
        """
        async with self._connection.guarded() as redis:
            await redis.set(self._keys.level_of(person.team_id, person.id), level.value)

    async def add_level(self, team_id: str, user_id: str, level: Level) -> bool:
        """Keep the level that another store held, unless the person has chosen here."""
        async with self._connection.guarded() as redis:
            return bool(await redis.set(self._keys.level_of(team_id, user_id), level.value, nx=True))

    async def of(self, person: Subscriber, channels: Collection[str] | None, *, since: datetime | None = None) -> Home:
        """What `person`, who is in `channels` (None: unknown), sees. Their day began at `since`.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        followed = await self._subscribers.of(person)
        following = await self._subscribers.that_follow(person.team_id, sorted(channels or ()))
        read = [Subscriber(team_id=person.team_id, id=each) for each in following[:MOST_CHANNELS]]
        theirs = await asyncio.gather(*map(self._subscribers.of, read))
        return Home(
            followed=followed,
            in_channels=_in_channels(followed, dict(zip(following, theirs, strict=False))),
            are_channels_known=channels is not None,
            channels_left_out=len(following) - len(read),
            ended=tuple(ends_of(followed, await self.ended(person, since=since))),
            since=since,
            level=await self.level_of(person),
        )


def _read(row: str) -> Snapshot | None:
    """An end; None for one that another version wrote in another form, which nobody misses for long."""
    try:
        return msgspec.json.decode(row.partition("|")[2], type=Snapshot)
    except (msgspec.MsgspecError, ValueError):
        return None


def _in_channels(own: Followed, theirs: dict[str, Followed]) -> tuple[InChannels, ...]:
    """Each execution that channels follow and the person does not, once."""
    known = {subscription.execution_id for subscription, _ in own.items} | set(own.unreadable)
    found: dict[str, tuple[Snapshot | None, list[str]]] = {}
    for channel_id, followed in theirs.items():
        for subscription, snapshot in followed.items:
            if subscription.execution_id not in known:
                found.setdefault(subscription.execution_id, (snapshot, []))[1].append(channel_id)
    return tuple(InChannels(each, snapshot, tuple(ids)) for each, (snapshot, ids) in found.items())
