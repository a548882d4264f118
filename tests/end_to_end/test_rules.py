"""Following what is yet to come: the command, the runs that come, the list, and the goodbye."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox import story
from tests.end_to_end.bot_process import BotProcess
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.people import PATIENCE, Person, labels, words
from tests.end_to_end.test_store import engine_of

WITHIN = 90.0
"""How long a new run may take to be found, in seconds: at the latest by the next look."""


async def test_a_workflows_runs_are_followed(tmp_path: Path) -> None:
    """What goes well is not reported, what fails is; the bot is started again in between; the end is said once."""
    async with made(tmp_path) as world:
        carol = Person.new(world)
        world.gcs.play(story.failing(3), by_hand=True)
        made_it = await carol.types("subscribe workflow germline-wgs here")
        assert "This channel follows runs of the workflow `germline-wgs` from now on." in made_it.text
        await _a_failure_is_reported(world, carol, 1)
        await world.bot.stop()
        missed = world.gcs.play(story.failing(3), by_hand=True)
        world.gcs.step(missed, to="failed")
        again = BotProcess(world.bot.settings, tmp_path / "again.log")
        try:
            await again.start()
            await world.slack.wait_for(lambda: _failures(world, carol) == 2, WITHIN)
            listed = await carol.types("list here")
            assert "runs of the workflow `germline-wgs`" in listed.text
            ended = await carol.gets("Stop following here", listed)
            assert "This channel no longer follows" in ended.text
            await world.slack.wait_for(lambda: "ended it" in world.slack.messages(carol.channel)[-1].text)
            assert "Stop following here" not in labels(await carol.types("list here"))
            assert _failures(world, carol) == 2
            assert not carol.dm
        finally:
            assert await again.stop() == 0


async def test_a_rule_that_does_not_exist_says_so(tmp_path: Path) -> None:
    """And a name that nobody has run is followed all the same."""
    async with made(tmp_path, mode="http") as world:
        carol = Person.new(world)
        assert "nothing to stop" in (await carol.types("unsubscribe label batch=none")).text
        shown = await carol.types("subscribe project nobody-has-it final")
        assert "Nothing like that has run lately" in words(shown)
        assert "failures and the end" in shown.text
        assert "Which ones?" in (await carol.types("subscribe workflow here")).text


@pytest.mark.parametrize("dies", ["bot", "engine"])
async def test_a_kill_while_it_follows_loses_none(tmp_path: Path, dies: str) -> None:
    """Of many that come at once some are followed when the bot, or its store, is killed: each is reported, once."""
    limits: dict[str, Any] = dict.fromkeys(["SLACK_CALLS_PER_MINUTE", "SLACK_CHANNEL_POSTS_PER_MINUTE"], "100000")
    async with made(tmp_path, **limits) as world:
        world.slack.limits.is_on = False
        carol = Person.new(world)
        await carol.types("subscribe workflow germline-wgs here")
        runs = [world.gcs.play(story.failing(3), by_hand=True) for _ in range(24)]
        for run in runs:
            world.gcs.step(run, to="failed")
        await eventually(lambda: len(world.bot.logged("subscription.created")) > 3, within=WITHIN)
        if dies == "bot":
            await world.bot.kill()
            await world.bot.start()
        else:
            engine = await engine_of(tmp_path / "state")
            os.kill(engine, signal.SIGKILL)
            await engine_of(tmp_path / "state", engine)
        await world.slack.wait_for(lambda: set(runs) <= set(_reported(world, carol)), WITHIN)
        late = world.gcs.play(story.failing(3), by_hand=True)  # what comes after them is reported after them
        world.gcs.step(late, to="failed")
        await world.slack.wait_for(lambda: late in _reported(world, carol), WITHIN + PATIENCE)
        assert Counter(_reported(world, carol)) == dict.fromkeys([*runs, late], 1)


async def _a_failure_is_reported(world: World, carol: Person, count: int) -> None:
    good, bad = (world.gcs.play(life, by_hand=True) for life in (story.happy(3), story.failing(3)))
    world.gcs.step(good, to="succeeded")
    world.gcs.step(bad, to="failed")
    await world.slack.wait_for(lambda: _failures(world, carol) == count, WITHIN)


def _failures(world: World, carol: Person) -> int:
    """How many failures the channel has read."""
    return len(_reported(world, carol))


def _reported(world: World, carol: Person) -> list[str]:
    """The execution of each message about a failure."""
    payloads = [message.metadata["event_payload"] for message in world.slack.messages(carol.channel)]
    return [str(each["lane"]).split("/")[2] for each in payloads if each["part"] == "change"]
