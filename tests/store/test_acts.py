"""Acts on executions: of those who confirm at the same time one acts, and those who follow read who did."""

from __future__ import annotations

import asyncio

import pytest
from redis import Redis

from bot.domain.acting import OWN_EFFECT, Act, Action, Result
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Execution
from bot.domain.following import Level, Subscriber
from bot.store import Store
from bot.store.acts.acts import BUSY, KEPT, OPEN_KEPT
from bot.store.outbox import Claim
from tests.servers import ACCOUNT, KEYS
from tests.store.following import ALICE, LAB, NOW, drained, due, follow, lanes, settle

BOB = Subscriber(team_id="T1", id="U2")
STOPPED = Execution(id="e1", phase="Cancelling")


async def begin(store: Store, token: str = "a1", *, known: str = "", by: str = "U2", on: str = "e1") -> bool:
    """Somebody confirms that an execution is to be cancelled, who was shown `known`."""
    return await store.acts.begin("T1", on, token=token, known=known, action=Action.CANCEL, by=by)


async def last(store: Store) -> Act:
    """The last act on the execution."""
    act = await store.acts.last("T1", "e1")
    assert act is not None
    return act


async def finish(store: Store, result: Result) -> bool:
    """It ends."""
    return await store.acts.finish("T1", "e1", await last(store), result, now=NOW)


def age(redis: Redis, seconds: float) -> None:
    """Let the last act have begun that long ago."""
    key = KEYS.act_on(f"{ACCOUNT}/T1/e1")
    token, action, by, began, result = str(redis.get(key)).split("|")
    redis.set(key, "|".join([token, action, by, str(int(began) - int(seconds * 1000)), result]))


def notices(claims: list[Claim]) -> dict[str, list[Change]]:
    """Who reads what."""
    return {
        claim.lane.subscriber_id: [each for each in claim.notification.changes if each.kind is ChangeKind.ACTED]
        for claim in claims
    }


async def test_of_twenty_one_acts(store: Store) -> None:
    """Those who were asked while nobody had acted."""
    begun = await asyncio.gather(*(begin(store, f"a{number}", by=f"U{number}") for number in range(20)))
    assert begun.count(True) == 1
    act = await last(store)
    assert (act.token, act.by) == (f"a{begun.index(True)}", f"U{begun.index(True)}")
    assert act.result is Result.UNDER_WAY


async def test_one_attempt_may_be_sent_twice(store: Store) -> None:
    """The store's answer was lost, and the same script came again."""
    assert [await begin(store), await begin(store)] == [True, True]
    assert not await begin(store, "a2")


@pytest.mark.parametrize("result", [Result.DONE, Result.REFUSED, Result.UNKNOWN])
async def test_who_was_shown_it_may_act_again(store: Store, result: Result) -> None:
    """A modal that was drawn before is asked again."""
    await begin(store)
    assert await finish(store, result)
    assert not await begin(store, "a2")
    assert not await begin(store, "a2", known="a0")
    assert await begin(store, "a2", known="a1")


async def test_what_is_under_way_is_left_alone(store: Store, redis: Redis) -> None:
    """By everybody; of a bot that died nobody knows, so a person may be asked after a while."""
    await begin(store)
    assert not await begin(store, "a2", known="a1")
    age(redis, BUSY.total_seconds() - 5)
    assert not await begin(store, "a2", known="a1")
    age(redis, 10)
    assert await begin(store, "a2", known="a1")


async def test_executions_have_acts_of_their_own(store: Store) -> None:
    """As have workspaces."""
    assert await begin(store)
    assert await begin(store, "a2", on="e2")
    assert await store.acts.begin("T2", "e1", token="a3", known="", action=Action.CANCEL, by="U2")


async def test_an_act_is_forgotten(store: Store, redis: Redis) -> None:
    """Nobody has to delete it; one whose result is not known stays for longer, since GCS may be away meanwhile."""
    await begin(store)
    key, known, unknown = KEYS.act_on(f"{ACCOUNT}/T1/e1"), KEPT.total_seconds(), OPEN_KEPT.total_seconds()
    assert known < redis.ttl(key) <= unknown
    await finish(store, Result.UNKNOWN)
    assert known < redis.ttl(key) <= unknown
    await finish(store, Result.DONE)
    assert 0 < redis.ttl(key) <= known


