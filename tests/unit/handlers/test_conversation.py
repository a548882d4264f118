"""Promises about what people type to the bot: the same as a command, once, and only where it was meant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.blocks.conversation import EXAMPLES
from bot.domain.access import AccessRules
from bot.domain.search import Found, Match
from bot.errors import GCSUnavailable, StoreUnavailable, TooManyRequests
from bot.slack.client import Identity
from handlers.conversation import HELPED, is_heard, line_of
from handlers.parsing import is_attempt, parse
from tests.unit.handlers.conftest import World, made
from tests.unit.handlers.doubles import ID

BOT = Identity("T1", "UBOT", "B1", None)
MENTION = {"type": "app_mention", "channel": "C1"}

LINES = [
    ("list", "list"),
    ("  list  ", "list"),
    ("<@UBOT> status abc", "status abc"),
    ("<@UBOT|execution-bot> status abc", "status abc"),
    ("hey <@UBOT>, status abc", ", status abc"),
    ("status abc <@UBOT>", "status abc"),
    ("<@UBOT>", ""),
    ("<@UBOT> <@U2> status abc", "status abc"),
    ("<@UBOT> /execution list", "list"),
    ("/execution", ""),
    ("<@UBOT>\nsubscribe\n abc", "subscribe abc"),
    ("status <http://germline.run|germline.run>", "status germline.run"),
    (f"status <http://x.y/{ID}|x.y/{ID}>", f"status x.y/{ID}"),
    (f"status <http://x.y/{ID}|x.y>", f"status <http://x.y/{ID}|x.y>"),
    (f"<https://x.y/{ID}|the run>", f"<https://x.y/{ID}|the run>"),
    ("status a&amp;b &lt;c&gt;", "status a&b <c>"),
    ("in <#C2|lab> <@UBOT> list", "list"),
]


@pytest.mark.parametrize(("text", "line"), LINES)
def test_the_command_is_found_in_a_text(text: str, line: str) -> None:
    """After the bot's name, or before it where nothing follows; without other people's."""
    mentioned = text.replace("<@UBOT|execution-bot>", "<@UBOT>")
    assert line_of({"text": mentioned}, "UBOT") == line


TYPED: dict[str, Any] = {"type": "message", "channel": "D1", "user": "U1", "ts": "1.2", "text": "list"}
UNHEARD: list[dict[str, Any]] = [
    {"user": "UBOT"},
    {"user": "USLACKBOT"},
    {"user": "B1"},
    {"user": None},
    {"bot_id": "B1"},
    {"bot_id": "B2", "app_id": "A2"},
    {"bot_profile": {"id": "B2"}},
    {"edited": {"user": "U1", "ts": "1.3"}},
    {"hidden": True},
    {"channel": "C1"},
    {"channel": None},
    {"ts": 7},
    {"text": None},
    {"type": "reaction_added"},
    *({"subtype": name} for name in ("message_changed", "message_deleted", "channel_join", "thread_broadcast")),
    *({"subtype": name} for name in ("bot_message", "me_message", "reminder_add", "of_tomorrow", ["x"])),
]


@pytest.mark.parametrize("change", UNHEARD, ids=str)
def test_all_else_is_not_heard(change: dict[str, Any]) -> None:
    """Bots, edits, deletions, joins, broadcasts, messages of channels, and what is malformed."""
    assert is_heard(TYPED, BOT)
    assert not is_heard(TYPED | change, BOT)
    if change.get("channel") != "C1":
        assert not is_heard(TYPED | {"type": "app_mention", "channel": "C1"} | change, BOT)


def test_words_beside_a_file_are_heard() -> None:
    """And mentions, in every kind of channel."""
    assert is_heard(TYPED | {"subtype": "file_share"}, BOT)
    assert all(is_heard(TYPED | MENTION | {"channel": channel}, BOT) for channel in ("C1", "G1", "D1"))


async def test_a_word_in_direct_messages_is_a_command(world: World) -> None:
    """Answered there by an ordinary message, in the thread if it was typed in one."""
    (answer,) = await world.says(ID)
    assert (answer["channel"], "thread_ts" in answer, "user" in answer) == ("D1", False, False)
    assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]
    (answer,) = await world.says("list", thread_ts="1772610000.000001")
    assert answer["thread_ts"] == "1772610000.000001"


async def test_a_mention_is_answered_privately(world: World) -> None:
    """For the one who asked, in the thread of the mention; `here` means the channel."""
    (answer,) = await world.says(f"<@UBOT> subscribe {ID} here", **MENTION, thread_ts="1772610000.000001")
    assert (answer["channel"], answer["user"], answer["thread_ts"]) == ("C1", "U1", "1772610000.000001")
    assert world.subscriptions.asked[0][:3] == ("subscribe", "C1", ID)
    assert not world.slack.called("chat.postMessage")


@pytest.mark.parametrize("text", ["help", "", "list", "running", f"follow {ID}", f"unsubscribe {ID}", "language zh"])
async def test_every_verb_is_understood(world: World, text: str) -> None:
    """As after the slash command; each counts against what one person may ask."""
    assert len(await world.says(text)) == 1
    assert len(await world.says(f"<@UBOT> {text}", **MENTION)) == 1
    assert world.subscriptions.admitted == ["U1", "U1"]


async def test_the_same_words_are_answered_once(world: World) -> None:
    """Slack repeats an event, or sends it as a mention and as a message."""
    body = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": TYPED | MENTION}
    for number in range(3):
        await world.arrives(body | {"event_time": number})
    await world.arrives(body | {"event_id": "Ev2"})
    direct = {"event_id": "Ev3", "event": TYPED}
    await world.arrives(body | direct)
    await world.arrives(body | direct | {"event_id": "Ev4", "event": TYPED | MENTION | {"channel": "D1"}})
    assert [len(world.slack.called(f"chat.{name}")) for name in ("postEphemeral", "postMessage")] == [1, 1]


async def test_a_message_of_a_channel_hides_no_mention(world: World) -> None:
    """An app that also hears all of a channel's messages gets the same text as a message first."""
    await world.says("<@UBOT> list", channel="C1", ts="5.1")
    assert called(world) == []
    assert len(await world.says("<@UBOT> list", **MENTION, ts="5.1")) == 1


