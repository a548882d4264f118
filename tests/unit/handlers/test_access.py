"""Promises about who may use the bot: refused people get one sentence, and nothing is done for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.blocks import buttons
from bot.domain.access import AccessRules
from bot.metrics import HANDLERS_NOT_ALLOWED
from bot.slack import access
from tests.unit.handlers.conftest import ID, OURS, World, made
from tests.unit.handlers.test_actions import HOME, MODAL

GUEST = {"id": "U1", "team_id": "T1", "is_restricted": True}
OUTSIDER = {"id": "U1", "team_id": "T2", "is_stranger": False}
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
    """Commands, buttons, dialogs and the Home tab refuse alike, each with the sentence."""
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
        assert "I may not look up who you are" in world.slack.answers[-1]["text"]
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
        assert ["may not be used in this channel" in each["text"] for each in world.slack.answers] == [
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


SHARED = {"channel": {"id": "C1", "is_member": True, "is_private": False, "is_ext_shared": True}}
PRIVATE = {"channel": {"id": "C1", "is_member": True, "is_private": True, **OURS}}
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
    assert "cannot see who reads this conversation" in world.reply
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


def shared_with(*organisations: str) -> dict[str, Any]:
    """What Slack says of a channel that these organisations read."""
    return {"channel": SHARED["channel"] | {"connected_team_ids": ["T1", *organisations]}}


def offered(world: World) -> dict[str, Any]:
    """The button in the last answer that approves a channel."""
    rows = [block for block in world.slack.answers[-1]["blocks"] if block["type"] == "actions"]
    found: dict[str, Any] = next(
        each for row in rows for each in row["elements"] if each["action_id"] == buttons.APPROVE_CHANNEL
    )
    return found


ORGANISATIONS = [
    ((), {}, "People of another organisation read it."),
    (("T2",), {}, "People of another organisation read it."),
    (("T2", "T3", "E4"), {}, "People of 3 other organisations read it."),
    (("T2", "T3"), {"T2": "Acme", "T3": "<@U1> Globex"}, "People of Acme, ‹@U1› Globex read it."),
    (("T2", "T3"), {"T2": "Acme"}, "People of Acme and of 1 more organisation read it."),
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
        assert "than this button names" in world.slack.answers[-1]["text"]
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
    assert "once more in a minute to be sure" in world.reply


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


async def test_events_of_sharing_are_noted(world: World) -> None:
    """Shared: at once. Unshared: only what Slack says now opens a channel, since an event may come late."""
    await world.event({"type": "channel_shared", "channel": "C1", "connected_team_id": "T2"})
    assert not world.channels.records["T1/C1"].is_open
    world.slack.results[INFO] = SHARED
    await world.event({"type": "channel_unshared", "channel": "C1", "is_ext_shared": False})
    assert not world.channels.records["T1/C1"].is_open
    del world.slack.results[INFO]
    await world.event({"type": "channel_unshared", "channel": "C1", "is_ext_shared": False})
    assert world.channels.records["T1/C1"].is_open
