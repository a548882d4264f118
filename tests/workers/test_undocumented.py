"""What people read of executions whose answers have undocumented shapes, half characters or unusual ends."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from bot.domain.following import Level
from bot.gcs.client import SMALLEST_PAGE
from sandbox import story
from sandbox.gcs import Fault
from sandbox.gcs.answers import Answer
from sandbox.gcs.bodies import Body
from tests.workers.rig import CADENCE, Rig
from tests.workers.rules_rig import WORKFLOW, RulesRig


def body_of(rig: Rig, execution_id: str) -> Body:
    """What GCS answers now, to be changed."""
    body = rig.gcs.body(execution_id)
    assert body is not None
    return copy.deepcopy(body)


async def ended(rig: Rig, execution_id: str, change: dict[str, Any]) -> list[str]:
    """Let GCS answer the end of the execution with `change` in its record; the messages after two polls."""
    rig.gcs.step(execution_id, to="succeeded")
    body = body_of(rig, execution_id)
    body["execution"].update(change)
    rig.gcs.set_body(execution_id, body)
    for _ in range(2):
        await rig.poll()
        await rig.deliver()
    return [message.text for message in rig.slack.messages(rig.lab)]


SHAPES: list[dict[str, Any]] = [
    {"label": [{"key": "batch", "value": "7"}], "name": {"en": "x"}, "description": ["a", "b"]},
    {"time_duration": {"s": 3}, "resources": "many", "priority": [1], "create_at": 5, "workflow_name": None},
    {"inputs_json": {"deep": [[[{}]]]}, "outputs_json": 7, "image": [1], "jobs_type": [1], "target": {"a": 1}},
]


async def message_of(rig: Rig, execution: str) -> str:
    """GCS's message, which the modal of why it failed shows."""
    snapshot = await rig.store.subscribers.snapshot(rig.who(rig.lab).team_id, execution)
    assert snapshot is not None
    return snapshot.execution.message


@pytest.mark.parametrize("change", SHAPES)
async def test_fields_of_other_types_hide_no_outcome(rig: Rig, change: dict[str, Any]) -> None:
    """The end is reported, whatever type the other fields have."""
    execution = await rig.followed(rig.lab)
    assert any("Succeeded" in text for text in await ended(rig, execution, change))
    assert rig.watcher.problem is None


@pytest.mark.parametrize("change", SHAPES)
async def test_rules_find_runs_of_other_types(rig: Rig, rules: RulesRig, change: dict[str, Any]) -> None:
    """Lists show them as their own answers do."""
    await rules.make(rig.lab, level=Level.STEPS)
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    listed = {**body_of(rig, execution), "enterprise_project": "0", "object": []}
    created = {"create_at": listed["execution"]["create_at"], "workflow_name": WORKFLOW}
    listed["execution"] |= change | created
    page = {"executions": [listed], "total_num": 1}
    rig.gcs.faults.add(Fault(kind="malformed", execution_id="", body=page))
    await rules.scan()
    assert list(await rules.followed(rig.lab)) == [execution]


@pytest.mark.parametrize("empty", [{"executions": None, "total_num": 0}, {"total_num": 0}, {"executions": None}])
async def test_an_empty_list_may_be_left_out(rig: Rig, rules: RulesRig, empty: dict[str, Any]) -> None:
    """A project without executions is no fault: `execution-bot check` passes, and rules wait for the first run."""
    fault = rig.gcs.faults.add(Fault(kind="malformed", execution_id="", body=empty))
    await rig.client.check()
    await rules.make(rig.lab, level=Level.STEPS)
    await rules.scan()
    rig.gcs.faults.remove(fault)
    execution = await rules.found(story.happy(2))
    assert list(await rules.followed(rig.lab)) == [execution]


@pytest.mark.parametrize("total", [None, 0, 100, 400])
async def test_rules_need_no_right_total(
    rig: Rig, rules: RulesRig, monkeypatch: pytest.MonkeyPatch, total: int | None
) -> None:
    """The newest come last, and GCS says nothing or something wrong about how many there are."""
    for number in range(150):
        rig.gcs.play(story.happy(2), by_hand=True, ago=86_400 - number)
    right = rig.gcs._list

    def oldest_first(query: str) -> Answer:
        asked = dict(parse_qsl(query))
        offset, limit = int(asked["offset"]), int(asked["limit"])
        listed = right(urlencode(asked | {"offset": 0, "limit": 1000})).body["executions"][::-1]
        return Answer(200, {"executions": listed[offset : offset + limit], "total_num": total})

    monkeypatch.setattr(rig.gcs, "_list", oldest_first)
    await rules.make(rig.lab, level=Level.STEPS)
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    await rules.scan()
    assert list(await rules.followed(rig.lab)) == [execution]
    assert len([call for call in rig.gcs.calls if call.path == "/v1/executions"]) < 10


