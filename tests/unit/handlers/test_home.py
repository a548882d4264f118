"""Promises of the Home tab: what it shows, and what is pressed and chosen there.

Lives here: opening, pages, choices, and the button in the reply to help. Does not live here: its modals
(`test_home_modals`), how it is kept up to date (`test_live`). Called by pytest.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.blocks import buttons, parse_page
from bot.blocks.language import Language
from bot.domain.following import Level
from bot.errors import InputProblem, InvalidInput
from tests.unit.handlers.conftest import HOME, World
from tests.unit.handlers.doubles import ID


async def test_a_press_at_home_publishes_home_again(world: World) -> None:
    """The Home tab takes no answer: the tab itself changes."""
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|U1", **HOME)
    assert world.subscriptions.asked == [("unsubscribe", "U1", ID), ("home", "U1")]
    assert world.slack.called("views.publish")[0]["user_id"] == "U1"


async def test_an_error_at_home_opens_a_modal(world: World) -> None:
    """The Home tab has no place for a sentence, so it comes in a modal."""
    world.subscriptions.error = InvalidInput(InputProblem.CARD_ENDED, execution_id=ID)
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|U1", **HOME)
    assert "That card is no longer updated." in str(world.slack.called("views.open")[0]["view"])


async def test_opening_home_shows_what_the_person_follows(world: World) -> None:
    """The Home tab is published when it is opened, not when the tab of messages is."""
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "messages"})
    (published,) = world.slack.called("views.publish")
    assert published["user_id"] == "U1"
    assert "deepvariant" in str(published["view"])


@pytest.mark.parametrize(("value", "page"), [("1", 1), ("-1", 0), ("x", 0), ("²", 0), ("99999", 0)])
async def test_home_has_pages(world: World, value: str, page: int) -> None:
    """A button may be old, or forged: what is no page is the first."""
    world.subscriptions.followed_at_home = 20
    await world.press(buttons.NEXT_HOME, value, **HOME)
    (published,) = world.slack.called("views.publish")
    view = published["view"]
    assert parse_page((view if isinstance(view, dict) else json.loads(view))["private_metadata"]) == page


async def test_home_asks_for_the_persons_channels(world: World) -> None:
    """Slack says which ones a person is in; where it does not, none is shown. Its word is used for a while."""
    opened = {"type": "app_home_opened", "user": "U1", "tab": "home"}
    await world.event(opened)
    await world.press(buttons.NEXT_HOME, "0", **HOME)
    assert world.subscriptions.channels == {"C1", "C2"}
    (asked,) = world.slack.called("users.conversations")
    assert (asked["user"], asked["types"]) == ("U1", "public_channel,private_channel")


@pytest.mark.parametrize("result", [{"ok": False, "error": "missing_scope"}, {"channels": None}])
async def test_unknown_channels_are_shown_to_nobody(world: World, result: dict[str, Any]) -> None:
    """The rest of the Home tab is there all the same."""
    world.slack.results["users.conversations"] = result
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    assert world.subscriptions.channels is None
    assert "Slack is not showing me" in str(world.slack.called("views.publish")[0]["view"])


async def test_refresh_at_home_shows_the_new_state(world: World) -> None:
    """The card is edited elsewhere; who pressed on Home looks at Home."""
    await world.chooses(buttons.REFRESH_CARD, f"{ID}|U1", **HOME)
    assert world.subscriptions.asked[-1] == ("home", "U1")
    assert len(world.slack.called("views.publish")) == 1


def chosen(action_id: str, value: str) -> dict[str, Any]:
    """What Slack says was chosen from a list."""
    option = {"text": {"type": "plain_text", "text": "…"}, "value": value}
    return {"actions": [{"type": "static_select", "block_id": "b", "action_id": action_id, "selected_option": option}]}


def view_of(call: dict[str, Any]) -> Any:
    """The view of a call."""
    view = call["view"]
    return view if isinstance(view, dict) else json.loads(view)


async def test_the_button_opens_the_modal(world: World) -> None:
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
