"""Outages of Slack and of GCS delay messages; they lose and repeat none."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox import gcs, slack
from tests.end_to_end.conftest import eventually, made
from tests.end_to_end.following import Following
from tests.end_to_end.lives import CANCELLED, FAILING, HAPPY

TALES = [HAPPY, FAILING, CANCELLED]


async def test_a_slack_outage_delays_outcomes_without_repeating(tmp_path: Path) -> None:
    """Lives end while Slack drops all calls, some after it posted; afterwards each outcome is there once."""
    async with made(tmp_path) as world:
        followed = await asyncio.gather(*(Following.begin(world, life) for life, _ in TALES))
        world.slack.faults.add(slack.Fault(kind="drop_after", method="chat.postMessage", times=2))
        world.slack.faults.add(slack.Fault(kind="status", method="chat.postMessage", times=None))
        for following, (life, _) in zip(followed, TALES, strict=True):
            world.gcs.step(following.execution_id, to=life.frames[-1].name)
        await eventually(lambda: len(world.bot.logged("notifier.put_back")) >= 6)
        world.slack.faults.clear()
        for following, (_, lines) in zip(followed, TALES, strict=True):
            await following.read(["card", lines[-1]])
            assert following.transcript(world.lab) == ["card", lines[-1]]
        assert not world.slack.limits.refused


async def test_a_gcs_outage_delays_outcomes_without_repeating(tmp_path: Path) -> None:
    """Lives end while GCS responds with errors only; afterwards each outcome is there once."""
    async with made(tmp_path) as world:
        followed = await asyncio.gather(*(Following.begin(world, life) for life, _ in TALES))
        world.gcs.faults.add(gcs.Fault(kind="status", status=503))
        for following, (life, _) in zip(followed, TALES, strict=True):
            world.gcs.step(following.execution_id, to=life.frames[-1].name)
        await eventually(lambda: len(world.bot.logged("watcher.poll_failed")) >= 3)
        world.gcs.faults.clear()
        for following, (_, lines) in zip(followed, TALES, strict=True):
            await following.read(["card", lines[-1]])
            assert following.transcript(world.lab) == ["card", lines[-1]]
