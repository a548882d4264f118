"""Following executions as the workers do, each act a call or two of the store, with only the fields that it needs.

Called by the tests of this ring.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from redis import Redis

from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Execution
from bot.domain.following import Level, Rule, RuleKind, Subscriber, Subscription
from bot.domain.snapshot import Receipt, Snapshot
from bot.store import Store
from bot.store.outbox import Claim
from bot.store.schedule import Due

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE = Subscriber(team_id="T1", id="U1")
LAB = Subscriber(team_id="T1", id="C1")
SOON = timedelta(0)
LATER = timedelta(hours=1)


def snapshot_of(execution_id: str, revision: int = 1) -> Snapshot:
    """A snapshot of which only the id and the revision matter."""
    return Snapshot(execution=Execution(id=execution_id, phase="Running"), revision=revision, seen_at=NOW)


def rule_of(subscriber: Subscriber, workflow: str = "germline-wgs", level: Level = Level.FAILURES) -> Rule:
    """A rule that began just now."""
    now = datetime.now(UTC)
    return Rule(
        subscriber=subscriber,
        kind=RuleKind.WORKFLOW,
        values=(workflow,),
        level=level,
        owner="U1",
        created_at=now,
        expires_at=now + timedelta(days=90),
    )


def change(revision: int, kind: ChangeKind = ChangeKind.PROGRESS) -> Change:
    """A change of which only order and kind matter."""
    return Change(kind=kind, revision=revision, at=NOW)


async def follow(
    store: Store,
    subscriber: Subscriber = ALICE,
    execution_id: str = "e1",
    level: Level = Level.STEPS,
    *,
    alarm: timedelta | None = None,
) -> Subscription | None:
    """Subscribe, with the first poll due at once."""
    subscription = Subscription(
        execution_id=execution_id, subscriber=subscriber, level=level, owner="U1", created_at=NOW
    )
    before, _ = await store.subscribers.subscribe(subscription, snapshot_of(execution_id), first_poll=SOON, alarm=alarm)
    return before


async def due(store: Store) -> list[Due]:
    """Claim all that is due."""
    ready = await store.schedule.ready()
    return [item for number in sorted(ready.partitions) for item in await store.schedule.claim(number, 100)]


async def lanes(store: Store) -> list[Claim]:
    """Claim all lanes that are due."""
    ready = await store.outbox.ready()
    return [item for number in sorted(ready.partitions) for item in await store.outbox.claim(number, 100)]


async def settle(store: Store, *changes: Change, over: bool = False) -> bool:
    """Poll the one execution that is due, and settle `changes`."""
    (item,) = await due(store)
    snapshot = snapshot_of(item.snapshot.execution.id, changes[-1].revision if changes else 1)
    return await store.schedule.settle(
        item, snapshot, changes, next_poll=None if over else SOON, is_visible=bool(changes)
    )


async def drained(store: Store) -> None:
    """Deliver what there is, as the notifier would: a card, and everything read."""
    for claim in await lanes(store):
        await deliver(store, claim)


async def deliver(store: Store, claim: Claim) -> None:
    """Record that everything in `claim` was delivered, and give the lane back."""
    delivered = max((item.revision for item in claim.notification.changes), default=0)
    revision = claim.notification.snapshot.revision
    await store.outbox.record(claim, Receipt(channel="D1", ts="1.2", revision=revision, delivered_through=delivered))
    if not claim.notification.subscription.is_ending or not await store.outbox.forget(claim):
        await store.outbox.release(claim)


def left_over(redis: Redis, prefix: str = "") -> list[str]:
    """All keys but dead letters and logs, of one partition if its prefix is given."""
    keys = map(str, redis.scan_iter(f"{prefix}*"))
    return [key for key in keys if ":dead" not in key and ":log:" not in key]
