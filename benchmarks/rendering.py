"""How long a card takes to be drawn: with 200 steps and with 5,000, in both languages.

Lives here: the executions and the time. Does not live here: what a card looks like (`bot.blocks.cards`). Called by
`__main__`. No network and no store: pure functions on one core.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product
from statistics import median
from time import process_time

from benchmarks.harness import Row
from bot.blocks import execution_card
from bot.blocks.language import Language, speaking
from bot.domain.execution import Execution, Step
from bot.domain.following import Subscriber, Subscription
from bot.domain.snapshot import Snapshot

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROUNDS = 40
TARGETS = {200: 10.0, 5_000: 100.0}
"""Steps → milliseconds at the median."""
_FOLLOWED = Subscription(execution_id="e", subscriber=Subscriber(team_id="T1", id="C1"), owner="U1", created_at=NOW)
_PHASES = ("Succeeded", "Running", "Running", "", "Failed")


def snapshot(steps: int, number: int) -> Snapshot:
    """A run of so many steps in ten groups and as many single ones; `number` keeps two from having the same names."""
    found = tuple(
        Step(
            name=f"stage-{step % 10}-{number}-chr{step}" if step % 2 else f"only-{number}-{step}-once",
            phase=_PHASES[step % len(_PHASES)],
            elapsed=timedelta(minutes=step % 90 + 1),
            message="container was killed, exit code 137" if step % 5 == 4 else "",  # the failed ones
        )
        for step in range(steps)
    )
    execution = Execution(id="e", name="run-1", phase="Running", steps_total=steps, steps=found, created_at=NOW)
    return Snapshot(execution=execution, revision=1, seen_at=NOW + timedelta(hours=2))


async def rows() -> AsyncIterator[Row]:
    """One row for each size."""
    for steps, most in TARGETS.items():
        taken = []
        for language, number in product(Language, range(ROUNDS)):
            seen = snapshot(steps, number)
            with speaking(language):
                began = process_time()
                execution_card(seen, _FOLLOWED, now=NOW)
                taken.append(1000 * (process_time() - began))
        yield Row(
            name=f"Cards: time to draw one with {steps:,} steps",
            measures="CPU time, median; blocks and plain text, in both languages; no name was seen before.",
            target=f"≤ {most:g} ms",
            value=median(taken),
            unit="ms",
            is_met=median(taken) <= most,
            figures={"slowest ms": max(taken)},
        )
