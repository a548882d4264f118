"""What a person's Home tab shows of executions that have ended."""

from __future__ import annotations

from unittest.mock import AsyncMock

import pytest

from bot.domain.following import Level
from bot.errors import StoreFull, StoreReadOnly, StoreUnavailable
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


@pytest.mark.parametrize(("error", "is_kept"), [(StoreReadOnly(), True), (StoreFull(), False)])
async def test_an_end_is_noted_before_it_is_forgotten(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: StoreUnavailable, *, is_kept: bool
) -> None:
    """A board that missed one in a fail-over is wrong for a day; a full store forgets all the same."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution, to="succeeded")
    with monkeypatch.context() as patched:
        patched.setattr(rig.store.homes, "note_end", AsyncMock(side_effect=error))
        await rig.later(times=2)
    assert await ends(rig, rig.lab) == []
    await rig.after_a_crash()
    assert await ends(rig, rig.lab) == [(execution, "Succeeded")] * is_kept


async def test_what_somebody_stopped_is_not_there(rig: Rig) -> None:
    """They did not want to hear of it."""
    execution = await rig.followed(rig.alice)
    await rig.subscriptions.unsubscribe(rig.who(rig.alice), execution)
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    assert await ends(rig, rig.alice) == []
