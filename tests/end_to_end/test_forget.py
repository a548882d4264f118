"""`/execution forget-me` and `execution-bot forget`: what the bot keeps about a person is deleted when they say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import story
from tests.end_to_end.bot_process import ended
from tests.end_to_end.conftest import World
from tests.end_to_end.people import Person, labels


async def test_a_person_deletes_their_data(world: World) -> None:
    """Asked first, done with the second press, said in one sentence; twice deletes nothing more."""
    carol = Person.new(world)
    for here in ("", " here"):
        await carol.types(f"subscribe {world.gcs.play(story.happy(3), by_hand=True)}{here}")
    question = await carol.types("forget-me")
    assert labels(question) == ["Delete my data"]
    assert "1 execution" in (await carol.types("list")).text
    await carol.presses("Delete my data", question)
    await world.slack.wait_for(lambda: "I deleted" in question.text)
    assert "1 subscription of yours" in question.text
    assert "your name in 1 subscription of a channel" in question.text
    assert "You follow no executions." in (await carol.types("list")).text
    assert "1 execution" in (await carol.types("list here")).text
    again = await carol.types("forget-me")
    await carol.presses("Delete my data", again)
    await world.slack.wait_for(lambda: "nothing to delete" in again.text)


@pytest.mark.parametrize("mode", ["socket"])
async def test_an_operator_deletes_a_persons_data(world: World, tmp_path: Path) -> None:
    """Beside the bot that runs; what is no id of a person is refused."""
    carol = Person.new(world)
    await carol.types(f"subscribe {world.gcs.play(story.happy(3), by_hand=True)}")
    code, printed = await ended(tmp_path, "forget", world.bot.settings, carol.id)
    assert (code, printed.splitlines()[0]) == (0, "subscriptions: 1")
    assert "You follow no executions." in (await carol.types("list")).text
    code, printed = await ended(tmp_path, "forget", world.bot.settings, carol.channel)
    assert code == 1
    assert "not a user id" in printed
