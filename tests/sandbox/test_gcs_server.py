"""The simulated GCS over its socket: who may call, what lives look like, what is recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.clock import Clock
from sandbox.gcs import GCS, Call
from sandbox.gcs.answers import Refusal
from sandbox.gcs.gate import Quota
from sandbox.gcs.ledger import Ledger
from sandbox.story import Frame, Life, deleted, failing, happy, retried, wide
from tests.sandbox.gcs_caller import get, get_execution, send, signed

HAPPY = "Pending None, Running 0, Running 1, Succeeded 2"
FAILING = "Pending None, Running 0, Running 1, Failed 1"
RETRIED = "Pending None, Running 0, Running 1, Failed 1, Retrying 1, Running 1, Running 2, Succeeded 3"


@pytest.fixture
async def gcs() -> AsyncIterator[GCS]:
    """A running simulated GCS whose story time stands still."""
    clock = Clock(begin=datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC))
    clock.pause()
    async with GCS(clock=clock) as running:
        yield running


@pytest.mark.parametrize(("life", "frames"), [(happy(2), HAPPY), (failing(3), FAILING), (retried(3), RETRIED)])
async def test_life_by_hand(gcs: GCS, life: Life, frames: str) -> None:
    """A life played by hand shows every frame in order and moves only on `step`."""
    guid = gcs.play(life, by_hand=True)
    shown = []
    for _ in life.frames:
        body = (await get_execution(gcs, guid)).json
        shown.append(f"{body['execution']['status']} {body.get('status', {}).get('finished_node_number')}")
        last = gcs.step(guid)
    assert (", ".join(shown), last) == (frames, None)


async def test_life_by_the_clock(gcs: GCS) -> None:
    """Other lives move with story time, and so do durations and dates."""
    guid = gcs.play(happy(5, seconds=1000))
    gcs.clock.advance(421)
    execution = (await get_execution(gcs, guid)).json["execution"]
    assert (execution["status"], execution["time_duration"]) == ("Running", 421)
    assert (execution["create_at"], execution["update_at"]) == ("2018-08-20T06:41:40Z", "2018-08-20T06:48:41Z")


async def test_time_of_finished_life_stands_still(gcs: GCS) -> None:
    """The duration of an execution at rest does not grow."""
    guid = gcs.play(happy(5, seconds=701), ago=5000)
    execution = (await get_execution(gcs, guid)).json["execution"]
    assert (execution["status"], execution["time_duration"]) == ("Succeeded", 701)


async def test_deleted_life_ends_in_404(gcs: GCS) -> None:
    """A deleted execution is unknown, with the service's code and not the gateway's."""
    guid = gcs.play(deleted(), by_hand=True)
    gcs.step(guid, to="gone")
    assert (await get_execution(gcs, guid)).error == (404, "GCS.4040001")


async def test_unknown_execution(gcs: GCS) -> None:
    """The same for an id that never existed."""
    assert (await get_execution(gcs, "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd")).error == (404, "GCS.4040001")


async def test_step_to_a_named_frame(gcs: GCS) -> None:
    """A test can jump to a named frame; an unknown name is an error."""
    guid = gcs.play(wide(), by_hand=True)
    frame = gcs.step(guid, to="running 3/27")
    assert frame is not None
    assert frame.name == "running 3/27"
    with pytest.raises(ValueError, match="running 3/28"):
        gcs.step(guid, to="running 3/28")


async def test_frame_and_body_can_be_set(gcs: GCS) -> None:
    """A test can show any frame or body until the next step."""
    guid = gcs.play(happy(), by_hand=True)
    gcs.set_frame(guid, Frame(status="Hibernating", has_counts=False))
    assert (await get_execution(gcs, guid)).json["execution"]["status"] == "Hibernating"
    gcs.set_body(guid, b"[]")
    assert (await get_execution(gcs, guid)).content == b"[]"
    gcs.step(guid)
    assert (await get_execution(gcs, guid)).json["execution"]["status"] == "Running"


async def test_wrong_use_is_an_error(gcs: GCS) -> None:
    """Stepping a life that runs by the clock, or playing one id twice, is refused."""
    guid = gcs.play(happy())
    with pytest.raises(ValueError, match="by hand"):
        gcs.step(guid)
    with pytest.raises(ValueError, match="already"):
        gcs.play(happy(), execution_id=guid)


def test_ids_follow_from_the_seed() -> None:
    """The same seed gives the same ids, in GCS's form."""
    one, same, other = (GCS(seed=seed).play(happy()) for seed in ("a", "a", "b"))
    assert one == same != other
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one)


async def test_every_answer_names_the_request(gcs: GCS) -> None:
    """The request id is in the header, and in the body of an error too."""
    good, bad = await get_execution(gcs, gcs.play(happy())), await get(gcs, "/v1/executions/none")
    assert re.fullmatch("[0-9a-f]{32}", good.headers["X-Request-Id"])
    assert bad.json["request_id"] == bad.headers["X-Request-Id"]


async def test_unsigned_is_refused(gcs: GCS) -> None:
    """A call without credentials is refused."""
    reply = await send(gcs, f"/v1/executions/{gcs.play(happy())}", {})
    assert reply.error == (401, "APIGW.0301")


