"""Promises of catch-up messages: each end is in one, or reported by its lane, and that does not change."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.catch_up import Caught, catch_up_id, caught
from bot.domain.change import ChangeKind
from bot.domain.following import Subscriber
from bot.store import Store
from bot.store.catch_ups import Entered
from bot.store.engine.embedded import EmbeddedStore
from bot.store.keys import lane_of
from bot.store.outbox import Claim
from tests.servers import ACCOUNT, OWNER, StillClock, expire_claims, let_lanes_come
from tests.store.conftest import COALESCE, STALENESS
from tests.store.following import ALICE, NOW, change, drained, follow, lanes, settle, snapshot_of

POSTED = Entered(channel="D1", ts="2.3")
BOB = Subscriber(team_id="T1", id="U2")


def end(execution_id: str) -> Caught:
    """It has ended in the night."""
    return caught(replace(change(3, ChangeKind.OUTCOME), phase="Succeeded"), snapshot_of(execution_id), None)


async def enter(store: Store, execution_id: str, who: Subscriber = ALICE) -> Entered:
    """Have its end reported with others in the morning."""
    return await store.outbox.catch_ups.enter(lane_of(ACCOUNT, who, execution_id), end(execution_id), until=NOW)


async def claimed(store: Store, redis: Redis) -> Claim:
    """The message, which is due."""
    let_lanes_come(redis)
    (claim,) = await lanes(store)
    return claim


async def close(store: Store, claim: Claim) -> list[str] | None:
    """The executions whose ends it reports."""
    ends = await store.outbox.catch_ups.close(claim.lane, claim.token)
    return None if ends is None else sorted(each.execution.id for each in ends)


async def posted(store: Store, claim: Claim) -> bool:
    """Slack has taken it."""
    return await store.outbox.catch_ups.posted(claim.lane, claim.token, channel=POSTED.channel, ts=POSTED.ts)


def keys(redis: Redis) -> list[str]:
    """All that is left, without moments."""
    return sorted(str(key).split(":")[2] for key in redis.scan_iter())


async def test_ends_are_in_one_message(store: Store, redis: Redis) -> None:
    """Until it is closed they join it, twice changes nothing; then they read where it is."""
    assert [(await enter(store, each)).wait is not None for each in ("e1", "e2", "e1")] == [True] * 3
    claim = await claimed(store, redis)
    assert claim.notification.snapshot.is_catch_up
    assert await close(store, claim) == ["e1", "e2"]
    assert (await enter(store, "e3"), (await enter(store, "e1")).wait) == (Entered(), timedelta(0))
    assert await posted(store, claim)
    assert [await enter(store, each) for each in ("e1", "e2", "e3")] == [POSTED, POSTED, Entered()]
    assert keys(redis) == ["caught"]


async def test_it_forgets_what_was_in_it(store: Store, redis: Redis) -> None:
    """What is remembered are ids, and for a few days only."""
    for each in ("e1", "e2"):
        await enter(store, each)
    claim = await claimed(store, redis)
    (key,) = redis.scan_iter("*:caught:*")
    assert redis.pttl(str(key)) == -1  # never before it was posted
    await close(store, claim)
    await posted(store, claim)
    values = set(map(str, redis.hgetall(str(key)).values()))
    assert values == {"", f"posted|{POSTED.channel}|{POSTED.ts}"}
    assert 0 < redis.pttl(str(key)) <= timedelta(days=4).total_seconds() * 1000


async def test_a_single_end_is_reported_by_its_lane(store: Store, redis: Redis) -> None:
    """And so is what comes after it."""
    await enter(store, "e1")
    claim = await claimed(store, redis)
    assert await close(store, claim) == []
    assert [await enter(store, each) for each in ("e1", "e2")] == [Entered(), Entered()]
    assert await close(store, claim) is None
    assert keys(redis) == ["caught"]


async def test_a_message_that_cannot_be_posted_lets_go(store: Store, redis: Redis) -> None:
    """Each of its ends is reported by its lane."""
    for each in ("e1", "e2"):
        await enter(store, each)
    claim = await claimed(store, redis)
    await close(store, claim)
    assert await store.outbox.catch_ups.let_go(claim.lane, claim.token)
    assert [await enter(store, each) for each in ("e1", "e2")] == [Entered(), Entered()]


async def test_people_have_messages_of_their_own(store: Store, redis: Redis) -> None:
    """However many follow the same run."""
    for who in (ALICE, BOB):
        for each in ("e1", "e2"):
            await enter(store, each, who)
    let_lanes_come(redis)
    assert sorted(claim.lane.subscriber_id for claim in await lanes(store)) == ["U1", "U2"]


async def test_it_is_due_when_no_more_come(store: Store) -> None:
    """Two seconds after the last end, and fifteen after the first."""
    with StillClock.standing() as clock:
        waits = []
        for number in range(10):
            waits.append((await enter(store, f"e{number}")).wait)
            clock.passes(1.9)
    seconds = [round(wait.total_seconds(), 1) for wait in waits if wait is not None]
    assert seconds == [2.0] * 7 + [1.7, 0.0, 0.0]


async def test_a_claim_that_was_lost_does_nothing(store: Store, redis: Redis) -> None:
    """Another copy of the bot has it since then, which finds the same ends."""
    for each in ("e1", "e2"):
        await enter(store, each)
    first = await claimed(store, redis)
    await close(store, first)
    expire_claims(redis)
    second = await claimed(store, redis)
    assert second.in_doubt_since is not None
    assert (await close(store, first), await posted(store, first)) == (None, False)
    assert await close(store, second) == ["e1", "e2"]
    assert await posted(store, second)


async def test_an_older_version_takes_none_away(store: Store, redis: Redis) -> None:
    """It has delivered the lane of the message as that of some execution: the lane is made again."""
    await enter(store, "e1")
    claim = await claimed(store, redis)
    await store.outbox.forget(claim)
    assert (await enter(store, "e1")).wait is not None
    assert (await enter(store, "e2")).wait is not None
    assert await close(store, await claimed(store, redis)) == ["e1", "e2"]


async def test_a_lane_that_is_gone_holds_nobody_up(store: Store, redis: Redis) -> None:
    """The same after it was closed: nobody knows whether it was posted."""
    for each in ("e1", "e2"):
        await enter(store, each)
    claim = await claimed(store, redis)
    await close(store, claim)
    await store.outbox.forget(claim)
    assert await enter(store, "e1") == Entered()


async def test_an_unreadable_end_is_reported_by_its_lane(store: Store, redis: Redis) -> None:
    """As are the others: nothing is left out."""
    for each in ("e1", "e2"):
        await enter(store, each)
    (key,) = map(str, redis.scan_iter("*:caught:*"))
    redis.hset(key, next(str(field) for field in redis.hkeys(key) if str(field).startswith("e1")), "{")
    assert await close(store, await claimed(store, redis)) == []
    assert [await enter(store, each) for each in ("e1", "e2")] == [Entered(), Entered()]


async def test_it_is_forgotten_with_its_person(store: Store, redis: Redis) -> None:
    """Before and after it was posted; others keep theirs."""
    for who in (ALICE, BOB):
        for each in ("e1", "e2"):
            await enter(store, each, who)
    await store.people.forget("U1")
    assert not [key for key in redis.scan_iter() if catch_up_id("U1", NOW) in str(key)]
    claim = await claimed(store, redis)
    assert await close(store, claim) == ["e1", "e2"]
    await posted(store, claim)
    await store.people.forget("U2")
    assert keys(redis) == []


async def test_it_does_not_move(store: Store) -> None:
    """Its ends do, with their lanes."""
    await follow(store)
    await drained(store)
    await enter(store, "e1")
    lines = [line async for line in store.transfer.lines(OWNER)]
    assert [b'"is_catch_up"' in (line or b"") for line in lines] == [False]


async def test_it_goes_before_cards(store: Store, redis: Redis) -> None:
    """As ends for people do."""
    await enter(store, "e1")
    (key,) = map(str, redis.scan_iter("*:outbox:*"))
    assert key.endswith(":0")


async def test_a_kept_change_is_another_one(store: Store) -> None:
    """In the place of the one before; a lost claim writes nothing."""
    await follow(store)
    await drained(store)
    outcome = change(3, ChangeKind.OUTCOME)
    await settle(store, change(2), outcome)
    (claim,) = await lanes(store)
    assert await store.outbox.amend(claim, replace(outcome, caught_up=NOW))
    assert not await store.outbox.amend(claim, change(9))
    await store.outbox.release(claim, wait=timedelta(0))
    assert not await store.outbox.amend(claim, outcome)
    (again,) = await lanes(store)
    assert [each.caught_up for each in again.notification.changes] == [None, NOW]


async def test_a_restart_of_the_store_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while ends join a message, and again while it is being posted."""
    monkeypatch.setattr("bot.store.catch_ups.catch_ups.REST", timedelta(0))
    ends: list[Any] = []
    for act in (_joined, _closed, _posted):
        embedded = EmbeddedStore(tmp_path)
        url = await embedded.start()
        store = Store(url, owner=OWNER, coalesce=COALESCE, staleness=STALENESS)
        with Redis.from_url(url, decode_responses=True) as redis:
            ends.append(await act(store, redis))
            await store.aclose()
            pid = int(redis.info("server")["process_id"])
        os.kill(pid, signal.SIGKILL)
        await embedded.stop()
    assert ends == [None, ["e1", "e2"], [POSTED, POSTED]]


async def _joined(store: Store, redis: Redis) -> None:
    del redis
    for each in ("e1", "e2"):
        await enter(store, each)


async def _closed(store: Store, redis: Redis) -> list[str] | None:
    return await close(store, await claimed(store, redis))


async def _posted(store: Store, redis: Redis) -> list[Entered]:
    expire_claims(redis)
    claim = await claimed(store, redis)
    await close(store, claim)
    await posted(store, claim)
    return [await enter(store, each) for each in ("e1", "e2")]
