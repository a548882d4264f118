"""The order of polls: the expedited go ahead of the merely due, until these have waited too long."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from redis import Redis

from bot.store import Store
from bot.store.keys import execution_key
from bot.store.schedule import LEASE, Due
from bot.store.schedule.schedule import OVERDUE_EVERY
from tests.servers import ACCOUNT, KEYS
from tests.store.conftest import STALENESS
from tests.store.following import ALICE, follow, left_over, snapshot_of

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def followed(store: Store) -> list[str]:
    """Twelve executions, all of them due."""
    executions = [f"e{number}" for number in range(12)]
    for execution_id in executions:
        await follow(store, execution_id=execution_id)
    return executions


def home_of(execution_id: str) -> str:
    """The prefix of an execution's partition."""
    return KEYS.home_of(execution_key(ACCOUNT, ALICE.team_id, execution_id))


async def claim(store: Store, calls: int) -> list[Due]:
    """Claim as many polls as there are calls, as the watcher does: the most urgent partition first."""
    claimed: list[Due] = []
    for number in (await store.schedule.ready()).partitions:
        claimed += await store.schedule.claim(number, calls - len(claimed))
        if len(claimed) == calls:
            break
    return claimed


async def show(store: Store, executions: list[str], fingerprint: str) -> None:
    """A list shows these as they were not before."""
    await store.schedule.listed(ALICE.team_id, [(each, fingerprint) for each in executions], defer_for=MINUTE)


async def poll(store: Store, due: Due, *, next_poll: timedelta = MINUTE, is_expedited: bool | None = False) -> None:
    """Settle a poll that saw what was known."""
    snapshot = snapshot_of(due.execution_id)
    await store.schedule.settle(due, snapshot, [], next_poll=next_poll, is_visible=False, is_expedited=is_expedited)


def pass_time(redis: Redis, span: timedelta) -> None:
    """Let everything be due so much earlier."""
    for name in ("due", "gone", "expedited"):
        for key in map(str, redis.scan_iter(f"*:{name}")):
            for execution in map(str, redis.zrange(key, 0, -1)):
                redis.zincrby(key, -span.total_seconds() * 1000, execution)


@pytest.mark.parametrize("is_alone", [True, False])
async def test_the_overdue_do_not_starve(store: Store, redis: Redis, is_alone: bool) -> None:
    """Every minute all but one are expedited, and there are few calls: that one is polled in time, in any partition."""
    known = [f"e{number}" for number in range(300)]
    homes = {each: home_of(each) for each in known}
    together = [each for each in known if homes[each] == homes["e0"]]
    apart = [each for each in known if homes[each] != homes["e0"]]
    quiet, *busy = ["e0", *(apart if is_alone else together[1:])][:12]
    for execution_id in (quiet, *busy):
        await follow(store, execution_id=execution_id)
    for due in await claim(store, 12):
        await poll(store, due)
    minutes: list[int] = []
    for minute in range(int(STALENESS / MINUTE)):
        pass_time(redis, MINUTE)
        await show(store, busy, f"{minute:08d}")
        for due in await claim(store, 3):
            await poll(store, due)
            if due.execution_id == quiet:
                minutes.append(minute)
    gaps = [later - earlier for earlier, later in pairwise([0, *minutes])]
    assert len(minutes) >= 3
    assert max(gaps) <= STALENESS / 4 / MINUTE + 2 * OVERDUE_EVERY


async def test_the_expedited_do_not_starve(store: Store, redis: Redis, followed: list[str]) -> None:
    """All are overdue all the time, and one is expedited each minute: both go on."""
    seen: Counter[str] = Counter()
    for minute in range(3 * len(followed)):
        pass_time(redis, STALENESS)
        await show(store, ["e7"], f"{minute:08d}")
        for due in await claim(store, 1):
            await poll(store, due)
            seen[due.execution_id] += 1
    assert seen["e7"] >= len(followed)
    assert len(seen) == len(followed)


async def test_the_expedited_go_ahead_until_then(store: Store, redis: Redis, followed: list[str]) -> None:
    """What has been due for ten minutes waits for what a list has just shown."""
    homes = Counter(home_of(each) for each in followed)
    alone = [each for each in followed if homes[home_of(each)] == 1][:3]  # each claim is made in one partition
    pass_time(redis, timedelta(minutes=10))
    await show(store, alone, "newer---")
    assert {due.execution_id for due in await claim(store, 3)} == set(alone)


async def test_lateness_counts_from_the_earliest_reason(store: Store, redis: Redis, followed: list[str]) -> None:
    """Since it was due, or else since a list showed it as new or did not show it any more."""
    for due in await claim(store, 12):
        await poll(store, due, next_poll=timedelta(minutes=30 if due.execution_id in {"e0", "e1"} else 5))
    await show(store, followed[:1], "newer---")
    await show(store, followed[1:3], "gone----")
    pass_time(redis, timedelta(minutes=15))
    late = {due.execution_id: round(due.late / MINUTE) for due in await claim(store, 12)}
    assert Counter(late.values()) == {15: 3, 10: 9}
    assert late["e0"] == late["e1"] == late["e2"] == 15


