"""Store: how many bytes one execution takes, with a subscriber and a card.

Lives here: filling the store as the bot does, and reading the engine's own count of its memory. `fill` is also called
by `bots`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from redis.asyncio import Redis

from benchmarks.harness import Row, a_snapshot, at_most, opened_store, say
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.snapshot import Receipt, Snapshot
from bot.gcs.fingerprint import Fingerprint
from bot.store import Store
from bot.store.outbox import Claim

TARGET = 1638
"""Bytes: 1.6 KB."""
LINEAR = 1.1
"""How far the bytes for each execution may grow between the counts."""
COUNTS = (10_000, 50_000, 100_000)
ALARM = timedelta(hours=12)
"""When time alone may be news: all have an estimate and a time limit, which costs room."""
BATCH = 500
PEOPLE = 2_000


async def rows() -> AsyncIterator[Row]:
    """Bytes at 100,000, and whether they grow no faster than the number of executions."""
    used = []
    async with opened_store() as (store, url), Redis.from_url(url) as redis:
        for before, count in pairwise((0, 0, *COUNTS)):
            await fill(store, map(a_snapshot, range(before, count)))
            used.append((await redis.info("memory"))["used_memory"])
            say(f"  {count:,} executions: {used[-1] / 1e6:.0f} MB")
    sizes = [(size - used[0]) / count for count, size in zip(COUNTS, used[1:], strict=True)]
    yield at_most(
        TARGET,
        sizes[-1],
        unit="bytes",
        is_valid=sizes[-1] / min(sizes) < LINEAR,
        name=f"Store: bytes per execution with one subscriber and a card, {COUNTS[-1]:,} of them",
        measures="`used_memory` of the embedded Valkey, less that of an empty one; executions half way through "
        "20 named steps, with an estimate and an alarm, written through the store's own calls. Valid only if it grows "
        "no faster than their number.",
        figures={f"bytes each at {count:,}": size for count, size in zip(COUNTS, sizes, strict=True)},
    )


async def fill(
    store: Store,
    snapshots: Iterable[Snapshot],
    *,
    first_poll: timedelta = timedelta(hours=1),
    fingerprints: Mapping[str, Fingerprint] | None = None,
    level: Level = Level.MILESTONES,
) -> None:
    """Have each of `snapshots` followed by one person, who has a card of it.

    `fingerprints`: execution id → that of the answer which the snapshot was read from; read after the snapshot.
    """
    known = {} if fingerprints is None else fingerprints
    waiting = enumerate(snapshots)
    while batch := list(islice(waiting, BATCH)):
        await asyncio.gather(*(_subscribe(store, *each, first_poll, known, level) for each in batch))
        while ready := (await store.outbox.ready()).partitions:
            for partition in ready:
                claims = await store.outbox.claim(partition, BATCH)
                await asyncio.gather(*(_deliver(store, claim, number) for number, claim in enumerate(claims)))


async def _subscribe(
    store: Store,
    number: int,
    snapshot: Snapshot,
    first_poll: timedelta,
    known: Mapping[str, Fingerprint],
    level: Level,
) -> None:
    person = Subscriber(team_id="T0123ABCD", id=f"U{number % PEOPLE:09d}")
    subscription = Subscription(
        execution_id=snapshot.execution.id,
        subscriber=person,
        level=level,
        owner=person.id,
        created_at=datetime.now(UTC),
    )
    fingerprint = known.get(snapshot.execution.id)
    await store.subscribers.subscribe(
        subscription, snapshot, first_poll=first_poll, alarm=ALARM, fingerprint=fingerprint
    )


async def _deliver(store: Store, claim: Claim, number: int) -> None:
    receipt = Receipt(channel=f"D{number:09d}", ts=f"1732446671.{number:06d}", revision=1)
    if not await store.outbox.record(claim, receipt):
        raise RuntimeError("a claim was lost: this machine is too slow")
    await store.outbox.release(claim)
