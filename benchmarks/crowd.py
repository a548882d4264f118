"""Many people who type a slash command at the same moment, in a process of their own.

Called by `acks`: `python -m benchmarks.crowd <core> <port> <people> <secret>`. For each line on its input, all people
send one signed command each on connections that are open already; it prints how many milliseconds it took until the
last ack had arrived.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import sys
import time
from urllib.parse import urlencode

import uvloop

from bot.slack.inbound import PATH

ACCEPTED_SECONDS = 0.3
"""How long until the server has surely accepted all connections; it closes those that are idle for long."""

EXECUTION = "00000001-0005-0000-0000-000000000000"


def command(number: int, secret: str, response_url: str) -> bytes:
    """One command on the wire, as Slack sends it."""
    form = {
        "token": "legacy",
        "team_id": "T0123ABCD",
        "team_domain": "lab",
        "channel_id": "C0123ABCD",
        "channel_name": "lab",
        "user_id": f"U{number:08d}",
        "user_name": "somebody",
        "command": "/execution",
        "text": EXECUTION,
        "api_app_id": "A0123ABCD",
        "response_url": response_url,
        "trigger_id": f"{time.time_ns()}.738474920.{number:08d}",
    }
    body, now = urlencode(form), str(int(time.time()))
    signature = hmac.new(secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"X-Slack-Signature: v0={signature}\r\nX-Slack-Request-Timestamp: {now}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body.encode()


async def _burst(people: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], requests: list[bytes]) -> float:
    began = time.perf_counter()
    for (_, writer), request in zip(people, requests, strict=True):
        writer.write(request)
    await asyncio.gather(*(_ack(reader) for reader, _ in people))
    return (time.perf_counter() - began) * 1000


async def _ack(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(head.decode())
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
    await reader.readexactly(length)


async def _crowd(port: int, size: int, secret: str, response_url: str) -> None:
    while await asyncio.to_thread(sys.stdin.readline):
        people = [await asyncio.open_connection("127.0.0.1", port) for _ in range(size)]
        requests = [command(number, secret, response_url) for number in range(size)]
        await asyncio.sleep(ACCEPTED_SECONDS)
        print(await _burst(people, requests), flush=True)
        for _, writer in people:
            writer.close()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    uvloop.run(_crowd(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
