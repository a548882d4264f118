"""Several bots on one server: each has its own keys."""

from __future__ import annotations

from datetime import timedelta

from redis import Redis

from bot.store import Store
from tests.servers import OWNER
from tests.store.conftest import COALESCE, STALENESS
from tests.store.following import ALICE, change, due, follow, lanes, settle
from tests.store.test_history import ends


def opened(url: str, prefix: str) -> Store:
    """A store whose keys begin with `prefix`."""
    return Store(url, owner=OWNER, coalesce=COALESCE, staleness=STALENESS, prefix=prefix)


async def test_prefixes_keep_bots_apart(server_url: str, store: Store) -> None:
    """What one follows, the other neither lists nor polls nor delivers."""
    other = opened(server_url, "other")
    await follow(store, ALICE, "e1")
    assert (await other.subscribers.of(ALICE)).items == ()
    assert (await due(other), await lanes(other)) == ([], [])
    await follow(other, ALICE, "e2")
    assert [item.execution_id for item in await due(store)] == ["e1"]
    assert [claim.lane.execution_id for claim in await lanes(other)] == ["e2"]
    await other.aclose()


async def test_every_key_begins_with_the_prefix(server_url: str, store: Store, redis: Redis) -> None:
    """Whatever part of the store wrote it."""
    other = opened(server_url, "other")
    limits, quota = (
        other.slack_limits(calls=1, posts=1, channel_posts=1),
        other.gcs_quota("AK", per_minute=9, reserve=0),
    )
    await follow(other)
    await settle(other, change(2))
    (claim,) = await lanes(other)
    await limits.admit(claim.lane, "chat.postMessage", priority=0, place="C1")
    await limits.pause("T1", "*", timedelta(minutes=1))
    await limits.away("T1")
    await quota.take(is_person=True)
    await quota.hold_reader_lease("T1", reading=(timedelta(minutes=1), 9))
    await ends(other, 1)
    await other.outbox.forget(claim, reason="is_archived")
    await follow(other, ALICE, "e2")
    assert await other.subscribers.snapshot("T1", "e2")
    keys = [str(key) for key in redis.scan_iter()]
    assert {key.partition(":")[0] for key in keys} == {"other"}
    assert len(keys) > 10
    await other.aclose()
