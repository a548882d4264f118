"""Promises about who may use the bot: refused people get one sentence, and nothing is done for them.

Lives here: guests, other organisations, and the lists in the settings. Does not live here: what a channel allows
(`test_channels`). Called by pytest.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.blocks import buttons
from bot.domain.access import AccessRules
from bot.metrics import HANDLERS_NOT_ALLOWED
from bot.slack import access
from tests.unit.handlers.conftest import HOME, MODAL, World, made
from tests.unit.handlers.doubles import ID
from tests.unit.handlers.tiny_slack import GUEST, OUTSIDER, shared_with

INFO = "conversations.info"

NOT_MEMBERS: list[tuple[dict[str, Any], str]] = [
    (GUEST, "guests"),
    ({"id": "U1", "team_id": "T1", "is_ultra_restricted": True}, "guests"),
    (OUTSIDER, "people of the workspace"),
    ({"id": "U1", "team_id": "T1", "is_stranger": True}, "people of the workspace"),
    ({"id": "U1", "team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}}, "people of the workspace"),
]
"""What Slack says about people who may not ask, though the request shows the bot's own team."""


async def everything(world: World, **more: Any) -> list[str]:
    """Ask in each way that there is; returns the sentences in their order."""
    await world.command(f"subscribe {ID}")
    await world.press(buttons.SHARE_EXECUTION, **more)
    await world.press(buttons.NEXT_PAGE, "1", **MODAL)
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|U1", **HOME)
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    methods = ("views.update", "views.open", "views.publish")
    shown = [body for method in methods for body in world.slack.called(method)]
    return [*(answer["text"] for answer in world.slack.answers), *(str(body["view"]) for body in shown)]


@pytest.mark.parametrize(("said", "words"), NOT_MEMBERS)
async def test_no_way_in_for_people_without_standing(world: World, said: dict[str, Any], words: str) -> None:
    """Commands, buttons, modals and the Home tab refuse alike, each with the sentence."""
    world.slack.results["users.info"] = {"user": said}
    sentences = await everything(world)
    assert [words in each for each in sentences] == [True] * 5
    assert world.subscriptions.asked == []
    assert len(world.slack.called("users.info")) == 1


@pytest.mark.parametrize(("said", "rules"), [(GUEST, AccessRules(guests=True)), (OUTSIDER, AccessRules(external=True))])
async def test_the_operator_may_let_them_in(said: dict[str, Any], rules: AccessRules) -> None:
    """`ALLOW_GUESTS` and `ALLOW_EXTERNAL` each open one door."""
    async with made(rules=rules) as world:
        world.slack.results["users.info"] = {"user": said}
        await world.command(ID)
        assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]
    async with made(rules=AccessRules(guests=rules.external, external=rules.guests)) as world:
        world.slack.results["users.info"] = {"user": said}
        await world.command(ID)
        assert world.subscriptions.asked == []


async def test_members_of_the_organisation_may_ask() -> None:
    """On Enterprise Grid people of another workspace of the same organisation are no outsiders."""
    async with made(enterprise_id="E1") as world:
        grid = {"id": "U1", "team_id": "T9", "enterprise_user": {"enterprise_id": "E1"}}
        world.slack.results["users.info"] = {"user": grid}
        await world.command(ID, enterprise_id="E1")
        assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]


async def test_without_the_scope_members_may_ask(world: World) -> None:
    """Slack then does not say who is a guest, and is not asked again for everybody."""
    world.slack.results["users.info"] = {"ok": False, "error": "missing_scope", "needed": "users:read"}
    await world.command(ID)
    await world.command(ID, user_id="U2")
    await world.command(ID, user_id="U3", team_id="T2")
    assert world.subscriptions.asked == [("summary", "T1", ID, "U1"), ("summary", "T1", ID, "U2")]
    assert len(world.slack.called("users.info")) == 1


NO_SCOPE = {"ok": False, "error": "missing_scope", "needed": "users:read"}


async def test_without_the_scope_signs_count(world: World) -> None:
    """A press names its person's workspace, a command does not: where others share the channel, it is refused."""
    world.slack.results |= {"users.info": NO_SCOPE, INFO: shared_with("T2")}
    for _ in range(2):
        await world.command(f"subscribe {ID} here")
        assert "I am not allowed to look up who you are" in world.slack.answers[-1]["text"]
    assert world.subscriptions.asked == []
    assert len(world.slack.called("conversations.info")) == 1
    await world.press(buttons.SUBSCRIBE_EXECUTION)
    await world.command(ID, channel_id="D1")
    assert [each[0] for each in world.subscriptions.asked] == ["subscribe", "summary"]


async def test_without_the_scope_others_may_be_let_in() -> None:
    """`ALLOW_EXTERNAL` allows both kinds of people, so a command need not say which it is of."""
    async with made(rules=AccessRules(external=True)) as world:
        world.slack.results |= {"users.info": NO_SCOPE, INFO: shared_with("T2")}
        await world.command(ID)
        assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]


@pytest.mark.parametrize("sign", [{"user_team": "T2"}, {"source_team": "T2"}, {"user_team": "T1", "source_team": "T2"}])
async def test_an_event_may_name_its_persons_team(world: World, sign: dict[str, str]) -> None:
    """The envelope always carries the app's own team."""
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home", **sign})
    assert "people of the workspace" in str(world.slack.called("views.publish")[0]["view"])
    assert world.subscriptions.asked == []


