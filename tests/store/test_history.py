"""Promises of the history: what a run that ended teaches, once, within bounds, and for half a year."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from redis import Redis

from bot.domain import estimate
from bot.domain.execution import Execution, Step
from bot.domain.past import WIDE, Typical
from bot.domain.snapshot import Snapshot
from bot.store import Store
from bot.store.schedule import history
from bot.store.schedule.history import KEPT, History
from bot.store.schedule.history_rows import code_of, seconds_of
from tests.servers import ACCOUNT, KEYS, OWNER
from tests.store.following import NOW

HOME = KEYS.history_of(ACCOUNT, "T1")
PRECISE = 0.005
"""How exact a duration is kept."""


def minutes(number: float) -> timedelta:
    """So many."""
    return timedelta(minutes=number)


def execution(number: int, phase: str = "Running", *, took: float = 60, **fields: object) -> Execution:
    """One run of a workflow: one of its steps has taken a third of its time."""
    steps = (Step(name="bwa", phase="Succeeded", elapsed=minutes(took / 3)), Step(name="call", phase=phase))
    ended = replace(
        Execution(id=f"e{number}", name=f"wgs-{number}", workflow_id="w1", phase=phase, steps=steps),
        created_at=NOW - minutes(took),
        updated_at=NOW,
    )
    return replace(ended, **fields)


async def ends(
    store: Store, number: int, phase: str = "Succeeded", *, team: str = "T1", **fields: object
) -> int | None:
    """Have a run end between two polls; returns what the script said."""
    known = {name: fields.pop(name) for name in ("is_interrupted", "waited") if name in fields}
    before = Snapshot(execution=execution(number, **fields), revision=1, seen_at=NOW)  # type: ignore[arg-type]  # fields
    after = replace(before, execution=execution(number, phase, **fields), **known)  # type: ignore[arg-type]  # fields
    sent = store.history.ended(team, before, after)
    return None if sent is None else await sent


async def fresh(store: Store, team: str = "T1", **fields: object) -> Typical:
    """What is known, read just now."""
    return await History(store._connection, store.ownership).typical(team, execution(0, **fields))  # type: ignore[arg-type]  # fields


async def test_three_runs_say_how_long(store: Store) -> None:
    """The run from its start, and each step that succeeded."""
    for number, took in enumerate((60, 66, 54)):
        assert (await fresh(store)).run is None
        assert await ends(store, number, took=took) == 1
    typical = await fresh(store)
    assert typical.run == estimate.usual_of(seconds_of("".join(code_of(60 * took) for took in (60, 66, 54))))
    assert estimate.duration(typical.steps["bwa"], 0.5).total_seconds() == pytest.approx(1200, rel=0.02)
    assert "call" not in typical.steps


async def test_three_runs_say_how_long_they_wait(store: Store) -> None:
    """Before they begin; of a run whose wait was not seen, only the rest counts."""
    for number in range(3):
        assert (await fresh(store)).wait is None
        await ends(store, number, waited=minutes(3))
    await ends(store, 4)
    typical = await fresh(store)
    assert typical.wait == estimate.usual_of(seconds_of(code_of(180) * 3), spread=estimate.WAIT_SPREAD)
    assert typical.run
    assert typical.run.count == 4


async def test_the_third_run_is_known_at_once(store: Store) -> None:
    """What was read when too little was known does not stand in the way."""
    for number in range(3):
        assert (await store.history.typical("T1", execution(0))).run is None
        await ends(store, number)
    assert (await store.history.typical("T1", execution(0))).run is not None


async def test_an_end_counts_once(store: Store, redis: Redis) -> None:
    """However often its poll is repeated, and whichever copy of the bot saw it; in any order."""
    assert await ends(store, 1) == 1
    for number in range(2, 30):
        await ends(store, number)
    before = redis.hgetall(f"{HOME}of:w1")
    assert await asyncio.gather(*(ends(store, 1) for _ in range(3))) == [0] * 3
    assert redis.hgetall(f"{HOME}of:w1") == before


async def test_failures_do_not_say_how_long(store: Store) -> None:
    """They are kept apart: who, where, why, and when."""
    for number in range(3):
        failed = Step(name="call", phase="Failed", reason="OOMKilled")
        await ends(store, number, "Failed", steps=(failed,), reason="SubJobFailed")
    await ends(store, 3, "Cancelled")
    assert await fresh(store) == Typical()
    past = await store.history.past("T1", execution(0))
    assert [(end.id, end.name, end.phase, end.step, end.reason) for end in past.ends] == [
        ("e3", "wgs-3", "Cancelled", "", ""),
        *((f"e{number}", f"wgs-{number}", "Failed", "call", "OOMKilled") for number in (2, 1, 0)),
    ]
    assert (past.ends[0].at, past.ends[0].elapsed, past.last_good) == (NOW, minutes(60), None)


async def test_a_retried_run_ends_twice(store: Store) -> None:
    """Both ends are kept. Its durations are not: they hold the time until somebody retried it."""
    await ends(store, 1, "Failed")
    await ends(store, 1, updated_at=NOW + minutes(90))
    await ends(store, 2, is_interrupted=True)
    past = await store.history.past("T1", execution(0))
    assert [(end.id, end.phase, end.is_retried) for end in past.ends] == [
        ("e2", "Succeeded", True),
        ("e1", "Succeeded", False),
        ("e1", "Failed", False),
    ]
    assert past.last_good == past.ends[0]
    assert "run" not in await store.history.fields(ACCOUNT, "T1", "w1")


async def test_the_last_good_run_is_kept(store: Store) -> None:
    """However many failed since."""
    await ends(store, 0)
    for number in range(1, 15):
        await ends(store, number, "Failed")
    past = await store.history.past("T1", execution(0))
    assert [end.id for end in past.ends] == [f"e{number}" for number in range(14, 4, -1)]
    assert past.last_good
    assert past.last_good.id == "e0"


async def test_no_end_without_a_change(store: Store) -> None:
    """A poll of an ended run, and one of a run that goes on."""
    ended = Snapshot(execution=execution(1, "Succeeded"), revision=1, seen_at=NOW)
    assert store.history.ended("T1", ended, ended) is None
    assert await ends(store, 1, "Running") is None
    assert await ends(store, 1, workflow_id="", name="a run") is None


async def test_workflows_and_workspaces_do_not_mix(store: Store) -> None:
    """Nor runs from files, which are known by their name's stem."""
    for number in range(3):
        await ends(store, number)
        await ends(store, number, workflow_id="")
    assert (await fresh(store, team="T2")).run is None
    assert (await fresh(store, workflow_id="w2")).run is None
    assert (await fresh(store, workflow_id="")).run
    assert await store.contents.workflows(ACCOUNT, "T1") == ["w1", "~wgs"]


