"""How long still: whether a band of 8 of 10 holds 8 of 10 runs, and how often a usual run is called slow.

Lives here: families of workflows with many runs each, and what `bot.domain.estimate` says about the next run of each.
Does not live here: the estimate. Called by `__main__`. No clock, no network, one seed: the figures are the same
everywhere.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import exp, log
from statistics import fmean

from benchmarks.harness import Row, at_most
from bot.domain import alarms, estimate
from bot.domain.change import ChangeKind
from bot.domain.execution import Execution, Step
from bot.domain.past import Typical
from bot.domain.snapshot import Snapshot, Usual

SEED = 12
COUNTS = (3, 5, 8, 12, 20)
"""Sizes of the history."""
TRIALS = 4000
"""Workflows of each family, for each size."""
ACCOUNTS = 40
"""How many accounts there are; each has other workflows, whose spread counts."""
OTHERS, OTHERS_RUNS = 8, 10
NOW = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = 20
"""Steps of a run whose steps are watched."""
COVERAGE, OFF, FALSE = 80.0, 5.0, 3.0
"""Percent: what a band promises, how far it may be off, and how many usual runs may be called slow."""

Family = Callable[[random.Random], Iterator[float]]
"""A workflow: the seconds that its runs take, one after the other."""


def log_normal(chance: random.Random) -> Iterator[float]:
    """A run is as often a third longer as it is a quarter shorter; workflows differ in how much."""
    center, sigma = _center(chance), _sigma(chance, 0.15, 0.8)
    while True:
        yield exp(chance.gauss(center, sigma))


def two_humps(chance: random.Random) -> Iterator[float]:
    """Small and large samples, or a cache that is there or not: up to three times as long."""
    center, sigma = _center(chance), _sigma(chance, 0.1, 0.3)
    gap, share = log(chance.uniform(1.5, 3)), chance.uniform(0.2, 0.5)
    while True:
        yield exp(chance.gauss(center + (gap if chance.random() < share else 0), sigma))


def drift(chance: random.Random) -> Iterator[float]:
    """Inputs grow, or machines become faster: by up to 2 % from one run to the next."""
    center, sigma, each = _center(chance), _sigma(chance, 0.15, 0.8), chance.uniform(-0.02, 0.02)
    while True:
        center += each
        yield exp(chance.gauss(center, sigma))


FAMILIES: Mapping[str, Family] = {"log-normal": log_normal, "two humps": two_humps, "drift": drift}


async def rows() -> AsyncIterator[Row]:
    """Coverage at the start and half-way, and false alarms of runs and of steps."""
    chance = random.Random(SEED)  # noqa: S311  # no secret
    accounts = [_pooled(chance) for _ in range(ACCOUNTS)]
    start, half, own, slow, steps = (defaultdict[str, list[float]](list) for _ in range(5))
    for count in COUNTS:
        for name, family in FAMILIES.items():
            held = _Tally()
            for _ in range(TRIALS):
                held.add(family(chance), count, chance.choice(accounts))
            for found, share in ((start, held.start), (half, held.half), (own, held.own), (slow, held.slow)):
                found[_size(count)].append(100 * share)
                found[name].append(100 * share)
            await asyncio.sleep(0)
        steps[_size(count)] = [100 * _false_steps(chance, count, accounts)]
    yield _coverage("at the start", "before they begin", start)
    yield _coverage("half-way", "at half of the usual time, of those that go on", half, own=own)
    yield _false("runs", "Runs like the ones before which last until they are called slow", slow)
    yield _false("steps", f"Runs of {STEPS} steps, each like the ones before, of which any step is called slow", steps)


def _coverage(when: str, how: str, found: Mapping[str, list[float]], *, own: Mapping[str, list[float]] = {}) -> Row:
    means = {name: fmean(values) for name, values in found.items()}
    return at_most(
        OFF,
        max(abs(means[_size(count)] - COVERAGE) for count in COUNTS),
        unit="points",
        name=f"How long still: the band's coverage {when}, off {COVERAGE:.0f} %",
        measures=f"{TRIALS:,} workflows of each of three simulated families, for each size of the history: how many "
        f"next runs the band holds {how}; the size that is furthest off counts.",
        figures=means | {f"half of its own time, {name}": fmean(values) for name, values in own.items()},
    )


def _false(what: str, measures: str, found: Mapping[str, list[float]]) -> Row:
    means = {name: fmean(values) for name, values in found.items()}
    return at_most(
        FALSE,
        max(means[_size(count)] for count in COUNTS),
        unit="%",
        name=f"How long still: {what} that are called slow without a reason",
        measures=f"{measures}; the same families, and the size of the history with the most.",
        figures=means,
    )


def _size(count: int) -> str:
    return f"n = {count}"


class _Tally:
    """What came true for the workflows of a family."""

    def __init__(self) -> None:
        self._held: dict[str, list[bool]] = defaultdict(list)

    def add(self, runs: Iterator[float], count: int, spread: float) -> None:
        """One workflow: `count` runs, and what is said of the next one."""
        usual = estimate.usual_of([next(runs) for _ in range(count)], spread=spread)
        took = timedelta(seconds=next(runs))
        assert usual  # noqa: S101  # three runs are enough
        median = estimate.duration(usual, estimate.MEDIAN)
        self._held["start"].append(_holds(usual, took, timedelta()))
        self._held["own"].append(_holds(usual, took, took / 2))
        if took > median / 2:
            self._held["half"].append(_holds(usual, took, median / 2))
        self._held["slow"].append(took >= estimate.slow_after(usual))

    def __getattr__(self, name: str) -> float:
        return fmean(self._held[name])


def _holds(usual: Usual, took: timedelta, elapsed: timedelta) -> bool:
    """Whether the band, before it is rounded outward, holds a run that has taken `elapsed`."""
    low, high = (estimate.duration(usual, share, elapsed=elapsed) for share in (estimate.LOW, estimate.HIGH))
    return low <= took <= high


def _pooled(chance: random.Random) -> float:
    """The spread of an account's other workflows, of all families."""
    spreads = []
    for _ in range(OTHERS):
        runs = chance.choice(list(FAMILIES.values()))(chance)
        spreads.append(estimate.spread_of([next(runs) for _ in range(OTHERS_RUNS)]) or 0.0)
    return estimate.pooled(spreads)


def _false_steps(chance: random.Random, count: int, accounts: list[float]) -> float:
    """The share of runs in which the alarms call a step slow, the step being like the ones before."""
    alarmed = 0
    for _ in range(TRIALS // 2):
        spread, took, typical = chance.choice(accounts), {}, dict[str, Usual]()
        for number in range(STEPS):
            runs = chance.choice(list(FAMILIES.values()))(chance)
            usual = estimate.usual_of([next(runs) for _ in range(count)], spread=spread)
            if usual:
                typical[f"s{number}x"], took[f"s{number}x"] = usual, timedelta(seconds=next(runs))
        # Each step at the end of its time: later none is.
        seen = tuple(Step(name=name, phase="Running", elapsed=elapsed) for name, elapsed in took.items())
        snapshot = Snapshot(execution=Execution(id="e", phase="Running", steps=seen), revision=1, seen_at=NOW)
        changes = alarms.ring(snapshot, Typical(None, typical), revision=2).changes
        alarmed += any(change.kind is ChangeKind.SLOW for change in changes)
    return alarmed / (TRIALS // 2)


def _center(chance: random.Random) -> float:
    """From ten minutes to ten hours."""
    return log(chance.uniform(600, 36_000))


def _sigma(chance: random.Random, low: float, high: float) -> float:
    return exp(chance.uniform(log(low), log(high)))
