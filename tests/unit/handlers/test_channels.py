"""Promises about shared and private channels: who reads them, who approves that, and whom they are for.

Lives here: approvals of channels that other organisations share, and members of private ones. Does not live here: who
may use the bot at all (`test_access`). Called by pytest.
"""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.blocks import buttons
from bot.domain.access import AccessRules
from tests.unit.handlers.conftest import HOME, MODAL, World, made
from tests.unit.handlers.doubles import ID
from tests.unit.handlers.tiny_slack import GUEST, OUTSIDER, PRIVATE, SHARED, shared_with

INFO, MEMBERS = "conversations.info", "conversations.members"


@pytest.mark.parametrize("flag", ["is_ext_shared", "is_pending_ext_shared"])
async def test_nothing_is_shared_into_a_shared_channel(world: World, flag: str) -> None:
    """Until a member approves: the refusal has the button, and GCS is not asked."""
    world.slack.results[INFO] = {"channel": {"id": "C1", "is_private": False, flag: True}}
    await world.press(buttons.SHARE_EXECUTION)
    assert "until a member of this workspace approves" in world.reply
    assert buttons.APPROVE_CHANNEL in str(world.slack.answers[0]["blocks"])
    assert world.subscriptions.asked == []
    await world.press(buttons.APPROVE_CHANNEL, "C1")
    assert world.channels.records["T1/C1"].approver == "U1"
    await world.press(buttons.SHARE_EXECUTION)
    assert world.slack.answers[-1]["response_type"] == "in_channel"


@pytest.mark.parametrize("code", ["channel_not_found", "missing_scope", "internal_error"])
async def test_nothing_is_shared_before_unknown_readers(world: World, code: str) -> None:
    """A conversation that the bot cannot look at may have anybody in it."""
    world.slack.results[INFO] = {"ok": False, "error": code}
    await world.press(buttons.SHARE_EXECUTION)
    assert "cannot see who can read this conversation" in world.reply
    assert world.subscriptions.asked == []


DECISIONS = [buttons.APPROVE_CHANNEL, buttons.REVOKE_CHANNEL]


@pytest.mark.parametrize("action_id", DECISIONS)
@pytest.mark.parametrize("place", [{}, HOME, MODAL, {"channel": {"id": "D1"}}])
async def test_a_decision_names_no_other_channel(world: World, action_id: str, place: dict[str, Any]) -> None:
    """The value of the button is no authority."""
    world.slack.results[INFO] = SHARED
    await world.press(action_id, "C2", **place)
    assert world.channels.records == {}


@pytest.mark.parametrize("action_id", DECISIONS)
@pytest.mark.parametrize("said", [GUEST, OUTSIDER])
async def test_only_members_decide_about_a_channel(action_id: str, said: dict[str, Any]) -> None:
    """Guests and people of other organisations do not, even where they may ask."""
    async with made(rules=AccessRules(guests=True, external=True)) as world:
        world.slack.results |= {"users.info": {"user": said}, INFO: SHARED}
        await world.press(action_id, "C1")
        assert "Only a full member" in world.reply
        assert world.channels.records == {}


async def test_an_approval_can_be_withdrawn(world: World) -> None:
    """The list of a shared channel shows who approved it; what waits is delivered at once after an approval."""
    world.slack.results[INFO] = SHARED
    await world.command("list here")
    await world.press(buttons.APPROVE_CHANNEL, "C1")
    assert world.subscriptions.asked == [("of", "C1"), ("resume", "C1")]
    await world.command("list here")
    await world.press(buttons.REVOKE_CHANNEL, "C1")
    texts = [answer["text"] for answer in world.slack.answers]
    assert ["post nothing here" in texts[0], "<@U1> approved" in texts[2]] == [True, True]
    assert not world.channels.records["T1/C1"].is_open


def offered(world: World) -> dict[str, Any]:
    """The button in the last answer that approves a channel."""
    rows = [block for block in world.slack.answers[-1]["blocks"] if block["type"] == "actions"]
    found: dict[str, Any] = next(
        each for row in rows for each in row["elements"] if each["action_id"] == buttons.APPROVE_CHANNEL
    )
    return found


ORGANISATIONS = [
    ((), {}, "People from another organisation can read it."),
    (("T2",), {}, "People from another organisation can read it."),
    (("T2", "T3", "E4"), {}, "People from 3 other organisations can read it."),
    (("T2", "T3"), {"T2": "Acme", "T3": "<@U1> Globex"}, "People from Acme, ‹@U1› Globex can read it."),
    (("T2", "T3"), {"T2": "Acme"}, "People from Acme and 1 more organisation can read it."),
]


