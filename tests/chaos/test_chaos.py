"""A short version of `make chaos`, as part of the tests."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
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
    assert (arena.struck["other_place"], arena.struck["other_workspace"]) == (1, 1)
    # On a busy machine many executions are over before the bots, which are being killed, respond.
    assert len(record.promises) >= SMALL.subscriptions / 5
    assert verdict.outcome_delays


def test_a_seed_is_a_plan() -> None:
    """The same seed gives the same lives, wishes and faults; another seed gives others."""
    assert Plan.draw(7, SMALL) == Plan.draw(7, SMALL)
    assert Plan.draw(7, SMALL).wishes != Plan.draw(8, SMALL).wishes


def test_the_large_plan_is_as_large_as_promised() -> None:
    """2,000 executions, 5,000 subscriptions, 10,000 changes, 100 kills, two wrong clocks."""
    plan = Plan.draw(7, FULL)
    assert len(plan.roles) >= 2000
    assert len(plan.wishes) >= 5000
    assert sum(len(role.life.frames) - 1 for role in plan.roles) >= 10_000
    assert sum(blow.kind == "kill" for blow in plan.blows) >= 100
    assert {abs(skew) for skew in plan.skews} == {0, 30, 360}


def test_the_large_plan_has_every_disturbance() -> None:
    """What the servers say to everything for a minute, bots that must be refused, and an answer of 10,000 steps."""
    plan = Plan.draw(7, FULL)
    kinds = Counter(blow.kind for blow in plan.blows)
    assert [kinds[kind] for kind in ("nothing_known", "token_refused", "unknown_code")] == [1, 1, 1]
    assert [kinds[kind] for kind in ("other_place", "other_workspace", "full_disk")] == [2, 2, 4]
    assert max(len(role.life.frames[-1].steps) for role in plan.roles) == 10_000
    wrong = next(blow for blow in plan.blows if blow.kind == "nothing_known")
    released = [blow.at for blow in plan.blows if blow.kind == "release"]
    assert released
    assert not any(wrong.at <= at <= wrong.at + wrong.seconds for at in released)
