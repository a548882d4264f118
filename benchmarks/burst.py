"""A thousand executions end at once, each followed by another person: how long until everybody knows.

Lives here: one bot with the default limits of Slack, and the arithmetic of these limits. Does not live here: the Slack
that notes when messages arrive (`wire`).
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks import servers
from benchmarks.bots import filled, started, until
from benchmarks.harness import Row, at_most, say
from benchmarks.wire import AMPLE, Arrivals, snapshots
from bot.settings import Settings
from bot.store.slack_limits.limits import WINDOW
from sandbox import story
from sandbox.gcs import GCS

PEOPLE = 1_000
LATE_SECONDS = 120
"""How much later than it should the last message may come before the benchmark gives up."""


async def rows() -> AsyncIterator[Row]:
    """How much longer it takes than the limits allow."""
    posts = int(Settings.model_fields["slack_posts_per_minute"].default)
    arithmetic = _arithmetic(posts)
    arrivals = Arrivals()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "bot"
        async with GCS(quota_per_minute=int(AMPLE)) as gcs, servers.listening(arrivals.answer) as slack:
            executions = [gcs.play(story.happy(20), by_hand=True) for _ in range(PEOPLE)]
            for execution in executions:
                gcs.step(execution)
            await filled(state, snapshots(gcs, executions), gcs=gcs.url)
            async with started(state, gcs=gcs.url, slack=slack, GCS_QUOTA=AMPLE, POLL_INTERVAL="2"):
                for execution in executions:
                    gcs.step(execution, to="succeeded")
                say(f"  {PEOPLE:,} outcomes at {posts} messages a minute take {arithmetic:.0f} s …")
                await until(lambda: len(arrivals.posts) == PEOPLE, seconds=arithmetic + LATE_SECONDS)
    sent = sorted(times[0] for times in arrivals.posts.values())
    seconds = sent[-1] - sent[0]
    yield at_most(
        5,
        100 * (seconds / arithmetic - 1),
        unit="% above the limits",
        name=f"{PEOPLE:,} outcomes at once to {PEOPLE:,} people, at Slack's limits",
        measures=f"From the first message to the last, beside the default limit: {posts} in any "
        f"{WINDOW.total_seconds():.0f} s, a tenth of them at once. A bot as a process.",
        figures={"s": seconds, "by the limits, s": arithmetic, f"at an even {posts} a minute, s": 60 * PEOPLE / posts},
    )


def _arithmetic(per_minute: int) -> float:
    """Seconds until the last message may go out: a tenth of a minute's at once, the rest evenly."""
    at_once = per_minute // 10
    return float(PEOPLE - at_once) * WINDOW.total_seconds() / (per_minute - at_once + 1)