async def test_the_spread_of_others_counts(store: Store) -> None:
    """A workflow with three equal runs is as uncertain as the others are, and its own spread is no witness."""
    for number in range(3):
        await ends(store, number)
    alone = (await fresh(store)).run
    for number, took in enumerate((10, 60, 300, 20)):
        await ends(store, number, workflow_id="w2", took=took)
    store.history._read.clear()
    among = (await fresh(store)).run
    assert alone
    assert among
    assert alone == estimate.usual_of(seconds_of(code_of(3600) * 3))
    assert among.scale > 2 * alone.scale


async def test_its_spread_is_that_of_all_its_runs(store: Store, redis: Redis) -> None:
    """Also where they end at once, and nobody has read any of them."""
    for number in range(30):
        await ends(store, number, took=60 + 7 * (number % 9))
    runs = seconds_of((await store.history.fields(ACCOUNT, "T1", "w1"))["run"])
    written = float(str(redis.hget(f"{HOME}spreads", "w1")))
    assert written == pytest.approx(estimate.spread_of(runs), abs=6e-4)
    for number in range(3):
        await ends(store, number, workflow_id="equal")
    assert float(str(redis.hget(f"{HOME}spreads", "equal"))) > 0


async def test_many_runs_take_little_room(store: Store, redis: Redis) -> None:
    """The last 20 durations, 10 ends; at most so many steps, a wide one as one; and the longest member counts."""
    names = [f"step {number} x" for number in range(400)]
    wide = [Step(name=f"call-{number}", phase="Succeeded", elapsed=minutes(1 + number)) for number in range(WIDE + 1)]
    steps = (*wide, *(Step(name=name, phase="Succeeded", elapsed=minutes(5)) for name in names))
    for number in range(40):
        await ends(store, number, steps=steps, reason="r" * 900, name="n" * 900)
    rows = await store.history.fields(ACCOUNT, "T1", "w1")
    assert len(rows) == history.MOST_FIELDS
    assert {len(row) for name, row in rows.items() if name.startswith("step:") or name == "run"} == {40}
    assert seconds_of(rows["step:call*"])[-1] == pytest.approx(60 * (WIDE + 1), rel=PRECISE)
    assert (redis.memory_usage(f"{HOME}of:w1", samples=0) or 0) < 64_000


