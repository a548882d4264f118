"""Cancel and retry, with GCS and Slack on the wire: nothing is done twice, and nothing that was done is hidden."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from bot.acting import Acted, Current
from bot.domain.acting import Action, Question, Result, possible, state_of
from bot.errors import GCSActionForbidden, GCSActionRefused, GCSUnavailable, StoreUnavailable
from sandbox import story
from sandbox.gcs import Fault
from sandbox.gcs.answers import WRONG_STATE
from sandbox.gcs.faults import Kind
from sandbox.story import Frame
from tests.workers.rig import Rig


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between looks, and less for GCS."""
    monkeypatch.setattr("bot.acting.READS", (0.0, 0.0))
    monkeypatch.setattr("bot.acting.WITHIN", timedelta(seconds=1))


@pytest.fixture
def bob(rig: Rig) -> str:
    """An operator."""
    return rig.slack.add_user("bob")


async def running(rig: Rig, *names: str) -> str:
    """An execution in the middle that `names` follow."""
    execution = await rig.followed(*names, life=story.happy(3))
    await rig.step(execution, to="running 1/3")
    await rig.deliver()
    return execution


async def asked(rig: Rig, execution: str) -> Question:
    """What an operator is asked now about the one action that is possible."""
    return question_of(await rig.acting.current(rig.who(rig.alice).team_id, execution))


def question_of(current: Current) -> Question:
    """The same, of what GCS shows."""
    action = possible(current.execution)
    assert action is not None
    act = current.act.token if current.act else ""
    state, now = state_of(current.execution), datetime.now(UTC)
    return Question(execution_id=current.execution.id, action=action, state=state, act=act, asked_at=now)


async def confirm(rig: Rig, question: Question, by: str) -> Acted:
    """They confirm it."""
    return await rig.acting.act(rig.who(by).team_id, question, by)


def actions(rig: Rig) -> list[int]:
    """The statuses of all actions that reached GCS; 0 for a lost answer."""
    return [call.status for call in rig.gcs.calls if call.method == "PUT"]


def ends(lines: Sequence[MutableMapping[str, Any]]) -> list[object]:
    """How acts ended, by the audit trail."""
    return [line["result"] for line in lines if line["event"] == "action.ended"]


async def test_a_cancelled_run_is_reported(rig: Rig, bob: str) -> None:
    """Who did it is in the thread, before the state that follows from it; the card follows at once."""
    execution = await running(rig, rig.lab, rig.alice)
    with capture_logs() as lines:
        acted = await confirm(rig, await asked(rig, execution), bob)
    assert (acted.result, acted.current.execution.phase) == (Result.DONE, "Cancelling")
    assert [line["event"] for line in lines if str(line["event"]).startswith("action.")] == [
        "action.began",
        "action.ended",
    ]
    await rig.watcher.run_once()  # nobody waits for the next poll
    await rig.deliver()
    for place in (rig.lab, rig.alice):
        shown = rig.texts(place)
        assert [f"<@{bob}> cancelled it from Slack" in text for text in shown].count(True) == 1
        assert shown[0].startswith("Cancelling: ")
    rig.gcs.step(execution, to="cancelled")
    await rig.poll()
    await rig.deliver()
    assert "Cancelled: " in rig.texts(rig.lab)[-1]
    assert actions(rig) == [200]


async def test_a_failed_run_is_retried(rig: Rig, bob: str) -> None:
    """Under the same id, to its end."""
    execution = await rig.followed(rig.lab, life=story.failing(3))
    await rig.step(execution, to="failed")
    acted = await confirm(rig, await asked(rig, execution), bob)
    assert (acted.result, acted.current.execution.phase) == (Result.DONE, "Retrying")
    await rig.watcher.run_once()
    await rig.deliver()
    assert any(f"<@{bob}> retried it from Slack" in text for text in rig.texts(rig.lab))
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert "Succeeded: " in rig.texts(rig.lab)[-1]


async def test_who_did_it_needs_no_line(rig: Rig) -> None:
    """They read it in the modal."""
    execution = await running(rig, rig.alice)
    await confirm(rig, await asked(rig, execution), rig.alice)
    await rig.deliver()
    assert not any("from Slack" in text for text in rig.texts(rig.alice))


