"""Promises of the buttons and the menu below the message about an end."""

from __future__ import annotations

from typing import Any

import pytest

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.domain.events import Event
from bot.errors import ExecutionNotFound, InputProblem, InvalidInput
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID

UNSUBSCRIBE = buttons.UNSUBSCRIBE_EXECUTION


async def test_why_opens_at_once_and_fills(world: World) -> None:
    """The modal is open before GCS is asked, since the trigger expires."""
    world.subscriptions.events = (Event("call", "Evicted", "low on memory"),)
    await world.press(buttons.SHOW_WHY)
    assert [method for method, _ in world.slack.calls if method.startswith("views.")] == ["views.open", "views.update"]
    assert "Asking GeneContainer Service" in str(world.slack.called("views.open")[0]["view"])
    assert "low on memory" in str(world.slack.called("views.update")[0]["view"])
    assert world.subscriptions.asked == [("explain", "T1", ID, "U1")]
    assert world.subscriptions.admitted == ["U1"]


async def test_why_says_that_events_are_refused(world: World) -> None:
    """And shows the rest."""
    world.subscriptions.events = None
    await world.press(buttons.SHOW_WHY)
    shown = str(world.slack.called("views.update")[0]["view"])
    assert "does not let me read the events" in shown
    assert "deepvariant" in shown


async def test_what_goes_wrong_is_in_the_modal(world: World) -> None:
    """As with *Steps*."""
    world.subscriptions.error = ExecutionNotFound()
    await world.press(buttons.SHOW_WHY)
    assert "knows no such execution" in str(world.slack.called("views.update")[0]["view"])


async def test_strangers_learn_nothing(world: World) -> None:
    """Who may not ask for a summary may not ask why, by the button or by the menu."""
    stranger: dict[str, Any] = {"user": {"id": "U9", "team_id": "T9"}}
    await world.press(buttons.SHOW_WHY, **stranger)
    await world.chooses(buttons.SHOW_WHY, **stranger)
    assert world.subscriptions.asked == []
    assert world.slack.called("views.open") == []


async def test_a_choice_does_what_its_button_does(world: World) -> None:
    """Each counts as one request."""
    await world.chooses(UNSUBSCRIBE, f"{ID}|U1", channel={"id": "D1"})
    assert world.subscriptions.asked == [("unsubscribe", "U1", ID)]
    assert world.subscriptions.admitted == ["U1"]


async def test_a_channel_is_asked_first(world: World) -> None:
    """The menu cannot ask, so the person reads a question with the button; nothing has ended yet."""
    await world.chooses(buttons.ASK_UNSUBSCRIBE, f"{ID}|C1")
    (answer,) = world.slack.answers
    assert answer["response_type"] == "ephemeral"
    (button,) = answer["blocks"][-1]["elements"]
    assert (button["action_id"], button["value"]) == (UNSUBSCRIBE, f"{ID}|C1")
    assert world.subscriptions.asked == []
    await world.press(UNSUBSCRIBE, button["value"])
    assert world.subscriptions.asked == [("unsubscribe", "C1", ID)]


async def test_a_choice_names_no_other_channel(world: World) -> None:
    """What a choice carries is no authority over a channel that the person may not even see."""
    await world.chooses(UNSUBSCRIBE, f"{ID}|C2")
    assert world.reply == sentence(InvalidInput(InputProblem.OTHER_CHANNEL))
    assert world.subscriptions.asked == []


@pytest.mark.parametrize("action_id", [buttons.APPROVE_CHANNEL, buttons.CHOOSE, "nothing", ""])
async def test_a_menu_has_no_other_choices(world: World, action_id: str) -> None:
    """Decisions of members stay with their own buttons, which check for that."""
    await world.chooses(action_id, "C1")
    assert world.reply == sentence(InvalidInput(InputProblem.UNKNOWN_BUTTON))
    assert world.channels.records == {}


async def test_nothing_is_shared_twice(world: World) -> None:
    """A choice that is sent again shows nothing to everyone again."""
    option = {"text": {"type": "plain_text", "text": "…"}, "value": f"{buttons.SHARE_EXECUTION}:{ID}"}
    action = {"type": "overflow", "block_id": "b", "action_id": buttons.CHOOSE, "selected_option": option}
    body = world.press_of(buttons.CHOOSE) | {"actions": [action]}
    for _ in range(3):
        await world.arrives(body)
    assert [answer["response_type"] for answer in world.slack.answers] == ["in_channel"]
