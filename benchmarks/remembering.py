"""Store: how many bytes one watched execution takes, with a subscriber and a card.

Lives here: filling the store as the rooms do, and reading the engine's own count of its memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from redis.asyncio import Redis

from benchmarks.harness import CLIENT_CORE, Row, a_snapshot, opened_store, pinned
from bot.domain.model import Receipt, Snapshot, Subscriber, Subscription
from bot.store import Store
from bot.store.outbox import Claim

TARGET = 1.2 * 1024
COUNTS = (0, 10_000, 50_000, 100_000)
BATCH = 500
PEOPLE = 2_000


async def rows() -> list[Row]:
    """Bytes at 100,000, and whether it is a straight line up to there."""
    used = []
    with pinned(CLIENT_CORE):
        async with opened_store() as (store, url), Redis.from_url(url) as redis:
            for before, count in pairwise((0, *COUNTS)):
                await fill(store, map(a_snapshot, range(before, count)))
                used.append((await redis.info("memory"))["used_memory"])
    sizes = {count: (size - used[0]) / count for count, size in zip(COUNTS[1:], used[1:], strict=True)}
    value = sizes[COUNTS[-1]]
    return [
        Row(
            name="store: bytes per watched execution with one subscriber and a card, 20 named steps, at 100,000",
            against="–",
            target="≤ 1.2 KB (1,229 bytes), and linear",
            value=value,
            unit="bytes",
            is_met=value <= TARGET and max(sizes.values()) / min(sizes.values()) < 1.1,
            method=(
                "Written through the store's own calls as the rooms make them (subscribe, claim the lane, record the "
                "receipt, give the lane back); `used_memory` of the embedded Valkey, less what it uses when empty. The "
                f"executions have ids of their own, {PEOPLE:,} subscribers, and are half way through their 20 steps. "
                "Linear: no size in the list is a tenth away from another."
            ),
            figures={f"bytes each at {count:,}": size for count, size in sizes.items()},
        )
    ]


async def fill(store: Store, snapshots: Iterable[Snapshot], *, first_poll: timedelta = timedelta(hours=1)) -> None:
    """Have each of `snapshots` watched by one person, who has a card of it."""
    waiting = enumerate(snapshots)
    while batch := list(islice(waiting, BATCH)):
        await asyncio.gather(*(_subscribe(store, number, snapshot, first_poll) for number, snapshot in batch))
        while ready := await store.outbox.ready():
            for partition in ready:
                claims = await store.outbox.claim(partition, BATCH)
                await asyncio.gather(*(_tell(store, claim, number) for number, claim in enumerate(claims)))


async def _subscribe(store: Store, number: int, snapshot: Snapshot, first_poll: timedelta) -> None:
    person = Subscriber(team_id="T0123ABCD", id=f"U{number % PEOPLE:09d}")
    subscription = Subscription(
        execution_id=snapshot.execution.id, subscriber=person, owner=person.id, created_at=datetime.now(UTC)
    )
    await store.subscribers.subscribe(subscription, snapshot, first_poll=first_poll)


async def _tell(store: Store, claim: Claim, number: int) -> None:
    receipt = Receipt(channel="D0123ABCDEF", ts=f"1732446671.{number:06d}", revision=1)
    if not await store.outbox.record(claim, receipt):
        raise RuntimeError("a claim was lost: this machine is too slow")
    await store.outbox.release(claim)
