"""A short version of `make chaos`, as part of the tests."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.chaos.arena import Arena
from tests.chaos.plan import Plan
from tests.chaos.report import table
from tests.chaos.scale import FULL, SMALL


@pytest.mark.timeout(240)
async def test_three_bots_keep_their_promises_under_faults(tmp_path: Path) -> None:
    """Kills, restarts, faults of both servers, wrong clocks: nothing is lost, repeated, forgotten or out of order."""
    if shutil.which("redis-server") is None:
        if os.environ.get("REQUIRE_REDIS") == "1":
            pytest.fail("redis-server is not installed, and REQUIRE_REDIS=1 says that it must be")
        pytest.skip("redis-server is not installed: replicas need a store that they share")
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    arena = Arena(Plan.draw(seed, SMALL), tmp_path)
    record, verdict = await arena.run()
    print(table(arena, record, verdict))  # noqa: T201  # a failure must be repeatable
    assert verdict.violations == []
    assert arena.struck["kill"] == SMALL.kills
    assert len(record.promises) >= SMALL.subscriptions / 2
    assert verdict.outcome_delays


def test_a_seed_is_a_plan() -> None:
    """The same seed gives the same lives, wishes and faults; another seed gives others."""
    assert Plan.draw(7, SMALL) == Plan.draw(7, SMALL)
    assert Plan.draw(7, SMALL).wishes != Plan.draw(8, SMALL).wishes


def test_the_large_plan_is_as_large_as_promised() -> None:
    """2,000 executions, 5,000 subscriptions, 10,000 changes, 100 kills, three clocks."""
    plan = Plan.draw(7, FULL)
    assert len(plan.roles) >= 2000
    assert len(plan.wishes) >= 5000
    assert sum(len(role.life.frames) - 1 for role in plan.roles) >= 10_000
    assert sum(blow.kind == "kill" for blow in plan.blows) >= 100
    assert len(set(plan.skews)) == 3
