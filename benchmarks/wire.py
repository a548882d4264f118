"""How soon Slack hears of a change: from the settled change to the request on the wire.

Lives here: one idle bot with twenty executions that finish a step now and then, and a Slack that notes when requests
arrive. The bot says in its log when a change was settled; both clocks are the machine's.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

from benchmarks import servers
from benchmarks.bots import Bot, filled, started
from benchmarks.harness import Row, at_most, say
from bot.domain.following import Level
from bot.domain.snapshot import Snapshot
from bot.gcs.tables import GetExecutionResponse
from sandbox import story
from sandbox.gcs import GCS

EXECUTIONS = 20
CHANGES = 200
PAUSE_SECONDS = (0.1, 0.4)
"""Between two changes: far more than one takes, at any point of the bot's pauses."""
POSTED = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
AMPLE = "1000000"
"""A limit that is never reached."""
SETTINGS = {
    "COALESCE": "0",
    "POLL_INTERVAL": "1",
    "GCS_QUOTA": AMPLE,
    "SLACK_CALLS_PER_MINUTE": AMPLE,
    "SLACK_POSTS_PER_MINUTE": AMPLE,
    "SLACK_CHANNEL_POSTS_PER_MINUTE": AMPLE,
}


async def rows() -> AsyncIterator[Row]:
    """Both quantiles of one sample."""
    arrivals = Arrivals()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "bot"
        async with GCS(quota_per_minute=int(AMPLE)) as gcs, servers.listening(arrivals.answer) as slack:
            executions = [gcs.play(story.happy(1 + CHANGES // EXECUTIONS), by_hand=True) for _ in range(EXECUTIONS)]
            for execution in executions:
                gcs.step(execution)
            await filled(state, snapshots(gcs, executions), gcs=gcs.url, level=Level.STEPS)
            async with started(state, gcs=gcs.url, slack=slack, **SETTINGS) as bot:
                await asyncio.sleep(5)
                arrivals.posts.clear()
                say(f"  {CHANGES} changes, one at a time …")
                await _let_happen(gcs, executions)
                delays = _delays(bot, arrivals)
    cuts = quantiles(delays, n=100, method="inclusive")
    for target, name, seconds in ((50, "median", cuts[49]), (300, "p99", cuts[98])):
        yield at_most(
            target,
            seconds * 1000,
            unit="ms",
            is_valid=len(delays) >= CHANGES * 0.9,
            name=f"A change settled until its message is on the wire: {name}",
            measures="An idle bot as a process, `COALESCE=0`; from the settled change in its log to the arrival of "
            "`chat.postMessage` at a server on the same machine.",
            figures={"changes": len(delays), "least, ms": min(delays) * 1000, "most, ms": max(delays) * 1000},
        )


class Arrivals:
    """A Slack that says yes to everything, and notes when messages arrive."""

    def __init__(self) -> None:
        self.posts: dict[str, list[float]] = defaultdict(list)
        """Execution → when messages about it arrived, in seconds since 1970."""
        self._answer = servers.slack_answers()

    def answer(self, path: bytes, body: bytes) -> bytes:
        """The answer to one call."""
        if path.endswith(b"/chat.postMessage") and (found := POSTED.search(body)):
            self.posts[found[0].decode()].append(time.time())
        return self._answer(path, body)


def snapshots(gcs: GCS, executions: list[str]) -> Iterator[Snapshot]:
    """Executions on the sandbox's stage, as the bot reads them."""
    for execution in executions:
        body = servers.encoded(gcs.body(execution) or {})
        seen = GetExecutionResponse.parse(body, requested_id=execution).to_execution()
        yield Snapshot(execution=seen, revision=1, seen_at=datetime.now(UTC))


async def _let_happen(gcs: GCS, executions: list[str]) -> None:
    chance = random.Random(7)  # noqa: S311  # no secret
    for number in range(CHANGES):
        gcs.step(executions[number % EXECUTIONS])
        await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
    await asyncio.sleep(5)


def _delays(bot: Bot, arrivals: Arrivals) -> list[float]:
    """Seconds from each settled change to the next message about the same execution."""
    delays = []
    for entry in bot.log_entries("watcher.changed"):
        at = datetime.fromisoformat(entry["timestamp"]).timestamp()
        execution = str(entry["execution"]).rpartition("/")[2]
        later = [arrived - at for arrived in arrivals.posts[execution] if arrived >= at]
        delays += later[:1]
    return delays
