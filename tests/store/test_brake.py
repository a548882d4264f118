"""Promises of the brake against real servers: how many may end for one reason, and when it lets go."""

from __future__ import annotations

import pytest
from redis import Redis

from bot.app.health import public
from bot.store import Store
from bot.store.brake import DEAD, LEAST, NOT_FOUND, Brake
from bot.store.rows import milliseconds
from tests.servers import ACCOUNT
from tests.store.following import ALICE, follow

OWNER = f"{ACCOUNT}/T1"


async def asked(brake: Brake, *numbers: int, reason: str = NOT_FOUND, is_lost: bool = False) -> list[bool]:
    """Whether each of the executions may end."""
    return [await brake.may_end(OWNER, reason, f"{OWNER}/e{number}", is_lost=is_lost) for number in numbers]


def ten_minutes_later(redis: Redis) -> None:
    """Let the window pass for all that has ended."""
    for key in redis.scan_iter("*:ended:*"):
        redis.delete(str(key))


async def test_the_sixth_ending_is_braked(store: Store) -> None:
    """And all after it, also once the window is over; those before it may repeat their question."""
    assert await asked(store.brake, *range(LEAST)) == [True] * LEAST
    assert await asked(store.brake, 0, 7, 8) == [True, False, False]


async def test_the_brake_outlives_the_window(store: Store, redis: Redis) -> None:
    """Time alone is no reason to end more."""
    await asked(store.brake, *range(LEAST + 1))
    ten_minutes_later(redis)
    assert await asked(store.brake, 7, LEAST) == [False, False]
    assert [(each.kind, each.waiting) for each in await store.brake.state(OWNER)] == [("count", 2)]


async def test_endings_far_apart_are_not_counted_together(store: Store, redis: Redis) -> None:
    """The window moves on: as many again may end after it."""
    await asked(store.brake, *range(LEAST))
    ten_minutes_later(redis)
    assert await asked(store.brake, *range(10, 10 + LEAST)) == [True] * LEAST
    assert await store.brake.state(OWNER) == []


async def test_a_tenth_of_many_may_end(store: Store) -> None:
    """Of sixty executions, six."""
    for number in range(60):
        await follow(store, ALICE, f"e{number}")
    assert await asked(store.brake, *range(7)) == [True] * 6 + [False]


async def test_vendors_are_counted_apart(store: Store) -> None:
    """Channels that are archived say nothing about executions that are deleted."""
    await asked(store.brake, *range(LEAST + 1), reason="slack:is_archived")
    assert await asked(store.brake, 1, 2) == [True, True]
    assert [each.reason for each in await store.brake.state(OWNER)] == ["slack:is_archived"]


async def test_two_codes_end_no_more_than_one(store: Store, redis: Redis) -> None:
    """What ends for any code of Slack's is counted together; so is what a brake keeps, once the window is over."""
    assert await refused(store.brake, [f"{OWNER}/e/A{number}" for number in range(3)]) == [True] * 3
    gone = [f"{OWNER}/e/B{number}" for number in range(8)]
    assert await refused(store.brake, gone, "slack:channel_not_found") == [True] * 2 + [False] * 6
    ten_minutes_later(redis)
    assert await refused(store.brake, [f"{OWNER}/e/A3"]) == [False]
    assert sorted(each.reason for each in await store.brake.state(OWNER)) == ["slack:channel_not_found", ARCHIVED]


async def test_dead_channels_of_two_codes_end(store: Store, redis: Redis) -> None:
    """Few of them, refused for an hour each: the second brake does not start the hour of the first again."""
    archived, gone = LANES, [lane.replace("C1", "C2") for lane in LANES]
    await refused(store.brake, archived)
    an_hour_later(redis)
    await refused(store.brake, gone, "slack:channel_not_found")
    assert await refused(store.brake, archived[LEAST:]) == [True] * 3
    an_hour_later(redis)
    assert await refused(store.brake, gone, "slack:channel_not_found") == [True] * len(gone)
    assert await store.brake.state(OWNER) == []


async def test_all_that_recover_release_the_brake(store: Store) -> None:
    """When nothing waits any more, the next ending is judged by itself."""
    await asked(store.brake, *range(LEAST + 2))
    for number in (LEAST, LEAST + 1):
        await store.brake.recovered(OWNER, f"{OWNER}/e{number}")
    assert await store.brake.state(OWNER) == []


async def test_the_rest_ends_after_most_have_recovered(store: Store, redis: Redis) -> None:
    """The cause is gone; what is missing all the same ends, not faster than the limit allows."""
    await asked(store.brake, *range(20))
    for number in range(LEAST, 17):
        await store.brake.recovered(OWNER, f"{OWNER}/e{number}")
    assert await asked(store.brake, 17, 18, 19) == [False] * 3
    ten_minutes_later(redis)
    assert await asked(store.brake, 17, 18, 19) == [True] * 3
    assert await store.brake.state(OWNER) == []


