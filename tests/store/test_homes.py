"""What the store keeps for a person's Home tab."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis

from bot.domain.execution import Execution, Step
from bot.domain.following import Level, Subscriber
from bot.domain.snapshot import Snapshot
from bot.store import Store
from tests.store.following import ALICE, LAB, follow

BOB = Subscriber(team_id="T1", id="U2")


async def test_a_level_is_kept_for_the_person(store: Store) -> None:
    """For one person of one workspace, until they ask to be forgotten."""
    await store.homes.choose_level(ALICE, Level.FINAL)
    await store.homes.choose_level(BOB, Level.STEPS)
    assert await store.homes.level_of(ALICE) is Level.FINAL
    assert await store.homes.level_of(Subscriber(team_id="T2", id=ALICE.id)) is None
    await store.people.forget(ALICE.id)
    assert await store.homes.level_of(ALICE) is None
    assert await store.homes.level_of(BOB) is Level.STEPS


async def test_a_home_has_what_channels_follow(store: Store) -> None:
    """Of the channels that the person is in; what they follow themselves is not there twice."""
    await follow(store, LAB, "e-1")
    await follow(store, LAB, "e-2")
    await follow(store, ALICE, "e-2")
    home = await store.homes.of(ALICE, {LAB.id, "C9"})
    assert [(each.execution_id, each.channel_ids) for each in home.in_channels] == [("e-1", (LAB.id,))]
    assert [subscription.execution_id for subscription, _ in home.followed.items] == ["e-2"]
    assert (home.are_channels_known, home.channels_left_out) == (True, 0)


async def test_a_home_without_channels_has_none(store: Store) -> None:
    """Neither where the person is in none, nor where nobody knows in which."""
    await follow(store, LAB, "e-1")
    assert (await store.homes.of(ALICE, ())).in_channels == ()
    unknown = await store.homes.of(ALICE, None)
    assert (unknown.in_channels, unknown.are_channels_known) == ((), False)


async def test_channels_beyond_the_limit_are_counted(store: Store) -> None:
    """A Home is not late because somebody is in very many."""
    for number in range(33):
        await follow(store, Subscriber(team_id="T1", id=f"C{number:02}"), f"e-{number}")
    home = await store.homes.of(ALICE, [f"C{number:02}" for number in range(40)])
    assert (len(home.in_channels), home.channels_left_out) == (30, 3)


async def test_what_ended_before_today_is_left_out(store: Store) -> None:
    """Where the person's day is known."""
    await store.homes.note_end(ALICE, ended("e-1", timedelta(hours=3)))
    await store.homes.note_end(ALICE, ended("e-2"))
    since = datetime.now(UTC) - timedelta(hours=1)
    assert [each.execution.id for each in await store.homes.ended(ALICE, since=since)] == ["e-2"]
    assert len(await store.homes.ended(ALICE)) == 2


def ended(execution_id: str, ago: timedelta = timedelta(), **more: Any) -> Snapshot:
    """An execution that succeeded so long ago."""
    at = datetime.now(UTC) - ago
    return Snapshot(
        execution=Execution(id=execution_id, phase="Succeeded", updated_at=at, **more), revision=2, seen_at=at
    )


async def shown(store: Store, person: Subscriber = ALICE) -> list[str]:
    """The ids of what has ended, as the Home tab has them."""
    return [snapshot.execution.id for snapshot in await store.homes.ended(person)]


async def test_ends_are_kept_once(store: Store) -> None:
    """The last one first, each execution once: a retried one by its last end. Nobody sees another person's."""
    for minutes, execution_id in ((50, "e-1"), (40, "e-2"), (30, "e-1")):
        await store.homes.note_end(ALICE, ended(execution_id, timedelta(minutes=minutes)))
    await store.homes.note_end(ALICE, ended("e-1", timedelta(minutes=30)))
    assert await shown(store) == ["e-1", "e-2"]
    assert await shown(store, BOB) == []


async def test_the_last_twenty_ends_are_kept(store: Store, redis: Redis) -> None:
    """Of one day, and the key goes by itself."""
    for number in range(25):
        await store.homes.note_end(ALICE, ended(f"e-{number}", timedelta(minutes=number)))
    await store.homes.note_end(ALICE, ended("e-old", timedelta(hours=25)))
    assert await shown(store) == [f"e-{number}" for number in range(20)]
    (key,) = redis.scan_iter("*:ends:*")
    assert redis.hlen(key) == 20
    assert 0 < redis.ttl(key) <= 24 * 3600


async def test_an_end_is_over_after_a_day(store: Store) -> None:
    """Though the key is there because of a later one."""
    await store.homes.note_end(ALICE, ended("e-2"))
    await store.homes.note_end(ALICE, ended("e-old", timedelta(hours=24, seconds=1)))
    assert await shown(store) == ["e-2"]


async def test_ends_are_forgotten_with_the_person(store: Store) -> None:
    """At once."""
    await store.homes.note_end(ALICE, ended("e-1"))
    await store.homes.note_end(BOB, ended("e-1"))
    await store.people.forget(ALICE.id)
    assert (await shown(store), await shown(store, BOB)) == ([], ["e-1"])


async def test_an_unreadable_end_is_left_out(store: Store, redis: Redis) -> None:
    """The others are there."""
    await store.homes.note_end(ALICE, ended("e-1"))
    (key,) = redis.scan_iter("*:ends:*")
    redis.hset(key, "e-2", "1|{")
    assert await shown(store) == ["e-1"]


async def test_little_is_kept_of_an_end(store: Store) -> None:
    """A few failed steps with the beginning of their texts, and how many others failed."""
    step = Step(name="call", phase="Failed", reason="OOMKilled", message="x" * 9_000)
    await store.homes.note_end(ALICE, ended("e-1", steps=(step,) * 40, steps_total=50, labels={"batch": "panel-7"}))
    (kept,) = await store.homes.ended(ALICE)
    assert (len(kept.execution.steps), kept.execution.steps_left_out, kept.execution.labels) == (3, 37, {})
    assert {len(each.message) for each in kept.execution.steps} == {300}
