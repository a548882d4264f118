"""Servers that cost next to nothing, so that it is the client which is measured: a GCS and a Slack of ready answers.

Lives here: a minimal HTTP/1.1 server over `asyncio.Protocol`, the answers of both, and `serving`, which runs one in a
process of its own on a core of its own. Does not live here: anything strict; that is the sandbox's work. Called by the
rows; `python -m benchmarks.servers gcs` is what runs in the other process.

The GCS answers with the sandbox's own bodies of a running execution of twenty steps, 8 KB on average. As at GCS, the
times in it move with each answer; one look in twenty shows that a step has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import uvloop

from sandbox import story
from sandbox.gcs.bodies import Scene, whole

REPOSITORY = Path(__file__).resolve().parents[1]
GUID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
STEPS = 20
POLLS_PER_CHANGE = 20
"""One look in so many shows that a step has ended."""
LIFE = story.happy(STEPS, seconds=20 * 2400)
SECONDS = 8
"""Different times that are shown between two changes."""

Answer = Callable[[bytes], bytes]
"""From the path of a request to a whole response."""


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
            received = received[whole_request:]
            self._send(self._answer(path))
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
    """What the GCS answers: each execution goes through its life, look by look."""
    bodies = [[response(body).split(GUID.encode()) for body in frame] for frame in gcs_bodies()]
    looks: dict[bytes, int] = defaultdict(int)

    def answer(path: bytes) -> bytes:
        guid = path[-36:]
        if not (number := looks[guid]):
            looks[guid] = number = int(guid[:8], 16) % (POLLS_PER_CHANGE * STEPS)  # not all at the same point
        looks[guid] += 1
        frame = bodies[number // POLLS_PER_CHANGE % len(bodies)]
        return guid.join(frame[number % SECONDS])

    return answer


def slack_answers() -> Answer:
    """What Slack answers, whatever it is asked: well, with all that any of the bot's calls looks for."""
    said = {
        "ok": True,
        "team_id": "T0123ABCD",
        "user_id": "U0BOT",
        "bot_id": "B0BOT",
        "channel": {"id": "D0123ABCDEF"},
        "ts": "1732446671.000100",
        "messages": [],
    }
    ready = response(encoded(said))
    return lambda _path: ready


KINDS: dict[str, Callable[[], Answer]] = {"gcs": gcs_answers, "slack": slack_answers}


async def _serve(kind: str, delay: float) -> None:
    answer = KINDS[kind]()
    server = await asyncio.get_running_loop().create_server(lambda: Peer(answer, delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()  # ends with the process that asked for it


@asynccontextmanager
async def serving(kind: str, *, core: int, delay: float = 0) -> AsyncIterator[str]:
    """The URL of a server of `kind` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.servers", kind, str(core), str(delay)),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield f"http://127.0.0.1:{int(await cast('asyncio.StreamReader', process.stdout).readline())}"
    finally:
        cast("asyncio.StreamWriter", process.stdin).close()
        await process.wait()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    uvloop.run(_serve(sys.argv[1], float(sys.argv[3])))
