"""What belongs to another workspace or GCS account is neither polled nor posted, even in the right store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.execution import Execution
from bot.domain.following import Subscriber, Subscription
from bot.domain.snapshot import Snapshot
from bot.store import Store
from bot.store.owner import Owner
from bot.store.schedule import Due
from tests.servers import SANDBOX_OWNER
from tests.workers.rig import CADENCE, Rig

OTHERS = [replace(SANDBOX_OWNER, account="gcs2"), replace(SANDBOX_OWNER, team="T0OTHERS")]


@pytest.mark.parametrize("owner", OTHERS, ids=["account", "team"])
async def test_anothers_executions_are_left_alone(rig: Rig, redis: Redis, server_url: str, owner: Owner) -> None:
    """A lane for a channel that exists here, of an execution that GCS would call missing: it stays as it is."""
    other = Store(server_url, owner=owner, coalesce=timedelta(0), staleness=CADENCE.staleness)
    now = datetime.now(UTC)
    follower = Subscriber(team_id=owner.team, id=rig.lab)
    subscription = Subscription(execution_id="e1", subscriber=follower, owner=rig.alice, created_at=now)
    snapshot = Snapshot(execution=Execution(id="e1", phase="Running"), revision=1, seen_at=now)
    await other.subscribers.subscribe(subscription, snapshot, first_poll=timedelta(0))
    for _ in range(3):
        await rig.poll()
        await rig.later()
    assert rig.times("chat.postMessage") == 0
    assert [item.snapshot.misses for item in await claimed(other, redis)] == [0]
    assert await rig.store.outbox.dead_letters() == []
    await other.aclose()


async def claimed(store: Store, redis: Redis) -> list[Due]:
    """The executions of a store, all due now."""
    for key in map(str, redis.scan_iter("*:due")):
        for execution in map(str, redis.zrange(key, 0, -1)):
            redis.zadd(key, {execution: 0})
    return [due for number in range(16) for due in await store.schedule.claim(number, 9)]
