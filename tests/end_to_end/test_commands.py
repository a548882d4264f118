"""Typing `/execution`: each command has its response, in both modes."""

from __future__ import annotations

import asyncio
import json

import pytest

from sandbox import story
from sandbox.gcs import Fault
from tests.end_to_end.conftest import World, answers_forgotten
from tests.end_to_end.people import Person, labels, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_an_id_shows_the_execution_privately(talk: World, carol: Person, running: str) -> None:
    """Name, phase, progress, age and id, with buttons for the next steps; nobody else sees it."""
    shown = await carol.types(running)
    body = talk.gcs.body(running)
    assert body is not None
    for part in (body["execution"]["name"], "Running", "1 of 3 steps", "As of", running):
        assert part in words(shown)
    assert labels(shown) == ["Steps", "Follow", "Refresh", "Details", "Share to channel"]
    assert not talk.slack.messages(carol.channel)


@pytest.mark.parametrize(
    "spelled",
    [
        '"{}"',
        "`{}`",
        "“{}”.",
        "status {}",
        "https://console.example.com/gcs/#/{}?tab=steps",
        "<https://x.y/{}|the run>",
    ],
)
async def test_an_id_is_understood_however_it_was_pasted(carol: Person, running: str, spelled: str) -> None:
    """Quoted, as code, in an address, in capitals: the same answer as for the bare id."""
    shown = await carol.types(spelled.format(running.upper()))
    assert "1 of 3 steps" in shown.text


async def test_a_name_is_understood_like_an_id(talk: World, carol: Person, running: str) -> None:
    """The whole name, with a large letter, or the first digits of the id."""
    body = talk.gcs.body(running)
    assert body is not None
    for text in (body["execution"]["name"].capitalize(), running[:8]):
        assert "1 of 3 steps" in (await carol.types(text)).text


async def test_a_part_of_names_is_asked_about(talk: World, carol: Person, running: str) -> None:
    """Nothing is followed before one of several is picked."""
    talk.gcs.play(story.happy(2), by_hand=True)
    shown = await carol.types("follow germline")
    assert "Which one?" in shown.text
    assert set(labels(shown)) == {"Follow"}
    assert "Its card comes as a direct message." in (await carol.gets("Follow", shown)).text


async def test_what_runs_is_listed(carol: Person, running: str) -> None:
    """With a button that shows it."""
    shown = await carol.types("running")
    assert "running" in shown.text
    assert "Running" in (await carol.gets("Show", shown)).text


async def test_nothing_typed_shows_examples(carol: Person, running: str) -> None:
    """Beside what is followed."""
    await carol.types(f"subscribe {running}")
    shown = await carol.types("")
    assert "1 execution" in shown.text
    assert "/execution running" in shown.text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (UNKNOWN, "knows no such execution"),
        (f"subscribe {UNKNOWN}", "knows no such execution"),
        ("e19d3faf-9f04", "No execution has"),
        ("subscribe", "Which execution?"),
        ("subscribe me", "Which execution?"),
        (f"subscrbe {UNKNOWN}", f"/execution subscribe {UNKNOWN}"),
        ("lsit", "/execution list"),
        ("banana", "/execution help"),
        (f"subscribe {UNKNOWN} here me", "Either"),
        (f"list {UNKNOWN}", "takes no id"),
        (f"unsubscribe {UNKNOWN}", "nothing to stop"),
        (f"unsubscribe {UNKNOWN} here", "This channel does not follow"),
        ("<!channel> `*_~", "For another channel, type it there"),
    ],
)
async def test_a_mistake_gets_a_sentence(carol: Person, text: str, sentence: str) -> None:
    """What does not exist, is misspelt or incomplete: the response says so and shows the right command."""
    shown = await carol.types(text)
    assert sentence in shown.text
    assert "<!channel>" not in words(shown)


@pytest.mark.parametrize("text", ["help", "?", "  HELP "])
async def test_help_shows_every_line(carol: Person, text: str) -> None:
    """Without arguments, or with `help`: all commands."""
    shown = await carol.types(text)
    for verb in ("subscribe", "unsubscribe", "list", "help", "here", "final"):
        assert verb in shown.text


