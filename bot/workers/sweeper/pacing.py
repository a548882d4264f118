"""How fast lists are read, in which pages, and how far they are trusted: pure values, no clock, no I/O.

Lives here: whether reading lists pays. Does not live here: what a page showed
(`bot.workers.sweeper.round`), fetching and storing (`bot.workers.sweeper.sweeper`). Called by the sweeper's loop.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.cadence import Cadence


@dataclass(frozen=True, slots=True)
class Cost:
    """What a round over the lists costs, and what the quota allows."""

    watched: int
    """Executions."""
    pages: int
    """Of a whole round."""
    calls_per_second: float
    """Allowed by the quota."""
    changed_per_second: float
    """Executions that lists show as changed, each of which is then polled."""


def sweep_pays(cost: Cost, *, cadence: Cadence) -> bool:
    """Whether reading lists shows every execution sooner than polling one after the other.

    A few executions are polled one by one, which shows more: as long as a third of the quota is enough for that.
    """
    if cost.watched / cadence.poll.total_seconds() <= cost.calls_per_second / 3:
        return False
    left = cost.calls_per_second - cost.changed_per_second
    one_by_one = max(cadence.poll.total_seconds(), cost.watched / cost.calls_per_second)
    return left > 0 and cost.pages / left < one_by_one
