"""What the store keeps about a person can be deleted: everything, and nothing of anybody else's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from redis import Redis

from bot.domain.access import NOBODY
from bot.domain.acting import Action
from bot.domain.change import Change, ChangeKind
from bot.domain.following import Subscriber, Subscription
from bot.store import Store
from bot.store.outbox.dead_letters import DeadLetters
from bot.store.people import Forgotten
from tests.servers import ACCOUNT, KEYS
from tests.store.following import ALICE, LAB, NOW, SOON, change, drained, follow, lanes, settle, snapshot_of

BOB = Subscriber(team_id="T1", id="U2")


def named(redis: Any, user_id: str) -> list[str]:
    """Keys that name a person, in the key or in what it holds."""
    read = {
        "hash": redis.hgetall,
        "list": lambda key: redis.lrange(key, 0, -1),
        "set": redis.smembers,
        "string": lambda key: "" if ":snap:" in key else redis.get(key),
        "zset": lambda key: redis.zrange(key, 0, -1),
    }
    return [key for key in map(str, redis.scan_iter()) if user_id in f"{key} {read[str(redis.type(key))](key)}"]


async def owned_by(store: Store, owner: str, subscriber: Subscriber, execution_id: str) -> None:
    """Let somebody follow whose subscription has this owner."""
    wanted = Subscription(execution_id=execution_id, subscriber=subscriber, owner=owner, created_at=NOW)
    await store.subscribers.subscribe(wanted, snapshot_of(execution_id), first_poll=SOON)


async def test_nothing_names_the_person_any_more(store: Store, redis: Redis) -> None:
    """Subscriptions, receipts, what waits, ownership, approvals, dead letters: all of it, once."""
    await follow(store, execution_id="dead")
    (dead,) = await lanes(store)
    await store.outbox.forget(dead, reason="is_archived")
    await follow(store, execution_id="e1")
    await drained(store)
    await settle(store, change(2))
    for subscriber, execution_id in ((ALICE, "e2"), (LAB, "e1"), (LAB, "e3")):
        await follow(store, subscriber, execution_id)
    await store.channels.approve("T1", "C1", "U1")
    await store.channels.note_notified("T1", "C1", "U1")
    await store.acts.begin("T1", "e3", token="a1", known="", action=Action.CANCEL, by="U1")
    await store.subscribers.unsubscribe(ALICE, "e2", is_ruled=True)
    await follow(store, ALICE, "e2")
    assert named(redis, "U1")
    assert await store.people.forget("U1") == Forgotten(subscriptions=2, owned=2, letters=1, channels=1)
    assert named(redis, "U1") == []
    assert await store.people.forget("U1") == Forgotten()


async def test_channels_go_on_without_an_owner(store: Store) -> None:
    """What a channel follows stays, an approval too, and the next who asks becomes the owner."""
    await follow(store, LAB, "e1")
    await store.channels.approve("T1", "C1", "U1")
    await store.people.forget("U1")
    kept = await store.subscribers.find(LAB, "e1")
    record = await store.channels.find("T1", "C1")
    assert kept is not None
    assert record is not None
    assert (kept.owner, record.approver, record.is_open) == ("", NOBODY, True)
    assert len(await lanes(store)) == 1


async def test_nobody_else_loses_anything(store: Store, redis: Redis) -> None:
    """Another person's rows stay byte by byte, of the same executions and of a longer id too."""
    longer = Subscriber(team_id="T1", id="U12")
    for subscriber, owner in ((BOB, "U2"), (LAB, "U2"), (longer, "U12")):
        await owned_by(store, owner, subscriber, "e1")
    before = {key: redis.dump(key) for key in map(str, redis.scan_iter())}
    await follow(store, execution_id="e1")
    await store.people.forget("U1")
    await drained(store)
    assert {claim.lane.subscriber_id for claim in await lanes(store)} == set()
    subs = KEYS.subscriptions_of(f"{ACCOUNT}/T1/e1")
    assert redis.dump(subs) == before[subs]
    assert {key for key in before if ":of:" in key} == set(map(str, redis.scan_iter("*:of:*")))


async def test_waiting_notices_lose_the_name(store: Store, redis: Redis) -> None:
    """A line that says who changed a channel's level still comes, without the name."""
    await owned_by(store, "U2", LAB, "e1")
    await drained(store)
    notice = Change(kind=ChangeKind.LEVEL, revision=0, at=NOW, by="U1", level="final")
    lane = f"{ACCOUNT}/T1/e1/C1"
    entries = f"{KEYS.home_of(f'{ACCOUNT}/T1/e1')}changes:{lane}"
    redis.rpush(entries, f"0|{msgspec.json.encode(notice).decode()}")
    await store.people.forget("U1")
    await store.subscribers.refresh(LAB, "e1")
    (claim,) = await lanes(store)
    assert [(each.kind, each.by) for each in claim.notification.changes] == [(ChangeKind.LEVEL, "")]


async def test_the_last_follower_takes_the_execution_along(store: Store, redis: Redis) -> None:
    """Nothing polls what nobody follows; the snapshot goes too."""
    await follow(store, execution_id="e1")
    await store.people.forget("U1")
    assert [key for key in map(str, redis.scan_iter()) if "owner" not in key] == []


async def test_what_is_followed_meanwhile_is_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes up to a minute, and the person does not wait: nothing that they follow misses from their list."""
    rows = DeadLetters.rows

    async def follow_first(letters: DeadLetters) -> Any:
        await follow(store, execution_id="e1")
        return await rows(letters)

    for execution_id in ("e1", "e2"):
        await follow(store, execution_id=execution_id)
    monkeypatch.setattr(DeadLetters, "rows", follow_first)
    await store.people.forget("U1")
    assert [subscription.execution_id for subscription, _ in (await store.subscribers.of(ALICE)).items] == ["e1"]
