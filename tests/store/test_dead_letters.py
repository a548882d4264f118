"""Promises of dead letters: what was not delivered to whom, and why, against real servers."""

from __future__ import annotations

import msgspec
import pytest
from redis import Redis

from bot.domain.change import Change, ChangeKind
from bot.store import Store
from bot.store.outbox import dead_letters
from tests.store.following import ALICE, LAB, change, follow, lanes, settle


async def test_a_dead_destination_is_forgotten_though_not_ending(store: Store) -> None:
    """There is nobody to send a last word to."""
    await follow(store)
    (claim,) = await lanes(store)
    assert await store.outbox.forget(claim, reason="is_archived")
    assert await store.subscribers.find(ALICE, "e1") is None


async def test_a_dead_destination_leaves_a_letter(store: Store) -> None:
    """Whom, why, whose, when, and what was not delivered."""
    await follow(store, ALICE, "e1")
    await settle(store, change(2), change(3, ChangeKind.OUTCOME))
    await follow(store, LAB, "e2")
    claims = await lanes(store)
    for claim in claims:
        assert await store.outbox.forget(claim, reason="is_archived")
    first, second = sorted(await store.outbox.dead_letters(), key=lambda letter: letter.lane)
    assert (first.lane, first.owner, first.reason, first.undelivered) == ("gcs1/T1/e1/U1", "U1", "is_archived", 2)
    assert msgspec.json.decode(first.last, type=Change) == change(3, ChangeKind.OUTCOME)
    assert (second.lane, second.undelivered, second.last) == ("gcs1/T1/e2/C1", 0, "")
    assert first.given_up_at >= claims[0].now


async def test_dead_letters_are_bounded(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are kept, and none for ever."""
    monkeypatch.setattr(dead_letters, "KEPT", 2)
    for reason in ("first", "second", "third"):
        await follow(store)
        (claim,) = await lanes(store)
        await store.outbox.forget(claim, reason=reason)
    assert [letter.reason for letter in await store.outbox.dead_letters()] == ["third", "second"]
    (key,) = redis.scan_iter("*:dead")
    assert 0 < int(str(redis.ttl(str(key)))) <= 30 * 86_400
