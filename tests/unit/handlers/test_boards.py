"""What people type and press about a channel's board."""

from __future__ import annotations

import pytest

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.errors import InputProblem, InvalidInput
from handlers.parsing import parse
from handlers.vocabulary import Command, Verb
from tests.unit.handlers.conftest import World
from tests.unit.handlers.tiny_slack import OURS

MEMBERS = {"members": ["U1"]}


@pytest.mark.parametrize(
    ("line", "workflow", "is_off"),
    [
        ("board", "", False),
        ("board here", "", False),
        ("subscribe board here", "", False),
        ("board workflow germline-wgs here", "germline-wgs", False),
        ("Board 流程 全基因组", "全基因组", False),
        ("board germline wgs", "germline wgs", False),
        ("board stop", "", True),
        ("board off here", "", True),
        ("board workflow rna-seq stop", "rna-seq", True),
        ("unsubscribe board", "", True),
        ("unsubscribe board workflow rna-seq here", "rna-seq", True),
        ("stop board", "", True),
    ],
)
def test_the_words_of_a_board(line: str, workflow: str, is_off: bool) -> None:
    """The channel is always the one where it is typed."""
    assert parse(line) == Command(Verb.BOARD, is_here=True, query=workflow, is_off=is_off)


@pytest.mark.parametrize(
    ("line", "problem"),
    [("board workflow", InputProblem.MISSING_RULE), ("board me", InputProblem.BOARD_NEEDS_CHANNEL)],
)
def test_words_that_mean_no_board(line: str, problem: InputProblem) -> None:
    """The person reads why."""
    with pytest.raises(InvalidInput) as refused:
        parse(line)
    assert refused.value.problem is problem


async def test_a_board_is_asked_for(world: World) -> None:
    """In the channel where it is typed, by a command or a mention."""
    await world.command("board workflow germline-wgs")
    world.slack.results["conversations.members"] = MEMBERS
    await world.says("<@UBOT> board", type="app_mention", channel="C1")
    asked = [("board", "C1", "germline-wgs", "U1"), ("board", "C1", "", "U1")]
    assert world.subscriptions.asked == asked


async def test_a_board_needs_a_channel(world: World) -> None:
    """Nobody else reads direct messages."""
    await world.says("board")
    assert world.subscriptions.asked == []
    assert "A board is for a channel" in str(world.slack.called("chat.postMessage"))


@pytest.mark.parametrize(("is_there", "part"), [(True, "has ended"), (False, "nothing to stop")])
async def test_a_board_is_ended(world: World, is_there: bool, part: str) -> None:
    """By its words, or by its menu."""
    world.subscriptions.boards.is_there = is_there
    await world.command("board stop")
    assert part in world.reply
    await world.press(buttons.END_BOARD, "0123456789abcdef|C1")
    assert part in world.slack.answers[-1]["text"]
    assert world.subscriptions.asked == [("end_board", "C1", "", "U1"), ("end_board", "C1", "0123456789abcdef", "U1")]


@pytest.mark.parametrize("subscriber", ["C2", "U1"])
async def test_another_channels_board_stays(world: World, subscriber: str) -> None:
    """What a button carries is no authority."""
    await world.press(buttons.END_BOARD, f"0123456789abcdef|{subscriber}")
    assert world.subscriptions.asked == []
    assert world.reply == sentence(InvalidInput(InputProblem.OTHER_CHANNEL))


async def test_the_list_names_the_boards(world: World) -> None:
    """Of the channel, with what ends each; a person has none."""
    world.subscriptions.boards.is_there = True
    await world.command("list here")
    await world.command("list")
    here, mine = world.slack.answers
    assert here["text"].splitlines()[:2] == [
        "Board: runs of the workflow germline-wgs",
        "Board: everything this channel follows",
    ]
    assert [str(here["blocks"]).count(part) for part in (f"{buttons.END_BOARD}:", "Board: ")] == [2, 2]
    assert "Board" not in str(mine)


async def test_a_private_channels_boards_are_its_members(world: World) -> None:
    """Who is not in it reads of none."""
    world.subscriptions.boards.is_there = True
    world.slack.results["conversations.info"] = {"channel": {"id": "C1", "is_member": True, "is_private": True, **OURS}}
    world.slack.results["conversations.members"] = {"members": ["U2"]}
    await world.command("list here")
    assert "Board" not in str(world.slack.answers)