async def test_subscribing_again_changes_the_level(carol: Person, running: str) -> None:
    """Now, already, another level: three responses, one card."""
    assert "Its card comes as a direct message." in (await carol.types(f"subscribe {running}")).text
    assert "already follow" in (await carol.types(f"subscribe {running}")).text
    changed = await carol.types(f"subscribe {running} final")
    assert "failures and the end (was: every step)" in changed.text
    await carol.card(text="failures and the end")
    assert len(carol.dm) == 1


async def test_who_reads_twice_keeps_one(talk: World, carol: Person, running: str) -> None:
    """In the channel and in person: the reply says so, and one press leaves it to the channel."""
    await carol.types(f"subscribe {running}")
    here = await carol.types(f"subscribe {running} here")
    assert "You follow it yourself too" in here.text
    await asyncio.gather(carol.card(), carol.card(carol.channel))
    assert "You no longer follow it." in (await carol.gets("Stop following it myself", here)).text
    await talk.slack.wait_for(lambda: "no longer followed" in words(carol.dm[0]))
    again = await carol.types(f"subscribe {running}")
    assert f"It is followed in <#{carol.channel}> too" in again.text
    assert "1 execution" in (await carol.types("list here")).text


async def test_a_summary_knows_that_one_follows(carol: Person, running: str) -> None:
    """It says so, and offers the way out in place of the way in."""
    await carol.types(f"subscribe {running} phase")
    shown = await carol.types(running)
    assert "You follow it: phases and every quarter" in words(shown)
    assert "Stop following" in labels(shown)


async def test_unsubscribing_ends_it_or_says_there_was_none(carol: Person, running: str) -> None:
    """The second time there is nothing to stop."""
    await carol.types(f"subscribe {running}")
    await carol.card()
    assert "no longer" in (await carol.types(f"unsubscribe {running}")).text
    assert "nothing to stop" in (await carol.types(f"unsubscribe {running}")).text
    await carol.card(text="no longer followed")


async def test_the_list_separates_mine_from_the_channels(talk: World, carol: Person, running: str) -> None:
    """`list` shows what the person follows, and apart from that what the channel follows; `list here` only this."""
    other = talk.gcs.play(story.failing(4), by_hand=True)
    assert "You follow no executions." in (await carol.types("list")).text
    await carol.types(f"subscribe {running}")
    await carol.types(f"subscribe {other} here")
    mine, ours = await carol.types("list"), await carol.types("list here")
    own, _, here = words(mine).partition("This channel follows 1 execution")
    assert (running in own + here, other in here) == (True, True)
    assert running in json.dumps(mine.blocks[1])
    assert (running in words(ours), other in words(ours)) == (False, True)


async def test_what_has_succeeded_cannot_be_followed(talk: World, carol: Person) -> None:
    """The response states the outcome; no card is posted and nothing is listed."""
    execution_id = talk.gcs.play(story.happy(3), by_hand=True)
    talk.gcs.step(execution_id, to="succeeded")
    shown = await carol.types(f"subscribe {execution_id}")
    assert "(3 of 3 steps in 1 h). There is nothing left to follow" in shown.text
    assert "You follow no executions." in (await carol.types("list")).text
    assert not carol.dm


async def test_here_subscribes_the_channel(talk: World, carol: Person, running: str) -> None:
    """The card is in the channel, the response is for the person."""
    shown = await carol.types(f"subscribe {running} here")
    assert "Its card comes as a message." in shown.text
    card = await carol.card(carol.channel)
    assert "Stop following here …" in labels(card)
    assert not carol.dm


@pytest.mark.parametrize(
    ("channel", "sentence"),
    [
        ({"bot_is_member": False}, "Invite me"),
        ({"bot_is_member": False, "private": True}, "Invite me"),
        ({"archived": True}, "archived"),
    ],
)
async def test_here_is_refused_where_the_bot_cannot_post(
    talk: World, running: str, channel: dict[str, bool], sentence: str
) -> None:
    """The sentence says how to fix it, and no subscription is made that could not be delivered."""
    dave = Person.new(talk, **channel)
    shown = await dave.types(f"subscribe {running} here")
    assert sentence in shown.text
    talk.slack.invite_bot(dave.channel)  # a private channel cannot be listed without it
    assert "No executions" in (await dave.types("list here")).text
    assert not talk.slack.messages(dave.channel)


