"""Promises of the modals of a message: they open at once, and say what went wrong.

Lives here: steps, details and levels. Does not live here: the modals that ask for something (`test_follow`,
`test_sharing`, `test_home_modals`). Called by pytest.
"""

from __future__ import annotations

import pytest

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.domain.following import Level
from bot.errors import GCSUnavailable, InputProblem, InvalidInput
from tests.unit.handlers.conftest import MODAL, World, modal
from tests.unit.handlers.doubles import ID


async def test_the_steps_open_before_gcs_is_polled(world: World) -> None:
    """The modal opens with the trigger at once, and is filled afterwards."""
    await world.press(buttons.SHOW_STEPS)
    methods = [method for method, _ in world.slack.calls if method.startswith("views.")]
    assert methods == ["views.open", "views.update"]
    assert world.slack.called("views.open")[0]["trigger_id"] == "t.1"
    assert world.slack.called("views.update")[0]["view_id"] == "V1"


async def test_an_error_is_shown_in_the_open_modal(world: World) -> None:
    """A modal that waits for steps shows the sentence instead of waiting forever; no answer comes beside it."""
    world.subscriptions.error = GCSUnavailable("timeout")
    await world.press(buttons.SHOW_STEPS)
    assert sentence(GCSUnavailable()) in str(world.slack.called("views.update")[0]["view"])
    assert world.slack.answers == []


async def test_a_trigger_that_expired_asks_for_another_press(world: World) -> None:
    """When Slack no longer opens the modal, the person reads that pressing again helps."""
    world.slack.results["views.open"] = {"ok": False, "error": "expired_trigger_id"}
    await world.press(buttons.SHOW_STEPS)
    assert "again" in world.reply
    assert world.subscriptions.asked == []


async def test_a_late_modal_of_home_is_explained(world: World) -> None:
    """The Home tab takes no answer, so the sentence comes as a direct message, once."""
    world.slack.results["views.open"] = {"ok": False, "error": "expired_trigger_id"}
    await world.press(buttons.SHOW_STEPS, channel=None, response_url="", view={"id": "V1", "type": "home"})
    (post,) = world.slack.called("chat.postMessage")
    assert post["channel"] == "U1"
    assert "Press the button again" in post["text"]
    assert world.subscriptions.asked == []


@pytest.mark.parametrize("code", ["view_too_large", "internal_error", "next_year"])
async def test_a_stuck_modal_is_explained_beside_it(world: World, code: str) -> None:
    """Slack takes neither its content nor the sentence, so that it would say for ever that GCS is asked."""
    world.slack.results["views.update"] = {"ok": False, "error": code}
    await world.press(buttons.SHOW_STEPS)
    assert "Slack" in world.reply


async def test_a_modal_of_home_is_explained_in_person(world: World) -> None:
    """No reply can be sent from there."""
    world.slack.results["views.update"] = {"ok": False, "error": "view_too_large"}
    await world.press(buttons.SHOW_STEPS, channel=None, response_url="", view={"id": "V1", "type": "home"})
    (call,) = world.slack.called("chat.postMessage")
    assert (call["channel"], "Slack refuses that" in call["text"]) == ("U1", True)


async def test_a_closed_modal_needs_no_sentence(world: World) -> None:
    """The person has closed it while GCS was asked."""
    world.slack.results["views.update"] = {"ok": False, "error": "not_found"}
    await world.press(buttons.SHOW_STEPS)
    assert (world.slack.answers, world.slack.called("chat.postMessage")) == ([], [])


async def test_pages_are_turned_in_place(world: World) -> None:
    """The same modal shows the page that the button names."""
    await world.press(buttons.NEXT_PAGE, "1", **MODAL)
    assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]
    assert world.slack.called("views.update")[0]["view_id"] == "V7"


async def test_steps_without_a_trigger_have_a_sentence(world: World) -> None:
    """A press that brings nothing to open a modal with is refused by Slack, and the person reads what to do."""
    world.slack.results["views.open"] = {"ok": False, "error": "invalid_trigger_id"}
    action = {"type": "button", "block_id": "b", "action_id": buttons.SHOW_STEPS, "value": ID}
    person, place = {"id": "U1", "team_id": "T1"}, {"channel": {"id": "C1"}, "team": {"id": "T1"}}
    answer = {"response_url": f"{world.slack.url}/hook"}
    await world.send({"type": "block_actions", "user": person, "actions": [action]} | place | answer)
    assert "Press the button again" in world.reply
    assert world.subscriptions.asked == []


async def test_details_open_and_fill(world: World) -> None:
    """As with the steps: at once, and then with what GCS says."""
    await world.press(buttons.SHOW_DETAILS)
    assert "Asking" in str(world.slack.called("views.open")[0]["view"])
    assert "Namespace" not in str(world.slack.called("views.update")[0]["view"])
    assert ID in str(world.slack.called("views.update")[0]["view"])


async def test_the_level_is_chosen_in_a_modal(world: World) -> None:
    """That of the channel where the card is; the modal then shows the new one."""
    await world.press(buttons.SHOW_LEVELS, f"{ID}|C1")
    opened = modal(world.slack.called("views.open")[0]["view"])
    await world.press(buttons.CHOOSE_LEVEL, "failures", **opened)
    assert world.subscriptions.asked == [("following", "C1", ID), ("change_level", "C1", ID, Level.FAILURES, "U1")]
    assert world.slack.called("views.update")[0]["view_id"] == "V8"


async def test_successes_are_posted_to_the_channel(world: World) -> None:
    """It asks for that in the modal, which then offers the opposite; a person's success is a message anyway."""
    await world.press(buttons.SHOW_LEVELS, f"{ID}|C1")
    view = world.slack.called("views.open")[0]["view"]
    await world.press(buttons.CHOOSE_SUCCESS, buttons.IN_CHANNEL, **modal(view))
    assert world.subscriptions.asked[1:] == [("announce_success", "C1", ID, True, "U1")]
    (shown,) = world.slack.called("views.update")
    assert ("In the thread only" in str(shown), "Also send to channel" in str(view)) == (True, True)
    person = {"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": ""}}'}
    await world.press(buttons.CHOOSE_SUCCESS, buttons.IN_CHANNEL, **modal(person))
    assert len(world.subscriptions.asked) == 2


async def test_a_modal_is_no_authority(world: World) -> None:
    """Nobody decides for a private channel that they have left since, nor for another person."""
    world.slack.results["conversations.info"] = {"channel": {"id": "C9", "is_member": True, "is_private": True}}
    world.slack.results["conversations.members"] = {"members": ["U2"]}
    await world.press(
        buttons.CHOOSE_LEVEL,
        "final",
        **modal({"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": "C9"}}'}),
    )
    assert world.subscriptions.asked == []
    await world.press(
        buttons.CHOOSE_LEVEL,
        "final",
        **modal({"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": "U2"}}'}),
    )
    assert [asked[1] for asked in world.subscriptions.asked] == ["U1"]


@pytest.mark.parametrize(("action_id", "value"), [(buttons.CHOOSE_LEVEL, "loud"), (buttons.CHOOSE_LEVEL, "")])
async def test_an_unknown_level_is_refused(world: World, action_id: str, value: str) -> None:
    """The modal shows a sentence, and nothing is changed."""
    await world.press(
        action_id, value, **modal({"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": ""}}'})
    )
    assert world.subscriptions.asked == []
    assert sentence(InvalidInput(InputProblem.UNKNOWN_BUTTON)) in str(world.slack.called("views.update")[0]["view"])
