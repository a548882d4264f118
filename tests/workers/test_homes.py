"""What a person's Home tab shows of executions that have ended."""

from __future__ import annotations

import pytest

from bot.domain.following import Level
from tests.workers.rig import Rig


async def ends(rig: Rig, name: str) -> list[tuple[str, str]]:
    """What has ended for a person."""
    found = await rig.store.homes.ended(rig.who(name))
    return [(snapshot.execution.id, snapshot.execution.phase) for snapshot in found]


@pytest.mark.parametrize("level", [Level.FAILURES, Level.STEPS])
async def test_an_end_is_there_at_every_level(rig: Rig, level: Level) -> None:
    """Also where the end has no message of its own; once, for people, and for channels, whose boards show it."""
    execution = await rig.followed(rig.alice, rig.lab, level=level)
    await rig.step(execution, to="succeeded")
    assert await ends(rig, rig.alice) == []
    await rig.later(times=2)
    assert await ends(rig, rig.alice) == [(execution, "Succeeded")]
    assert await ends(rig, rig.lab) == [(execution, "Succeeded")]


async def test_what_somebody_stopped_is_not_there(rig: Rig) -> None:
    """They did not want to hear of it."""
    execution = await rig.followed(rig.alice)
    await rig.subscriptions.unsubscribe(rig.who(rig.alice), execution)
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    assert await ends(rig, rig.alice) == []