async def test_nobody_needs_to_follow_it(rig: Rig, bob: str) -> None:
    """The audit trail has it in any case."""
    execution = rig.gcs.play(story.pending())
    with capture_logs() as lines:
        assert (await confirm(rig, await asked(rig, execution), bob)).result is Result.DONE
    assert ends(lines) == ["done"]


async def test_both_operators_act_once(rig: Rig, bob: str) -> None:
    """Each has read the question; the second one is asked again, and reads who was first."""
    execution = await running(rig, rig.lab)
    question = await asked(rig, execution)
    results = await asyncio.gather(*(confirm(rig, question, each) for each in (rig.alice, bob)))
    assert sorted(str(acted.result) for acted in results) == ["None", "done"]
    (other,) = [acted for acted in results if acted.result is None]
    assert other.current.act is not None
    assert other.current.act.by in {rig.alice, bob}
    assert actions(rig) == [200]


async def test_twenty_presses_act_once(rig: Rig, bob: str) -> None:
    """A finger that trembles, a press that Slack sends again, and copies of the bot."""
    question = await asked(rig, await running(rig, rig.lab))
    results = [acted.result for acted in await asyncio.gather(*(confirm(rig, question, bob) for _ in range(20)))]
    assert results.count(Result.DONE) == 1
    assert set(results) == {Result.DONE, None}
    assert actions(rig) == [200]


@pytest.mark.parametrize("change", ["phase", "failed step", "act", "age"])
async def test_a_change_is_asked_about_again(rig: Rig, bob: str, change: str) -> None:
    """Nothing is sent; what is shown then can be confirmed if it is still possible."""
    execution = await running(rig, rig.lab)
    question = await asked(rig, execution)
    if change == "phase":
        rig.gcs.step(execution, to="succeeded")
    elif change == "failed step":
        frame: Frame = rig.gcs.frame(execution)
        first, *others = frame.steps
        failed = dataclasses.replace(first, status="Failed")
        rig.gcs.set_frame(execution, dataclasses.replace(frame, steps=(failed, *others)))
    elif change == "act":
        team = rig.who(bob).team_id
        await rig.store.acts.begin(team, execution, token="a1", known="", action=Action.RETRY, by=bob)
    else:
        question = replace(question, asked_at=question.asked_at - timedelta(minutes=3))
    acted = await confirm(rig, question, bob)
    assert (acted.result, actions(rig)) == (None, [])


@pytest.mark.parametrize("kind", ["reset", "timeout", "status"])
async def test_a_lost_answer_is_found_out(rig: Rig, bob: str, kind: Kind) -> None:
    """GCS took it and could not say so: it is seen, reported, and never sent again."""
    execution = await running(rig, rig.lab)
    rig.gcs.faults.add(Fault(kind=kind, status=504, service="actions", is_done=True))
    acted = await confirm(rig, await asked(rig, execution), bob)
    assert (acted.result, acted.current.execution.phase) == (Result.DONE, "Cancelling")
    assert len(actions(rig)) == 1
    await rig.deliver()
    assert any(f"<@{bob}> cancelled it from Slack" in text for text in rig.texts(rig.lab))


@pytest.mark.parametrize("kind", ["reset", "timeout", "status"])
async def test_what_is_not_known_is_said(rig: Rig, bob: str, kind: Kind) -> None:
    """GCS never got it; the next question is a new one, which a person has to confirm."""
    execution = await running(rig, rig.lab)
    fault = rig.gcs.faults.add(Fault(kind=kind, status=503, service="actions", is_done=False))
    question = await asked(rig, execution)
    with capture_logs() as lines:
        acted = await confirm(rig, question, bob)
    assert (acted.result, acted.current.execution.phase) == (Result.UNKNOWN, "Running")
    assert ends(lines) == ["unknown"]
    assert (await confirm(rig, question, bob)).result is None
    assert len(actions(rig)) == 1
    rig.gcs.faults.remove(fault)
    assert (await confirm(rig, await asked(rig, execution), bob)).result is Result.DONE
    assert len(actions(rig)) == 2


