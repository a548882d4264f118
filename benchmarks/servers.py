"""Servers that cost next to nothing, so that the client is what is measured: a GCS and a Slack with ready answers.

Lives here: a minimal HTTP/1.1 server over `asyncio.Protocol`, the answers of both, and `serving`, which runs one in a
process of its own. Does not live here: anything strict; that is the sandbox's work. Called by the rows; `python -m
benchmarks.servers gcs` is what runs in the other process.

`gcs` answers with the sandbox's bodies of a running execution of twenty steps, 8 KB on average. As at GCS, the times in
it move with each answer; one poll in twenty shows that a step has ended. `population` is the sandbox's population of
ten thousand executions, whose answers take their time.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import cast

import uvloop

from sandbox import story
from sandbox.gcs.bodies import Scene, whole
from sandbox.gcs.population import Population

ANSWER_SECONDS = ((0, 0.15), (100, 0.3), (1000, 1.5))
"""The median time of an answer by how many executions it shows; between these, on a straight line."""
SIGMA = 0.5
"""Of the log-normal distribution of the time that an answer takes."""

POPULATION = 10_000
REPOSITORY = Path(__file__).resolve().parents[1]
GUID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
STEPS = 20
POLLS_PER_CHANGE = 20
"""How many polls it takes until one shows that a step has ended."""
LIFE = story.happy(STEPS, seconds=20 * 2400)
SECONDS = 8
"""How many different times are shown between two changes."""

Answer = Callable[[bytes, bytes], bytes]
"""From the path and the body of a request to a whole response."""


class Peer(asyncio.Protocol):
    """One connection: requests in, ready answers out."""

    def __init__(self, answer: Answer, delay: float) -> None:
        self._answer, self._delay = answer, delay
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = transport  # type: ignore[assignment]  # TCP is one

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        received = self._received + data
        while (end := received.find(b"\r\n\r\n")) >= 0:
            whole_request = end + 4 + _content_length(received[:end])
            if len(received) < whole_request:
                break
            path = received[: received.index(b"\r\n")].split(b" ")[1]
            body, received = received[end + 4 : whole_request], received[whole_request:]
            self._send(self._answer(path, body))
        self._received = received

    def _send(self, response: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, response)
        else:
            self._transport.write(response)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def response(body: bytes) -> bytes:
    """`body` as an answer of 200."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def encoded(body: object) -> bytes:
    """`body` as JSON on the wire."""
    return json.dumps(body).encode()


def gcs_bodies() -> list[list[bytes]]:
    """For each step that has ended, the bodies that show it, each with other times; the id in them is `GUID`."""
    running = [frame for frame in LIFE.frames if frame.status == "Running"]
    shown = []
    for frame in running:
        elapsed = [frame.at + 7 * n for n in range(SECONDS)]
        shown.append([encoded(whole(_scene(frame, seconds))) for seconds in elapsed])
    return shown


def _scene(frame: story.Frame, elapsed: float) -> Scene:
    return Scene(
        id=GUID,
        name="germline-wgs-11-24-111111-1",
        project_id="5a4db0c5a4db0c5a4db0c5a4db0c5a4d",
        domain_id="0123456789abcdef0123456789abcdef",
        workflow_id="0b6a2c1e-5d0f-4c57-8a1d-7a2d1f3c9e11",
        life=LIFE,
        frame=frame,
        begin=datetime(2026, 11, 24, 8, tzinfo=UTC),
        elapsed=elapsed,
    )


def gcs_answers() -> Answer:
    """What the GCS answers: each execution goes through its life, poll by poll."""
    bodies = [[response(body).split(GUID.encode()) for body in frame] for frame in gcs_bodies()]
    polls: dict[bytes, int] = defaultdict(int)

    def answer(path: bytes, _: bytes) -> bytes:
        guid = path[-36:]
        if not (number := polls[guid]):
            polls[guid] = number = int(guid[:8], 16) % (POLLS_PER_CHANGE * STEPS)  # not all at the same point
        polls[guid] += 1
        frame = bodies[number // POLLS_PER_CHANGE % len(bodies)]
        return guid.join(frame[number % SECONDS])

    return answer


def slack_answers() -> Answer:
    """What Slack answers to every call: all is well, with every field that one of the bot's calls reads."""
    answer = {
        "ok": True,
        "team_id": "T0123ABCD",
        "user_id": "U0BOT",
        "bot_id": "B0BOT",
        "channel": {"id": "D0123ABCDEF"},
        "user": {"id": "U0123ABCD", "team_id": "T0123ABCD"},
        "ts": "1732446671.000100",
        "messages": [],
    }
    ready = response(encoded(answer))
    return lambda _path, _body: ready


KINDS: dict[str, Callable[[], Answer]] = {"gcs": gcs_answers, "slack": slack_answers}


@asynccontextmanager
async def listening(answer: Answer, *, delay: float = 0) -> AsyncIterator[str]:
    """The URL of a server in this process."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(answer, delay), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def population(began: float) -> Population:
    """The population that began at a moment in seconds since 1970; the same ids and lives in every process."""
    chance = random.Random(7)  # noqa: S311  # no secret

    async def wait(shown: int) -> None:
        await asyncio.sleep(answer_seconds(chance, shown))

    return Population(
        POPULATION,
        page=1000,
        clock=lambda: time.time() - began,
        wait=wait,
        begin=datetime.fromtimestamp(began, UTC),
    )


def answer_seconds(chance: random.Random, shown: int) -> float:
    """How long GCS takes to answer with so many executions."""
    (fewer, short), (more, long) = ANSWER_SECONDS[:2] if shown <= ANSWER_SECONDS[1][0] else ANSWER_SECONDS[1:]
    median = short + (long - short) * (shown - fewer) / (more - fewer)
    return chance.lognormvariate(log(median), SIGMA)


async def _serve(kind: str, argument: float) -> None:
    async with population(argument) if kind == "population" else listening(KINDS[kind](), delay=argument) as served:
        print(served.url if isinstance(served, Population) else served, flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()  # ends with the process that asked for it


@asynccontextmanager
async def serving(kind: str, *, core: int, argument: float = 0) -> AsyncIterator[str]:
    """The URL of a server of `kind` in a process of its own.

    `argument` is the delay of each answer in seconds; of a population, the moment at which it began.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.servers", kind, str(core), str(argument)),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield (await cast("asyncio.StreamReader", process.stdout).readline()).decode().strip()
    finally:
        cast("asyncio.StreamWriter", process.stdin).close()
        await process.wait()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    uvloop.run(_serve(sys.argv[1], float(sys.argv[3])))
