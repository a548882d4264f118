"""`kill -9` at any point: nothing lost, nothing doubled, the same transcript."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any

from sandbox.slack import Fault
from tests.end_to_end.conftest import World, made
from tests.end_to_end.following import Following
from tests.end_to_end.lives import TALES, Tale

KILLS = 50


async def lived(world: World, tale: Tale, enough: asyncio.Event) -> list[Following]:
    """Follow a life again and again until there were enough kills; all but the last were under fire throughout."""
    life, lines = tale
    told = []
    while not enough.is_set():
        following = await Following.begin(world, life)
        for line in lines:
            await following.step(line)
        told.append(following)
    return told


async def fire(world: World, dice: random.Random, enough: asyncio.Event) -> None:
    """Kill the bot at random moments of its life, start included, and start it again."""
    for _ in range(KILLS):
        await asyncio.sleep(dice.expovariate(1 / 1.5))
        await world.bot.kill()
        await world.bot.start()
    enough.set()


async def test_fifty_kills_change_nothing_that_people_read(tmp_path: Path) -> None:
    """Five kinds of lives under fire: each transcript is literally that of a quiet day."""
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"SEED={seed}")  # noqa: T201  # a failure must be repeatable
    enough = asyncio.Event()
    limits: dict[str, Any] = dict.fromkeys(["SLACK_CALLS_PER_MINUTE", "SLACK_CHANNEL_POSTS_PER_MINUTE"], "100000")
    async with made(tmp_path, **limits) as world:
        world.slack.limits.is_on = False  # to read back after a kill a second, more often than Slack would allow
        # Done at once, answered late: many kills then fall between a message and its receipt.
        world.slack.faults.add(Fault(kind="slow_after", method="chat.postMessage", times=None, delay=0.2))
        firing = asyncio.create_task(fire(world, random.Random(seed), enough))  # noqa: S311  # no secret
        try:
            told = await asyncio.gather(*(lived(world, tale, enough) for tale in TALES))
            await firing
        finally:  # or a bot would be started again after the test
            firing.cancel()
            await asyncio.wait([firing])
        assert world.bot.log.count("notifier.reconciled"), "no kill fell between a message and its receipt"
        for (_, lines), followings in zip(TALES, told, strict=True):
            for following in followings:
                for channel in following.channels:
                    assert following.transcript(channel) == ["card", *filter(None, lines)], world.bot.log[-4000:]