async def test_an_effect_that_comes_late_is_reported(rig: Rig, bob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person read that it is not known; the next poll shows it, and those who follow read who did it."""
    execution = await running(rig, rig.lab)
    rig.gcs.faults.add(Fault(kind="reset", service="actions"))
    monkeypatch.setattr("bot.acting.READS", ())
    assert (await confirm(rig, await asked(rig, execution), bob)).result is Result.UNKNOWN
    await rig.deliver()
    assert not any("from Slack" in text for text in rig.texts(rig.lab))
    with capture_logs() as lines:
        await rig.poll()
    await rig.deliver()
    assert [f"<@{bob}> cancelled it from Slack" in text for text in rig.texts(rig.lab)].count(True) == 1
    assert ends(lines) == ["done"]


async def until_sent(rig: Rig) -> None:
    """Return once GCS has got an action."""
    async with asyncio.timeout(60):
        while not actions(rig):  # noqa: ASYNC110  # the sandbox has no event for it
            await asyncio.sleep(0)


async def test_a_bot_that_dies_in_between(rig: Rig, bob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After GCS got it and before anything was written: it is not sent again, and the thread says who did it."""
    execution = await running(rig, rig.lab)
    rig.gcs.faults.add(Fault(kind="timeout", service="actions"))
    question = await asked(rig, execution)
    monkeypatch.setattr("bot.acting.WITHIN", timedelta(minutes=1))
    dying = asyncio.create_task(confirm(rig, question, bob))
    await until_sent(rig)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert (await confirm(rig, question, bob)).result is None
    rig.gcs.faults.clear()
    with capture_logs() as lines:
        await rig.poll()
    await rig.deliver()
    shown = rig.texts(rig.lab)
    assert [f"<@{bob}> cancelled it from Slack" in text for text in shown].count(True) == 1
    (line,) = [line for line in lines if line["event"] == "action.ended"]
    assert (line["actor"], line["action"], line["result"]) == (bob, "cancel", "done")
    assert len(actions(rig)) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(kind="status", status=403, service="actions"), GCSActionForbidden),
        (Fault(kind="status", status=409, service="actions"), GCSActionRefused),
    ],
)
async def test_a_refusal_is_shown_and_tried_again(rig: Rig, bob: str, fault: Fault, kind: type[Exception]) -> None:
    """Nobody else reads of it."""
    execution = await running(rig, rig.lab)
    rig.gcs.faults.add(fault)
    acted = await confirm(rig, await asked(rig, execution), bob)
    assert acted.result is Result.REFUSED
    assert isinstance(acted.refusal, kind)
    await rig.deliver()
    assert not any("from Slack" in text for text in rig.texts(rig.lab))
    rig.gcs.faults.clear()
    assert (await confirm(rig, await asked(rig, execution), bob)).result is Result.DONE


async def test_gcs_has_the_last_word(rig: Rig, bob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It changed between the reading and the call: GCS refuses, with its own code."""
    execution = await running(rig, rig.lab)
    question, begin = await asked(rig, execution), rig.store.acts.begin

    async def late(*args: object, **more: object) -> bool:
        rig.gcs.step(execution, to="succeeded")
        return await begin(*args, **more)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(rig.store.acts, "begin", late)
    acted = await confirm(rig, question, bob)
    assert isinstance(acted.refusal, GCSActionRefused)
    assert acted.refusal.code == WRONG_STATE


async def test_gcs_away_does_nothing(rig: Rig, bob: str) -> None:
    """It is read first."""
    question = await asked(rig, await running(rig, rig.lab))
    rig.gcs.faults.add(Fault(kind="status", status=503))
    with pytest.raises(GCSUnavailable):
        await confirm(rig, question, bob)
    assert actions(rig) == []


async def test_without_a_store_nothing_is_done(rig: Rig, bob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could know whether somebody else acts."""
    question = await asked(rig, await running(rig, rig.lab))

    async def away(*_args: object, **_more: object) -> bool:
        raise StoreUnavailable

    monkeypatch.setattr(rig.store.acts, "begin", away)
    with pytest.raises(StoreUnavailable):
        await confirm(rig, question, bob)
    assert actions(rig) == []


async def test_a_store_that_goes_away_hides_nothing(rig: Rig, bob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """GCS took it, and that could not be written: the person reads it, and so do others with the next poll."""
    execution = await running(rig, rig.lab)
    question = await asked(rig, execution)
    with monkeypatch.context() as patched:

        async def away(*_args: object, **_more: object) -> bool:
            raise StoreUnavailable

        patched.setattr(rig.store.acts, "finish", away)
        acted = await confirm(rig, question, bob)
    assert acted.result is Result.DONE
    await rig.poll()
    await rig.deliver()
    assert [f"<@{bob}> cancelled it from Slack" in text for text in rig.texts(rig.lab)].count(True) == 1
