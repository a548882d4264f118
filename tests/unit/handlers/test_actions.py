"""Promises of the buttons in messages, in modals and on the Home tab, and of the events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.blocks import buttons, parse_page
from bot.blocks.sentences import sentence
from bot.domain.access import AccessRules
from bot.domain.following import Level
from bot.errors import GCSUnavailable, InputProblem, InvalidInput, NotAllowed
from tests.unit.handlers.conftest import ID, RULE, World, made

HOME = {"view": {"id": "V9", "type": "home", "callback_id": ""}, "response_url": None, "channel": None}
MODAL = {
    "view": {
        "id": "V7",
        "type": "modal",
        "callback_id": "steps",
        "private_metadata": json.dumps({"execution_id": ID, "page": 0}),
    },
    "response_url": None,
    "channel": None,
}


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
    assert "once more" in world.reply
    assert world.subscriptions.asked == []


async def test_a_late_dialog_of_home_is_explained(world: World) -> None:
    """The Home tab takes no answer, so the sentence comes as a direct message, once."""
    world.slack.results["views.open"] = {"ok": False, "error": "expired_trigger_id"}
    await world.press(buttons.SHOW_STEPS, channel=None, response_url="", view={"id": "V1", "type": "home"})
    (post,) = world.slack.called("chat.postMessage")
    assert post["channel"] == "U1"
    assert "Press the button once more" in post["text"]
    assert world.subscriptions.asked == []


async def test_pages_are_turned_in_place(world: World) -> None:
    """The same modal shows the page that the button names."""
    await world.press(buttons.NEXT_PAGE, "1", **MODAL)
    assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]
    assert world.slack.called("views.update")[0]["view_id"] == "V7"


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


async def test_details_open_and_fill(world: World) -> None:
    """As with the steps: at once, and then with what GCS says."""
    await world.press(buttons.SHOW_DETAILS)
    assert "Asking" in str(world.slack.called("views.open")[0]["view"])
    assert "Namespace" not in str(world.slack.called("views.update")[0]["view"])
    assert ID in str(world.slack.called("views.update")[0]["view"])


def dialog(view: dict[str, Any]) -> dict[str, Any]:
    """A press in a dialog that the bot has opened."""
    opened = {"id": "V8", "type": "modal", "callback_id": "told", "private_metadata": view["private_metadata"]}
    return {"view": opened, "response_url": None, "channel": None}


async def test_the_level_is_chosen_in_a_dialog(world: World) -> None:
    """That of the channel where the card is; the dialog then shows the new one."""
    await world.press(buttons.SHOW_LEVELS, f"{ID}|C1")
    opened = dialog(world.slack.called("views.open")[0]["view"])
    await world.press(buttons.CHOOSE_LEVEL, "failures", **opened)
    assert world.subscriptions.asked == [("following", "C1", ID), ("change_level", "C1", ID, Level.FAILURES, "U1")]
    assert world.slack.called("views.update")[0]["view_id"] == "V8"


async def test_a_channel_is_told_of_successes(world: World) -> None:
    """It asks for that in the dialog, which then offers the opposite; a person's success is a message anyway."""
    await world.press(buttons.SHOW_LEVELS, f"{ID}|C1")
    view = world.slack.called("views.open")[0]["view"]
    await world.press(buttons.CHOOSE_SUCCESS, buttons.IN_CHANNEL, **dialog(view))
    assert world.subscriptions.asked[1:] == [("announce_success", "C1", ID, True, "U1")]
    (shown,) = world.slack.called("views.update")
    assert ("In the thread only" in str(shown), "Tell the channel, too" in str(view)) == (True, True)
    person = {"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": ""}}'}
    await world.press(buttons.CHOOSE_SUCCESS, buttons.IN_CHANNEL, **dialog(person))
    assert len(world.subscriptions.asked) == 2


async def test_a_dialog_is_no_authority(world: World) -> None:
    """Nobody decides for a private channel that they have left since, nor for another person."""
    world.slack.results["conversations.info"] = {"channel": {"id": "C9", "is_member": True, "is_private": True}}
    world.slack.results["conversations.members"] = {"members": ["U2"]}
    await world.press(
        buttons.CHOOSE_LEVEL,
        "final",
        **dialog({"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": "C9"}}'}),
    )
    assert world.subscriptions.asked == []
    await world.press(
        buttons.CHOOSE_LEVEL,
        "final",
        **dialog({"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": "U2"}}'}),
    )
    assert [asked[1] for asked in world.subscriptions.asked] == ["U1"]


