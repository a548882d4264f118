"""What people read of an execution whose answer is larger than the bot reads."""

from __future__ import annotations

import json

import pytest

from bot.errors import GCSTooLarge
from bot.gcs.client import MAX_EXECUTION_BYTES
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig

TOO_LARGE = "answer is too large for me"


def grow(rig: Rig, execution_id: str, size: int = MAX_EXECUTION_BYTES) -> None:
    """Let the answer about an execution have more than `size` bytes, until its next step."""
    body = rig.gcs.body(execution_id)
    assert body is not None
    body["execution"]["outputs_json"] = "x" * size
    rig.gcs.set_body(execution_id, body)


async def polled(rig: Rig, times: int = 1) -> list[str]:
    """Poll, deliver, and return what the channel shows: blocks and texts."""
    for _ in range(times):
        await rig.poll()
        await rig.later()
    return [json.dumps(message.blocks) + message.text for message in rig.slack.messages(rig.lab)]


async def test_lists_stand_in_for_a_large_answer(rig: Rig) -> None:
    """The card says what is missing, the end is reported, and GCS counts as well."""
    execution = await rig.followed(rig.lab)
    rig.gcs.step(execution)
    grow(rig, execution)
    (card,) = [shown for shown in await polled(rig) if "Running" in shown][:1]
    assert TOO_LARGE in card
    rig.gcs.step(execution, to="succeeded")
    grow(rig, execution)
    later = await polled(rig)
    assert any("Succeeded after" in shown or "Succeeded:" in shown for shown in later[1:]), later
    assert rig.watcher.problem is None


async def test_an_answer_that_shrinks_again(rig: Rig) -> None:
    """Step counts are back with the next poll, and the card no longer says that they are missing."""
    execution = await rig.followed(rig.lab)
    rig.gcs.step(execution)
    grow(rig, execution)
    assert TOO_LARGE in (await polled(rig))[0]
    rig.gcs.set_body(execution, None)
    card = (await polled(rig))[0]
    assert TOO_LARGE not in card
    assert "of 2 steps" in card


async def test_a_large_answer_that_no_list_shows(rig: Rig) -> None:
    """It stays followed, its card says why it stands still, and it is no problem of GCS's."""
    execution = await rig.followed(rig.lab)
    grow(rig, execution)
    fault = rig.gcs.faults.add(Fault(kind="status", status=503, execution_id=""))
    assert "answers have been too large for me" in (await polled(rig, times=4))[0]
    assert rig.watcher.problem is None
    rig.gcs.faults.remove(fault)
    rig.gcs.step(execution, to="succeeded")
    assert "Succeeded" in (await polled(rig))[-1]


async def test_a_person_reads_that_it_is_too_large(rig: Rig) -> None:
    """Of an execution that nobody follows, not even the name is known."""
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    grow(rig, execution)
    with pytest.raises(GCSTooLarge):
        await rig.subscriptions.summary(rig.who(rig.alice).team_id, execution, rig.alice)


async def test_the_rest_of_a_followed_one_is_shown(rig: Rig) -> None:
    """Its name is known, so the list is asked."""
    execution = await rig.followed(rig.lab)
    rig.gcs.step(execution)
    grow(rig, execution)
    summary = await rig.subscriptions.summary(rig.who(rig.alice).team_id, execution, rig.alice)
    assert (summary.snapshot.execution.phase, summary.snapshot.execution.is_partial) == ("Running", True)


async def test_what_is_below_the_limit_is_read(rig: Rig) -> None:
    """Large outputs are skipped, and the steps are there."""
    execution = await rig.followed(rig.lab)
    rig.gcs.step(execution)
    grow(rig, execution, MAX_EXECUTION_BYTES - 20_000)
    card = (await polled(rig))[0]
    assert TOO_LARGE not in card
    assert "of 2 steps" in card