async def test_here_in_a_direct_message_means_me(talk: World, carol: Person, running: str) -> None:
    """A direct message has one reader, so the person follows."""
    carol.channel = talk.slack.dm(carol.id)
    assert "You follow" in (await carol.types(f"subscribe {running} here")).text
    assert running in words(await carol.types("list"))
    assert "no longer" in (await carol.types(f"unsubscribe {running} here")).text


async def test_people_do_not_see_each_others_subscriptions(talk: World, carol: Person, running: str) -> None:
    """What one person follows is in nobody else's list, and nobody else can end it."""
    dave = Person.new(talk)
    await carol.types(f"subscribe {running}")
    assert "You follow no executions." in (await dave.types("list")).text
    assert "nothing to stop" in (await dave.types(f"unsubscribe {running}")).text
    assert running in words(await carol.types("list"))


NO_API = {"error_code": "APIGW.0101", "error_msg": "The API does not exist"}


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(kind="status", status=403), "not allowed to read"),
        (Fault(kind="status", status=404, body=NO_API), "wrong address of GeneContainer"),
        (Fault(kind="status", status=429, retry_after=1), "slow down"),
        (Fault(kind="status", status=503), "is not answering right now"),
        (Fault(kind="html"), "is not answering right now"),
        (Fault(kind="malformed"), "not an execution"),
        (Fault(kind="malformed", body={"execution": []}), "not an execution"),
    ],
    ids=["403", "no such API", "429", "503", "proxy", "cut JSON", "no execution"],
)
async def test_each_failure_of_gcs_has_its_sentence(
    talk: World, carol: Person, running: str, fault: Fault, sentence: str
) -> None:
    """The person learns what is wrong and whom to ask; the vendor's own words appear in the log only."""
    fault.execution_id = running
    talk.gcs.faults.add(fault)
    try:
        shown = await carol.types(running)
    finally:
        talk.gcs.faults.clear()
    assert sentence in shown.text
    assert "APIG" not in words(shown)


async def test_a_followed_execution_shows_without_gcs(talk: World, carol: Person, running: str) -> None:
    """While GCS does not respond, the last poll is shown, and since when GCS is unreachable."""
    await carol.types(f"subscribe {running}")
    await answers_forgotten()
    talk.gcs.faults.add(Fault(kind="status", status=503, execution_id=running))
    try:
        shown = await carol.types(running)
    finally:
        talk.gcs.faults.clear()
    assert "GCS has not answered since" in shown.text
    assert "1 of 3 steps" in shown.text


async def test_no_input_of_an_execution_appears_anywhere(talk: World, carol: Person) -> None:
    """Inputs, outputs, image and workflow source may hold patients' data: they appear nowhere, not even in the log."""
    execution_id = talk.gcs.play(story.happy(3), by_hand=True)
    body = talk.gcs.body(execution_id)
    assert body is not None
    body["execution"] |= dict.fromkeys(("inputs_json", "outputs_json", "image"), "patient-4711")
    body["object"]["spec"]["objectData"] = "patient-4711"
    talk.gcs.set_body(execution_id, body)
    shown = await carol.types(execution_id)
    await carol.types(f"subscribe {execution_id} here")
    await carol.presses("Steps", shown)
    await carol.modal("Refresh")
    await carol.card(carol.channel)
    assert "patient-4711" not in json.dumps([call.args for call in talk.slack.calls])
    assert "patient-4711" not in "".join(words(each) for each in carol.read)
    assert "patient-4711" not in talk.bot.log


async def test_many_people_type_at_once(talk: World, running: str) -> None:
    """Sixty people in one moment: each is acked in time and gets one response."""
    people = [Person.new(talk) for _ in range(60)]
    shown = await asyncio.gather(*(person.types(running) for person in people))
    assert {each.text.splitlines()[0] for each in shown if "1 of 3 steps" not in each.text} == set(), talk.bot.log[
        -6000:
    ]
    assert all(len(person.read) == 1 for person in people)
