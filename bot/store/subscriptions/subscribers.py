"""Subscriptions: who follows what.

Lives here: `Subscribers`. Does not live here: what a subscriber follows (`index`), what a request means
(`bot.subscriptions`, which calls this module).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product
from typing import NamedTuple

from msgspec.structs import replace

from bot.domain.change import Change
from bot.domain.following import Quiet, Subscriber, Subscription
from bot.domain.snapshot import Followed, Snapshot
from bot.errors import StoreUnavailable, TooManySubscriptions
from bot.store.engine.connection import Connection
from bot.store.engine.wakeup import Wakeup
from bot.store.keys import PARTITIONS, Lane, execution_key, lane_of
from bot.store.owner import Ownership
from bot.store.rows import (
    EPOCH,
    at,
    change_entry,
    milliseconds,
    quiet_field,
    receipt_of,
    subscription_of,
    subscription_row,
)
from bot.store.snapshots import Fingerprint, first_text, snapshot_of
from bot.store.subscriptions.index import Index
from bot.store.unreadable import Unreadable

PRIORITIES = (0, 1, 2)
"""The sets of the outbox in each partition, as in `outbox/prelude.lua`."""

TOGETHER = 200
"""At most how many executions are read at once, since nothing else is done while they are decoded."""

VIEWED_FOR = timedelta(seconds=30)
"""Half of the time during which somebody who has asked may ask again, or go on reading."""


class Decided(NamedTuple):
    """What a subscription was decided from."""

    known: Subscription | None
    """What `Subscribers.find` returned."""
    notice: Change | None
    """For the subscriber, if the level changes."""


class SubscriptionChanged(Exception):
    """A subscription is not what somebody has decided from; they look again."""


class Subscribers:
    """The subscriptions of all workspaces to executions of one GCS account."""

    def __init__(self, connection: Connection, ownership: Ownership, *, polls: Wakeup, deliveries: Wakeup) -> None:
        self._connection, self._polls, self._deliveries = connection, polls, deliveries
        self._keys, self._ownership = connection.keys, ownership
        self._index = Index(connection)

    async def subscribe(
        self,
        subscription: Subscription,
        snapshot: Snapshot,
        *,
        first_poll: timedelta,
        alarm: timedelta | None = None,
        fingerprint: Fingerprint | None = None,
        most: int | None = None,
        decided: Decided | None = None,
    ) -> tuple[Subscription | None, bool]:
        """Write `subscription`, watch its execution from `snapshot` on if nobody does, and have the card posted.

        `fingerprint` is that of the response that `snapshot` was read from (`bot.gcs.fingerprint`). After `alarm` it is
        polled in any case. The subscriber may have `most` subscriptions, counted by one script before anything is
        written. Without `decided` it replaces whatever is there.

        Returns:
            The subscription that was there before, None if there was none; and whether replicas hold the new one, True
            where the store has none.

        Raises:
            TooManySubscriptions: there are `most` already.
            SubscriptionChanged: it was decided from another one than is there now; nothing was written.
        """
        lane = lane_of(self._ownership.owner.account, subscription.subscriber, subscription.execution_id)
        notice = change_entry(decided.notice) if decided and decided.notice else ""
        known = "*" if decided is None else subscription_row(decided.known) if decided.known else ""
        is_indexed = await self._enter(lane, subscription, most)
        while True:
            before, is_safe = await self._connection.keep(
                "subscriptions/subscribe",
                self._keys.home_of(lane.execution),
                str(lane),
                subscription_row(subscription),
                first_text(snapshot, fingerprint),
                milliseconds(first_poll),
                "" if alarm is None else milliseconds(alarm),
                snapshot.revision,
                notice,
                known,
            )
            if isinstance(before, list):
                if not before[0] or _readable(lane, before[0]):
                    raise SubscriptionChanged(str(lane))
                known = "!"  # nobody can decide from it: it is replaced
                continue
            if not isinstance(before, int):
                await self._index.enter(lane, subscription.created_at)
                self._deliveries.set()
                self._polls.set(after=first_poll.total_seconds())
                return _readable(lane, before), is_safe and is_indexed
            snapshot = replace(snapshot, revision=before + 1)

    async def _enter(self, lane: Lane, subscription: Subscription, most: int | None) -> bool:
        """Enter a new subscription into the index; stale entries do not count against it."""
        is_indexed = await self._index.enter(lane, subscription.created_at, most=most)
        if is_indexed is None:
            await self.of(subscription.subscriber)  # removes them
            is_indexed = await self._index.enter(lane, subscription.created_at, most=most)
        if is_indexed is None:
            raise TooManySubscriptions(most or 0, is_person=subscription.subscriber.is_person)
        return is_indexed

    async def unsubscribe(
        self,
        subscriber: Subscriber,
        execution_id: str,
        *,
        request_id: str = "",
        notice: Change | None = None,
        is_ruled: bool = False,
    ) -> tuple[bool, bool]:
        """End a subscription; its card is edited once more. `request_id` is that of the request that ends it.

        `notice` is delivered before that, if the card was posted. Who ended it is kept with the subscription: the
        person of `notice`, or a person who ended their own. `is_ruled`: the subscriber has rules, which may find the
        execution yet; they do not follow it again.

        Returns:
            Whether there was one; and whether replicas hold its end.
        """
        lane = lane_of(self._ownership.owner.account, subscriber, execution_id)
        own = subscriber.id if subscriber.is_person else ""
        by, entry = (notice.by, change_entry(notice)) if notice else (own, "")
        was_there, is_safe = await self._connection.keep(
            "subscriptions/unsubscribe",
            self._keys.home_of(lane.execution),
            str(lane),
            request_id,
            by,
            entry,
            int(is_ruled),
        )
        self._deliveries.set()
        with suppress(StoreUnavailable):  # then it is stale until the next list
            await self._index.remove(lane)
        return bool(was_there), is_safe

    async def mute(
        self, subscriber: Subscriber, execution_id: str, quiet: Quiet | None, *, notice: Change | None = None
    ) -> tuple[bool | None, bool]:
        """Have nothing of an execution delivered until `quiet` is over; None ends that at once. The card says so.

        `notice` is for the thread, if the card was posted.

        Returns:
            Whether something has changed, False when there was nothing to end, None when there is no such subscription;
            and whether replicas hold it.
        """
        lane = lane_of(self._ownership.owner.account, subscriber, execution_id)
        entry = change_entry(notice) if notice else ""
        done, is_safe = await self._connection.keep(
            "subscriptions/mute", self._keys.home_of(lane.execution), str(lane), quiet_field(quiet), entry
        )
        self._deliveries.set()
        return None if done is None else bool(done), is_safe

    async def keep_hours(self, person: Subscriber, hours: Quiet | None) -> int:
        """Write the quiet hours of a person into everything that they follow; returns into how many that was new."""
        found = await self._index.of(self._ownership.owner.account, person)
        answers = await self._connection.run_many(
            [
                ("subscriptions/hours", self._keys.home_of(lane.execution), (str(lane), quiet_field(hours)))
                for lane, _ in found
            ]
        )
        for answer in answers:
            if isinstance(answer, StoreUnavailable):
                raise answer
        self._deliveries.set()
        return sum(map(int, answers))

    async def refresh(self, subscriber: Subscriber, execution_id: str) -> bool:
        """Have the card edited and the execution polled now. False when there is no such subscription."""
        lane = lane_of(self._ownership.owner.account, subscriber, execution_id)
        was_there = await self._connection.run("subscriptions/refresh", self._keys.home_of(lane.execution), str(lane))
        self._deliveries.set()
        self._polls.set()
        return bool(was_there)

    async def redraw(
        self, subscriber: Subscriber, execution_id: str, fingerprint: Fingerprint, seen_at: datetime
    ) -> bool:
        """Have the card edited if the store holds what GCS showed at `seen_at`, or something newer; else polled now.

        Returns:
            Whether it is edited: if not, ask again in a moment.

        Raises:
            KeyError: there is no such subscription.
        """
        lane = lane_of(self._ownership.owner.account, subscriber, execution_id)
        state, counts, _ = fingerprint
        seen = f"{milliseconds(seen_at - EPOCH):013d}"
        done = await self._connection.run(
            "subscriptions/redraw", self._keys.home_of(lane.execution), str(lane), state, counts, seen
        )
        if done is None:
            raise KeyError(str(lane))
        if done == "edited":
            self._deliveries.set()
        else:
            self._polls.set()
        return bool(done == "edited")

    async def resume(self, subscriber: Subscriber) -> None:
        """Have everything delivered now that waits for a subscriber.

        That is read from the outbox, since the index does not hold subscriptions that have ended.
        """
        whose = (self._ownership.owner.account, subscriber.team_id, subscriber.id)
        for number, priority in product(range(PARTITIONS), PRIORITIES):
            async with self._connection.guarded() as redis:
                waiting = await redis.zrange(f"{self._keys.partition(number)}outbox:{priority}", 0, -1)
            for lane in map(Lane.parse, map(str, waiting)):
                if (lane.account, lane.team_id, lane.subscriber_id) == whose:
                    await self.refresh(subscriber, lane.execution_id)

    async def find(self, subscriber: Subscriber, execution_id: str) -> Subscription | None:
        """The subscription, unless there is none, it is ending or cannot be read."""
        lane = lane_of(self._ownership.owner.account, subscriber, execution_id)
        async with self._connection.guarded() as redis:
            row = await redis.hget(self._keys.subscriptions_of(lane.execution), lane.subscriber_id)
        subscription = _readable(lane, row)
        return None if subscription is None or subscription.is_ending else subscription

    async def cards(self, channel: Subscriber, execution_ids: Sequence[str]) -> dict[str, str]:
        """The timestamps of the cards that a channel has of these executions."""
        account = self._ownership.owner.account
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            for each in execution_ids:
                execution = execution_key(account, channel.team_id, each)
                pipeline.hget(self._keys.receipts_of(execution), channel.id)
            rows = await pipeline.execute() if execution_ids else []
        found: dict[str, str] = {}
        for each, row in zip(execution_ids, rows, strict=True):
            with suppress(Unreadable):  # then it has no link
                if (receipt := receipt_of(str(row or ""))) is not None:
                    found[each] = receipt.ts
        return found

    async def that_follow_it(self, team_id: str, execution_id: str) -> frozenset[str]:
        """Ids of the people and channels that follow an execution, without those that are ending."""
        account = self._ownership.owner.account
        async with self._connection.guarded() as redis:
            rows = await redis.hgetall(self._keys.subscriptions_of(execution_key(account, team_id, execution_id)))
        found = [_readable(Lane(account, team_id, execution_id, str(each)), row) for each, row in rows.items()]
        return frozenset(each.subscriber.id for each in found if each is not None and not each.is_ending)

    async def viewed(self, team_id: str, execution_id: str, *, soon: timedelta) -> bool:
        """Somebody reads about an execution: for about a minute it is polled sooner. False when nobody follows it."""
        execution = execution_key(self._ownership.owner.account, team_id, execution_id)
        spans = int(VIEWED_FOR.total_seconds()), milliseconds(soon)
        is_watched = await self._connection.run(
            "subscriptions/viewed", self._keys.home_of(execution), execution, *spans
        )
        self._polls.set(after=soon.total_seconds())
        return bool(is_watched)

    async def snapshot(self, team_id: str, execution_id: str) -> Snapshot | None:
        """The last snapshot of a watched execution; None if there is none, or it cannot be read."""
        return (await self.last(team_id, execution_id))[0]

    async def last(self, team_id: str, execution_id: str) -> tuple[Snapshot | None, datetime]:
        """The same, and the store's time."""
        execution = execution_key(self._ownership.owner.account, team_id, execution_id)
        now, text = await self._connection.run("subscriptions/last", self._keys.home_of(execution), execution)
        try:
            return snapshot_of(str(text)) if text else None, at(now)
        except Unreadable as error:
            error.report(execution)
            return None, at(now)

    async def that_follow(self, team_id: str, subscriber_ids: Sequence[str]) -> list[str]:
        """Those of them that follow something, or did until a moment ago."""
        return await self._index.that_have_any(self._ownership.owner.account, team_id, subscriber_ids)

    async def of(self, subscriber: Subscriber) -> Followed:
        """What `subscriber` follows, the oldest subscription first."""
        found = await self._index.of(self._ownership.owner.account, subscriber)
        items: list[tuple[Subscription, Snapshot | None]] = []
        ending: list[Snapshot] = []
        unreadable: list[str] = []
        for first in range(0, len(found), TOGETHER):
            await self._read(found[first : first + TOGETHER], items, ending, unreadable)
        items.sort(key=lambda item: (item[0].created_at, item[0].execution_id))
        return Followed(items=tuple(items), ending=tuple(ending), unreadable=tuple(unreadable))

    async def _read(
        self,
        found: Sequence[tuple[Lane, bool]],
        items: list[tuple[Subscription, Snapshot | None]],
        ending: list[Snapshot],
        unreadable: list[str],
    ) -> None:
        """Read these entries of an index into `items` and `ending`, and the ids of those that cannot into `unreadable`.

        Entries of what has been ended, or is gone, are removed.
        """
        async with self._connection.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            for lane, _ in found:
                pipeline.hget(self._keys.subscriptions_of(lane.execution), lane.subscriber_id)
                pipeline.get(self._keys.snapshot_of(lane.execution))
            answers = await pipeline.execute()
        for (lane, is_beginning), row, text in zip(found, answers[::2], answers[1::2], strict=True):
            try:
                subscription = subscription_of(lane, str(row)) if row is not None else None
                snapshot = snapshot_of(str(text)) if text and subscription is not None else None
                if subscription is not None and not subscription.is_ending:
                    items.append((subscription, snapshot))
                elif subscription is not None and not subscription.ended_by and snapshot and snapshot.is_over:
                    ending.append(snapshot)
                elif not is_beginning:
                    await self._index.remove(lane)
            except Unreadable as error:
                error.report(str(lane))
                unreadable.append(lane.execution_id)


def _readable(lane: Lane, row: object) -> Subscription | None:
    """The subscription; None if there is none, or it cannot be read."""
    try:
        return subscription_of(lane, str(row)) if row else None
    except Unreadable as error:
        error.report(str(lane))
        return None