async def test_executions_gone_from_lists_go_first(store: Store, followed: list[str]) -> None:
    """It has probably ended."""
    await show(store, followed[:11], "newer---")
    await show(store, followed[11:], "gone----")
    assert [due.execution_id for due in await claim(store, 1)] == followed[11:]


async def test_changes_gcs_hides_stay_expedited(store: Store, redis: Redis, followed: list[str]) -> None:
    """After the pause, not before; what was merely due when the poll failed is merely due again."""
    await show(store, followed[:1], "newer---")
    for due in await claim(store, 12):
        await poll(store, due, next_poll=timedelta(seconds=20), is_expedited=None)
    assert await claim(store, 12) == []
    pass_time(redis, timedelta(seconds=25))
    redis.zadd(home_of("e0") + "due", {"gcs1/T1/e0": 10**14})  # or it would be the oldest anyway
    assert [due.execution_id for due in await claim(store, 1)] == ["e0"]
    assert [key for key in map(str, redis.scan_iter("*:expedited")) if redis.zcard(key) > 1] == []


async def test_a_dead_workers_claim_stays_expedited(store: Store, redis: Redis, followed: list[str]) -> None:
    """Its lease ends, and all the others have been overdue for longer."""
    await show(store, followed[:1], "newer---")
    assert [due.execution_id for due in await claim(store, 1)] == ["e0"]
    assert "e0" not in {due.execution_id for due in await claim(store, 1)}
    pass_time(redis, LEASE + timedelta(seconds=1))
    assert [due.execution_id for due in await claim(store, 1)] == ["e0"]


async def test_a_poll_to_confirm_goes_ahead(store: Store, redis: Redis, followed: list[str]) -> None:
    """An execution that must be polled twice does not wait for all the others in between."""
    for due in await claim(store, 12):
        if due.execution_id == "e7":
            await poll(store, due, next_poll=timedelta(seconds=5), is_expedited=True)
        else:
            await poll(store, due, next_poll=timedelta(0))
    assert await claim(store, 1) != []
    pass_time(redis, timedelta(seconds=6))
    assert [due.execution_id for due in await claim(store, 1)] == ["e7"]


async def test_a_poll_without_a_call_keeps_its_place(store: Store, redis: Redis, followed: list[str]) -> None:
    """A poll that the quota did not allow comes next, before all that became due later."""
    for due in await claim(store, 12):
        await poll(store, due, next_poll=timedelta(minutes=2) if due.execution_id == "e7" else timedelta(minutes=3))
    pass_time(redis, timedelta(minutes=5))
    (first,) = await claim(store, 1)
    store.schedule.put_back(first)
    await store.schedule.settled()
    assert [due.execution_id for due in (first, *await claim(store, 1))] == ["e7", "e7"]


async def test_an_expedited_poll_without_call_keeps_its_age(store: Store, redis: Redis, followed: list[str]) -> None:
    """It goes before those expedited later, and its wait so far counts."""
    for due in await claim(store, 12):
        await poll(store, due, next_poll=timedelta(minutes=5))
    await show(store, ["e7"], "newer---")
    pass_time(redis, timedelta(minutes=25))
    await show(store, [each for each in followed if each != "e7"], "newer---")
    (first,) = await claim(store, 1)
    store.schedule.put_back(first)
    await store.schedule.settled()
    (again,) = await claim(store, 1)
    assert [first.execution_id, again.execution_id] == ["e7", "e7"]
    assert round(again.late / MINUTE) == round(first.late / MINUTE) == 25


async def test_expediting_brings_no_ended_execution_back(store: Store, redis: Redis) -> None:
    """Whatever left it behind: what is not scheduled any more is not claimed."""
    await follow(store)
    home = home_of("e1")
    redis.zrem(f"{home}due", "gcs1/T1/e1")
    redis.zadd(f"{home}expedited", {"gcs1/T1/e1": 0})
    assert await claim(store, 1) == []
    assert list(redis.scan_iter("*:expedited")) == []


async def test_polled_executions_are_no_longer_expedited(store: Store, redis: Redis, followed: list[str]) -> None:
    """Whether or not the poll saw something new."""
    await show(store, followed, "newer---")
    first, *others = await claim(store, 12)
    await poll(store, first)
    for due in others:
        store.schedule.settle_unchanged(due, seen_at=due.now, next_poll=MINUTE)
    await store.schedule.settled()
    assert list(redis.scan_iter("*:expedited")) == []


async def test_forgotten_executions_are_no_longer_expedited(store: Store, redis: Redis) -> None:
    """Nothing is left of an execution that nobody follows."""
    await follow(store)
    await show(store, ["e1"], "newer---")
    for number in range(16):
        for lane in await store.outbox.claim(number, 9):
            await store.outbox.forget(lane, reason="is_archived")
    assert left_over(redis) == []
