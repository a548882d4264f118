"""Promises of the buttons in messages: whom they act for, and for whom they do nothing.

Lives here: following, stopping, refreshing and deleting by a button. Does not live here: buttons that open a modal
(`test_modals`), those of rules (`test_rules`) and on Home (`test_home`), sharing (`test_sharing`). Called by pytest.
"""

from __future__ import annotations

from typing import Any

import pytest

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.errors import InputProblem, InvalidInput
from tests.unit.handlers.conftest import HOME, World, made
from tests.unit.handlers.doubles import ID


async def test_subscribe_is_for_the_person_who_presses(world: World) -> None:
    """The button under a shared summary subscribes the person who pressed it, not the one who shared."""
    await world.press(buttons.SUBSCRIBE_EXECUTION)
    assert world.subscriptions.asked == [("subscribe", "U1", ID, None, "U1")]
    assert world.slack.answers[0]["response_type"] == "ephemeral"
    assert not world.slack.answers[0]["replace_original"]


async def test_follow_again_is_for_the_cards_channel(world: World) -> None:
    """On a channel's card the channel is meant; it is checked as with `here`."""
    await world.press(buttons.SUBSCRIBE_EXECUTION, f"{ID}|C1")
    assert world.subscriptions.asked == [("subscribe", "C1", ID, None, "U1")]


async def test_stop_following_here_ends_the_channels_subscription(world: World) -> None:
    """The button on a channel's card ends what the channel follows."""
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|C1")
    assert world.subscriptions.asked == [("unsubscribe", "C1", ID)]
    assert world.subscriptions.by == "U1"


async def test_nobody_unsubscribes_somebody_else(world: World) -> None:
    """A button that carries another person's id acts for the person who presses."""
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|U2")
    assert world.subscriptions.asked == [("unsubscribe", "U1", ID)]


BOUND = [
    *(buttons.SUBSCRIBE_EXECUTION, buttons.UNSUBSCRIBE_EXECUTION, buttons.REFRESH_CARD),
    buttons.SHOW_LEVELS,
]
"""The buttons that may name a channel."""


@pytest.mark.parametrize("action_id", BOUND)
@pytest.mark.parametrize(
    "place",
    [
        {},
        {"channel": {"id": "D1"}},
        {"channel": None, "container": {"type": "message", "channel_id": "C1"}},
        {"channel": None, "container": {}},
    ],
)
async def test_a_button_names_no_other_channel(world: World, action_id: str, place: dict[str, Any]) -> None:
    """What a button carries is no authority over a channel that the person may not even see."""
    await world.press(action_id, f"{ID}|C2", **place)
    assert world.reply == sentence(InvalidInput(InputProblem.OTHER_CHANNEL))
    assert world.subscriptions.asked == []


@pytest.mark.parametrize("action_id", BOUND)
async def test_home_decides_for_no_channel(world: World, action_id: str) -> None:
    """The Home tab shows a person's own subscriptions, so a channel's button there is none of the bot's."""
    await world.press(action_id, f"{ID}|C1", **HOME)
    assert world.subscriptions.asked == []
    assert "belongs to another channel" in str(world.slack.called("views.open")[0]["view"])


async def test_the_container_says_where_it_was_pressed(world: World) -> None:
    """Slack names the channel there, too."""
    place = {"channel": None, "container": {"type": "message", "channel_id": "C1", "message_ts": "1.0"}}
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|C1", **place)
    assert world.subscriptions.asked == [("unsubscribe", "C1", ID)]


async def test_refresh_replaces_the_summary(world: World) -> None:
    """An ephemeral summary is replaced, not repeated."""
    await world.press(buttons.REFRESH_SUMMARY)
    assert world.slack.answers[0]["replace_original"]
    assert world.subscriptions.is_refresh


async def test_refresh_leaves_the_card_to_the_notifier(world: World) -> None:
    """The listener requests a fresh card, edits nothing, and leaves no message for each press."""
    await world.press(buttons.REFRESH_CARD, f"{ID}|C1")
    assert world.subscriptions.asked == [("refresh_card", "C1", ID)]
    assert world.slack.answers == []
    assert world.slack.called("chat.update") == []


async def test_an_outsider_gets_only_a_sentence(world: World) -> None:
    """In a shared channel, buttons do nothing for people of the other organisation, and say so."""
    await world.press(buttons.SHOW_STEPS, user={"id": "U7", "team_id": "T2"})
    assert "only answer people of the workspace" in world.reply
    assert world.slack.called("views.open") == []


OUTSIDERS: list[dict[str, Any]] = [
    {"user": {"id": "U7", "team_id": "T2"}, "enterprise": {"id": "E2"}},
    {"user": {"id": "U7", "team_id": "T2"}, "enterprise": {"id": "E1"}},
    {"user": {"id": "U7", "team_id": "E2"}},
    {"user": {"id": "U7"}, "enterprise": {"id": "E1"}},
    {"user": {"id": "U7"}},
]
"""Of another organisation, or of none; the enterprise of a press in a shared channel may be the app's."""


@pytest.mark.parametrize("action_id", [buttons.SUBSCRIBE_EXECUTION, buttons.SHARE_EXECUTION])
@pytest.mark.parametrize("said", OUTSIDERS)
async def test_presses_of_other_organisations_are_refused(action_id: str, said: dict[str, Any]) -> None:
    """Enterprise Grid is no pass: it must be the bot's own organisation."""
    async with made(enterprise_id="E1") as world:
        await world.press(action_id, **said)
        assert "only answer people of the workspace" in world.reply
        assert world.subscriptions.asked == []


@pytest.mark.parametrize(
    "said",
    [
        {"user": {"id": "U7", "team_id": "E1"}},
        {"user": {"id": "U7", "team_id": "T2"}, "team": {"id": "T2"}, "enterprise": {"id": "E1"}},
    ],
)
async def test_presses_of_the_own_organisation_are_served(said: dict[str, Any]) -> None:
    """On Enterprise Grid the team of a person can be the organisation itself."""
    async with made(enterprise_id="E1") as world:
        await world.press(buttons.SUBSCRIBE_EXECUTION, **said)
        assert world.subscriptions.asked == [("subscribe", "U7", ID, None, "U7")]


async def test_listeners_never_post(world: World) -> None:
    """Only the notifier posts messages; no listener posts, edits or deletes one."""
    for action_id in (buttons.SUBSCRIBE_EXECUTION, buttons.REFRESH_CARD, buttons.SHARE_EXECUTION):
        await world.press(action_id, f"{ID}|U1")
    await world.command(f"subscribe {ID}")
    assert not [method for method, _ in world.slack.calls if method.startswith("chat.")]


async def test_only_the_person_deletes_their_data(world: World) -> None:
    """The button does it for whom it was made, and for nobody else."""
    await world.press(buttons.DELETE_MY_DATA, "U2")
    assert "somebody else's" in world.reply
    assert world.subscriptions.asked == []
    world.slack.answers.clear()
    await world.press(buttons.DELETE_MY_DATA, "U1")
    assert world.subscriptions.asked == [("forget", "U1")]
    assert "2 subscriptions of yours" in world.reply