async def test_tampered_is_refused(gcs: GCS) -> None:
    """A signature for one execution is not valid for another; the wording is the vendor's."""
    one, other = gcs.play(happy()), gcs.play(happy())
    reply = await send(gcs, f"/v1/executions/{other}", signed(gcs, f"/v1/executions/{one}").header_params)
    assert reply.error == (401, "APIGW.0301")
    assert reply.json["error_msg"] == "Incorrect IAM authentication information: verify aksk signature fail"


async def test_foreign_project_is_refused(gcs: GCS) -> None:
    """A project id may be omitted, but must not be another's."""
    path = f"/v1/executions/{gcs.play(happy())}"
    assert (await get(gcs, path, headers={"X-Project-Id": "f" * 32})).error == (401, "APIGW.0301")


@pytest.mark.parametrize(
    ("sent", "status"), [({"X-Security-Token": "sts"}, 200), ({"X-Security-Token": "x"}, 401), ({}, 401)]
)
async def test_temporary_keys_need_their_token(sent: dict[str, str], status: int) -> None:
    """With a configured security token, a signature alone is not enough."""
    async with GCS(security_token="sts") as gcs:
        assert (await get(gcs, "/v1/executions", headers=sent)).status == status


async def test_security_token_must_be_signed() -> None:
    """A security token added after signing is not accepted."""
    async with GCS(security_token="sts") as gcs:
        headers = signed(gcs, "/v1/executions").header_params | {"X-Security-Token": "sts"}
        assert (await send(gcs, "/v1/executions", headers)).error == (401, "APIGW.0301")


async def test_unknown_path_and_method(gcs: GCS) -> None:
    """Unknown paths are refused before credentials are checked."""
    wrong = [
        ("GET", "/v2/executions"),
        ("GET", "/v1/executions/"),
        ("GET", "/v1/executions/a/b"),
        ("DELETE", "/v1/executions/a"),
    ]
    replies = [await send(gcs, path, {}, method=method) for method, path in wrong]
    assert {reply.error for reply in replies} == {(404, "APIGW.0101")}


async def test_quota_on_the_wire() -> None:
    """A call over the quota gets the vendor's answer with Retry-After, and is recorded with its caller."""
    async with GCS(quota_per_minute=2) as gcs:
        replies = [await get(gcs, "/v1/executions") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[2].error == (429, "APIG.0308")
        assert replies[2].json["error_msg"].endswith("policy user over ratelimit,limit:2,time:1 minute")
        assert 0 < int(replies[2].headers["Retry-After"]) <= 60
        assert (gcs.calls[2].user, gcs.worst_minute()) == ("sandbox-bot", 3)


def test_quota_makes_room_after_a_minute() -> None:
    """Each call leaves the window after sixty seconds."""
    time = 0.0
    quota = Quota(2, monotonic=lambda: time)
    quota.take()
    time = 30.0
    quota.take()
    with pytest.raises(Refusal) as refused:
        quota.take()
    assert refused.value.answer.headers == {"Retry-After": "30"}
    time = 60.0
    quota.take()


async def test_calls_are_recorded(gcs: GCS) -> None:
    """A test sees each call and its answer."""
    guid = gcs.play(happy())
    await get_execution(gcs, guid)
    await get(gcs, "/v1/executions", [("limit", "5"), ("offset", "0")])
    assert [(call.execution_id, call.query, call.status, call.user) for call in gcs.calls] == [
        (guid, "", 200, "sandbox-bot"),
        ("", "limit=5&offset=0", 200, "sandbox-bot"),
    ]


async def test_waiting_for_calls(gcs: GCS) -> None:
    """A test can wait for calls, with a time limit and without sleeping."""
    guid = gcs.play(happy())
    waiting = asyncio.create_task(gcs.wait_for_calls(guid, 2))
    await get_execution(gcs, guid)
    assert not waiting.done()
    await get_execution(gcs, guid)
    await waiting
    with pytest.raises(TimeoutError):
        await gcs.wait_for_calls(guid, 3, timeout=0.01)


async def test_worst_minute() -> None:
    """The most queries in any sixty seconds; calls to IAM do not count."""
    ledger = Ledger()
    for at, path in [(0, "/v1/x"), (59, "/v1/x"), (59.5, "/v3/auth/tokens"), (60, "/v1/x"), (118, "/v1/x")]:
        await ledger.write(Call(at=at, method="GET", path=path, query="", execution_id="", status=200, user=""))
    assert ledger.worst_minute() == 3


async def test_restart_keeps_address_and_executions() -> None:
    """After a stop and a start, address and executions are the same."""
    gcs = GCS()
    guid = gcs.play(happy())
    async with gcs:
        url = gcs.url
    async with gcs:
        assert gcs.url == url
        assert (await get_execution(gcs, guid)).status == 200


async def test_port_in_use(gcs: GCS) -> None:
    """Starting on a port in use raises OSError and leaves nothing open."""
    with pytest.raises(OSError, match="in use"):
        await GCS(port=int(gcs.url.rpartition(":")[2])).start()


async def test_clock_of_the_signer_is_checked() -> None:
    """Signatures use wall time, not story time."""
    async with GCS(now=lambda: datetime.now(UTC) + timedelta(minutes=16)) as gcs:
        reply = await get(gcs, "/v1/executions")
        assert reply.error == (401, "APIGW.0301")
        assert "signature expired" in reply.json["error_msg"]