async def test_what_is_not_heard_leaves_no_trace(world: World) -> None:
    """Slack sends the bot all its own direct messages: no call, no line, nothing in the store."""
    with capture_logs() as logs:
        for change in UNHEARD:
            if not {"ts", "type", "text"} & change.keys():
                await world.says("list", **change)
    assert (called(world), world.requests.seen, logs) == ([], set(), [])


def called(world: World) -> list[str]:
    """The calls of the bot; Bolt's own is the first one in tests."""
    return [method for method, _ in world.slack.calls if method != "auth.test"]


PROSE = [
    "thanks a lot",
    "hello",
    "what is this bot good for, and who runs it?",
    "it did, thank you",
    "好的",
    "👍",
    ":+1:",
]


@pytest.mark.parametrize("text", PROSE)
async def test_rubbish_is_explained_once(world: World, text: str) -> None:
    """In each conversation and to each person; then there is silence, and a command is still answered."""
    (help_,) = await world.says(text)
    assert "once an hour" in help_["text"]
    assert all(" " not in query for _, query, _ in world.subscriptions.queries)
    assert [await world.says(again) for again in (text, "what?", text)] == [[], [], []]
    assert len(await world.says("list")) == 1
    assert HELPED in world.requests.spans
    assert len(await world.says(f"<@UBOT> {text}", **MENTION)) == 1
    assert len(await world.says(text, user="U2", channel="D2")) == 1
    assert await world.says(text) == []


ATTEMPTS = ["subscribe", f"subscrbe {ID}", f"{ID} {ID}", "status nothing-like-this", "germline-7", "mute abc", "lsit"]


@pytest.mark.parametrize("text", ATTEMPTS)
async def test_a_command_with_a_mistake_is_always_answered(world: World, text: str) -> None:
    """With the sentence that a slash command has."""
    world.subscriptions.found = Found()
    texts = [(await world.says(text))[0]["text"] for _ in range(3)]
    assert len(set(texts)) == 1
    await world.command(text)
    assert texts[0] == world.reply


async def test_a_name_is_always_answered(world: World) -> None:
    """A word is rubbish only if nothing has it in its name."""
    await world.says("banana")
    world.subscriptions.found = Found((Match(ID, "banana-1"),))
    assert [len(await world.says("banana")) for _ in range(2)] == [1, 1]


async def test_prose_is_silent_while_gcs_is_away(world: World) -> None:
    """After the first sentence: thanks need no error. A command reads the error each time."""
    world.subscriptions.error = GCSUnavailable("503")
    assert ["is not answering" in each["text"] for each in await world.says("thanks")] == [True]
    assert await world.says("thanks") == []
    assert [len(await world.says(f"status {ID}")) for _ in range(2)] == [1, 1]


async def test_without_the_store_rubbish_is_not_answered(world: World) -> None:
    """It cannot know whether it has been; commands are."""
    world.requests.error = StoreUnavailable("away")
    assert await world.says("thanks") == []
    assert len(await world.says("list")) == 1


async def test_too_many_words_are_not_worked_on(world: World) -> None:
    """One person's limit holds, also for what only helps, and for rubbish."""
    world.subscriptions.refusal = TooManyRequests(timedelta(seconds=3), is_repeated=False)
    for text in ("help", "thanks", ID):  # prose of several words costs nothing but one answer an hour
        assert ["more than I accept" in each["text"] for each in await world.says(text)] == [True]
    world.subscriptions.refusal = TooManyRequests(timedelta(seconds=3), is_repeated=True)
    assert await world.says("help") == []
    assert world.subscriptions.asked == []


