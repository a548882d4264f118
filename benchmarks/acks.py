"""Slash command: how soon everybody has their ack when many type at once, beside a listener that only acks.

Lives here: the two bots. Ours is the whole service; the other is Bolt with one listener, behind the same HTTP server.
Called by `__main__`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import cast

import aiohttp
from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from benchmarks import servers
from benchmarks.harness import CLIENT_CORE, SERVER_CORE, Row, at_least, free_port, interleaved, pinned, quiet, ratios
from bot.app import service
from bot.settings import Settings
from bot.slack.inbound import HTTPMode

PEOPLE = 200
BURSTS, ROUNDS = 3, 9
"""Bursts in one round, and rounds: short ones, so that both bots run under the same load of the machine."""
SECRET = "benchmark-signing-secret"  # noqa: S105  # made up
TOKEN = "xoxb-benchmark"  # noqa: S105  # made up
REST_SECONDS = 0.6
"""Pause between bursts, so that the answers of one do not meet the acks of the next."""


async def rows() -> AsyncIterator[Row]:
    """The burst at our bot, and at one that only acks."""
    with pinned(CLIENT_CORE), quiet():
        async with AsyncExitStack() as stack:
            gcs = await stack.enter_async_context(servers.serving("gcs", core=SERVER_CORE))
            slack = await stack.enter_async_context(servers.serving("slack", core=SERVER_CORE))
            ours = await stack.enter_async_context(_ours(gcs, slack))
            only_acks = await stack.enter_async_context(_only_acks(slack))
            found = await interleaved({"bot": ours, "only acks": only_acks}, rounds=ROUNDS)
    figures = {f"{name}, ms until the last of {PEOPLE} acks": median(times) for name, times in found.items()}
    beside = ratios(found["only acks"], found["bot"])
    yield at_least(
        0.9,
        median(beside),
        unit="×",
        name=f"Slash command until the ack is on the wire, {PEOPLE} at once, beside Bolt alone",
        measures="Wall time until the last ack has arrived in another process: the whole service beside one Bolt "
        "listener that only acks, behind the same HTTP server. Ours begins to work while others wait for acks.",
        rounds=beside,
        figures=figures,
    )


@asynccontextmanager
async def _ours(gcs: str, slack: str) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """The service in HTTP mode, and a round of it."""
    port, stop = free_port(), asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            slack_bot_token=SecretStr(TOKEN),
            slack_signing_secret=SecretStr(SECRET),
            slack_api_url=f"{slack}/api/",
            gcs_endpoint=gcs,
            gcs_project_id="0" * 32,
            gcs_ak=SecretStr("BENCHMARKACCESSKEY01"),
            gcs_sk=SecretStr("b" * 40),
            gcs_quota=1_000_000,
            person_requests_per_minute=1_000_000,
            state_dir=Path(folder),
            port=port,
            health_port=0,
            listen_host="127.0.0.1",
        )
        async with service.running(settings, stop), _crowd(port, slack) as burst:
            yield burst


@asynccontextmanager
async def _only_acks(slack: str) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Bolt with one listener, and a round of it."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T0123ABCD", bot_token=TOKEN, bot_id="B0BOT")

    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(base_url=f"{slack}/api/", session=session)
        app = AsyncApp(client=client, authorize=authorize, request_verification_enabled=False)

        @app.command("/execution")
        async def only_ack(ack: AsyncAck) -> None:
            await ack()

        port = free_port()
        way_in = HTTPMode(app, SECRET, host="127.0.0.1", port=port)
        await way_in.start()
        async with _crowd(port, slack) as burst:
            yield burst
        await way_in.stop()


@asynccontextmanager
async def _crowd(port: int, slack: str) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """People at a port; in a round they type a few times."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.crowd", str(SERVER_CORE), str(port), str(PEOPLE), SECRET, f"{slack}/answer"),
        cwd=servers.REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    types, says = cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout)

    async def round_() -> float:
        times = []
        for _ in range(BURSTS):
            types.write(b"now\n")
            times.append(float(await says.readline()))
            await asyncio.sleep(REST_SECONDS)
        return median(times)

    try:
        yield round_
    finally:
        types.close()
        await process.wait()
