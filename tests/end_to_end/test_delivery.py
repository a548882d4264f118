"""Outages of Slack and of GCS under a whole bot: they delay, and lose and double nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox import gcs, slack
from tests.end_to_end.conftest import eventually, made
from tests.end_to_end.following import Following
from tests.end_to_end.lives import CANCELLED, FAILING, HAPPY

TALES = [HAPPY, FAILING, CANCELLED]


async def test_an_outage_of_slack_delays_every_outcome_and_doubles_none(tmp_path: Path) -> None:
    """The last frames come while Slack drops everything, some of it after it was done; then each end is there once."""
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


async def test_an_outage_of_gcs_delays_every_outcome_and_doubles_none(tmp_path: Path) -> None:
    """The last frames come while GCS answers nothing but errors; then each end is there once."""
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