@pytest.mark.parametrize("limit", [10, 50, 99])
async def test_lists_may_be_short(rig: Rig, rules: RulesRig, limit: int) -> None:
    """GCS refuses to list a hundred at once: names are found, deletions are proven, and rules follow what is new."""
    for number in range(120):
        rig.gcs.play(story.happy(2), by_hand=True, ago=86_400 + number)
    rig.gcs.max_limit = limit
    await rules.make(rig.lab, level=Level.STEPS)
    assert len((await rig.subscriptions.search.find(rig.who(rig.alice), "germline")).matches) > limit
    assert len(await rig.client.list_ids()) >= SMALLEST_PAGE
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    await rules.scan()
    assert list(await rules.followed(rig.lab)) == [execution]


async def test_other_types_in_the_control_object(rig: Rig) -> None:
    """Reports as bare phases, a message in parts, a project as text: the failure is reported with its message."""
    execution = await rig.followed(rig.lab, life=story.failing(2))
    rig.gcs.step(execution, to="failed")
    body = body_of(rig, execution)
    body["enterprise_project"] = "0"
    body["object"]["status"]["subObjectStatuses"] = {"job-a": "Succeeded", "job-b": 7}
    body["object"]["status"]["objectStatus"]["message"] = ["out of memory", "on node 7"]
    body["status"] = "none"
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.deliver()
    assert any("ran out of memory" in message.text for message in rig.slack.messages(rig.lab))
    assert await message_of(rig, execution) == "out of memory; on node 7"


@pytest.mark.parametrize("half", [rb"half \ud83d", rb"half \ud8", rb"half \u", b"half \xe4\xb8"])
async def test_half_a_character_is_shown_as_such(rig: Rig, half: bytes) -> None:
    """The card has a replacement character in its place; a byte order mark in front changes nothing."""
    execution = await rig.followed(rig.lab)
    shown = body_of(rig, execution)
    shown["execution"]["name"] = "NAME"
    changed = json.dumps(shown).encode().replace(b"NAME", half)
    rig.gcs.set_body(execution, b"\xef\xbb\xbf" + changed)
    await rig.poll()
    await rig.deliver()
    assert "half �" in json.dumps(rig.slack.messages(rig.lab)[0].blocks, ensure_ascii=False)
    assert rig.watcher.problem is None


@pytest.mark.parametrize(
    ("status", "word"),
    [("Error", "Error"), ("ERROR", "Error"), (None, "Succeeded"), ("", "Succeeded")]
    + [(nothing, "Succeeded") for nothing in ("null", "-", "None", "Unknown", "UNKNOWN")],
)
async def test_an_unusual_end_is_reported(rig: Rig, status: str | None, word: str) -> None:
    """`Error`, and a status that says nothing beside a final phase, are outcomes once they were seen twice."""
    execution = await rig.followed(rig.lab)
    rig.gcs.step(execution, to="succeeded")
    body = body_of(rig, execution)
    body["execution"]["status"] = status
    rig.gcs.set_body(execution, body)
    heard = []
    for _ in range(2):
        await rig.poll()
        await rig.deliver()
        heard.append([message.text for message in rig.slack.messages(rig.lab)[1:]])
    once, twice = heard
    assert once == []
    assert f" {word}: " in twice[0]


async def test_a_doubtful_end_is_followed(rig: Rig) -> None:
    """Somebody begins to follow in the moment in which one field says that it has ended: the true end is reported."""
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    rig.gcs.step(execution)
    for status in ("Succeeded", "Failed"):
        body = body_of(rig, execution)
        body["execution"]["status"] = status
        rig.gcs.set_body(execution, body)
        await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
        rig.gcs.set_body(execution, None)
        await rig.poll()
        await rig.deliver()
        assert [text.partition(":")[0] for text in rig.texts(rig.alice)] == ["Running"]
    await rig.step(execution, to="succeeded")
    await rig.later()
    assert rig.texts(rig.alice)[-1].startswith("✅ Succeeded")


async def test_an_end_seen_at_once_is_confirmed(rig: Rig) -> None:
    """If the second look shows it as well, it is reported."""
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    rig.gcs.step(execution)
    body = body_of(rig, execution)
    body["execution"]["status"] = "Succeeded"
    rig.gcs.set_body(execution, body)
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
    assert max(rig.waits("due")) < CADENCE.poll.total_seconds() / 2
    await rig.poll()
    await rig.later()
    assert rig.texts(rig.alice)[-1].startswith("✅ Succeeded")


def no_phase(body: Body, phase: str | None = None) -> Body:
    """The answer has no phase, or one that says nothing."""
    body["execution"]["status"] = body["object"]["status"]["objectStatus"]["phase"] = phase
    return body


def no_steps(body: Body) -> Body:
    """The answer names no steps."""
    body["object"]["status"]["subObjectStatuses"], body["status"]["actual_node_status"] = {}, []
    return body


LEFT_OUT: dict[str, Callable[[Body], object]] = {
    "phase": no_phase,
    "steps": no_steps,
    "counts": lambda body: body.pop("status"),
    "phase and steps": lambda body: no_phase(no_steps(body)),
    "the control object": lambda body: body.pop("object"),
    "possible counts": lambda body: body["status"].update(finished_node_number=7),
    "positive counts": lambda body: body["status"].update(finished_node_number=-1),
}