@pytest.mark.parametrize("flag", ["is_restricted", "is_ultra_restricted"])
async def test_a_guest_whom_the_request_shows_is_refused(world: World, flag: str) -> None:
    """Without the scope, too, and without a look."""
    world.slack.results["users.info"] = NO_SCOPE
    await world.press(buttons.SUBSCRIBE_EXECUTION, user={"id": "U1", "team_id": "T1", flag: True})
    assert "guests" in world.reply
    assert world.subscriptions.asked == []


@pytest.mark.parametrize("said", [{"ok": False, "error": "internal_error"}, {}, {"user": {"id": "U1"}}, {"user": []}])
async def test_a_person_whom_slack_does_not_describe_waits(world: World, said: dict[str, Any]) -> None:
    """Nobody is let in on a guess; with the next answer they are."""
    world.slack.results["users.info"] = {"user": None} | said
    await world.command(ID)
    assert "who you are" in world.reply
    assert world.subscriptions.asked == []
    del world.slack.results["users.info"]
    await world.command(ID)
    assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]


async def test_a_person_is_looked_up_once(world: World) -> None:
    """Ten requests at the same time, and one after them, are one call."""
    await asyncio.gather(*(world.command(ID) for _ in range(10)))
    await world.command(ID)
    assert len(world.slack.called("users.info")) == 1
    assert len(world.subscriptions.asked) == 11


async def test_what_is_known_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many people the oldest are forgotten."""
    monkeypatch.setattr(world.middleware._access._people, "_most", 2)
    for user in ("U1", "U2", "U3", "U1"):
        await world.command(ID, user_id=user)
    assert [body["user"] for body in world.slack.called("users.info")] == ["U1", "U2", "U3", "U1"]


LISTS = AccessRules(users=frozenset({"U1"}), groups=frozenset({"S1"}), channels=frozenset({"C1"}))


async def test_listed_people_and_group_members_may_ask() -> None:
    """Either list lets in; all others read whom to ask."""
    async with made(rules=LISTS) as world:
        world.slack.results["usergroups.users.list"] = {"users": ["U2"]}
        for user in ("U1", "U2", "U3"):
            world.slack.results["users.info"] = {"user": {"id": user, "team_id": "T1"}}
            await world.command(ID, user_id=user)
        assert [asked[-1] for asked in world.subscriptions.asked] == ["U1", "U2"]
        assert "ask this bot's operator to add you" in world.slack.answers[-1]["text"].lower()
        assert len(world.slack.called("usergroups.users.list")) == 1


@pytest.mark.parametrize("code", ["missing_scope", "paid_teams_only", "no_such_subteam", "internal_error"])
async def test_an_unreadable_group_lets_nobody_in(code: str) -> None:
    """It says so, does not keep listed people out, and is not asked for with each request."""
    async with made(rules=LISTS) as world:
        world.slack.results["usergroups.users.list"] = {"ok": False, "error": code}
        for user in ("U2", "U2", "U1"):
            await world.command(ID, user_id=user)
        assert "cannot read the user group" in world.slack.answers[0]["text"]
        assert [asked[-1] for asked in world.subscriptions.asked] == ["U1"]
        assert len(world.slack.called("usergroups.users.list")) == 1


async def test_an_unreadable_group_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it can be read, its members get in."""
    monkeypatch.setattr(access, "UNREADABLE_SECONDS", 0)
    async with made(rules=LISTS) as world:
        world.slack.broken.add("usergroups.users.list")
        await world.command(ID, user_id="U2")
        world.slack.broken.clear()
        world.slack.results["usergroups.users.list"] = {"users": ["U2"]}
        await world.command(ID, user_id="U2")
        assert [asked[-1] for asked in world.subscriptions.asked] == ["U2"]


async def test_only_listed_channels_are_served() -> None:
    """Commands and buttons in other channels are refused; direct messages and the Home tab are no channels."""
    async with made(rules=LISTS) as world:
        for channel in ("C2", "G2", "C1", "D1"):
            await world.command(ID, channel=channel)
        await world.press(buttons.REFRESH_SUMMARY, channel={"id": "C2"})
        await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
        assert [asked[0] for asked in world.subscriptions.asked] == ["summary", "summary", "home"]
        assert world.subscriptions.channels == {"C1"}
        assert ["am not allowed in this channel" in each["text"] for each in world.slack.answers] == [
            *(True, True, False, False, True)
        ]


async def test_a_refusal_is_logged_and_counted(world: World) -> None:
    """One line with the kind and nothing that was typed; one count by reason."""
    world.slack.results["users.info"] = {"user": GUEST}
    before = HANDLERS_NOT_ALLOWED.labels("guest")._value.get()
    with capture_logs() as logs:
        await world.command("my-patient-john")
    (line,) = [line for line in logs if line["event"] == "handlers.refused"]
    assert (line["kind"], line["error"]) == ("NotAllowed", "guest")
    assert "john" not in str(logs)
    assert HANDLERS_NOT_ALLOWED.labels("guest")._value.get() == before + 1
