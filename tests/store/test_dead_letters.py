"""Promises of dead letters: what was not delivered to whom, and why, against real servers."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from redis import Redis

from bot.domain.change import Change, ChangeKind
from bot.domain.following import Level
from bot.domain.search import Match
from bot.store import Store
from bot.store.keys import lane_of
from bot.store.outbox import dead_letters
from tests.servers import ACCOUNT, let_time_pass
from tests.store.following import ALICE, LAB, LATER, change, follow, lanes, rule_of, settle


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


async def test_what_a_rule_found_still_takes_no_place(store: Store, redis: Redis) -> None:
    """It goes on after its letter is resurrected, and does not count against what may be followed by hand."""
    rule, now = rule_of(LAB, level=Level.STEPS), datetime.now(UTC)
    await store.rules.put(rule, level=None)
    await store.enlisting.enlist({LAB: [rule]}, Match("e1", created_at=now), now=now, floor=now - LATER)
    let_time_pass(redis)
    (claim,) = await lanes(store)
    await store.outbox.forget(claim, reason="is_archived")
    ((row, _),) = await store.outbox.letters.rows()
    assert await store.outbox.letters.resurrect(row)
    assert [each.execution_id for each, _ in (await store.subscribers.of(LAB)).items] == ["e1"]
    assert await store.subscribers._index.enter(lane_of(ACCOUNT, LAB, "e2"), now, most=1) is not None
