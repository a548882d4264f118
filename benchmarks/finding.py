"""How late rules find new executions, on virtual time, while ten thousand run that rules have found.

Lives here: `find`, which has them followed and lets them go on for a while. Does not live here: the clock (`virtual`),
GCS and the bot at work (`simulation`), what the rows are (`rules`). Called by `virtual`, in a process of its own.

It begins with what a bot finds that was away for days: there are rules, and all executions began meanwhile. The bot's
own finder scans the list and has them followed, and its own watcher polls each once, without a quota. From then
on the finder works beside the sweeper as in service; an execution begins whenever one ends.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

from redis.asyncio import Redis

from benchmarks.harness import quiet
from benchmarks.simulation import CADENCE, QUOTA, RESERVE, TEAM, Run, World, spread_of, working
from benchmarks.virtual import BEGAN, ENDS, VirtualSelector
from bot.domain.following import Rule, RuleKind, Subscriber
from bot.domain.rules import LASTS
from bot.domain.search import Match
from bot.gcs.http import HTTPClient
from bot.store import Store
from bot.store.rules import Enlisted
from bot.workers.sweeper import Finder
from bot.workers.watcher import Watcher
from sandbox.gcs.population import Lives, Population
from sandbox.story import Life

RULES, PLACES_EACH = 50, 4
"""How many different rules there are, and how many places have each of them."""

CHANNELS_EACH = 2
"""How many of these places are channels; the others are people."""

MOST = 250
"""`RULE_EXECUTIONS`: 10,000 executions are 200 for each rule, and those that have just ended keep their places."""

LIVES = Lives(steps=20, at_once=4)
"""As many changes as in `delays`, and four times as many ends: lives are a quarter as long."""

RULES_MADE = datetime.fromtimestamp(BEGAN, UTC) - timedelta(days=3)
"""Before anything began that runs."""

FREE = "free"
"""A user of GCS whose quota is never in the way."""

_KINDS = (RuleKind.WORKFLOW, RuleKind.LABEL, RuleKind.PROJECT)


async def find(clock: VirtualSelector, *, size: int, page: int, span: Sequence[float]) -> dict[str, dict[str, float]]:
    """Let `size` executions run for a span of virtual seconds: warming up, measured, waited for the last changes.

    Returns:
        `found` and `ended`: delays in seconds (`p50`, `p95`, `p99`, `longest`), how many there were, how many stayed
        `unseen`; `ended` has `worst_minute`, the most calls of any minute, too. `store`: `bytes` in the store for what
        is followed, and `subscriptions`. `cpu`: seconds of this process.
    """
    warm, seconds, tail = span
    kinds = [_life(number) for number in range(RULES)]
    with quiet():
        async with HTTPClient() as http, (world := World(clock, http)).begun(size, page=page, lives=LIVES, kinds=kinds):
            filled = await _filled(world)
            cpu, began = process_time(), clock.now
            store, run = world.store, _Run(clock, world.population, world.store)
            run.forget_past()
            world.is_slow, client = True, world.limited_client()
            quota = store.gcs_quota("AK", per_minute=QUOTA, reserve=RESERVE)
            finder = Finder(client, store.rules, store.enlisting, quota=quota, most=MOST)
            async with working(run, client, has_lists=True, finder=finder):
                await asyncio.sleep(warm + seconds + tail)
            measured = began + warm, began + warm + seconds
            return {
                "found": run.found(*measured),
                "ended": run.result(*measured, finished=LIVES.steps),
                "store": filled,
                "cpu": {"filling": cpu, "running": process_time() - cpu},
            }


class _Run(Run):
    """One schedule that runs, and how late its rules find what begins."""

    def __init__(self, clock: VirtualSelector, population: Population, store: Store) -> None:
        super().__init__(clock, population, store)
        self._begun: dict[str, float] = {}
        """New execution → when it began."""
        self._found: defaultdict[str, list[float]] = defaultdict(list)
        """New execution → when each of its places has come to follow it."""
        population.born = self._is_born
        self._enlist, store.enlisting.enlist = store.enlisting.enlist, self._spied  # type: ignore[method-assign, assignment]  # a spy

    def found(self, begin: float, end: float) -> dict[str, float]:
        """The delays of what began between two moments, until the last of its places follows it."""
        new = [guid for guid, at in self._begun.items() if begin <= at < end]
        known = [guid for guid in new if len(self._found[guid]) == PLACES_EACH]
        return spread_of([self._found[guid][-1] - self._begun[guid] for guid in known]) | {
            "executions": len(new),
            "unseen": len(new) - len(known),
        }

    def _is_born(self, guid: str) -> None:
        self._begun[guid] = self.population.now

    async def _spied(self, wanted: Any, match: Match, **more: Any) -> Mapping[Subscriber, Enlisted]:
        done = await self._enlist(wanted, match, **more)
        made = [each for each in done.values() if each is Enlisted.MADE]
        self._found[match.execution_id] += [self.clock.now] * len(made)
        return done


async def _filled(world: World) -> dict[str, float]:
    """Have everything followed that runs, and polled once; bytes in the store for that, and how many subscriptions."""
    store, client, polls = world.store, world.client(), 0
    quota = store.gcs_quota(FREE, per_minute=10**6, reserve=0)
    finder = Finder(client, store.rules, store.enlisting, quota=quota, most=MOST)
    watcher = Watcher(client, store, cadence=CADENCE, quota=quota)
    async with Redis.from_url(world.url) as redis:
        empty = await _used(redis)
        rules = [_rule(number, place) for number in range(RULES) for place in range(PLACES_EACH)]
        for rule in rules:
            await store.rules.put(rule, level=None)
        await store.rules.end_scan(RULES_MADE)
        await finder.run_once()
        while polls < len(world.population.running):
            polls += await watcher.run_once()
        async for key in redis.scan_iter(match="*:{quota:*"):
            await redis.delete(key)  # of a minute without limits
        places = [await store.rules.places(rule) for rule in rules]
        clock = await redis.memory_usage(ENDS, samples=0) or 0
        return {"bytes": await _used(redis) - clock - empty, "subscriptions": sum(map(len, places))}


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


def _life(number: int) -> Life:
    """What an execution shows which the rule of this number matches, and no other."""
    shown = {
        RuleKind.WORKFLOW: Life(name="chain", frames=(), workflow=f"germline-{number}"),
        RuleKind.LABEL: Life(name="chain", frames=(), label=("cohort", f"c{number}")),
        RuleKind.PROJECT: Life(name="chain", frames=(), project=f"lab-{number}"),
    }
    return shown[_KINDS[number % len(_KINDS)]]


def _rule(number: int, place: int) -> Rule:
    """A rule in one of its places."""
    kind, life = _KINDS[number % len(_KINDS)], _life(number)
    value = {RuleKind.WORKFLOW: life.workflow, RuleKind.LABEL: "=".join(life.label), RuleKind.PROJECT: life.project}
    letter = "C" if place < CHANNELS_EACH else "U"
    return Rule(
        subscriber=Subscriber(team_id=TEAM, id=f"{letter}{number * PLACES_EACH + place:09d}"),
        kind=kind,
        values=(value[kind],),
        owner=f"U{number:09d}",
        created_at=RULES_MADE,
        expires_at=RULES_MADE + LASTS,
    )
