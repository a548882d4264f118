"""A scripted server on a real loopback socket, and the client that talks to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stamina
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.execution import Execution
from bot.gcs.client import GCSClient
from bot.gcs.http import HTTPClient
from bot.gcs.tables import GetExecutionResponse

ID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
FAILED_ID = "9bf97d60-f9f3-11e8-bcb5-0255ac10a106"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def body_of(name: str) -> bytes:
    """One of the reference's worked answers, unchanged."""
    return (Path(__file__).parent / "answers" / f"{name}.json").read_bytes()


def seen(name: str, asked: str = ID) -> Execution:
    """The execution of one of the worked answers."""
    return GetExecutionResponse.parse(body_of(name), requested_id=asked).to_execution()


def changed(**parts: Any) -> Execution:
    """The execution of a minimal answer, as `answered`."""
    return answered(**parts).to_execution()


def answered(**parts: Any) -> GetExecutionResponse:
    """A minimal answer with `parts` set; `execution` is merged, the rest replaced."""
    record = {"guid": ID, "status": "Running", **parts.pop("execution", {})}
    return GetExecutionResponse.parse(json.dumps({"execution": record, **parts}).encode(), requested_id=ID)


@dataclass
class Scripted:
    """Plays its answers in order, repeating the last one; records the requests and their connections."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.requests.append(request)
        self.bodies.append(await request.read())
        self.connections.add(request.transport)
        return await (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(request)

    def says(self, status: int, body: bytes | str = b"", **headers: str) -> Scripted:
        """Script a plain answer; underscores in header names stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body.encode() if isinstance(body, str) else body

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, body=content, headers=named)

        self.answers.append(answer)
        return self


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Repeat at once; how long repeats wait is stamina's own promise."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    """A server that answers as the test scripts."""
    script = Scripted()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", script.handle)
    async with TestServer(app) as server:
        script.url = str(server.make_url("")).rstrip("/")
        yield script


@pytest.fixture
async def http() -> AsyncIterator[HTTPClient]:
    """The bot's own HTTP client."""
    async with HTTPClient() as client:
        yield client


@pytest.fixture
def client(scripted: Scripted, http: HTTPClient) -> GCSClient:
    """The client, pointed at the scripted server."""
    return GCSClient(http, endpoint=scripted.url, auth=None)
