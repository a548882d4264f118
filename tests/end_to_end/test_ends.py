"""What people do with the message about an end: ask why, and stop following from its menu, in both modes."""

from __future__ import annotations

import pytest

from sandbox import story
from sandbox.gcs import Fault
from sandbox.slack import Message
from tests.end_to_end.conftest import World
from tests.end_to_end.people import Person, labels, words

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def failed(world: World, carol: Person, *where: str) -> tuple[str, Message]:
    """An execution that Carol, or her channel, follows and that has failed, and the message about that."""
    place = carol.channel if where else world.slack.dm(carol.id)
    execution_id = world.gcs.play(story.failing(3), by_hand=True)
    await carol.types(" ".join(("subscribe", execution_id, *where)))
    await carol.card(carol.channel if where else "")
    world.gcs.step(execution_id, to="failed")
    await world.slack.wait_for(lambda: "❌ Failed" in world.slack.messages(place)[-1].text, 60)
    return execution_id, world.slack.messages(place)[-1]


async def test_why_has_events_and_the_command(talk: World, carol: Person) -> None:
    """The modal fills with what GCS says, and what can be done to see more."""
    execution_id, message = await failed(talk, carol)
    assert labels(message) == ["Why", "Steps", "Stop following"]
    await carol.presses("Why", message)
    shown = words(await carol.modal("What GCS says"))
    assert "ran out of memory (exit 137" in shown
    assert "Last events" in shown
    assert f"kubectl logs -n default -l gcs.execution.id={execution_id}" in shown


async def test_why_without_events_shows_the_rest(talk: World, carol: Person) -> None:
    """A user of GCS may read executions and not their events."""
    execution_id, message = await failed(talk, carol)
    talk.gcs.faults.add(Fault(kind="status", status=403, service="events", execution_id=execution_id, times=1))
    await carol.presses("Why", message)
    assert "kubectl logs" in words(await carol.modal("does not let me read the events"))


async def test_why_is_answered_in_the_thread(talk: World, carol: Person) -> None:
    """A step has failed and the run goes on: the line about it opens what the card opens."""
    execution_id = talk.gcs.play(story.stumbling(5), by_hand=True)
    await carol.types(f"subscribe {execution_id} here")
    card = await carol.card(carol.channel)
    talk.gcs.step(execution_id, to="step failed")
    place = talk.slack.messages
    await talk.slack.wait_for(lambda: "1 step failed" in place(carol.channel)[-1].text, 60)
    line = place(carol.channel)[-1]
    assert (line.thread_ts, labels(line)) == (card.ts, ["Why"])
    await carol.presses("Why", line)
    assert "ran out of memory (exit 137" in words(await carol.modal("What GCS says"))


async def test_a_channel_stops_from_the_menu(talk: World, carol: Person) -> None:
    """After a question that only the person sees."""
    execution_id, message = await failed(talk, carol, "here")
    assert message.is_broadcast
    assert message.text.count(f"<@{carol.id}>") == 1
    seen = len(carol.read)
    await carol.chooses("Stop following here …", message)
    question = await carol.next_answer(seen)
    assert execution_id in words(await carol.types("list here"))
    await carol.gets("Stop following here", question)
    assert execution_id not in words(await carol.types("list here"))
