"""Promises about the quiet hours that people choose: kept, exported, deleted, and written into what they follow."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain.following import Quiet, Subscriber
from bot.domain.quiet import QuietHours
from bot.quiet import CHECK_SECONDS, HoursWorker
from bot.store import Store
from bot.store.transfer import Imported
from tests.servers import KEYS, OWNER
from tests.store.following import ALICE, LAB, drained, follow

NIGHTS = QuietHours(begins=time(22), ends=time(7), zone="Asia/Shanghai")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TONIGHT = Quiet(since=datetime(2026, 3, 1, 14, tzinfo=UTC), until=datetime(2026, 3, 1, 23, tzinfo=UTC))


class Clock:
    """A machine's clock, which a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now


async def hours_in(store: Store, execution_id: str = "e1") -> Quiet | None:
    """The quiet hours in a subscription of Alice's."""
    subscription = await store.subscribers.find(ALICE, execution_id)
    assert subscription is not None
    return subscription.hours


def worker_of(store: Store, clock: Clock) -> HoursWorker:
    """One copy's worker."""
    return HoursWorker(store.subscribers, store.quiet_hours, team_id="T1", now=clock)


async def test_hours_are_kept_until_withdrawn(store: Store, redis: Redis) -> None:
    """By person; what another version wrote hides nobody else's."""
    await store.quiet_hours.choose("T1", "U1", NIGHTS)
    redis.hset(KEYS.quiet_hours_of("T1"), "U2", "from the future")
    assert await store.quiet_hours.find("T1", "U1") == NIGHTS
    assert await store.quiet_hours.find("T1", "U2") is None
    assert await store.quiet_hours.all("T1") == {"U1": NIGHTS}
    await store.quiet_hours.choose("T1", "U1", None)
    assert await store.quiet_hours.find("T1", "U1") is None


async def test_hours_are_written_before_they_begin(store: Store) -> None:
    """Into everything that the person follows, and no channel; the next ones when the last ones are long over."""
    clock = Clock()
    worker = worker_of(store, clock)
    assert await worker.run_once() == CHECK_SECONDS
    await follow(store)
    await follow(store, execution_id="e2")
    await follow(store, LAB)
    await store.quiet_hours.choose("T1", "U1", NIGHTS)
    await worker.run_once()
    assert [await hours_in(store), await hours_in(store, "e2")] == [TONIGHT, TONIGHT]
    channel = await store.subscribers.find(LAB, "e1")
    assert channel is not None
    assert channel.hours is None
    clock.now = NOW + timedelta(hours=12)
    await worker.run_once()
    assert await hours_in(store) == TONIGHT
    clock.now = NOW + timedelta(hours=15)
    await worker.run_once()
    tomorrow = await hours_in(store)
    assert tomorrow is not None
    assert tomorrow.since == datetime(2026, 3, 2, 14, tzinfo=UTC)


async def test_a_second_check_writes_nothing(store: Store, redis: Redis) -> None:
    """Nor does the first check of another copy that finds them written."""
    await follow(store)
    await drained(store)
    await store.quiet_hours.choose("T1", "U1", NIGHTS)
    worker = worker_of(store, Clock())
    await worker.run_once()
    before = {key: redis.dump(key) for key in map(str, redis.scan_iter())}
    await worker.run_once()
    await worker_of(store, Clock()).run_once()
    assert {key: redis.dump(key) for key in map(str, redis.scan_iter())} == before


async def test_withdrawn_hours_end_everywhere(store: Store) -> None:
    """Another copy that had just written them takes them back."""
    await follow(store)
    await store.quiet_hours.choose("T1", "U1", NIGHTS)
    worker = worker_of(store, Clock())
    await worker.run_once()
    await store.quiet_hours.choose("T1", "U1", None)
    await store.subscribers.keep_hours(ALICE, replace(TONIGHT, until=datetime.now(UTC) + timedelta(days=1)))
    await worker.run_once()
    hours = await hours_in(store)
    assert hours is None or not hours.is_on(datetime.now(UTC) + timedelta(seconds=1))


async def test_hours_withdrawn_while_written_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that has just begun has read them, and writes them after the person has read that they are over."""
    now = datetime.now(UTC)
    hours = QuietHours(begins=(now - HOUR).time(), ends=(now + HOUR).time(), zone="UTC")
    keep_hours, writes = store.subscribers.keep_hours, 0

    async def slow(person: Subscriber, quiet: Quiet | None) -> int:
        nonlocal writes
        writes += 1
        if writes == 1:
            await store.quiet_hours.choose("T1", "U1", None)
            await keep_hours(person, None)
        return await keep_hours(person, quiet)

    await follow(store)
    await store.quiet_hours.choose("T1", "U1", hours)
    monkeypatch.setattr(store.subscribers, "keep_hours", slow)
    await HoursWorker(store.subscribers, store.quiet_hours, team_id="T1", now=lambda: now).run_once()
    written = await hours_in(store)
    assert writes == 2
    assert written is None or not written.is_on(datetime.now(UTC) + timedelta(seconds=1))


async def test_hours_are_exported_and_imported(store: Store, redis: Redis) -> None:
    """Those that a person has chosen here stay."""
    await store.quiet_hours.choose("T1", "U1", NIGHTS)
    (line,) = [line async for line in store.transfer.lines(OWNER)]
    assert line is not None
    redis.delete(KEYS.quiet_hours_of("T1"))
    assert await store.transfer.read(line, OWNER) is Imported.ADDED
    assert await store.quiet_hours.find("T1", "U1") == NIGHTS
    await store.quiet_hours.choose("T1", "U1", replace(NIGHTS, zone="UTC"))
    assert await store.transfer.read(line, OWNER) is Imported.KNOWN
    assert await store.transfer.read(line, replace(OWNER, team="T2")) is Imported.FOREIGN


async def test_forgotten_people_have_no_hours(store: Store) -> None:
    """They are deleted with everything else that is kept about somebody."""
    await store.quiet_hours.choose("T1", "U1", NIGHTS)
    await store.quiet_hours.choose("T1", "U2", NIGHTS)
    await store.people.forget("U1")
    assert list(await store.quiet_hours.all("T1")) == ["U2"]
