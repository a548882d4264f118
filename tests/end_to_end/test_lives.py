"""The bot as a process follows whole lives; people read every change once, in order, and one outcome."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox.story import Dialect
from tests.end_to_end.bot_process import AS_TYPED
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.following import Following
from tests.end_to_end.lives import CANCELLED, FAILING, HAPPY, TALES, Tale


async def lived(world: World, tale: Tale) -> Following:
    """Follow a life from its first frame to its last."""
    life, lines = tale
    following = await Following.begin(world, life)
    for line in lines:
        await following.step(line)
    return following


async def test_every_life_is_reported_exactly(tmp_path: Path, mode: str) -> None:
    """Happy, failing, cancelled, retried and deleted: the whole transcript of a person and of a channel, literally."""
    async with made(tmp_path, mode=mode, **AS_TYPED) as world:
        followed = await asyncio.gather(*(lived(world, tale) for tale in TALES))
        for following, (_, lines) in zip(followed, TALES, strict=True):
            for channel in following.channels:
                assert following.transcript(channel) == ["card", *filter(None, lines)]


async def test_each_spelling_of_gcs_reads_the_same(tmp_path: Path) -> None:
    """Steps as a map, `jobs_type`, upper case: other spellings, the same transcript."""
    life, lines = HAPPY
    dressed = life.spelled(Dialect(steps_as_map=True, jobs_type=True, upper_case=True))
    async with made(tmp_path) as world:
        following = await lived(world, (dressed, lines))
        assert following.transcript(world.lab) == ["card", *lines]


async def test_the_card_ends_at_the_outcome(tmp_path: Path) -> None:
    """The last edit of the card shows the outcome, and the subscription is no longer listed."""
    async with made(tmp_path) as world:
        following = await lived(world, HAPPY)
        await eventually(lambda: "Succeeded" in following.card(world.lab))
        await world.slack.command(world.alice, world.lab, "list")
        await eventually(lambda: "follow" in world.slack.ephemerals(world.alice)[-1].text.casefold())
        assert following.execution_id not in world.slack.ephemerals(world.alice)[-1].text


async def test_without_a_retry_the_subscription_ends_visibly(tmp_path: Path) -> None:
    """After the grace time people read that the bot no longer follows; it pings nobody."""
    async with made(tmp_path, RETRY_GRACE="2") as world:
        failed, cancelled = await asyncio.gather(lived(world, FAILING), lived(world, CANCELLED))
        for following in (failed, cancelled):
            await following.read([""] * 6)
            last = following.transcript(world.lab)[-1]
            assert last.startswith("thread: ")
            assert "It was not retried" in last
