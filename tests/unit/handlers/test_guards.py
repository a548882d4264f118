"""Promises about every way in: the same rules hold in each, as the table of docs/security.md says."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import handlers
from bot.blocks import buttons, levels_modal, share_modal, steps_modal
from bot.blocks.follow_modal import follow_modal
from bot.blocks.hours_modal import Chosen, hours_modal
from bot.blocks.rule_modal import rule_modal
from bot.domain.access import AccessRules
from bot.domain.following import Level, Subscriber
from bot.errors import TooManyRequests, TooManyRules, TooManySubscriptions
from handlers.middleware import Who
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID, NOW, subscription_of
from tests.unit.handlers.test_acting import ASKED, CONFIRMED, world_of

PAGE = Path(__file__).parents[3] / "docs" / "security.md"

GUARDS = ("organisation", "guests", "people", "channels", "requests", "subscriptions", "audience")

SHARED = {"id": "C1", "is_member": True, "is_private": False, "is_ext_shared": True, "is_pending_ext_shared": False}

IN_MODALS = {
    buttons.PREVIOUS_PAGE,
    buttons.NEXT_PAGE,
    buttons.REFRESH_STEPS,
    buttons.CHOOSE_LEVEL,
    buttons.CHOOSE_SUCCESS,
    buttons.CHOOSE_MUTE,
    buttons.DO_ACTION,
    buttons.END_HOURS,
}
"""Buttons that are in no message."""

Way = Callable[[World], Awaitable[Any]]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Listeners in a workspace whose only person may do everything."""
    async with world_of() as (world, _):
        yield world


def table() -> dict[str, dict[str, bool]]:
    """Way in → guard → whether the page says that it holds."""
    text = PAGE.read_text(encoding="utf-8").partition("## Every way in")[2].partition("\n## ")[0]
    head, _, *rows = [re.split(r" *\| *", line.strip("| ")) for line in text.splitlines() if line.startswith("|")]
    assert tuple(head[1:]) == GUARDS
    return {name: dict(zip(GUARDS, (cell == "✓" for cell in cells), strict=True)) for name, *cells in rows}


def kind_of(listener: str) -> str:
    """The way in that a listener serves, by its name on the page."""
    if listener in IN_MODALS:
        return "button of a modal"
    known = {
        "execution_command": "command",
        "app_home_opened": "Home",
        "message": "direct message",
        "app_mention": "mention",
        "follow_execution": "shortcut",
        "follow_this_execution": "shortcut on a message",
        "follow_submitted": "submitted modal",
        "workflow_submitted": "submitted modal",
        "hours_submitted": "submitted modal of settings",
        "unknown_modal": "submitted modal of settings",
        "share_into": "submitted modal",
    }
    return known.get(listener, "button of a message")


def in_modal(action_id: str, value: str) -> Way:
    """A button of a modal, pressed."""
    who = Subscriber("T1", "C1" if action_id == buttons.CHOOSE_SUCCESS else "U1")
    levels = levels_modal(subscription_of(who, Level.FINAL), None, now=NOW)
    is_level = action_id in {buttons.CHOOSE_LEVEL, buttons.CHOOSE_SUCCESS, buttons.CHOOSE_MUTE}
    about = levels if is_level else steps_modal(None, execution_id=ID)
    view = {"id": "V1", "type": "modal", "private_metadata": about["private_metadata"]}
    more: dict[str, Any] = {"view": view, "channel": None, "response_url": None, "container": {"type": "view"}}
    return lambda world: world.press(action_id, value, **more)


def pressed(action_id: str) -> Way:
    """A button of a message, pressed: for the channel, where it can be for one."""
    values = {
        buttons.DELETE_MY_DATA: "U1",
        buttons.APPROVE_CHANNEL: "C1",
        buttons.REVOKE_CHANNEL: "C1",
        buttons.ASK_ACTION: ASKED,
    }
    value = values.get(action_id, f"{ID}|C1" if action_id == buttons.SUBSCRIBE_EXECUTION else ID)
    action = {"type": "button", "block_id": "b", "action_id": action_id, "value": value}
    return lambda world: world.press(action_id, value, actions=[action])