async def test_the_wrong_place_ends_nothing(store: Store) -> None:
    """With two missing the brake goes on; once GCS shows something of ours again, it lets go."""
    await follow(store, ALICE, "e1")
    await follow(store, ALICE, "e2")
    assert await asked(store.brake, 1, is_lost=True) == [False]
    assert await store.brake.state(OWNER) == []
    assert await asked(store.brake, 2, is_lost=True) == [False]
    assert [(each.kind, each.waiting) for each in await store.brake.state(OWNER)] == [("place", 2)]
    await store.brake.recovered(OWNER, f"{OWNER}/e1")
    assert await store.brake.state(OWNER) == []


async def test_released_items_end_uncounted(store: Store) -> None:
    """What an operator releases ends, and nothing else with it."""
    await asked(store.brake, *range(20))
    assert sorted(await store.brake.release(OWNER, NOT_FOUND)) == sorted(
        f"{OWNER}/e{number}" for number in range(5, 20)
    )
    assert await asked(store.brake, *range(5, 20)) == [True] * 15
    assert await asked(store.brake, *range(30, 36)) == [True] * LEAST + [False]


LANES = [f"{OWNER}/e{number}/C1" for number in range(LEAST + 3)]
"""Lanes of one channel."""

ARCHIVED = "slack:is_archived"


async def refused(brake: Brake, lanes: list[str], reason: str = ARCHIVED) -> list[bool]:
    """Whether each of the lanes may end, whose channel Slack refuses."""
    return [await brake.may_end(OWNER, reason, lane) for lane in lanes]


def an_hour_later(redis: Redis) -> None:
    """Let the time pass for which a channel must be refused."""
    for key in redis.scan_iter("*:refused:*"):
        for channel, since in redis.zscan_iter(str(key)):
            redis.zadd(str(key), {channel: since - milliseconds(DEAD)})


async def test_one_dead_channel_holds_nothing_for_long(store: Store, redis: Redis) -> None:
    """All that it follows ends once it was refused for an hour, and the brake lets go; before, no more than five."""
    assert await refused(store.brake, LANES) == [True] * LEAST + [False] * 3
    ten_minutes_later(redis)
    assert await refused(store.brake, [*LANES[LEAST:], f"{OWNER}/e1/C2"]) == [False] * 4
    an_hour_later(redis)
    assert await refused(store.brake, [*LANES[LEAST:], f"{OWNER}/e1/C2"]) == [True] * 4
    assert (await store.brake.state(OWNER), await store.brake.owners()) == ([], [])


async def test_many_refused_channels_stay_braked(store: Store, redis: Redis) -> None:
    """For however long: that they are all dead is less likely than one mistake."""
    lanes = [f"{OWNER}/e/C{number}" for number in range(LEAST + 1)]
    assert await refused(store.brake, lanes) == [True] * LEAST + [False]
    an_hour_later(redis)
    ten_minutes_later(redis)
    assert await refused(store.brake, lanes[LEAST:]) == [False]


@pytest.mark.parametrize("is_braked", [True, False])
async def test_a_channel_that_worked_is_not_dead(store: Store, redis: Redis, *, is_braked: bool) -> None:
    """Two refusals an hour apart are not one of an hour."""
    await refused(store.brake, LANES if is_braked else LANES[:LEAST])
    an_hour_later(redis)
    await store.brake.recovered(OWNER, f"{OWNER}/another/C1")
    assert await refused(store.brake, LANES[LEAST:]) == [False] * 3
    assert await refused(store.brake, LANES[LEAST:]) == [False] * 3


@pytest.mark.parametrize(
    ("reason", "is_lost", "cause"),
    [
        (NOT_FOUND, False, "check GCS_PROJECT_ID and the rights of the key"),
        (NOT_FOUND, True, "check GCS_REGION, GCS_PROJECT_ID and the key"),
        (ARCHIVED, False, "check the app and the channels"),
    ],
)
async def test_the_alarm_says_what_to_do(store: Store, reason: str, is_lost: bool, cause: str) -> None:
    """What to check, and the very command that lets go; `/readyz` shows all of it."""
    await asked(store.brake, *range(LEAST + 1), reason=reason, is_lost=is_lost)
    words = str(await store.brake.problem(OWNER))
    assert (cause in words, f"run `execution-bot release {reason}`" in words) == (True, True)
    assert public(words) == words


async def test_fields_of_a_newer_brake_are_ignored(store: Store, redis: Redis) -> None:
    """A copy of the next version may have written more: the brake is on for this one, too."""
    await asked(store.brake, *range(LEAST + 1))
    (key,) = map(str, redis.scan_iter("*{brake*}:on"))
    redis.hset(key, NOT_FOUND, str(redis.hget(key, NOT_FOUND)) + "|more")
    ten_minutes_later(redis)
    assert await asked(store.brake, 7) == [False]


@pytest.mark.parametrize("owner", ["T2", "other/T1"])
async def test_brakes_have_owners(store: Store, owner: str) -> None:
    """Another workspace, or another account, has its own."""
    await asked(store.brake, *range(LEAST + 1))
    assert await store.brake.may_end(owner, NOT_FOUND, f"{owner}/e1")
    assert await store.brake.state(owner) == []