@pytest.mark.parametrize(("action_id", "value"), [(buttons.CHOOSE_LEVEL, "loud"), (buttons.CHOOSE_LEVEL, "")])
async def test_an_unknown_level_is_refused(world: World, action_id: str, value: str) -> None:
    """The dialog shows a sentence, and nothing is changed."""
    await world.press(
        action_id, value, **dialog({"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": ""}}'})
    )
    assert world.subscriptions.asked == []
    assert sentence(InvalidInput(InputProblem.NOT_A_PAGE)) in str(world.slack.called("views.update")[0]["view"])


async def test_share_is_public_and_names_who_shared(world: World) -> None:
    """A shared summary is a message of its own in the channel."""
    await world.press(buttons.SHARE_EXECUTION)
    (answer,) = world.slack.answers
    assert answer["response_type"] == "in_channel"
    assert not answer["replace_original"]
    assert "<@U1>" in str(answer["blocks"])


def chosen(world: World, channel: str = "C7", **more: Any) -> dict[str, Any]:
    """The dialog in which somebody chose a channel."""
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
    """As if it had been pressed there; the dialog says so, and waits meanwhile."""
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
        ({"ok": False, "error": "channel_not_found"}, "cannot see who reads this conversation"),
    ],
)
async def test_share_obeys_the_rules_of_the_channel(world: World, info: dict[str, Any], sentence: str) -> None:
    """Of the one that was chosen; the dialog says why not."""
    world.slack.results["conversations.info"] = info
    await world.send(chosen(world))
    assert world.slack.answers == []
    assert sentence in str(world.slack.called("views.update")[-1]["view"])


async def test_share_goes_into_listed_channels_only() -> None:
    """Also where the dialog was opened elsewhere."""
    async with made(rules=AccessRules(channels=frozenset({"C1"}))) as world:
        await world.send(chosen(world))
        assert world.slack.answers == []
        assert world.slack.called("views.update")
        await world.send(chosen(world, "C1"))
        assert len(world.slack.answers) == 1


async def test_share_of_a_foreign_dialog_says_so(world: World) -> None:
    """What it remembers is not ours."""
    view = chosen(world)["view"] | {"private_metadata": "{}"}
    await world.send(chosen(world, view=view))
    assert world.slack.answers == []
    assert sentence(InvalidInput(InputProblem.NOT_A_PAGE)) in str(world.slack.called("views.update")[-1]["view"])


@pytest.mark.parametrize(
    "addresses",
    [[], [{}], [{"channel_id": "C7"}], [{"channel_id": "C7", "response_url": "https://evil.example/"}]],
)
async def test_share_without_an_address_says_so(world: World, addresses: list[Any]) -> None:
    """Nothing is sent, and nobody reads that it was."""
    await world.send(chosen(world, response_urls=addresses))
    assert world.slack.answers == []
    assert "<#" not in str(world.slack.called("views.update"))


async def test_a_press_at_home_publishes_home_again(world: World) -> None:
    """The Home tab takes no answer: the tab itself changes."""
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|U1", **HOME)
    assert world.subscriptions.asked == [("unsubscribe", "U1", ID), ("home", "U1")]
    assert world.slack.called("views.publish")[0]["user_id"] == "U1"


async def test_an_error_at_home_opens_a_modal(world: World) -> None:
    """The Home tab has no place for a sentence, so it comes in a modal."""
    world.subscriptions.error = InvalidInput(InputProblem.CARD_ENDED, execution_id=ID)
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, f"{ID}|U1", **HOME)
    assert "That card is not followed any more." in str(world.slack.called("views.open")[0]["view"])


async def test_an_outsider_gets_only_a_sentence(world: World) -> None:
    """In a shared channel, buttons do nothing for people of the other organisation, and say so."""
    await world.press(buttons.SHOW_STEPS, user={"id": "U7", "team_id": "T2"})
    assert "only people of the workspace" in world.reply
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
        assert "only people of the workspace" in world.reply
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


