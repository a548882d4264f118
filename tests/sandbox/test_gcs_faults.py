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
    """A running simulated GCS."""
    async with GCS() as running:
        yield running


@pytest.fixture
def guid(gcs: GCS) -> str:
    """A running execution."""
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


async def test_fault_for_every_third_call(gcs: GCS, guid: str) -> None:
    """A fault can apply to some calls only; affected calls are counted; a removed fault no longer applies."""
    fault = gcs.faults.add(Fault(kind="status", status=503, every=3))
    assert [(await get_execution(gcs, guid)).status for _ in range(6)] == [200, 200, 503] * 2
    assert gcs.faults.applied == {"503": 2}
    gcs.faults.remove(fault)
    assert [(await get_execution(gcs, guid)).status for _ in range(3)] == [200] * 3


async def test_body_and_retry_after(gcs: GCS, guid: str) -> None:
    """A test chooses the error's body and Retry-After."""
    gcs.faults.add(Fault(kind="status", status=429, body={"errorCode": "X.1"}, retry_after=7))
    reply = await get_execution(gcs, guid)
    assert (reply.status, reply.json, reply.headers["Retry-After"]) == (429, {"errorCode": "X.1"}, "7")


async def test_times(gcs: GCS, guid: str) -> None:
    """A fault applies `times` times, then no more."""
    gcs.faults.add(Fault(kind="status", times=2))
    assert [(await get_execution(gcs, guid)).status for _ in range(3)] == [503, 503, 200]


async def test_until_cleared(gcs: GCS, guid: str) -> None:
    """A fault without a number stays."""
    gcs.faults.add(Fault(kind="status"))
    assert [(await get_execution(gcs, guid)).status for _ in range(3)] == [503, 503, 503]
    gcs.faults.clear()
    assert (await get_execution(gcs, guid)).status == 200


async def test_one_execution_only(gcs: GCS, guid: str) -> None:
    """A fault can apply to one execution; the others and the list are not affected."""
    gcs.faults.add(Fault(kind="status", execution_id=guid))
    replies = [await get_execution(gcs, guid), await get_execution(gcs, gcs.play(happy()))]
    assert [reply.status for reply in replies] == [503, 200]
    assert (await get(gcs, "/v1/executions")).status == 200


@pytest.mark.parametrize(("kind", "title"), [("html", "502 Bad Gateway"), ("not_found_page", "404 Not Found")])
async def test_html(gcs: GCS, guid: str, kind: Kind, title: str) -> None:
    """A proxy's page is not JSON, also with status 404."""
    gcs.faults.add(Fault(kind=kind))
    reply = await get_execution(gcs, guid)
    assert (reply.status, reply.headers["Content-Type"][:9]) == (int(title[:3]), "text/html")
    assert f"<h1>{title}</h1>".encode() in reply.content


async def test_malformed(gcs: GCS, guid: str) -> None:
    """200 with an invalid body, which a test may choose."""
    gcs.faults.add(Fault(kind="malformed", times=1))
    gcs.faults.add(Fault(kind="malformed", body=b"\xff\xfe"))
    replies = [await get_execution(gcs, guid) for _ in range(2)]
    assert [(reply.status, reply.content) for reply in replies] == [
        (200, b'{"execution": {"guid": '),
        (200, b"\xff\xfe"),
    ]


async def test_truncated(gcs: GCS, guid: str) -> None:
    """The connection ends in the middle of the announced body."""
    gcs.faults.add(Fault(kind="truncated"))
    with pytest.raises(ClientPayloadError):
        await get_execution(gcs, guid)


async def test_oversized(gcs: GCS, guid: str) -> None:
    """The body is more than 32 MiB, without a length header."""
    gcs.faults.add(Fault(kind="oversized"))
    reply = await get_execution(gcs, guid)
    assert len(reply.content) > 32 * 1024 * 1024
    assert "Content-Length" not in reply.headers


async def test_reset(gcs: GCS, guid: str) -> None:
    """The connection is reset without an answer."""
    gcs.faults.add(Fault(kind="reset"))
    with pytest.raises(ClientError):
        await get_execution(gcs, guid)
    assert gcs.calls[-1].status == 0


async def test_timeout(gcs: GCS, guid: str) -> None:
    """The request arrives, but is never answered."""
    gcs.faults.add(Fault(kind="timeout"))
    asking = asyncio.create_task(get_execution(gcs, guid))
    await gcs.wait_for_calls(guid, 1)
    done, _ = await asyncio.wait([asking], timeout=0.05)
    assert not done
    asking.cancel()


async def test_stop_ends_calls_that_hang(guid: str, gcs: GCS) -> None:
    """Stopping the server ends the calls that it keeps waiting."""
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
