"""The shortcuts: from a message or from everywhere to a subscription, by a modal, in both modes."""

from __future__ import annotations

import json

import pytest

from sandbox import story
from sandbox.slack.state import View
from tests.end_to_end.conftest import World
from tests.end_to_end.people import Person, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def opened(carol: Person, text: str, ts: str = "") -> View:
    """Use the shortcut from everywhere, or on a message; returns the modal once it says `text`."""
    name = "follow_this_execution" if ts else "follow_execution"
    place = {"channel": carol.channel, "ts": ts} if ts else {}
    done = await carol.world.slack.shortcut(carol.id, name, **place)
    assert done.acked, done.error
    return await carol.modal(text)


async def submitted(carol: Person, view: View, text: str, **values: str) -> View:
    """Submit the modal; returns it once it says `text`."""
    done = await carol.world.slack.submit(carol.id, view.id, values)
    assert done.acked, done.error
    assert done.acked_in < 3
    return await carol.modal(text)


async def test_the_modal_follows_for_a_person(carol: Person, running: str) -> None:
    """The card comes in direct messages, and the modal says so."""
    await submitted(carol, await opened(carol, "Execution"), "Its card comes as a direct message.", query=running)
    assert "1 of 3 steps" in words(await carol.card(text="1 of 3 steps"))


async def test_the_overview_opens_the_modal(carol: Person, running: str) -> None:
    """`/execution` alone has a button for people who type no more."""
    await carol.presses("Follow an execution …", await carol.types(""))
    await submitted(carol, await carol.modal("Execution"), "Its card comes as a direct message.", query=running)
    await carol.card(text="1 of 3 steps")


async def test_the_modal_follows_for_a_channel(talk: World, carol: Person, running: str) -> None:
    """At the level that was chosen, and only for a channel that the person is in."""
    view = await opened(carol, "Execution")
    elsewhere = talk.slack.add_channel("elsewhere", members=(talk.alice,))
    again = await submitted(carol, view, "You are not in that channel", query=running, channel=elsewhere)
    await submitted(carol, again, "This channel follows", query=running, channel=carol.channel, level="final")
    await carol.card(carol.channel, text="1 of 3 steps")
    assert talk.slack.messages(elsewhere) == []


async def test_a_quick_result_stays(talk: World, carol: Person, running: str) -> None:
    """Though Slack shows later that the bot works, which it had heard earlier."""
    talk.slack.modal_delay = 0.7
    try:
        view = await opened(carol, "Execution")
        done = await talk.slack.submit(carol.id, view.id, {"query": running})
        assert "Asking GeneContainer Service" in json.dumps(done.ack_body, ensure_ascii=False)
        await carol.modal("Its card comes as a direct message.")
    finally:
        talk.slack.modal_delay = 0.0


async def test_a_mistake_keeps_the_modal_open(carol: Person, running: str) -> None:
    """With the sentence, and what was typed."""
    again = await submitted(carol, await opened(carol, "Execution"), "knows no such execution", query=UNKNOWN)
    assert UNKNOWN in words(again)
    await submitted(carol, again, "You follow", query=running)


async def test_a_message_names_one_execution(talk: World, carol: Person, running: str) -> None:
    """Its id is enough: the modal shows its name, and follows it at one press."""
    said = talk.slack.say(talk.alice, carol.channel, f"is <https://x.y/#/{running}|this> done?")
    view = await opened(carol, "Running", said.ts)
    await submitted(carol, view, "Its card comes as a direct message.", execution=running)


async def test_a_name_in_a_message_is_found(talk: World, carol: Person) -> None:
    """Also where it is a part of others; several are asked about."""
    pair = [talk.gcs.play(story.happy(3), by_hand=True) for _ in range(2)]
    names = [(talk.gcs.body(each) or {})["execution"]["name"] for each in pair]
    said = talk.slack.say(talk.alice, carol.channel, f"compare *{names[0]}* and `{names[1]}`, please")
    view = await opened(carol, pair[0], said.ts)
    assert pair[1] in words(view)
    await submitted(carol, view, "Its card comes as a direct message.", execution=pair[1])


async def test_a_message_without_any_says_so(talk: World, carol: Person) -> None:
    """And lets the person type."""
    said = talk.slack.say(talk.alice, carol.channel, "good morning")
    assert "plain_text_input" in words(await opened(carol, "I found no execution in that message", said.ts))
