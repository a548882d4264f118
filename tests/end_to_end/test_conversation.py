"""Typing to the bot as one would to a colleague: in its direct messages, and after its name; in both modes."""

from __future__ import annotations

import re

import pytest

from sandbox.slack import Fault
from tests.end_to_end.conftest import World
from tests.end_to_end.people import Person, labels, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOT = "<@U0BOT>"


async def test_direct_messages_take_commands(talk: World, carol: Person, running: str) -> None:
    """An id shows the execution as a message; its buttons work."""
    shown = await carol.asks(running)
    assert "1 of 3 steps" in words(shown)
    assert shown.user == talk.slack.workspace.bot_user
    assert not carol.read
    assert "Its card comes as a direct message." in (await carol.gets("Follow", shown)).text
    talk.gcs.step(running)
    await carol.chooses("Refresh", shown)
    await talk.slack.wait_for(lambda: "2 of 3 steps" in words(shown))


async def test_an_answer_finds_its_person(talk: World, carol: Person) -> None:
    """The bot cannot answer in the channel: it does in direct messages, and says what it answers."""
    method, channel = "chat.postEphemeral", carol.channel
    talk.slack.faults.add(Fault(kind="error", method=method, channel=channel, error="user_not_in_channel"))
    await carol.says(f"{BOT} list", carol.channel)
    await talk.slack.wait_for(lambda: carol.dm)
    assert f"You asked me in <#{carol.channel}>" in carol.dm[0].text
    assert "You follow no executions." in carol.dm[0].text


async def test_following_in_direct_messages_is_one_line(carol: Person, running: str) -> None:
    """The card below says the rest."""
    confirmation = await carol.asks(f"follow {running}")
    assert re.fullmatch(r"You follow \S+ now\. Its card comes below\.", confirmation.text)
    assert [block["type"] for block in confirmation.blocks] == ["section", "actions"]
    await carol.world.slack.wait_for(lambda: any("1 of 3" in words(each) for each in carol.dm))
    assert "Details" in [label for each in carol.dm for label in labels(each)]


async def test_a_mention_is_answered_privately(talk: World, carol: Person, running: str) -> None:
    """In the channel, and for the one who asked; `here` has the channel follow."""
    await carol.says(f"{BOT} {running}", carol.channel)
    assert "1 of 3 steps" in (await carol.next_answer(0)).text
    await carol.says(f"could you please {BOT} subscribe {running} here", carol.channel)
    assert "This channel follows" in (await carol.next_answer(1)).text
    posted = talk.slack.messages(carol.channel)
    assert [each.user for each in posted[:2]] == [carol.id, carol.id]


async def test_a_mention_in_a_thread_is_answered_there(talk: World, carol: Person) -> None:
    """Where the person reads."""
    parent = talk.slack.say(carol.id, carol.channel, "what runs?")
    await talk.slack.types(carol.id, carol.channel, f"{BOT} running", thread_ts=parent.ts)
    assert (await carol.next_answer(0)).thread_ts == parent.ts


async def test_nothing_is_answered_twice(talk: World, carol: Person) -> None:
    """Slack sends each event three times, and mentions as messages too: one answer each."""
    talk.slack.echoes = 2
    talk.slack.hearing.events.add("message.channels")
    try:
        sent = await carol.says(f"{BOT} help", carol.channel)
        direct = await carol.asks("help")
    finally:
        talk.slack.echoes = 0
        talk.slack.hearing.events.remove("message.channels")
    assert [done.attempts for done in sent] == [3, 3]
    assert "/execution list" in direct.text
    await carol.asks("list")  # what was said before has been worked on by now
    assert len(carol.read) == 1
    assert [each.user == carol.id for each in carol.dm] == [True, False, True, False]


async def test_only_new_words_of_people_are_answered(talk: World, carol: Person) -> None:
    """Edits, deletions, joins, broadcasts, other bots and the bot itself: acked, and that is all."""
    slack, channel = talk.slack, carol.channel
    slack.hearing.events.add("message.channels")
    other = slack.add_user("deploy-bot")
    slack.workspace.users[other].is_bot = True
    slack.workspace.channels[channel].members.add(other)
    first = slack.say(carol.id, channel, "what is running?")
    try:
        done = [
            *(await slack.types(other, channel, f"{BOT} list", bot_id="B0OTHER")),
            *(await slack.edits(first, f"{BOT} list")),
            *(await slack.types(carol.id, channel, f"{BOT} list", thread_ts=first.ts, is_broadcast=True)),
            *(await slack.joins(other, channel)),
            *(await slack.deletes(first)),
        ]
    finally:
        slack.hearing.events.remove("message.channels")
    assert len(done) == 8
    assert all(each.acked for each in done)
    await carol.asks("list")
    assert not carol.read
    assert not slack.ephemerals(other)
    assert [each.user for each in carol.dm] == [carol.id, slack.workspace.bot_user]


async def test_prose_is_explained_once(talk: World, carol: Person) -> None:
    """Then the bot is silent, until somebody asks it something."""
    assert "once an hour" in (await carol.asks("thank you so much")).text
    for text in ("thanks again", "no, really", "you are welcome"):
        await carol.says(text)
    assert "You follow no executions." in (await carol.asks("list")).text
    assert [each.user for each in carol.dm].count(talk.slack.workspace.bot_user) == 2


async def test_the_log_has_no_word_that_was_typed(talk: World, carol: Person) -> None:
    """Neither what was understood nor what was not, at any level of the log."""
    await carol.asks("subscribe hush-hush-1")
    await carol.asks("psst, hush-hush, please")
    assert "hush" not in talk.bot.log
    (line,) = [each for each in talk.bot.logged("handlers.answered") if each.get("verb") == "subscribe"][-1:]
    assert (line["listener"], line["actor"], line["problem"]) == ("message", carol.id, "not_named")