@pytest.mark.parametrize("what", LEFT_OUT)
async def test_what_gcs_leaves_out_is_no_news(rig: Rig, what: str) -> None:
    """It is missing for a while, during the run and after its end: nobody reads anything."""
    execution = await rig.followed(rig.lab, life=story.stumbling(5))
    for frame in ("step failed", "failed"):
        await rig.step(execution, to=frame)
        await rig.later()
        card, *read = rig.texts(rig.lab)
        shown = body_of(rig, execution)
        LEFT_OUT[what](body := copy.deepcopy(shown))
        for answer in (body, shown):
            rig.gcs.set_body(execution, answer)
            await rig.poll()
            await rig.later()
            now, *since = rig.texts(rig.lab)
            assert now.splitlines()[0] == card.splitlines()[0]
            assert (" of 5 steps" in now, since) == (True, read)


async def test_an_unknown_phase_is_no_retry(rig: Rig) -> None:
    """Nobody reads that what has failed was retried, or that it failed once more."""
    execution = await rig.followed(rig.lab, life=story.failing(2))
    await rig.step(execution, to="failed")
    await rig.later()
    read, shown = rig.texts(rig.lab), body_of(rig, execution)
    for phase in ("Unknown", "Archived", "失败"):
        no_phase(body := copy.deepcopy(shown), phase)
        for answer in (body, shown):
            rig.gcs.set_body(execution, answer)
            await rig.poll()
            await rig.later()
            assert rig.texts(rig.lab)[1:] == read[1:]


async def test_an_older_answer_is_no_retry(rig: Rig) -> None:
    """Another server of GCS lags behind and answers now and then: nobody reads of a retry, or of an end twice."""
    execution = await rig.followed(rig.lab, life=story.failing(3))
    shown = [body_of(rig, execution)]
    for frame in ("running 1/3", "failed"):
        rig.gcs.step(execution, to=frame)
        shown.append(body_of(rig, execution))
    pending, running, failed = shown
    for answer in (running, pending, running, failed, running, failed, pending, failed):
        rig.gcs.set_body(execution, answer)
        await rig.poll()
        await rig.later()
    assert [text.partition(":")[0] for text in rig.texts(rig.lab)] == ["Failed", "Running", "❌ Failed"]


async def test_an_older_answer_counts_twice_seen(rig: Rig) -> None:
    """GCS's clock was set back: a retry is reported with the second look, which comes soon."""
    execution = await rig.followed(rig.lab, life=story.failing(3))
    rig.gcs.step(execution, to="running 1/3")
    running = body_of(rig, execution)
    await rig.step(execution, to="failed")
    rig.gcs.set_body(execution, running)
    await rig.poll()
    assert max(rig.waits("due")) < CADENCE.poll.total_seconds() / 2
    await rig.poll()
    await rig.later()
    assert "Retried" in rig.texts(rig.lab)[-1]


async def test_a_failed_deletion_is_called_so(rig: Rig) -> None:
    """The run goes on: its card does not say that it is being deleted."""
    execution = await rig.followed(rig.lab, life=story.happy(3))
    rig.gcs.step(execution)
    body = body_of(rig, execution)
    body["object"]["status"].update(actionName="delete", objectStatus={"phase": "Failed"})
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.later()
    assert rig.cards(rig.lab)[0].startswith("Running, deletion failed: ")


async def test_a_failed_retry_has_its_reason(rig: Rig) -> None:
    """The control object names the retry as its action; the reason that it gives is that of the failure."""
    execution = await rig.followed(rig.lab, life=story.failing(2))
    rig.gcs.step(execution, to="failed")
    no_steps(body := body_of(rig, execution))
    body["object"]["status"]["actionName"] = "retry"
    body["object"]["status"]["objectStatus"].update(reason="QuotaExceeded", message="配额不足 ## no quota is left")
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.later()
    assert "exceeded a quota" in rig.texts(rig.lab)[-1]


@pytest.mark.parametrize("name", [" ", "\u200b", "\u202e"])
async def test_a_failed_step_without_a_visible_name(rig: Rig, name: str) -> None:
    """It is called by its place: nobody reads that the execution has failed, which goes on."""
    execution = await rig.followed(rig.lab, life=story.happy(3))
    await rig.step(execution, to="running 1/3")
    body = body_of(rig, execution)
    body["status"]["actual_node_status"][1].update(name=name, status="Failed")
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.later()
    shown = " ".join(rig.texts(rig.lab))
    assert ("step-2* failed" in shown, "execution failed" in shown) == (True, False)


async def test_a_message_with_two_hash_signs_is_whole(rig: Rig) -> None:
    """Only a separator between two scripts cuts a message, not one inside a quotation."""
    header = 'Could not parse the header line: "##contig=<ID=c1,length=9>"'
    execution = await rig.followed(rig.lab, life=story.failing(2))
    rig.gcs.step(execution, to="failed")
    body = body_of(rig, execution)
    body["object"]["status"]["objectStatus"]["message"] = header
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.deliver()
    assert await message_of(rig, execution) == header
