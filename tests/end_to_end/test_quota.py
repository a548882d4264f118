"""GCS's quota is never exceeded, however many executions are followed; people still get responses."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox import story
from sandbox.gcs import GCS
from tests.end_to_end.conftest import eventually, made

QUOTA = 60


async def test_more_executions_than_calls(tmp_path: Path) -> None:
    """40 executions due each second with 60 calls a minute: no call is refused, and a command is answered."""
    gcs = GCS(quota_per_minute=QUOTA)
    async with made(tmp_path, gcs=gcs, GCS_QUOTA=str(QUOTA), GCS_QUOTA_FOR_PEOPLE="10") as world:
        executions = [gcs.play(story.slow(), by_hand=True) for _ in range(40)]
        await asyncio.gather(*(world.slack.command(world.alice, world.lab, f"subscribe {each}") for each in executions))
        await eventually(lambda: len(gcs.calls) >= QUOTA - 10)  # all calls are used except those reserved for people
        await world.slack.command(world.bob, world.lab, executions[0])
        await eventually(lambda: bool(world.slack.ephemerals(world.bob)))
        await asyncio.sleep(3)  # more polls are due in this time than the quota allows
        assert gcs.worst_minute() <= QUOTA
        assert {call.status for call in gcs.calls} == {200}
