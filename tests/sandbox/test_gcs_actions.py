"""Actions on executions, as a plain client sees them (reference 5.5 and 3.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError

from sandbox import story
from sandbox.clock import Clock
from sandbox.gcs import GCS, Fault
from sandbox.gcs.answers import BAD_ACTION, NO_SUCH_EXECUTION, WRONG_STATE
from sandbox.gcs.faults import Kind
from sandbox.operated import TAKES_SECONDS
from tests.sandbox.gcs_caller import get_execution, operate

CANCEL, RETRY = '{"action": "cancel"}', '{"action": "retry"}'


@pytest.fixture
def clock() -> Clock:
    """Story time, moved by the test."""
    clock = Clock()
    clock.pause()
    return clock


@pytest.fixture
async def gcs(clock: Clock) -> AsyncIterator[GCS]:
    """A running simulated GCS."""
    async with GCS(clock=clock) as running:
        yield running


async def status(gcs: GCS, execution_id: str) -> str:
    """What `execution.status` is now."""
    return str((await get_execution(gcs, execution_id)).json["execution"]["status"])


async def test_cancelling_takes_time(gcs: GCS, clock: Clock) -> None:
    """The answer comes at once; steps that run stay so, since their jobs are handed out."""
    execution_id = gcs.play(story.happy(3, seconds=600), ago=200)
    before = gcs.frame(execution_id).steps
    answer = await operate(gcs, execution_id, CANCEL)
    assert (answer.status, answer.json) == (200, {"id": execution_id})
    assert await status(gcs, execution_id) == "Cancelling"
    clock.advance(TAKES_SECONDS)
    assert await status(gcs, execution_id) == "Cancelled"
    clock.advance(3600)
    assert await status(gcs, execution_id) == "Cancelled"
    assert gcs.frame(execution_id).steps == before
    assert "Running" in {step.status for step in before}


async def test_a_retry_runs_what_has_not_succeeded(gcs: GCS, clock: Clock) -> None:
    """Under the same id, to the end."""
    execution_id = gcs.play(story.failing(4, seconds=100), ago=200)
    finished = gcs.frame(execution_id).finished
    assert (await operate(gcs, execution_id, RETRY)).status == 200
    assert await status(gcs, execution_id) == "Retrying"
    assert gcs.frame(execution_id).finished == finished
    clock.advance(TAKES_SECONDS)
    assert await status(gcs, execution_id) == "Running"
    clock.advance(3600)
    assert await status(gcs, execution_id) == "Succeeded"


@pytest.mark.parametrize(
    ("life", "to", "action", "is_taken"),
    [
        (story.pending(), "", CANCEL, True),
        (story.happy(2), "running 0/2", CANCEL, True),
        (story.happy(2), "running 0/2", RETRY, False),
        (story.happy(2), "succeeded", CANCEL, False),
        (story.happy(2), "succeeded", RETRY, False),
        (story.failing(2), "failed", CANCEL, False),
        (story.failing(2), "failed", RETRY, True),
        (story.cancelled(2), "cancelling", CANCEL, False),
        (story.cancelled(2), "cancelled", RETRY, True),
        (story.retried(2), "retrying", CANCEL, False),
        (story.retried(2), "retrying", RETRY, False),
        (story.deleted(2), "deleting", CANCEL, False),
        (story.deleted(2), "deletion done", RETRY, False),
    ],
)
async def test_only_some_states_allow_it(gcs: GCS, life: story.Life, to: str, action: str, is_taken: bool) -> None:
    """The preconditions of the reference; what is refused changes nothing."""
    execution_id = gcs.play(life, by_hand=True)
    if to:
        gcs.step(execution_id, to=to)
    before = gcs.frame(execution_id)
    answer = await operate(gcs, execution_id, action)
    assert answer.status == (200 if is_taken else 400)
    if not is_taken:
        assert answer.error == (400, WRONG_STATE)
        assert gcs.frame(execution_id) == before


async def test_the_second_of_two_requests_is_refused(gcs: GCS) -> None:
    """GCS does nothing twice, but it does not know either that the request is the same."""
    execution_id = gcs.play(story.pending())
    answers = await asyncio.gather(*(operate(gcs, execution_id, CANCEL) for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [200, 400]


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"action": "delete"}', '{"action": ["cancel"]}'])
async def test_nonsense_is_refused(gcs: GCS, body: str) -> None:
    """With a code of its own."""
    assert (await operate(gcs, gcs.play(story.pending()), body)).error == (400, BAD_ACTION)


async def test_an_unknown_execution_is_refused(gcs: GCS) -> None:
    """As when it is asked about."""
    assert (await operate(gcs, "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd", CANCEL)).error == (404, NO_SUCH_EXECUTION)


@pytest.mark.parametrize(
    ("kind", "is_done", "status_after"),
    [
        ("reset", None, "Cancelling"),
        ("reset", False, "Pending"),
        ("truncated", None, "Cancelling"),
        ("status", None, "Pending"),
        ("status", True, "Cancelling"),
    ],
)
async def test_an_answer_may_be_lost(gcs: GCS, kind: Kind, is_done: bool | None, status_after: str) -> None:
    """Whether the action was done or not; questions are answered as usual."""
    execution_id = gcs.play(story.pending())
    gcs.faults.add(Fault(kind=kind, status=504, service="actions", is_done=is_done))
    if kind == "status":
        assert (await operate(gcs, execution_id, CANCEL)).status == 504
    else:
        with pytest.raises(ClientError):
            await operate(gcs, execution_id, CANCEL)
    assert await status(gcs, execution_id) == status_after


async def test_an_action_by_hand_is_stepped_through(gcs: GCS) -> None:
    """A test moves it on as it does with every life that it plays by hand."""
    execution_id = gcs.play(story.happy(3), by_hand=True)
    gcs.step(execution_id, to="running 1/3")
    await operate(gcs, execution_id, CANCEL)
    assert gcs.frame(execution_id).name == "cancelling"
    assert gcs.frame(execution_id).finished == 1
    gcs.step(execution_id, to="cancelled")
    await operate(gcs, execution_id, RETRY)
    assert gcs.frame(execution_id).name == "retrying"
    gcs.step(execution_id, to="succeeded")


async def test_an_action_may_set_it_going(gcs: GCS, clock: Clock) -> None:
    """In the demo nobody steps what a visitor has retried."""
    gcs.play_on()
    execution_id = gcs.play(story.failing(3), by_hand=True)
    gcs.step(execution_id, to="failed")
    await operate(gcs, execution_id, RETRY)
    assert gcs.frame(execution_id).name == "retrying"
    clock.advance(TAKES_SECONDS + 3600)
    assert await status(gcs, execution_id) == "Succeeded"
