"""Promises of what is pressed and chosen on the Home tab, and in the reply to help."""

from __future__ import annotations

import json
from typing import Any

from bot.blocks import buttons
from bot.blocks.language import Language
from bot.domain.following import Level
from tests.unit.handlers.conftest import World
from tests.unit.handlers.test_actions import HOME


def chosen(action_id: str, value: str) -> dict[str, Any]:
    """What Slack says was chosen from a list."""
    option = {"text": {"type": "plain_text", "text": "…"}, "value": value}
    return {"actions": [{"type": "static_select", "block_id": "b", "action_id": action_id, "selected_option": option}]}


def view_of(call: dict[str, Any]) -> Any:
    """The view of a call."""
    view = call["view"]
    return view if isinstance(view, dict) else json.loads(view)


async def test_the_button_opens_the_dialog(world: World) -> None:
    """At the level that the person has chosen for themselves."""
    world.subscriptions.level = Level.STEPS
    await world.press(buttons.OPEN_FOLLOW, "home", **HOME)
    (opened,) = world.slack.called("views.open")
    fields = {block["block_id"]: block["element"] for block in view_of(opened)["blocks"] if block["type"] == "input"}
    assert fields["level"]["initial_option"]["value"] == "steps"


async def test_a_person_chooses_their_level(world: World) -> None:
    """For what they follow from now on; Home shows it."""
    await world.press(buttons.CHOOSE_MY_LEVEL, **(chosen(buttons.CHOOSE_MY_LEVEL, "failures") | HOME))
    assert world.subscriptions.asked == [("choose_level", "U1", Level.FAILURES), ("home", "U1")]


async def test_an_unknown_level_is_refused(world: World) -> None:
    """A list of another version may have one."""
    await world.press(buttons.CHOOSE_MY_LEVEL, **(chosen(buttons.CHOOSE_MY_LEVEL, "everything") | HOME))
    assert world.subscriptions.asked == []
    assert len(world.slack.called("views.open")) == 1


async def test_home_is_in_the_language_that_was_chosen(world: World) -> None:
    """At once."""
    await world.press(buttons.CHOOSE_LANGUAGE, **(chosen(buttons.CHOOSE_LANGUAGE, "zh_CN") | HOME))
    assert world.choices.chosen == {"T1/U1": Language.CHINESE}
    (published,) = world.slack.called("views.publish")
    assert "执行中" in str(view_of(published))


async def test_help_offers_the_language(world: World) -> None:
    """What is chosen there replaces it; `auto` withdraws a choice, and what is no language is refused."""
    await world.command("help")
    assert buttons.CHOOSE_LANGUAGE in str(world.slack.answers[0]["blocks"])
    await world.press(buttons.CHOOSE_LANGUAGE, **chosen(buttons.CHOOSE_LANGUAGE, "zh_CN"))
    answer = world.slack.answers[-1]
    assert answer["replace_original"]
    assert "关注" in answer["text"]
    await world.press(buttons.CHOOSE_LANGUAGE, **chosen(buttons.CHOOSE_LANGUAGE, buttons.AUTO))
    assert world.choices.chosen == {"T1/U1": ""}
    await world.press(buttons.CHOOSE_LANGUAGE, **chosen(buttons.CHOOSE_LANGUAGE, "tlh"))
    assert "Which language?" in world.slack.answers[-1]["text"]
