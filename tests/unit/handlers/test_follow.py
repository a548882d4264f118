"""Promises about the shortcuts and their modal: an execution is found, chosen, and followed under the same rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.blocks.follow_modal import Entered, follow_modal, parse_entered, working
from bot.blocks.language import Language, speaking
from bot.domain.access import AccessRules
from bot.domain.following import Level
from bot.domain.search import Found, Match
from bot.errors import ExecutionNotFound, GCSListForbidden, StoreUnavailable, TooManySubscriptions
from handlers.mentioned import named_in
from sandbox.slack.blockkit import view_problems
from tests.unit.handlers.conftest import World, made
from tests.unit.handlers.doubles import ID

OTHER_ID = "00000000-1111-4222-8333-444444444444"
NAME = "germline-wgs-11-29-133329-14"
INFO, MEMBERS = "conversations.info", "conversations.members"
OURS = {"id": "C1", "is_member": True, "is_private": False, "is_ext_shared": False, "is_pending_ext_shared": False}

MESSAGES: list[tuple[Any, tuple[str, ...], tuple[str, ...]]] = [
    ({"text": f"look at {ID.upper()} please"}, (ID,), ()),
    ({"text": f"<https://x.y/#/{ID}?tab=steps|the run> and `{OTHER_ID}`"}, (ID, OTHER_ID), ()),
    ({"text": "x", "blocks": [{"type": "actions", "elements": [{"value": f"{ID}|C1"}]}]}, (ID,), ()),
    ({"text": "x", "attachments": [{"fields": [{"title": "run", "value": ID}]}]}, (ID,), ()),
    ({"text": f"has anybody seen {NAME}?"}, (), (NAME,)),
    ({"text": f"*{NAME}*, `e19d3faf`, on 2026-11-29 with v1.2 of <https://a-1.b/c-2|it>"}, (), (NAME, "e19d3faf")),
    ({"blocks": [{"elements": [{"elements": [{"type": "text", "text": f"run {NAME}"}]}]}]}, (), (NAME,)),
    ({"text": "全外显子检测-2026-7 又失败了"}, (), ("全外显子检测-2026-7",)),
    ({"text": f"{NAME}怎么还没跑完"}, (), (f"{NAME}怎么还没跑完", NAME)),
    ({"text": "hello <@U1>, <!date^1772620000^{date}|2026-03-04>"}, (), ()),
    ({"text": "a-1b a-2b run-1 run-22 run-333 run-4444"}, (), ("run-4444", "run-333", "run-22")),
    ({"text": 7, "blocks": [None, [[[]]]], "attachments": {}}, (), ()),
    (None, (), ()),
    ([], (), ()),
]


@pytest.mark.parametrize(("message", "ids", "names"), MESSAGES, ids=lambda each: str(each)[:30])
def test_a_message_names_executions(message: Any, ids: tuple[str, ...], names: tuple[str, ...]) -> None:
    """By ids anywhere in it, or by words that look like names where people read."""
    assert named_in(message) == (ids, names)


def test_a_hostile_message_is_bounded() -> None:
    """However large, deep or full of ids it is."""
    deep: Any = ID
    for _ in range(50):
        deep = [deep]
    ids = " ".join(f"{number:08x}-1111-4222-8333-444444444444" for number in range(99))
    found = named_in({"text": f"{ids} {'x-1 ' * 100_000}{NAME}", "blocks": deep})
    assert (len(found.ids), found.names) == (10, ())


HOSTILE = "<!channel> *x* `y` \u202e" + "z" * 300
CHOICES = tuple(Match(f"{number:08x}-1111-4222-8333-444444444444", HOSTILE, HOSTILE) for number in range(15))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "entered",
    [Entered(), Entered(query=HOSTILE), Entered("x", "", "C1", "final"), Entered(choices=CHOICES), Entered(level="?")],
    ids=["empty", "typed", "filled", "choices", "odd"],
)
def test_a_modal_is_within_slacks_limits(entered: Entered, language: Language) -> None:
    """Whatever stands in it; and it knows again what was in it."""
    with speaking(language):
        view = follow_modal(entered, level=Level.MILESTONES, problem=HOSTILE, more=3)
        assert view_problems(view) == view_problems(working(entered)) == []
    again, spoken = parse_entered({}, view["private_metadata"])
    assert ([each.execution_id for each in again.choices], spoken) == (
        [each[0] for each in entered.choices[:10]],
        language,
    )


@pytest.mark.parametrize("metadata", ["", "x", "[]", "{}", '{"choices": 1}', '{"choices": [[1]], "language": []}'])
def test_foreign_metadata_is_refused(metadata: str) -> None:
    """It is of no modal of ours."""
    with pytest.raises(ValueError, match="metadata"):
        parse_entered({}, metadata)


async def uses(world: World, message: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Somebody uses the shortcut on a message, or the one from everywhere; returns the modal in front of them."""
    body = {"user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}, "trigger_id": "t.1"}
    if message is None:
        body |= {"type": "shortcut", "callback_id": "follow_execution"}
    else:
        body |= {"type": "message_action", "callback_id": "follow_this_execution", "message": message}
        body |= {"channel": {"id": "C1"}, "response_url": f"{world.slack.url}/hook"}
    await world.send(body | more)
    return shown(world)


def shown(world: World) -> dict[str, Any]:
    """The modal as it is now."""
    views = [body["view"] for name, body in world.slack.calls if name in {"views.open", "views.update"}]
    found: dict[str, Any] = views[-1] if isinstance(views[-1], dict) else json.loads(views[-1])
    return found


async def submits(world: World, view: dict[str, Any], **values: str) -> dict[str, Any]:
    """They fill it in and submit it; returns what it shows then."""
    state: dict[str, Any] = {}
    for block in view["blocks"]:
        name = block.get("block_id", "")
        if block["type"] == "input" and name in values:
            kind = block["element"]["type"]
            fields: dict[str, dict[str, Any]] = {
                "plain_text_input": {"value": values[name]},
                "radio_buttons": {"selected_option": {"value": values[name]}},
                "conversations_select": {"selected_conversation": values[name]},
                "timepicker": {"selected_time": values[name]},
            }
            state[name] = {name: {"type": kind, **fields[kind]}}
    body = {"type": "view_submission", "user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}, "trigger_id": "t.2"}
    sent = {"id": "V1", **view, "state": {"values": state}}
    response = await world.send(body | {"view": sent})
    acked = json.loads(response.body or "{}")
    assert acked["response_action"] == "update"
    assert view_problems(acked["view"]) == []
    return shown(world)


def labels(view: dict[str, Any], field: str) -> list[str]:
    """What there is to choose from in a field."""
    (block,) = [block for block in view["blocks"] if block.get("block_id") == field]
    return [option["text"]["text"] for option in block["element"]["options"]]


async def test_the_modal_follows_by_id_or_name(world: World) -> None:
    """For the person at the level that they choose; what it says then has no buttons."""
    world.slack.results[MEMBERS] = {"members": ["U1"]}
    view = await uses(world)
    done = await submits(world, view, query=f"`{ID}`", level="final")
    assert "Its card comes as a direct message." in str(done)
    assert "actions" not in [block["type"] for block in done["blocks"]]
    world.subscriptions.found = Found((Match(OTHER_ID, NAME),))
    await submits(world, view, query=NAME, level="steps", channel="C1")
    assert world.subscriptions.asked == [
        ("subscribe", "U1", ID, Level.FINAL, "U1"),
        ("subscribe", "C1", OTHER_ID, Level.STEPS, "U1"),
    ]
    assert world.subscriptions.admitted == ["U1"] * 3


async def test_several_are_chosen_from(world: World) -> None:
    """What else was entered stays."""
    world.slack.results[MEMBERS] = {"members": ["U1"]}
    world.subscriptions.found = Found((Match(ID, f"{NAME}-a", "Running"), Match(OTHER_ID, f"{NAME}-b", "Failed")), 5)
    choice = await submits(world, await uses(world), query=NAME, channel="C1", level="final")
    assert labels(choice, "execution") == [f"{NAME}-a · Running · e19d3faf", f"{NAME}-b · Failed · 00000000"]
    assert "and 5 more" in str(choice)
    assert world.subscriptions.asked == []
    fields = {block["block_id"]: block["element"] for block in choice["blocks"] if block["type"] == "input"}
    assert fields["channel"]["initial_conversation"] == "C1"
    assert fields["level"]["initial_option"]["value"] == "final"
    await submits(world, choice, execution=OTHER_ID, channel="C1", level="final")
    assert world.subscriptions.asked == [("subscribe", "C1", OTHER_ID, Level.FINAL, "U1")]


async def test_a_result_waits_for_the_answer(world: World) -> None:
    """While the modal shows what was submitted, it is yet to show that the bot works: the result comes again."""
    view = await uses(world) | {"hash": "1.submitted"}
    conflict = {"ok": False, "error": "hash_conflict"}
    world.slack.first_results["views.update"] = [{"view": {"hash": "2.result"}}, conflict]
    await submits(world, view, query=ID)
    calls = world.slack.called("views.update")
    assert [call.get("hash", "") for call in calls] == ["1.submitted", "2.result", ""]
    assert all("Its card comes as a direct message." in str(call["view"]) for call in calls)


MISTAKES = [
    ("", "Which execution?"),
    (f"{ID} {OTHER_ID}", "One execution at a time"),
    (ID[:-1], "not a whole execution id"),
    ("nothing-like-it-7", "No execution has"),
    ("x" * 300, "No execution has"),
]


@pytest.mark.parametrize(("query", "words"), MISTAKES)
async def test_a_mistake_is_mended_in_the_modal(world: World, query: str, words: str) -> None:
    """One sentence above what was entered."""
    again = await submits(world, await uses(world), query=query, level="steps")
    assert words in again["blocks"][0]["text"]["text"]
    assert again["submit"]
    assert world.subscriptions.asked == []


async def test_a_mistake_that_cannot_be_shown_is_explained(world: World) -> None:
    """In a direct message: the modal says for ever that GCS is asked."""
    view = await uses(world)
    world.slack.results["views.update"] = {"ok": False, "error": "view_too_large"}
    await submits(world, view, query="nothing-like-it-7")
    (call,) = world.slack.called("chat.postMessage")
    assert (call["channel"], "Slack refuses that" in call["text"]) == ("U1", True)


@pytest.mark.parametrize("error", [ExecutionNotFound(), GCSListForbidden(), TooManySubscriptions(3, is_person=True)])
async def test_an_error_of_others_is_said_there(world: World, error: Exception) -> None:
    """The caps of a person and of a channel among them."""
    view = await uses(world)
    world.subscriptions.error = error
    again = await submits(world, view, query=ID)
    assert "⚠️" in again["blocks"][0]["text"]["text"]
    assert again["submit"]
    world.subscriptions.error = StoreUnavailable("away")
    assert "my own memory" in str(await submits(world, view, query=ID))


NOT_THEIRS: list[tuple[str, dict[str, Any], AccessRules, str]] = [
    ("C1", {MEMBERS: {"members": ["U2"]}}, AccessRules(), "You are not in that channel"),
    ("C1", {INFO: {"channel": OURS | {"is_private": True}}, MEMBERS: {"members": []}}, AccessRules(), "not in that"),
    ("C1", {INFO: {"channel": OURS | {"is_member": False}}}, AccessRules(), "I am not in this channel"),
    ("C1", {INFO: {"channel": OURS | {"is_archived": True}}}, AccessRules(), "archived"),
    ("C1", {INFO: {"ok": False, "error": "channel_not_found"}}, AccessRules(), "I am not in this channel"),
    ("C1", {MEMBERS: {"members": ["U1"]}}, AccessRules(channels=frozenset({"C2"})), "am not allowed in this"),
    ("D1", {}, AccessRules(), "this kind of conversation"),
    ("U2", {}, AccessRules(), "this kind of conversation"),
    ("C1|C2", {}, AccessRules(), "this kind of conversation"),
]


@pytest.mark.parametrize(("channel", "results", "rules", "words"), NOT_THEIRS, ids=lambda each: str(each)[:40])
async def test_nobody_follows_for_another_channel(
    channel: str, results: dict[str, Any], rules: AccessRules, words: str
) -> None:
    """The bot may be used there and is in it, and so is the person: what a modal says is no authority."""
    async with made(rules=rules) as world:
        world.slack.results |= results
        again = await submits(world, await uses(world), query=ID, channel=channel)
        assert words in again["blocks"][0]["text"]["text"]
        assert world.subscriptions.asked == []


async def test_a_shared_channel_waits_for_approval(world: World) -> None:
    """It follows, and the modal says that nothing is posted before."""
    world.slack.results |= {INFO: {"channel": OURS | {"is_ext_shared": True}}, MEMBERS: {"members": ["U1"]}}
    done = await submits(world, await uses(world), query=ID, channel="C1")
    assert "approves that" in str(done)
    assert world.channels.records["T1/C1"].notified == {"U1"}


async def test_a_message_with_one_id_fills_the_modal(world: World) -> None:
    """With its name and state, ready to be followed."""
    view = await uses(world, {"text": f"what about {ID}"})
    assert labels(view, "execution") == ["deepvariant · Running · e19d3faf"]
    assert view["blocks"][0]["element"]["initial_option"]["value"] == ID
    await submits(world, view, execution=ID)
    assert world.subscriptions.asked[-1][:3] == ("subscribe", "U1", ID)


async def test_a_message_with_several_asks_which(world: World) -> None:
    """Ids with the names that are known, or what the names in it fit."""
    view = await uses(world, {"text": f"{ID} or {OTHER_ID}"})
    assert labels(view, "execution") == ["deepvariant · Running · e19d3faf", OTHER_ID]
    world.subscriptions.found = Found((Match(ID, f"{NAME}-a"), Match(OTHER_ID, f"{NAME}-b")))
    assert len(labels(await uses(world, {"text": f"see {NAME}"}), "execution")) == 2
    assert world.subscriptions.queries == [("U1", NAME, False)]


async def test_a_message_without_any_says_so(world: World) -> None:
    """And what was found wrong, with a field to write in."""
    for text in ("good morning", f"is {NAME} done?"):
        view = await uses(world, {"text": text})
        assert "I found no execution in that message" in view["blocks"][0]["text"]["text"]
        assert view["blocks"][1]["element"]["type"] == "plain_text_input"
    world.subscriptions.error = GCSListForbidden()
    assert "search by name" in str(await uses(world, {"text": f"is {NAME} done?"}))


@pytest.mark.parametrize("message", [None, {"text": ID}])
async def test_shortcuts_refuse_guests(world: World, message: dict[str, Any] | None) -> None:
    """In a modal where there is no other place."""
    world.slack.results["users.info"] = {"user": {"id": "U1", "team_id": "T1", "is_restricted": True}}
    if message is None:
        assert "guests" in str(await uses(world))
    else:
        with pytest.raises(IndexError):
            await uses(world, message)
        assert "guests" in world.reply
    assert world.subscriptions.asked == []


async def test_a_modal_keeps_its_language(world: World) -> None:
    """From its first word to its last, before anybody has looked up who submits it."""
    world.choices.chosen["T1/U1"] = Language.CHINESE
    view = await uses(world)
    assert view["title"]["text"] == "关注任务"
    done = await submits(world, view, query=ID)
    assert done["title"]["text"] == "关注任务"