async def test_opening_home_shows_what_the_person_follows(world: World) -> None:
    """The Home tab is published when it is opened, not when the tab of messages is."""
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "messages"})
    (published,) = world.slack.called("views.publish")
    assert published["user_id"] == "U1"
    assert "deepvariant" in str(published["view"])


async def test_an_uninstalled_app_is_logged(world: World) -> None:
    """Those who run the bot can see why nothing works any more."""
    with capture_logs() as logs:
        await world.event({"type": "app_uninstalled"})
    (line,) = [line for line in logs if line["event"] == "handlers.app_gone"]
    assert (line["reason"], line["team_id"]) == ("app_uninstalled", "T1")


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


async def test_steps_without_a_trigger_have_a_sentence(world: World) -> None:
    """A press that brings nothing to open a dialog with is refused by Slack, and the person reads what to do."""
    world.slack.results["views.open"] = {"ok": False, "error": "invalid_trigger_id"}
    action = {"type": "button", "block_id": "b", "action_id": buttons.SHOW_STEPS, "value": ID}
    person, place = {"id": "U1", "team_id": "T1"}, {"channel": {"id": "C1"}, "team": {"id": "T1"}}
    answer = {"response_url": f"{world.slack.url}/hook"}
    await world.send({"type": "block_actions", "user": person, "actions": [action]} | place | answer)
    assert "Press the button once more" in world.reply
    assert world.subscriptions.asked == []


@pytest.mark.parametrize(("action_id", "verb"), [(buttons.END_RULE, "end"), (buttons.KEEP_RULE, "keep")])
async def test_a_rules_buttons_are_its_places(world: World, action_id: str, verb: str) -> None:
    """A person's act for who presses; a channel's in that channel only."""
    await world.press(action_id, f"{RULE.id}|U2")
    await world.press(action_id, f"{RULE.id}|C1")
    assert [asked[:3] for asked in world.subscriptions.asked] == [(verb, "U1", RULE.id), (verb, "C1", RULE.id)]
    await world.press(action_id, f"{RULE.id}|C2")
    assert world.slack.answers[-1]["text"] == sentence(InvalidInput(InputProblem.OTHER_CHANNEL))


@pytest.mark.parametrize(("action_id", "verb"), [(buttons.END_RULE, "end"), (buttons.KEEP_RULE, "keep")])
async def test_rules_are_decided_about_at_home(world: World, action_id: str, verb: str) -> None:
    """Their own, and those of channels that they are in; Home shows what became of it."""
    world.slack.results["conversations.members"] = {"members": ["U1"]}
    for whose in ("U1", "C1"):
        await world.press(action_id, f"{RULE.id}|{whose}", **HOME)
    assert [asked[:2] for asked in world.subscriptions.asked] == [
        (verb, "U1"),
        ("home", "U1"),
        (verb, "C1"),
        ("home", "U1"),
    ]


@pytest.mark.parametrize(
    ("rules", "members", "says"),
    [
        (AccessRules(), ["U2"], "You are not in that channel"),
        (AccessRules(channels=frozenset({"C2"})), ["U1"], "may not"),
    ],
)
async def test_rules_of_other_channels_stay(rules: AccessRules, members: list[str], says: str) -> None:
    """A button carries no right."""
    async with made(rules=rules) as world:
        world.slack.results["conversations.members"] = {"members": members}
        await world.press(buttons.END_RULE, f"{RULE.id}|C1", **HOME)
        assert world.subscriptions.asked == []
        assert says in str(world.slack.called("views.open")[-1]["view"])


async def test_a_rule_that_has_ended_says_so(world: World) -> None:
    """Somebody was faster."""
    world.subscriptions.rules.is_there = False
    await world.press(buttons.END_RULE, f"{RULE.id}|U1")
    assert world.reply == sentence(InvalidInput(InputProblem.RULE_ENDED))


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
    assert "Slack does not say" in str(world.slack.called("views.publish")[0]["view"])


async def test_refresh_at_home_shows_the_new_state(world: World) -> None:
    """The card is edited elsewhere; who pressed on Home looks at Home."""
    await world.chooses(buttons.REFRESH_CARD, f"{ID}|U1", **HOME)
    assert world.subscriptions.asked[-1] == ("home", "U1")
    assert len(world.slack.called("views.publish")) == 1
