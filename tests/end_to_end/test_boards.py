"""A channel's board in a whole bot: asked for, kept true through a kill, and ended from its menu."""

from __future__ import annotations

from pathlib import Path

from sandbox import story
from sandbox.slack.state import Message
from tests.end_to_end.conftest import World, made
from tests.end_to_end.people import Person, words

WITHIN = 120.0
"""How long a change may take to be on the board, in seconds: a poll and a look."""


def boards(world: World, channel: str) -> list[Message]:
    """The board's messages in a channel."""
    return [each for each in world.slack.messages(channel) if "-b-" in str(each.metadata)]


async def test_a_board_outlives_a_kill(tmp_path: Path) -> None:
    """The message is the same one, and shows what happened meanwhile; its menus work."""
    async with made(tmp_path, POLL_INTERVAL="5") as world:
        carol = Person.new(world)
        going, failing = (world.gcs.play(life, by_hand=True) for life in (story.happy(4), story.failing(3)))
        for execution in (going, failing):
            await carol.types(f"subscribe {execution} here failures")
        assert "A board is for a channel" in (await carol.asks("board")).text
        assert "This channel has a board now." in (await carol.types("board")).text
        await world.slack.wait_for(lambda: len(boards(world, carol.channel)) == 1)
        await world.bot.kill()
        world.gcs.step(going, to="running 2/4")
        world.gcs.step(failing, to="failed")
        await world.bot.start()
        await world.slack.wait_for(lambda: "50 %" in words(boards(world, carol.channel)[0]), WITHIN)
        await world.slack.wait_for(lambda: "1 failed" in boards(world, carol.channel)[0].text, WITHIN)
        (board,) = boards(world, carol.channel)
        seen = len(carol.read)
        await carol.chooses("Stop this board", board)
        assert "The board has ended" in (await carol.next_answer(seen)).text
        await world.slack.wait_for(lambda: "ended this board" in boards(world, carol.channel)[0].text)
        assert "nothing to stop" in (await carol.types("board stop")).text
        assert len(boards(world, carol.channel)) == 1