def submitted(world: World, modal: dict[str, Any] | None = None) -> Awaitable[Any]:
    """A modal, filled in for a channel."""
    fields: dict[str, dict[str, Any]] = {
        "query": {"value": ID},
        "workflow": {"value": "germline-wgs"},
        "channel": {"selected_conversation": "C1"},
        "begins": {"selected_time": "22:00"},
        "ends": {"selected_time": "07:00"},
        "zone": {"value": "UTC"},
    }
    state = {name: {name: field} for name, field in fields.items()}
    view = {"id": "V1", **(modal or follow_modal(level=Level.FINAL)), "state": {"values": state}}
    body = {"type": "view_submission", "user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}, "trigger_id": "t.1"}
    return world.send(body | {"view": view})


def shared(world: World) -> Awaitable[Any]:
    """The modal to share with a channel, filled in."""
    address = {"channel_id": "C1", "response_url": f"{world.slack.url}/hook"}
    body = {"type": "view_submission", "user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}, "trigger_id": "t.1"}
    return world.send(body | {"view": {"id": "V1", **share_modal(ID)}, "response_urls": [address]})


def shortcut(world: World, callback_id: str) -> Awaitable[Any]:
    """A shortcut, used."""
    body = {
        "user": {"id": "U1", "team_id": "T1"},
        "team": {"id": "T1"},
        "trigger_id": "t.1",
        "callback_id": callback_id,
    }
    if callback_id == "follow_execution":
        return world.send(body | {"type": "shortcut"})
    more = {"type": "message_action", "channel": {"id": "C1"}, "message": {"text": ID}}
    return world.send(body | more | {"response_url": f"{world.slack.url}/hook"})


def ways() -> dict[str, Way]:
    """Each listener that works for people, by its name, and how it is reached."""
    known: dict[str, Way] = {
        "execution_command": lambda world: world.command(f"subscribe {ID} here"),
        "app_home_opened": lambda world: world.event({"type": "app_home_opened", "user": "U1", "tab": "home"}),
        "message": lambda world: world.says(f"subscribe {ID}"),
        "app_mention": lambda world: world.says(f"<@UBOT> subscribe {ID} here", type="app_mention", channel="C1"),
        "follow_submitted": submitted,
        "workflow_submitted": partial(submitted, modal=rule_modal()),
        "hours_submitted": partial(submitted, modal=hours_modal(Chosen(zone="UTC"), is_on=True)),
        "share_into": shared,
        "unknown_button": lambda world: world.press("of_next_year"),
        "unknown_modal": partial(submitted, modal=rule_modal() | {"callback_id": "of_next_year"}),
        buttons.CHOOSE: lambda world: world.chooses(buttons.SHARE_EXECUTION),
    }
    known |= {name: lambda world, name=name: shortcut(world, name) for name in handlers.SHORTCUTS}  # type: ignore[misc]  # bound at once
    chosen = {buttons.CHOOSE_LEVEL: "final", buttons.CHOOSE_SUCCESS: buttons.IN_CHANNEL, buttons.CHOOSE_MUTE: "1h"}
    chosen |= {buttons.DO_ACTION: CONFIRMED}
    known |= {name: in_modal(name, chosen.get(name, "1")) for name in IN_MODALS}
    known |= {buttons.ASK_ACTION: pressed(buttons.ASK_ACTION)}
    others = {*handlers._buttons(), *handlers._decisions()} - known.keys()
    return known | {name: pressed(name) for name in others}


WAYS = dict(sorted(ways().items()))
OUTSIDER = {"user": {"id": "U1", "team_id": "T2"}}
GUEST = {"user": {"id": "U1", "team_id": "T1", "is_restricted": True}}
REFUSALS: dict[str, tuple[AccessRules, dict[str, Any], str]] = {
    "organisation": (AccessRules(), OUTSIDER, "people of the workspace"),
    "guests": (AccessRules(), GUEST, "guests"),
    "people": (AccessRules(users=frozenset({"U9"})), {}, "not among the people"),
    "channels": (AccessRules(channels=frozenset({"C9"})), {}, "am not allowed in this channel"),
}
"""Guard → rules, what Slack says of the person, and what they read."""


def read(world: World) -> str:
    """All that the person has read."""
    shown = [body for name, body in world.slack.calls if name.startswith(("views.", "chat."))]
    return json.dumps([*shown, *world.slack.answers], ensure_ascii=False, default=str)


def in_public(world: World) -> list[Any]:
    """What others have read."""
    posts = [body["channel"] for body in world.slack.called("chat.postMessage") if not body["channel"].startswith("D")]
    return posts + [answer for answer in world.slack.answers if answer.get("response_type") == "in_channel"]


async def test_every_listener_is_a_way_in(world: World) -> None:
    """None that works for people is missing here, and none on the page."""
    for_people = {name for name, who in world.middleware.listeners.items() if who is not Who.SLACK}
    assert for_people == WAYS.keys()
    assert {kind_of(name) for name in WAYS} == table().keys()


@pytest.mark.parametrize("guard", REFUSALS)
@pytest.mark.parametrize("listener", WAYS)
async def test_people_without_the_right_get_nothing(listener: str, guard: str) -> None:
    """They read why, where the page says so; nothing is asked of GCS or the store for them."""
    rules, said, words = REFUSALS[guard]
    is_held = table()[kind_of(listener)][guard]
    async with world_of(replace(rules, operators=frozenset({"U1"}))) as (world, acting):
        world.slack.results |= {"users.info": said, "conversations.members": {"members": ["U1"]}} if said else {}
        await WAYS[listener](world)
        assert (words in read(world)) is is_held
        if is_held:
            assert (world.subscriptions.asked, acting.looked, acting.acted) == ([], [], [])
            assert in_public(world) == []


@pytest.mark.parametrize("listener", WAYS)
async def test_requests_are_counted(world: World, listener: str) -> None:
    """Who asks too much reads when to go on."""
    world.subscriptions.refusal = TooManyRequests(timedelta(seconds=3))
    world.slack.results["conversations.members"] = {"members": ["U1"]}
    await WAYS[listener](world)
    is_held = table()[kind_of(listener)]["requests"]
    assert ("more than I accept" in read(world)) is is_held
    assert bool(world.subscriptions.admitted) is is_held
    if is_held:
        assert world.subscriptions.asked == []


SUBSCRIBING = [
    *("execution_command", "message", "app_mention", "follow_submitted", "workflow_submitted"),
    buttons.SUBSCRIBE_EXECUTION,
]


@pytest.mark.parametrize("listener", SUBSCRIBING)
async def test_subscriptions_are_capped(world: World, listener: str) -> None:
    """Where something can be followed, the person reads that it is too much."""
    world.slack.results["conversations.members"] = {"members": ["U1"]}
    is_rule = listener == "workflow_submitted"
    world.subscriptions.error = (TooManyRules if is_rule else TooManySubscriptions)(3, is_person=True)
    await WAYS[listener](world)
    assert f"You {'have 3 subscriptions' if is_rule else 'follow 3 executions'}" in read(world)
    assert {kind for kind, guards in table().items() if guards["subscriptions"]} == set(map(kind_of, SUBSCRIBING))


HELD = [each for each in SUBSCRIBING if each != "message"]
NOT_SHOWN = [buttons.CHOOSE, buttons.SHARE_EXECUTION, "share_into"]


@pytest.mark.parametrize("listener", [*HELD, *NOT_SHOWN])
async def test_others_read_nothing_unapproved(world: World, listener: str) -> None:
    """What goes into a shared channel waits for a member, and is not shown there meanwhile."""
    world.slack.results |= {"conversations.info": {"channel": SHARED}, "conversations.members": {"members": ["U1"]}}
    await WAYS[listener](world)
    assert "until a member of this workspace approves" in read(world)
    assert not world.channels.records["T1/C1"].is_open
    audience = {kind for kind, guards in table().items() if guards["audience"]}
    assert audience == set(map(kind_of, HELD))


@pytest.mark.parametrize("listener", WAYS)
async def test_only_sharing_is_read_by_others(world: World, listener: str) -> None:
    """Every other answer is for the person who asked."""
    world.slack.results["conversations.members"] = {"members": ["U1"]}
    await WAYS[listener](world)
    assert bool(in_public(world)) is (listener in NOT_SHOWN)