async def test_those_who_follow_read_it_once(store: Store) -> None:
    """Channels and other people, at every level; the one who did it knows."""
    for subscriber in (ALICE, BOB, LAB):
        await follow(store, subscriber, level=Level.FAILURES)
    await drained(store)
    await begin(store)
    assert [await finish(store, Result.DONE), await finish(store, Result.DONE)] == [True, False]
    read = notices(await lanes(store))
    assert {name: [(each.by, each.action) for each in changes] for name, changes in read.items()} == {
        "U1": [("U2", "cancel")],
        "C1": [("U2", "cancel")],
    }


@pytest.mark.parametrize("result", [Result.REFUSED, Result.UNKNOWN])
async def test_what_is_not_done_is_not_reported(store: Store, result: Result) -> None:
    """Only the person who asked reads it."""
    await follow(store, LAB)
    await drained(store)
    await begin(store)
    await finish(store, result)
    assert await lanes(store) == []


async def test_who_stops_following_reads_nothing(store: Store) -> None:
    """Their lane has its last message only."""
    await follow(store, LAB)
    await drained(store)
    await begin(store)
    await store.subscribers.unsubscribe(LAB, "e1")
    await finish(store, Result.DONE)
    assert notices(await lanes(store)) == {"C1": []}


async def test_it_is_polled_next(store: Store) -> None:
    """So that cards follow at once."""
    await follow(store, LAB)
    await settle(store)
    await begin(store)
    await finish(store, Result.DONE)
    (item,) = await due(store)
    assert item.execution_id == "e1"


async def test_another_act_is_not_ended(store: Store) -> None:
    """By one whose turn is over."""
    await begin(store)
    first = await last(store)
    await finish(store, Result.UNKNOWN)
    await begin(store, "a2", known="a1")
    assert not await store.acts.finish("T1", "e1", first, Result.DONE, now=NOW)
    assert (await last(store)).result is Result.UNDER_WAY


@pytest.mark.parametrize("before", [Result.UNDER_WAY, Result.UNKNOWN])
async def test_an_effect_shows_that_it_was_taken(store: Store, before: Result) -> None:
    """The answer was lost, or the bot died before it came: those who follow read it all the same, once."""
    await follow(store, LAB)
    await drained(store)
    await begin(store)
    if before is not Result.UNDER_WAY:
        await finish(store, before)
    now = (await last(store)).began_at
    assert await store.acts.noticed("T1", Execution(id="e1", phase="Running"), now=now) is None
    found = await store.acts.noticed("T1", STOPPED, now=now)
    assert found is not None
    assert (found.by, found.action) == ("U2", Action.CANCEL)
    assert await store.acts.noticed("T1", STOPPED, now=now) is None
    assert [len(each) for each in notices(await lanes(store)).values()] == [1]


async def test_a_later_effect_is_somebody_elses(store: Store) -> None:
    """So is that of an act that GCS has refused, and of none."""
    assert await store.acts.noticed("T1", STOPPED, now=NOW) is None
    await begin(store)
    began = (await last(store)).began_at
    assert await store.acts.noticed("T1", STOPPED, now=began + 2 * OWN_EFFECT) is None
    await finish(store, Result.REFUSED)
    assert await store.acts.noticed("T1", STOPPED, now=began) is None


@pytest.mark.parametrize("row", ["", "x", "a1|cancel|U1|now|", "a1|delete|U1|1|", "a1|cancel|U1|1|||more"])
async def test_a_row_of_another_version_hides_nothing(store: Store, redis: Redis, row: str) -> None:
    """It is reported, and read as far as it can be; nobody acts over what they were not shown."""
    redis.set(KEYS.act_on(f"{ACCOUNT}/T1/e1"), row)
    act = await store.acts.last("T1", "e1")
    assert (act is not None) is row.endswith("more")
    assert await store.acts.noticed("T1", STOPPED, now=NOW) is None
