"""Failures between a client and GCS, injected on purpose.

Lives here: `Fault`, `Faults` (which one applies to a call), and `send_faulty`, for those that are not a proper answer.
Does not live here: proper answers (`answers`). Called by `server`; tests and the demo add and clear faults.

A client may repeat an idempotent request by itself when a kept-alive connection is closed without an answer, so a
`reset` with `times=1` may go unnoticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from sandbox.gcs import answers
from sandbox.gcs.answers import Answer

Kind = Literal["status", "timeout", "truncated", "oversized", "slow", "reset", "malformed", "html", "not_found_page"]
Service = Literal["gcs", "events", "actions", "iam"]
"""`gcs` also means events and actions, `events` and `actions` mean them alone."""

MIB = 1024 * 1024


@dataclass(kw_only=True)
class Fault:
    """One kind of failure, `times` times or until it is cleared.

    `status`: an error answer. `slow`: the right answer after `delay` seconds. `timeout`: no answer, ever. `reset`: the
    connection is reset. `truncated`: it is closed in the middle of the body. `oversized`: `size` bytes of body, without
    a length. `malformed`: 200 with `body`, which is not an execution. `html`: a proxy's page. `not_found_page`: such a
    page with 404, as from a gateway that routes calls to the wrong place.
    """

    kind: Kind
    times: int | None = None
    every: int = 1
    """The fault applies to every n-th matching call only."""
    service: Service = "gcs"
    execution_id: str | None = None
    """Only calls about this execution; None: all calls of the service."""
    is_done: bool | None = None
    """Whether an action is done all the same, though its answer is lost or replaced; None: only if the fault disturbs
    no more than the answer's transport."""
    status: int = 503
    body: Any = None
    """Replaces the usual body: JSON value, text or bytes."""
    retry_after: float | str | None = None
    """Seconds or an HTTP date."""
    delay: float = 1.0
    size: int = 33 * MIB
    passed: int = 0
    """Matching calls let through since the fault last applied."""

    @property
    def lets_act(self) -> bool:
        """Whether an action that meets this fault is done."""
        return self.answer is None if self.is_done is None else self.is_done

    @property
    def answer(self) -> Answer | None:
        """The answer that replaces the right one; None for kinds that only disturb its transport."""
        if self.kind == "malformed":
            return Answer(200, '{"execution": {"guid": ' if self.body is None else self.body)
        if self.kind == "html":
            return answers.proxy_page(502)
        if self.kind == "not_found_page":
            return answers.proxy_page(404)
        if self.kind != "status":
            return None
        usual = self._usual()
        retry_after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Answer(self.status, usual.body if self.body is None else self.body, retry_after)

    def _usual(self) -> Answer:
        if self.service == "iam":
            return answers.iam_error(self.status, "Error", "The request cannot be handled.")
        known = {
            401: answers.bad_credentials("verify aksk signature fail"),
            403: answers.forbidden(),
            404: answers.no_such_execution(),
            429: answers.throttled(600, ""),
        }
        return known.get(self.status) or answers.unavailable(self.status)


class Faults:
    """The active faults; if several match a call, the one added first applies."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.applied: Counter[str] = Counter()
        """Number of affected calls, by kind; error answers by their status."""

    def add(self, fault: Fault) -> Fault:
        """Activate `fault`."""
        self.active.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Deactivate this one, if it is still active."""
        self.active = [each for each in self.active if each is not fault]

    def clear(self) -> None:
        """Deactivate all faults."""
        self.active.clear()

    def take(self, service: Service, execution_id: str) -> Fault | None:
        """The fault for this call, if any; it is used up after its `times`."""
        for fault in self.active:
            if fault.service == service and fault.execution_id in {None, execution_id}:
                fault.passed = (fault.passed + 1) % fault.every
                if fault.passed:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.remove(fault)
                self.applied[str(fault.status) if fault.kind == "status" else fault.kind] += 1
                return fault
        return None


async def send_faulty(
    fault: Fault, request: web.Request, response: web.Response, *, stopping: asyncio.Event
) -> web.StreamResponse:
    """Send `response` in the way of `fault`; most kinds return it unchanged."""
    match fault.kind:
        case "slow":
            await asyncio.sleep(fault.delay)
        case "timeout":
            # Ends when the client disconnects, which cancels this, or when the server stops.
            await stopping.wait()
            return _reset(request)
        case "reset":
            return _reset(request)
        case "truncated":
            return await _truncate(request, response)
        case "oversized":
            return await _flood(request, fault.size)
    return response


def _reset(request: web.Request) -> web.StreamResponse:
    """Close the connection with a TCP reset."""
    if request.transport is not None:
        peer: socket.socket = request.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _truncate(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Announce the whole body, send half of it, close."""
    body = response.body
    payload = body if isinstance(body, bytes) else b""
    half = web.StreamResponse(status=response.status, headers=response.headers)
    half.content_length = len(payload)
    with contextlib.suppress(ConnectionError):
        await half.prepare(request)
        await half.write(payload[: len(payload) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


async def _flood(request: web.Request, size: int) -> web.StreamResponse:
    """Send a JSON object of more than `size` bytes without a length, until the client stops reading."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(b'{"execution": {"image": "')
        for _ in range(size // 65536 + 1):
            await response.write(b"A" * 65536)
        await response.write(b'"}}')
    return response
