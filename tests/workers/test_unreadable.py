"""Rows that cannot be read, or hold more than this version knows, beside good ones: all else is delivered."""

from __future__ import annotations

from redis import Redis

from bot.store.unreadable import ASIDE
from sandbox import story
from tests.servers import ACCOUNT, KEYS
from tests.workers.rig import Rig

RUBBISH = "rubbish from another version"


def damage(rig: Rig, execution_id: str) -> str:
    """Put rubbish in the place of the snapshot of an execution, behind its header; returns the key."""
    execution = f"{ACCOUNT}/{rig.who(rig.lab).team_id}/{execution_id}"
    key = KEYS.snapshot_of(execution)
    rig.redis.set(key, str(rig.redis.getrange(key, 0, 55)) + RUBBISH)
    return key


async def test_an_unreadable_snapshot_harms_no_other(rig: Rig, redis: Redis) -> None:
    """Others are polled and delivered; it is polled once in minutes, stays in the store, and is named in the list."""
    bad = await rig.followed(rig.lab)
    good = [await rig.followed(rig.lab, rig.alice) for _ in range(3)]
    key = damage(rig, bad)
    before = redis.dump(key)
    for execution_id in (bad, *good):
        rig.gcs.step(execution_id)
    await rig.poll()
    assert rig.waits_by_name("due")[key.partition("snap:")[2]] > ASIDE.total_seconds() - 5
    await rig.later()
    assert sorted(part.partition(" ")[0] for part in rig.read(rig.alice)) == [*["card"] * 3, *["change"] * 3]
    assert len(rig.read(rig.lab)) == 1 + 2 * len(good)
    assert redis.dump(key) == before
    followed = await rig.subscriptions.of(rig.who(rig.lab))
    assert {each.execution_id for each, _ in followed.items} == set(good)
    assert followed.unreadable == (bad,)


async def test_people_are_served_despite_unreadable_rows(rig: Rig) -> None:
    """A summary and a refresh show what GCS says now."""
    bad = await rig.followed(rig.alice, life=story.happy(3))
    damage(rig, bad)
    summary = await rig.subscriptions.summary(rig.who(rig.alice).team_id, bad, rig.alice)
    assert summary.snapshot.execution.id == bad
    assert summary.subscription is not None
    await rig.subscriptions.refresh_card(rig.who(rig.alice), bad)


async def test_an_unreadable_lane_is_delivered_once_readable(rig: Rig, redis: Redis) -> None:
    """A change that could not be read delays its lane; nothing of it is lost or sent twice."""
    execution_id = await rig.followed(rig.lab)
    execution = f"{ACCOUNT}/{rig.who(rig.lab).team_id}/{execution_id}"
    entries = f"{KEYS.home_of(execution)}changes:{execution}/{rig.lab}"
    redis.rpush(entries, RUBBISH)
    await rig.step(execution_id)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert rig.waits() > [ASIDE.total_seconds() - 5]
    redis.lrem(entries, 1, RUBBISH)
    await rig.later(times=2)
    assert rig.read(rig.lab) == ["card", "change 2"]
