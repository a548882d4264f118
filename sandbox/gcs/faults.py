"""What can go wrong between a client and GCS, on purpose.

Lives here: `Fault`, `Faults` (which one strikes), and `spoil`, for those that are no proper answer. Does not live here:
proper answers (`answers`). Called by `server`; tests and demo add and clear faults.

A client may try an idempotent request again by itself when a kept-alive connection is closed without an answer; a
`reset` with `times=1` can then go by unseen.
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
Service = Literal["gcs", "iam"]

MIB = 1024 * 1024


@dataclass(kw_only=True)
class Fault:
    """One thing that goes wrong, `times` times or until it is cleared.

    `status`: an error answer. `slow`: the right answer after `delay` seconds. `timeout`: no answer, ever. `reset`: the
    connection is reset. `truncated`: it is closed in the middle of the body. `oversized`: `size` bytes of body, without
    a length. `malformed`: 200 with `body`, which is no execution. `html`: a proxy's page. `not_found_page`: one that
    says 404, as of a gateway that sends calls to the wrong place.
    """

    kind: Kind
    times: int | None = None
    every: int = 1
    """Only each so-manieth call that fits is struck."""
    service: Service = "gcs"
    execution_id: str | None = None
    """Only for calls about this one; None: for all calls of the service."""
    status: int = 503
    body: Any = None
    """In the place of the usual body: JSON value, text or bytes."""
    retry_after: float | str | None = None
    """Seconds or an HTTP date."""
    delay: float = 1.0
    size: int = 33 * MIB
    passed: int = 0
    """Calls that fitted and were let through since the last one that was struck."""

    @property
    def answer(self) -> Answer | None:
        """What is said instead of the right thing; None for the kinds that only spoil how it travels."""
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
        return known.get(self.status) or answers.trouble(self.status)


class Faults:
    """The faults that may strike; of several that fit, the one that was added first."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.struck: Counter[str] = Counter()
        """By kind, an error answer by its status: how many calls so far."""

    def add(self, fault: Fault) -> Fault:
        """Have `fault` strike from now on."""
        self.waiting.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Have this one strike no more, if it still does."""
        self.waiting = [each for each in self.waiting if each is not fault]

    def clear(self) -> None:
        """All is well again."""
        self.waiting.clear()

    def take(self, service: Service, execution_id: str) -> Fault | None:
        """The fault that strikes this call, if any; it is used up after its `times`."""
        for fault in self.waiting:
            if fault.service == service and fault.execution_id in {None, execution_id}:
                fault.passed = (fault.passed + 1) % fault.every
                if fault.passed:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.remove(fault)
                self.struck[str(fault.status) if fault.kind == "status" else fault.kind] += 1
                return fault
        return None


async def spoil(
    fault: Fault, request: web.Request, response: web.Response, *, stopping: asyncio.Event
) -> web.StreamResponse:
    """Send `response` as `fault` has it; most kinds leave the sending alone."""
    match fault.kind:
        case "slow":
            await asyncio.sleep(fault.delay)
        case "timeout":
            # Ends when the client goes away, which cancels this, or when the server stops.
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
    """Drop the connection with a TCP reset."""
    if request.transport is not None:
        peer: socket.socket = request.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _truncate(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Promise the whole body, send half of it, close."""
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
    """Send a JSON object of more than `size` bytes without a length, as long as the client takes it."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(b'{"execution": {"image": "')
        for _ in range(size // 65536 + 1):
            await response.write(b"A" * 65536)
        await response.write(b'"}}')
    return response
