"""Promises of names in the place of an id: one hit is as good as the id, several are a list.

Lives here: from the request to the answer. Does not live here: what is found (`tests/workers/test_search.py`). Called
by pytest.
"""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bot.blocks import buttons
from bot.domain.following import Level
from bot.domain.search import Found, Match
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID


async def test_one_hit_is_as_good_as_its_id(world: World) -> None:
    """The name, a part of it or the first digits of the id."""
    world.subscriptions.found = Found((Match(ID, "deepvariant-1"),))
    for text in ("deepvar", "subscribe deepvar here final", "unsubscribe deepvar"):
        await world.command(text)
    assert world.subscriptions.queries == [("U1", "deepvar", False), ("U1", "deepvar", False), ("U1", "deepvar", True)]
    assert world.subscriptions.asked == [
        ("summary", "T1", ID, "U1"),
        ("subscribe", "C1", ID, Level.FINAL, "U1"),
        ("unsubscribe", "U1", ID),
    ]


SEVERAL = Found(tuple(Match(f"{number:08x}{ID[8:]}", f"run-{number}", "Running") for number in range(10)), 21)


@pytest.mark.parametrize(
    ("text", "action_id", "value"),
    [
        ("run", buttons.SHOW_EXECUTION, f"00000000{ID[8:]}"),
        ("subscribe run here final", buttons.SUBSCRIBE_EXECUTION, f"00000000{ID[8:]}|C1|final"),
        ("subscribe run", buttons.SUBSCRIBE_EXECUTION, f"00000000{ID[8:]}|U1"),
        ("unsubscribe run", buttons.UNSUBSCRIBE_EXECUTION, f"00000000{ID[8:]}|U1"),
        ("running", buttons.SHOW_EXECUTION, f"00000000{ID[8:]}"),
    ],
)
async def test_several_hits_are_a_list(world: World, text: str, action_id: str, value: str) -> None:
    """Nothing is done; eight of them have a button each, the others are counted."""
    world.subscriptions.found = SEVERAL
    await world.command(text)
    pressed = [block["accessory"] for block in world.slack.answers[0]["blocks"] if "accessory" in block]
    assert (len(pressed), pressed[0]["action_id"], pressed[0]["value"]) == (8, action_id, value)
    assert "31 executions" in world.reply
    assert "23 more" in world.reply
    assert {asked[0] for asked in world.subscriptions.asked} <= {"in_phase"}


async def test_a_button_of_the_list_keeps_the_level(world: World) -> None:
    """What was asked for is done with the execution that is picked."""
    await world.press(buttons.SUBSCRIBE_EXECUTION, f"{ID}|C1|final")
    await world.press(buttons.SUBSCRIBE_EXECUTION, f"{ID}|C1|loud")
    assert [asked[:4] for asked in world.subscriptions.asked] == [
        ("subscribe", "C1", ID, Level.FINAL),
        ("subscribe", "C1", ID, None),
    ]


async def test_show_answers_beside_the_list(world: World) -> None:
    """So that another one can be shown."""
    await world.press(buttons.SHOW_EXECUTION)
    assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]
    assert not world.slack.answers[0].get("replace_original")


ESCAPED = [("R&amp;D-7", "`R&amp;D-7`"), ("&lt;banana&gt;", "`banana`"), ("a&amp;lt;b", "`a&amp;lt;b`")]
"""What Slack sends for `R&D-7`, `<banana>` and `a&lt;b`, and what it is sent back."""


@pytest.mark.parametrize(("text", "part"), [("<https://a.b|chan> x", "`chan x`"), ("00000000", "`00000000`"), *ESCAPED])
async def test_no_hit_is_a_sentence(world: World, text: str, part: str) -> None:
    """It says what was looked for, and the trail does not."""
    with capture_logs() as logs:
        await world.command(text)
    assert f"No execution has {part} in its name" in world.reply
    assert part.strip("`") not in str(logs)


async def test_nobody_searches_from_outside(world: World) -> None:
    """Names of executions are for those who may see executions."""
    await world.command("germline", team_id="T2")
    await world.command("running", team_id="T2")
    assert (world.subscriptions.queries, world.subscriptions.asked) == ([], [])
