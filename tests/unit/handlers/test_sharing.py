"""Promises of *Share*: everybody in the channel reads it, and nobody shares where they may not.

Lives here: the button and the modal that asks where. Does not live here: who reads a channel (`test_channels`).
Called by pytest.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.domain.access import AccessRules
from bot.errors import InputProblem, InvalidInput, NotAllowed
from tests.unit.handlers.conftest import World, made
from tests.unit.handlers.doubles import ID


async def test_share_is_public_and_names_who_shared(world: World) -> None:
    """A shared summary is a message of its own in the channel."""
    await world.press(buttons.SHARE_EXECUTION)
    (answer,) = world.slack.answers
    assert answer["response_type"] == "in_channel"
    assert not answer["replace_original"]
    assert "<@U1>" in str(answer["blocks"])


@pytest.mark.parametrize(
    ("first", "messages"),
    [(None, 1), ((404, '{"ok":false,"error":"expired_url"}'), 2)],
)
async def test_a_second_press_shares_what_was_refused(
    world: World, first: tuple[int, str] | None, messages: int
) -> None:
    """And not what everybody in the channel reads already."""
    world.slack.answer_results = [first] if first else []
    for _ in range(2):
        await world.press(buttons.SHARE_EXECUTION)
    public = [answer for answer in world.slack.answers if answer["response_type"] == "in_channel"]
    assert len(public) == messages


def chosen(world: World, channel: str = "C7", **more: Any) -> dict[str, Any]:
    """The modal in which somebody chose a channel."""
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": "share",
        "private_metadata": json.dumps({"execution_id": ID, "language": "en"}),
    }
    world.slack.results.setdefault("conversations.members", {"members": ["U1"]})
    address = {
        "block_id": "b",
        "action_id": "channel",
        "channel_id": channel,
        "response_url": f"{world.slack.url}/hook",
    }
    body = {"type": "view_submission", "user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}, "view": view}
    return body | {"response_urls": [address]} | more


@pytest.mark.parametrize(("place", "value"), [("D1", ID), ("C1", f"{ID}|C1"), ("C1", f"{ID}|C9")])
async def test_share_asks_where_it_is_read_already(world: World, place: str, value: str) -> None:
    """In a direct message there is nobody else to share it with; a channel's card is in that channel."""
    await world.press(buttons.SHARE_EXECUTION, value, channel={"id": place})
    (opened,) = world.slack.called("views.open")
    assert ID in str(opened["view"])
    assert "response_url_enabled" in str(opened["view"])
    assert world.slack.answers == []
    assert world.subscriptions.asked == []


async def test_share_needs_somebody_who_is_there(world: World) -> None:
    """A channel that was chosen is no proof of that."""
    world.slack.results["conversations.members"] = {"members": ["U2"]}
    await world.send(chosen(world))
    assert world.slack.answers == []
    assert sentence(NotAllowed(InputProblem.NOT_THEIR_CHANNEL)) in str(world.slack.called("views.update")[-1]["view"])


async def test_share_goes_to_the_chosen_channel(world: World) -> None:
    """As if it had been pressed there; the modal says so, and waits meanwhile."""
    response = await world.send(chosen(world))
    assert json.loads(response.body or "{}")["response_action"] == "update"
    (answer,) = world.slack.answers
    assert answer["response_type"] == "in_channel"
    assert "<@U1>" in str(answer["blocks"])
    assert "<#C7>" in str(world.slack.called("views.update")[-1]["view"])
    assert world.slack.called("conversations.info")[0]["channel"] == "C7"


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({"channel": {"id": "C7", "is_ext_shared": True}}, "until a member of this workspace approves"),
        ({"ok": False, "error": "channel_not_found"}, "cannot see who can read this conversation"),
    ],
)
async def test_share_obeys_the_rules_of_the_channel(world: World, info: dict[str, Any], sentence: str) -> None:
    """Of the one that was chosen; the modal says why not."""
    world.slack.results["conversations.info"] = info
    await world.send(chosen(world))
    assert world.slack.answers == []
    assert sentence in str(world.slack.called("views.update")[-1]["view"])


async def test_share_goes_into_listed_channels_only() -> None:
    """Also where the modal was opened elsewhere."""
    async with made(rules=AccessRules(channels=frozenset({"C1"}))) as world:
        await world.send(chosen(world))
        assert world.slack.answers == []
        assert world.slack.called("views.update")
        await world.send(chosen(world, "C1"))
        assert len(world.slack.answers) == 1


async def test_share_of_a_foreign_modal_says_so(world: World) -> None:
    """What it remembers is not ours."""
    view = chosen(world)["view"] | {"private_metadata": "{}"}
    await world.send(chosen(world, view=view))
    assert world.slack.answers == []
    assert sentence(InvalidInput(InputProblem.UNKNOWN_BUTTON)) in str(world.slack.called("views.update")[-1]["view"])


@pytest.mark.parametrize(
    "addresses",
    [[], [{}], [{"channel_id": "C7"}], [{"channel_id": "C7", "response_url": "https://evil.example/"}]],
)
async def test_share_without_an_address_says_so(world: World, addresses: list[Any]) -> None:
    """Nothing is sent, and nobody reads that it was."""
    await world.send(chosen(world, response_urls=addresses))
    assert world.slack.answers == []
    assert "<#" not in str(world.slack.called("views.update"))