@pytest.mark.parametrize(("others", "names", "line"), ORGANISATIONS, ids=lambda each: str(each)[:20])
async def test_an_approval_names_who_reads_there(others: tuple[str, ...], names: dict[str, str], line: str) -> None:
    """By name where the scope allows, else by their number; ids are in the audit trail only."""
    async with made(scopes={"team:read"} if names else set()) as world:
        world.slack.results[INFO] = shared_with(*others)
        world.slack.teams = names
        await world.command("list here")
        button = offered(world)
        assert button["confirm"]["text"]["text"].startswith(line)
        with capture_logs() as logs:
            await world.press(buttons.APPROVE_CHANNEL, button["value"])
        assert world.channels.records["T1/C1"].approved == set(others)
        (audited,) = [each for each in logs if each["event"] == "channel.approved"]
        assert audited.get("organisations", "") == " ".join(sorted(others))
        assert not any(other in str(answer) for other in others for answer in world.slack.answers)
        assert bool(world.slack.called("team.info")) is bool(names)


async def test_an_approval_covers_those_it_named(world: World) -> None:
    """Another one has joined since the button was shown: it is shown again, with all of them."""
    world.slack.results[INFO] = shared_with("T2")
    await world.command("list here")
    before = offered(world)["value"]
    world.slack.results[INFO] = shared_with("T2", "T3")
    for value in (before, "C1", "C1|0123456789ab"):
        await world.press(buttons.APPROVE_CHANNEL, value)
        assert "that this button names" in world.slack.answers[-1]["text"]
        assert not world.channels.records["T1/C1"].is_open
    await world.press(buttons.APPROVE_CHANNEL, offered(world)["value"])
    assert world.channels.records["T1/C1"].is_open


async def test_an_organisation_that_joins_is_said(world: World) -> None:
    """The event alone ends the cover of the approval; the list says so and offers a new one."""
    world.slack.results[INFO] = shared_with("T2")
    await world.command("list here")
    await world.press(buttons.APPROVE_CHANNEL, offered(world)["value"])
    await world.event({"type": "channel_shared", "channel": "C1", "connected_team_id": "T3"})
    assert not world.channels.records["T1/C1"].is_open
    world.slack.results[INFO] = shared_with("T2", "T3")
    await world.command("list here")
    assert "Another organisation has joined" in world.slack.answers[-1]["text"]
    await world.press(buttons.APPROVE_CHANNEL, offered(world)["value"])
    assert world.channels.records["T1/C1"].is_open


@pytest.mark.parametrize("action_id", DECISIONS)
async def test_a_decision_without_replicas_is_uncertain(world: World, action_id: str) -> None:
    """A withdrawal that is lost with a server would open the channel again: the person reads it."""
    world.slack.results[INFO] = SHARED
    world.channels.is_replicated = False
    await world.press(action_id, "C1")
    assert "again in a minute" in world.reply


async def test_nothing_to_approve_says_so(world: World) -> None:
    """A button on an old message, in a channel that is not shared any more."""
    await world.press(buttons.APPROVE_CHANNEL, "C1")
    assert "not shared with another organisation" in world.reply
    assert not world.channels.records["T1/C1"].approver


ABOUT_A_CHANNEL = ["list here", f"unsubscribe {ID} here", f"subscribe {ID} here"]


@pytest.mark.parametrize("text", ABOUT_A_CHANNEL)
async def test_a_private_channel_is_for_its_members(world: World, text: str) -> None:
    """Its id alone, wherever it comes from, shows and changes nothing."""
    world.slack.results |= {INFO: PRIVATE, MEMBERS: {"members": ["U2"]}}
    await world.command(text)
    assert "You are not in that channel" in world.reply
    assert world.subscriptions.asked == []
    world.slack.results[MEMBERS] = {"members": ["U2", "U1"]}
    await world.command(text)
    assert len(world.subscriptions.asked) == 1


@pytest.mark.parametrize(
    "action_id", [buttons.SUBSCRIBE_EXECUTION, buttons.UNSUBSCRIBE_EXECUTION, buttons.REFRESH_CARD]
)
async def test_buttons_of_a_private_channel_too(world: World, action_id: str) -> None:
    """The same for its card."""
    world.slack.results |= {INFO: PRIVATE, MEMBERS: {"members": []}}
    await world.press(action_id, f"{ID}|C1")
    assert "You are not in that channel" in world.reply
    assert world.subscriptions.asked == []


async def test_the_members_are_read_in_pages(world: World) -> None:
    """A bounded number of them."""
    page = {"members": ["U2"], "response_metadata": {"next_cursor": "more"}}
    world.slack.results |= {INFO: PRIVATE, MEMBERS: page}
    await world.command("list here")
    assert "You are not in that channel" in world.reply
    assert [body.get("cursor", "") for body in world.slack.called(MEMBERS)] == ["", *["more"] * 9]
