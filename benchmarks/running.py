"""Process: how much more memory a bot takes that watches ten thousand executions than one that is idle.

Lives here: two bots as processes, side by side, with default settings, each with a GCS of the sandbox: one with nothing
to do, one whose store holds ten thousand running executions.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks import servers
from benchmarks.harness import SERVER_CORE, Row, free_port
from benchmarks.remembering import fill
from bot.domain.model import Snapshot
from bot.gcs.tables import GetExecutionResponse
from bot.store import Store
from bot.store.engine.embedded import EmbeddedStore
from sandbox import story
from sandbox.gcs import GCS

WATCHED = 10_000
TARGET_MB = 30
WARM_SECONDS = 30.0
"""Long enough for lists, looks and messages to have been under way."""
SAMPLES = 15
LIFE = story.happy(20, seconds=20 * 2400)


async def rows() -> list[Row]:
    """Memory of both at the same moments."""
    with tempfile.TemporaryDirectory() as folder:
        async with servers.serving("slack", core=SERVER_CORE) as slack, GCS() as quiet, GCS() as busy:
            await _fill(busy, Path(folder) / "busy")
            async with (
                _bot(quiet, slack, Path(folder) / "idle") as idle,
                _bot(busy, slack, Path(folder) / "busy") as full,
            ):
                await asyncio.sleep(WARM_SECONDS)
                samples = []
                for _ in range(SAMPLES):
                    await asyncio.sleep(1)
                    samples.append((_megabytes(idle, "VmRSS"), _megabytes(full, "VmRSS")))
                peak, calls = _megabytes(full, "VmHWM"), len(busy.calls)
    more = [with_work - without for without, with_work in samples]
    value = median(more)
    return [
        Row(
            name="process: RSS with 10,000 watched executions",
            against="idle",
            target=f"≤ +{TARGET_MB} MB",
            value=value,
            unit="MB more",
            is_met=value <= TARGET_MB,
            method=(
                "Two bots as processes (`python -m bot run`) with default settings: one idle, one with "
                f"{WATCHED:,} running executions of 20 steps in its embedded store and on its GCS, the sandbox's. "
                f"`VmRSS` of both, {SAMPLES} times within {SAMPLES} s, {WARM_SECONDS:.0f} s after the start. The "
                "engine is a process of its own and is not counted: see the row on the store."
            ),
            rounds=more,
            figures={
                "idle, MB": median(without for without, _ in samples),
                "with 10,000, MB": median(with_work for _, with_work in samples),
                "with 10,000, MB at the highest": peak,
                "calls that the busy one made meanwhile": calls,
            },
        )
    ]


async def _fill(gcs: GCS, state: Path) -> None:
    """Have everything on stage, and watched in the store that the bot will find."""
    engine = EmbeddedStore(state)
    store = Store(await engine.start(), coalesce=timedelta(seconds=5), staleness=timedelta(hours=2))
    await fill(store, (_playing(gcs, number) for number in range(WATCHED)), first_poll=timedelta(0))
    await store.aclose()
    await engine.stop()


def _playing(gcs: GCS, number: int) -> Snapshot:
    """An execution somewhere in its life."""
    execution_id = gcs.play(LIFE, ago=1 + number * 7919 % int(LIFE.frames[-1].at * 0.9))
    body = servers.encoded(gcs.body(execution_id))
    seen = GetExecutionResponse.parse(body, asked=execution_id).to_execution()
    return Snapshot(execution=seen, revision=1, seen_at=datetime.now(UTC))


@asynccontextmanager
async def _bot(gcs: GCS, slack: str, state: Path) -> AsyncIterator[int]:
    """A bot that has started; its process id."""
    state.mkdir(exist_ok=True)  # noqa: ASYNC240  # nothing else runs yet
    with (state / "bot.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", "run"),
            cwd=state,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(servers.REPOSITORY),
                "SLACK_BOT_TOKEN": "xoxb-benchmark",
                "SLACK_SIGNING_SECRET": "benchmark-signing-secret",
                "SLACK_API_URL": f"{slack}/api/",
                "GCS_ENDPOINT": gcs.url,
                "GCS_PROJECT_ID": gcs.project_id,
                "GCS_AK": gcs.access_key,
                "GCS_SK": gcs.secret_key,
                "STATE_DIR": str(state),
                "PORT": str(free_port()),
                "HEALTH_PORT": "0",
                "LISTEN_HOST": "127.0.0.1",
            },
            stderr=log,
        )
    try:
        async with asyncio.timeout(30):
            while b"service.started" not in (state / "bot.log").read_bytes():  # noqa: ASYNC110  # another process's doing
                await asyncio.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def _megabytes(process_id: int, what: str) -> float:
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text(encoding="ascii"))
    if found is None:
        raise RuntimeError(f"no {what} for process {process_id}")
    return int(found[1]) / 1024
