"""Promises of the history: how long steps take is learnt from what was seen, and only that."""

from __future__ import annotations

from datetime import timedelta

from redis import Redis

from bot.domain.model import Execution, Step
from bot.store import Store


def execution(*steps: Step, workflow: str = "w1") -> Execution:
    """One run of a workflow."""
    return Execution(id="e1", workflow_id=workflow, steps=steps)


def step(name: str, phase: str, minutes: float | None = None) -> Step:
    """A step that has taken so long."""
    return Step(name=name, phase=phase, elapsed=None if minutes is None else timedelta(minutes=minutes))


async def learnt(store: Store, team_id: str, before: Execution, seen: Execution) -> None:
    """Wait until something was learnt."""
    learning = store.history.learn(team_id, before, seen)
    assert learning
    await learning


async def test_the_mean_of_what_steps_took(store: Store) -> None:
    """10 and 20 minutes make 15; a step that still runs, has failed or had finished before teaches nothing."""
    before = execution(
        step("bwa", "Running"), step("old", "Succeeded", 9), step("call", "Pending"), step("bad", "Running")
    )
    for minutes in (10, 20):
        seen = execution(
            step("bwa", "Succeeded", minutes),
            step("old", "Succeeded", 9),
            step("call", "Running", 1),
            step("bad", "Failed", 3),
        )
        await learnt(store, "T1", before, seen)
    assert await store.history.typical("T1", before) == {"bwa": timedelta(minutes=15)}


async def test_workflows_and_workspaces_do_not_mix(store: Store, redis: Redis) -> None:
    """An execution that was submitted from a file has no history, and leaves none."""
    finished = [step("bwa", "Succeeded", 10)]
    await learnt(store, "T1", execution(), execution(*finished))
    assert await store.history.typical("T2", execution()) == {}
    assert await store.history.typical("T1", execution(workflow="w2")) == {}
    assert store.history.learn("T1", execution(workflow=""), execution(*finished, workflow="")) is None
    assert len(list(redis.scan_iter("*:took:*"))) == 1


async def test_a_duration_that_cannot_be_read_is_relearnt(store: Store, redis: Redis) -> None:
    """The others are used meanwhile."""
    await learnt(store, "T1", execution(), execution(step("bwa", "Succeeded", 10)))
    (key,) = map(str, redis.scan_iter("*:took:*"))
    redis.hset(key, "call", "rubbish")
    assert await store.history.typical("T1", execution()) == {"bwa": timedelta(minutes=10)}
    await learnt(store, "T1", execution(), execution(step("call", "Succeeded", 20)))
    store.history._read.clear()
    assert (await store.history.typical("T1", execution()))["call"] == timedelta(minutes=20)
