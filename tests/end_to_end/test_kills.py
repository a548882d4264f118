"""`kill -9` at any point: no message is lost or repeated, and people read the same transcript."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import pytest

from sandbox.slack import Fault
from tests.end_to_end.conftest import World, made
from tests.end_to_end.following import Following
from tests.end_to_end.lives import TALES, Tale
from tests.end_to_end.people import PATIENCE

BOTS, KILLS = 3, 10
"""Thirty kills: ten for each of three bots, so that the bots can run side by side."""


async def follow_until(enough: asyncio.Event, world: World, tale: Tale) -> list[Following]:
    """Follow a life again and again until there were enough kills; kills hit all of them but the last throughout."""
    life, lines = tale
    followed = []
    while not enough.is_set():
        following = await Following.begin(world, life)
        for line in lines:
            await following.step(line)
        followed.append(following)
    return followed


def posted(world: World) -> int:
    """How many messages the bot has posted."""
    return sum(map(len, world.slack.workspace.messages.values()))


async def kill_often(world: World, dice: random.Random, enough: asyncio.Event) -> None:
    """Kill and restart the bot: once between a message and its receipt, then at random moments, start-up included."""
    before = posted(world)
    await world.slack.wait_for(lambda: posted(world) > before, PATIENCE)
    for number in range(KILLS):
        if number:
            await asyncio.sleep(dice.expovariate(1 / 1.5))
        await world.bot.kill()
        await world.bot.start()
    enough.set()


@pytest.mark.parametrize("bot", range(BOTS))
async def test_ten_kills_change_nothing_people_read(tmp_path: Path, bot: int) -> None:
    """Five kinds of lives while the bot is killed: each transcript is literally that of a quiet day."""
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"SEED={seed}")  # noqa: T201  # a failure must be repeatable
    enough = asyncio.Event()
    limits: dict[str, Any] = dict.fromkeys(["SLACK_CALLS_PER_MINUTE", "SLACK_CHANNEL_POSTS_PER_MINUTE"], "100000")
    async with made(tmp_path, **limits) as world:
        world.slack.limits.is_on = False  # after a kill the bot reads back, here more often than Slack would allow
        # Slack posts at once and responds late, so that many kills fall between a message and its receipt.
        world.slack.faults.add(Fault(kind="slow_after", method="chat.postMessage", times=None, delay=0.2))
        killing = asyncio.create_task(kill_often(world, random.Random(seed), enough))  # noqa: S311  # no secret
        try:
            followed = await asyncio.gather(*(follow_until(enough, world, tale) for tale in TALES))
            await killing
        finally:  # or the bot would be started again after the test
            killing.cancel()
            await asyncio.wait([killing])
        assert world.bot.log.count("notifier.reconciled"), "no kill fell between a message and its receipt"
        for (_, lines), followings in zip(TALES, followed, strict=True):
            for following in followings:
                for channel in following.channels:
                    assert following.transcript(channel) == ["card", *filter(None, lines)], world.bot.log[-4000:]
                assert await following.linked_at_last() == following.reported, "the log is untrue after a kill"