async def test_the_oldest_workflow_makes_room(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many, the one that was not run for longest is forgotten, with its spread."""
    monkeypatch.setattr(history, "MOST_WORKFLOWS", 3)
    for number in range(5):
        await ends(store, number, workflow_id=f"w{number}")
    assert await store.contents.workflows(ACCOUNT, "T1") == ["w2", "w3", "w4"]
    assert {str(key).rpartition(":")[2] for key in redis.scan_iter(f"{HOME}of:*")} == {"w2", "w3", "w4"}


async def test_it_outlives_subscriptions_not_half_a_year(store: Store, redis: Redis) -> None:
    """All of its keys expire, unless a run ends."""
    await ends(store, 1)
    keys = list(redis.scan_iter(f"{HOME}*"))
    assert len(keys) == 2
    assert all(0 < redis.pttl(str(key)) <= KEPT / timedelta(milliseconds=1) for key in keys)


async def test_what_cannot_be_read_is_relearnt(store: Store, redis: Redis) -> None:
    """The rest is used meanwhile."""
    for number in range(3):
        await ends(store, number)
    for field, row in {"step:bwa": "?!", "run": "A", "ends": "rubbish\n{}", "good": "["}.items():
        redis.hset(f"{HOME}of:w1", field, row)
    redis.hset(f"{HOME}spreads", "w2", "rubbish")
    assert await fresh(store) == Typical()
    assert await store.history.past("T1", execution(0)) == ((), None)
    for number in range(3, 7):
        await ends(store, number)
    assert (await fresh(store)).run
    assert len((await store.history.past("T1", execution(0))).ends) == 4


async def test_long_names_are_not_in_keys(store: Store) -> None:
    """Nor do braces in them break a cluster's slots."""
    name = "work}flow{" * 30
    for number in range(3):
        assert await ends(store, number, workflow_id=name) == 1
    assert (await fresh(store, workflow_id=name)).run
    assert len((await store.contents.workflows(ACCOUNT, "T1"))[0]) == 32


async def test_an_export_holds_histories(store: Store, redis: Redis) -> None:
    """Into an empty store once; a store that knows the workflow keeps its own."""
    for number in range(4):
        await ends(store, number)
    typical, rows = await fresh(store), await store.history.fields(ACCOUNT, "T1", "w1")
    lines = [line async for line in store.transfer.lines(OWNER) if line is not None]
    redis.flushall()
    assert [str(await store.transfer.read(line, OWNER)) for line in lines * 2] == ["added", "known"]
    assert (await fresh(store), await store.history.fields(ACCOUNT, "T1", "w1")) == (typical, rows)
    assert await ends(store, 1) == 0
    assert str(await store.transfer.read(lines[0], replace(OWNER, team="T2"))) == "foreign"
    rubbish = b'{"kind":"history","team":"T1","workflow":"w","fields":{"other":"x"}}'
    assert str(await store.transfer.read(rubbish, OWNER)) == "unreadable"
