"""The log is asked for by command, by mention and in a modal; each reads their own part and that of their channel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.blocks import buttons
from bot.domain.search import Found, Match
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID

PRIVATE = {"channel": {"id": "C1", "is_private": True, "is_member": True}}


def read(world: World) -> str:
    """What the person has read."""
    shown = [body for name, body in world.slack.calls if name.startswith(("views.", "chat."))]
    return json.dumps([*shown, *world.slack.answers], ensure_ascii=False, default=str)


async def test_a_command_asks_for_both(world: World) -> None:
    """In a channel: of the person and of the channel, and of nobody else."""
    await world.command(f"log {ID}")
    assert world.subscriptions.asked == [("log", ID, "U1", "C1")]
    assert "you: on its way" in read(world)
    assert "here: on its way" in read(world)


@pytest.mark.parametrize("channel", ["D1"])
async def test_direct_messages_have_ones_own(world: World, channel: str) -> None:
    """There is no channel to ask about."""
    await world.command(f"log {ID}", channel=channel)
    await world.says(f"log {ID}")
    assert world.subscriptions.asked == [("log", ID, "U1")] * 2
    assert "here:" not in read(world)


async def test_a_private_channel_is_its_members(world: World) -> None:
    """Who is not in it reads their own part only."""
    world.slack.results |= {"conversations.info": PRIVATE, "conversations.members": {"members": ["U9"]}}
    await world.command(f"log {ID}")
    assert "you: on its way" in read(world)
    assert "here:" not in read(world)


async def test_a_name_may_mean_several(world: World) -> None:
    """Then a list is shown, with a button for each."""
    world.subscriptions.found = Found((Match(ID, "one"), Match("b" * 8 + ID[8:], "two")))
    await world.command("log germline")
    assert read(world).count(buttons.SHOW_LOG) == 2
    await world.press(buttons.SHOW_LOG, ID)
    assert ("log", ID, "U1", "C1") in world.subscriptions.asked


@pytest.mark.parametrize(("named", "asked"), [("C1", ("U1", "C1")), ("", ("U1",)), ("U2", ("U1",))])
async def test_a_modal_remembers_its_channel(world: World, named: str, asked: tuple[str, ...]) -> None:
    """It is opened from a message there; nobody reads another person's part through it."""
    view: dict[str, Any] = {"id": "V1", "type": "modal", "private_metadata": ""}
    more: dict[str, Any] = {"view": view, "channel": None, "response_url": None, "container": {"type": "view"}}
    await world.press(buttons.SHOW_LOG, f"{ID}|{named}", **more)
    assert world.subscriptions.asked == [("log", ID, *asked)]
    (shown,) = world.slack.called("views.update")
    assert shown["view_id"] == "V1"


async def test_details_lead_to_it(world: World) -> None:
    """With the channel in which they were opened."""
    await world.press(buttons.SHOW_DETAILS, ID)
    shown = json.dumps(world.slack.called("views.update"))
    assert f"{ID}|C1" in shown
