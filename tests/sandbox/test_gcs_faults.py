"""Every kind of fault, as a plain client sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError, ClientPayloadError

from sandbox.gcs import GCS, Fault
from sandbox.gcs.faults import Kind
from sandbox.story import happy
from tests.sandbox.gcs_caller import get, get_execution


@pytest.fixture
async def gcs() -> AsyncIterator[GCS]:
    """A running double."""
    async with GCS() as running:
        yield running


@pytest.fixture
def guid(gcs: GCS) -> str:
    """An execution that is under way."""
    return gcs.play(happy(), by_hand=True)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "APIGW.0301"),
        (403, "APIGW.0302"),
        (404, "GCS.4040001"),
        (429, "APIG.0308"),
        (500, "APIGW.0201"),
        (503, "APIGW.0201"),
        (504, "APIGW.0201"),
    ],
)
async def test_status(gcs: GCS, guid: str, status: int, code: str) -> None:
    """An error answer has the form that goes with its status."""
    gcs.faults.add(Fault(kind="status", status=status))
    assert (await get_execution(gcs, guid)).error == (status, code)
    assert gcs.calls[-1].status == status


async def test_a_fault_for_each_third_call(gcs: GCS, guid: str) -> None:
    """A fault can leave most calls alone; the double counts whom it struck; taken away, it strikes no more."""
    fault = gcs.faults.add(Fault(kind="status", status=503, every=3))
    assert [(await get_execution(gcs, guid)).status for _ in range(6)] == [200, 200, 503] * 2
    assert gcs.faults.struck == {"503": 2}
    gcs.faults.remove(fault)
    assert [(await get_execution(gcs, guid)).status for _ in range(3)] == [200] * 3


async def test_body_and_retry_after(gcs: GCS, guid: str) -> None:
    """A test says in which form the error comes, and when to come back."""
    gcs.faults.add(Fault(kind="status", status=429, body={"errorCode": "X.1"}, retry_after=7))
    reply = await get_execution(gcs, guid)
    assert (reply.status, reply.json, reply.headers["Retry-After"]) == (429, {"errorCode": "X.1"}, "7")


async def test_times(gcs: GCS, guid: str) -> None:
    """A fault strikes as often as it says; then all is well."""
    gcs.faults.add(Fault(kind="status", times=2))
    assert [(await get_execution(gcs, guid)).status for _ in range(3)] == [503, 503, 200]


async def test_until_cleared(gcs: GCS, guid: str) -> None:
    """A fault without a number stays."""
    gcs.faults.add(Fault(kind="status"))
    assert [(await get_execution(gcs, guid)).status for _ in range(3)] == [503, 503, 503]
    gcs.faults.clear()
    assert (await get_execution(gcs, guid)).status == 200


async def test_one_execution_only(gcs: GCS, guid: str) -> None:
    """A fault can be about one execution; the others and the list stay well."""
    gcs.faults.add(Fault(kind="status", execution_id=guid))
    replies = [await get_execution(gcs, guid), await get_execution(gcs, gcs.play(happy()))]
    assert [reply.status for reply in replies] == [503, 200]
    assert (await get(gcs, "/v1/executions")).status == 200


@pytest.mark.parametrize(("kind", "title"), [("html", "502 Bad Gateway"), ("not_found_page", "404 Not Found")])
async def test_html(gcs: GCS, guid: str, kind: Kind, title: str) -> None:
    """A proxy's page is no JSON, also where it says that it knows no such page."""
    gcs.faults.add(Fault(kind=kind))
    reply = await get_execution(gcs, guid)
    assert (reply.status, reply.headers["Content-Type"][:9]) == (int(title[:3]), "text/html")
    assert f"<h1>{title}</h1>".encode() in reply.content


async def test_malformed(gcs: GCS, guid: str) -> None:
    """200 with rubbish; what rubbish, a test may say."""
    gcs.faults.add(Fault(kind="malformed", times=1))
    gcs.faults.add(Fault(kind="malformed", body=b"\xff\xfe"))
    replies = [await get_execution(gcs, guid) for _ in range(2)]
    assert [(reply.status, reply.content) for reply in replies] == [
        (200, b'{"execution": {"guid": '),
        (200, b"\xff\xfe"),
    ]


async def test_truncated(gcs: GCS, guid: str) -> None:
    """The connection ends in the middle of the body that was promised."""
    gcs.faults.add(Fault(kind="truncated"))
    with pytest.raises(ClientPayloadError):
        await get_execution(gcs, guid)


async def test_oversized(gcs: GCS, guid: str) -> None:
    """More than 32 MiB come, and no length says so beforehand."""
    gcs.faults.add(Fault(kind="oversized"))
    reply = await get_execution(gcs, guid)
    assert len(reply.content) > 32 * 1024 * 1024
    assert "Content-Length" not in reply.headers


async def test_reset(gcs: GCS, guid: str) -> None:
    """The connection is gone and no answer came."""
    gcs.faults.add(Fault(kind="reset"))
    with pytest.raises(ClientError):
        await get_execution(gcs, guid)
    assert gcs.calls[-1].status == 0


async def test_timeout(gcs: GCS, guid: str) -> None:
    """No answer comes, though the request arrived."""
    gcs.faults.add(Fault(kind="timeout"))
    asking = asyncio.create_task(get_execution(gcs, guid))
    await gcs.wait_for_calls(guid, 1)
    done, _ = await asyncio.wait([asking], timeout=0.05)
    assert not done
    asking.cancel()


async def test_stop_ends_what_never_answers(guid: str, gcs: GCS) -> None:
    """A double that is stopped lets go of the clients that it keeps waiting."""
    gcs.faults.add(Fault(kind="timeout"))
    asking = asyncio.create_task(get_execution(gcs, guid))
    await gcs.wait_for_calls(guid, 1)
    await gcs.stop()
    with pytest.raises(ClientError):
        await asking


async def test_slow(gcs: GCS, guid: str) -> None:
    """The right answer comes late."""
    gcs.faults.add(Fault(kind="slow", delay=0.1))
    began = time.monotonic()
    assert (await get_execution(gcs, guid)).status == 200
    assert time.monotonic() - began >= 0.1