GUEST = {"user": {"id": "U1", "team_id": "T1", "is_restricted": True}}


async def test_refused_people_read_it_once(world: World) -> None:
    """In each conversation; nothing is done for them."""
    world.slack.results["users.info"] = GUEST
    (sentence,) = await world.says(ID)
    assert "guests" in sentence["text"]
    assert await world.says("list") == []
    assert len(await world.says("<@UBOT> list", **MENTION)) == 1
    assert world.subscriptions.asked == []
    assert world.subscriptions.admitted == []


@pytest.mark.parametrize("sign", [{"user_team": "T2"}, {"source_team": "T2"}])
async def test_an_event_may_name_its_team(world: World, sign: dict[str, str]) -> None:
    """Of another organisation: refused without a look. Of ours: known, also without the scope."""
    assert "people of the workspace" in (await world.says("<@UBOT> list", **MENTION, **sign))[0]["text"]
    assert not world.slack.called("users.info")
    world.slack.results["users.info"] = {"ok": False, "error": "missing_scope", "needed": "users:read"}
    own = dict.fromkeys(sign, "T1")
    event = TYPED | MENTION | own | {"ts": "9.9", "user": "U2", "text": "<@UBOT> list"}
    body = {"type": "event_callback", "team_id": "T1", "event_id": "Ev9", "event": event}
    await world.arrives(body | {"is_ext_shared_channel": True})
    assert world.subscriptions.asked == [("of", "U2"), ("of", "C1")]


async def test_the_allowed_channels_hold(world: World) -> None:
    """Direct messages are no channel."""
    async with made(rules=AccessRules(channels=frozenset({"C2"}))) as narrow:
        (refused,) = await narrow.says("<@UBOT> list", **MENTION)
        assert "am not allowed in this channel" in refused["text"]
        assert len(await narrow.says("list")) == 1


@pytest.mark.parametrize("code", ["user_not_in_channel", "not_in_channel", "channel_not_found", "is_archived"])
async def test_an_answer_finds_its_person(world: World, code: str) -> None:
    """Where the bot cannot answer in the channel, it does in direct messages, and says so."""
    world.slack.results["chat.postEphemeral"] = {"ok": False, "error": code}
    refused, answer = await world.says("<@UBOT> list", **MENTION)
    assert (refused["user"], answer["channel"]) == ("U1", "U1")
    assert "You asked me in <#C1>" in answer["text"]
    assert "thread_ts" not in answer


@pytest.mark.parametrize("place", [{}, MENTION])
async def test_refused_blocks_become_plain_text(world: World, place: dict[str, str]) -> None:
    """The person reads the same words."""
    name = "chat.postEphemeral" if place else "chat.postMessage"
    world.slack.results[name] = {"ok": False, "error": "invalid_blocks"}
    rich, plain = await world.says("<@UBOT> list", **place)
    assert rich["blocks"]
    assert "blocks" not in plain
    assert plain["text"] == rich["text"]


async def test_an_answer_waits_for_its_turn(world: World) -> None:
    """Posts in direct messages are under the limits of all posts; a 429 is remembered for everybody."""
    world.slack.refusing["chat.postMessage"] = ["1"]
    assert len(await world.says("list")) == 2
    assert "chat.postMessage" in world.limits.until
    assert [each.split("/")[0] for each in world.limits.admitted] == ["U1 U1", "U1 U1"]


async def test_an_answer_that_comes_too_late_is_lost(world: World) -> None:
    """The log says so; the person can ask again."""
    world.slack.refusing["chat.postMessage"] = ["60"]
    with capture_logs() as logs:
        await world.says("list")
    assert [line["why"] for line in logs if line["event"] == "slack.response_lost"] == ["ratelimited"]


async def test_slack_that_answers_again_is_noted(world: World) -> None:
    """The answer may be the first call that Slack takes after an outage."""
    world.limits.is_away = True
    await world.says("list")
    assert not world.limits.is_away


async def test_what_is_typed_is_not_logged(world: World) -> None:
    """Ids, verbs and problems only."""
    with capture_logs() as logs:
        for text in ("a-secret-word", "subscribe a-secret-word", "a secret word"):
            await world.says(text)
            await world.says(f"<@UBOT> {text}", **MENTION)
    assert len([line for line in logs if line["event"] == "handlers.answered"]) == 6
    assert "secret" not in str(logs)


def test_examples_are_lines_that_parse() -> None:
    """What the bot proposes to write is understood."""
    assert [parse(line) for line in EXAMPLES]
    assert not any(map(is_attempt, PROSE))
