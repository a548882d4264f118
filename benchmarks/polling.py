"""Poll cycle: how much of a core one poll takes, beside a naive cycle, and how many one process can make.

Lives here: the contenders. The bot's is its real watcher with its real client and store; the naive one is written here
in the shortest way; the third is the least that any poll takes with the bot's libraries. Called by `__main__`;
`replicas` uses the bot's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx
from prometheus_client import REGISTRY
from pydantic import SecretStr
from redis.asyncio import Redis

from benchmarks import servers
from benchmarks.harness import (
    CLIENT_CORE,
    SECONDS,
    SERVER_CORE,
    Row,
    Stopwatch,
    at_least,
    interleaved,
    opened_store,
    pinned,
    quiet,
    ratios,
)
from bot.domain import observing
from bot.domain.cadence import Cadence
from bot.domain.following import Subscriber, Subscription
from bot.gcs.auth import SignatureAuth
from bot.gcs.client import GCSClient
from bot.gcs.fingerprint import fingerprint_of
from bot.gcs.http import HEADERS, TIMEOUT, HTTPClient
from bot.gcs.tables import GetExecutionResponse
from bot.gcs.transport import AiohttpTransport
from bot.network import Network
from bot.store import Store
from bot.workers.watcher import Watcher

AT_ONCE = 64
WATCHED = 640
CEILING = 1_000
"""Polls a second: a hundred times GCS's quota."""
CADENCE = Cadence(poll=timedelta(0), retry_grace=timedelta(hours=1), staleness=timedelta(hours=2))
"""Everything is always due."""
QUOTA = 10**9
_LIBRARIES = "libraries alone"
_AUTH = SignatureAuth("BENCHMARKACCESSKEY01", SecretStr("b" * 40), project_id="0" * 32)


async def rows() -> AsyncIterator[Row]:
    """The cycle beside the naive one, and how many a second one process reaches."""
    found, polls, changes = await _measured()
    times = ratios(found["naive"], found["bot"])
    figures = {f"{name}, µs CPU a poll": median(micros) for name, micros in found.items()}
    figures["naive beside libraries alone, ×"] = median(ratios(found["naive"], found[_LIBRARIES]))
    yield at_least(
        4,
        median(times),
        unit="×",
        name=f"Poll cycle beside the one you would write first, {AT_ONCE} at once",
        measures="CPU of claim, fetch, parse, compare, settle; 8 KB bodies, 20 steps. The naive cycle: httpx as it "
        "comes, `.json()`, one store command at a time, no signature, no lease. Libraries alone: signed, fetched, "
        "validated, nothing else.",
        rounds=times,
        figures=figures | {"polls that showed a change, %": 100 * median(changes)},
    )
    per_second = [1e6 / micros for micros in found["bot"]]
    yield at_least(
        CEILING,
        median(per_second),
        unit="polls/s",
        name="Executions that one process can poll, without a quota",
        measures="That cycle's polls for each second of the process's CPU, on one core; GCS allows 10 a second.",
        rounds=per_second,
        figures={"by the clock, polls/s": median(polls)},
    )


async def _measured() -> tuple[dict[str, list[float]], list[float], list[float]]:
    """Microseconds a poll of each contender; polls a second, and the share of changes among them."""
    polls: list[float] = []
    changes: list[float] = []
    with pinned(CLIENT_CORE), quiet():
        async with (
            opened_store() as (store, store_url),
            servers.serving("gcs", core=SERVER_CORE) as url,
            HTTPClient() as http,
            httpx.AsyncClient() as as_it_comes,
            Redis.from_url(store_url, decode_responses=True) as redis,
        ):
            watch = await _watch(store, http, url)
            naive, libraries = _Naive(as_it_comes, redis, url), _Libraries(url)
            await naive.fill()

            async def bot() -> float:
                changed, micros, rate = await watch()
                changes.append(changed)
                polls.append(rate)
                return micros

            found = await interleaved({"bot": bot, "naive": naive.measured, _LIBRARIES: libraries.measured})
            await libraries.aclose()
    return found, polls[1:], changes[1:]


def _guid(number: int, contender: int) -> str:
    """An execution of one contender; its first digits decide where its life begins."""
    return f"{number * 7919 % 400 + 1:08x}-{contender:04x}-{number:04x}-0000-000000000000"


def new_watcher(store: Store, http: HTTPClient, url: str) -> tuple[GCSClient, Watcher]:
    """The bot's client and watcher, with a quota that is never in the way."""
    budget = store.gcs_quota("benchmark", per_minute=QUOTA, reserve=0)
    client = GCSClient(http, endpoint=url, auth=_AUTH, take=budget.take, on_throttled=budget.refused)
    return client, Watcher(client, store, cadence=CADENCE, quota=budget)


async def follow(store: Store, client: GCSClient, count: int) -> None:
    """Have `count` executions followed, each by one person, and due."""
    for first in range(0, count, AT_ONCE):
        await asyncio.gather(*(_follow(store, client, first + number) for number in range(AT_ONCE)))


async def _follow(store: Store, client: GCSClient, number: int) -> None:
    response = await client.get_execution(_guid(number, 1))
    seen = response.to_execution()
    subscriber = Subscriber(team_id="T0123ABCD", id=f"U{number:08d}")
    subscription = Subscription(
        execution_id=seen.id, subscriber=subscriber, owner=subscriber.id, created_at=datetime.now(UTC)
    )
    snapshot = observing.first_snapshot(seen, now=datetime.now(UTC), cadence=CADENCE)
    known = fingerprint_of(response)  # as when somebody subscribes; or each would be read in full once
    await store.subscribers.subscribe(subscription, snapshot, first_poll=timedelta(0), fingerprint=known)


async def watched_for(watcher: Watcher, seconds: float) -> int:
    """Have `watcher` poll for that time; returns how many polls that was."""
    stop, before = asyncio.Event(), _counted("gcs_calls", outcome="ok")
    asyncio.get_running_loop().call_later(seconds, stop.set)
    await watcher.run(stop)
    return int(_counted("gcs_calls", outcome="ok") - before)


async def _watch(store: Store, http: HTTPClient, url: str) -> Callable[[], Awaitable[tuple[float, float, float]]]:
    """The bot's contender: a function that polls for a while; the share of changes, µs a poll, polls a second."""
    client, watcher = new_watcher(store, http, url)
    await follow(store, client, WATCHED)

    async def watch() -> tuple[float, float, float]:
        changed, stopwatch, began = _changes(), Stopwatch(), time.perf_counter()
        polls = await watched_for(watcher, SECONDS)
        return (_changes() - changed) / polls, stopwatch.per(polls), polls / (time.perf_counter() - began)

    return watch


def _counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"execution_bot_{name}_total", labels) or 0


def _changes() -> float:
    return _counted("watcher_changes", kind="progress")


class _Naive:
    """The cycle one would write first."""

    def __init__(self, http: httpx.AsyncClient, redis: Redis, url: str) -> None:
        self._http, self._redis, self._url = http, redis, url
        self._polls = 0

    async def fill(self) -> None:
        """Have everything due, and known from a first poll."""
        for first in range(0, WATCHED, AT_ONCE):
            await asyncio.gather(*(self._poll(_guid(first + number, 4)) for number in range(AT_ONCE)))

    async def measured(self) -> float:
        """One round: µs a poll."""
        ends, stopwatch, self._polls = time.perf_counter() + SECONDS, Stopwatch(), 0
        while time.perf_counter() < ends:
            due = await self._redis.zrangebyscore("naive:due", "-inf", time.time(), start=0, num=AT_ONCE)
            await asyncio.gather(*(self._poll(execution_id) for execution_id in map(str, due)))
        return stopwatch.per(self._polls)

    async def _poll(self, execution_id: str) -> None:
        seen = (await self._http.get(f"{self._url}/v1/executions/{execution_id}")).json()
        before = await self._redis.get(f"naive:snap:{execution_id}")
        if before is None or _interesting(json.loads(before)) != _interesting(seen):
            await self._redis.set(f"naive:snap:{execution_id}", json.dumps(seen))
            await self._redis.rpush("naive:outbox", execution_id)
        await self._redis.zadd("naive:due", {execution_id: time.time()})
        self._polls += 1


class _Libraries:
    """What no poll goes below: a signed request of httpx's over aiohttp, and pydantic."""

    def __init__(self, url: str) -> None:
        self._transport, self._url = AiohttpTransport(AT_ONCE, Network()), url

    async def measured(self) -> float:
        """One round: µs a poll."""
        ends, stopwatch, polls = time.perf_counter() + SECONDS, Stopwatch(), 0
        while time.perf_counter() < ends:
            await asyncio.gather(*(self._poll(_guid(number, 5)) for number in range(AT_ONCE)))
            polls += AT_ONCE
        return stopwatch.per(polls)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _poll(self, execution_id: str) -> None:
        url, timeout = f"{self._url}/v1/executions/{execution_id}", {"timeout": TIMEOUT.as_dict()}
        request = next(_AUTH.auth_flow(httpx.Request("GET", url, headers=HEADERS, extensions=timeout)))
        response = await self._transport.handle_async_request(request)
        GetExecutionResponse.model_validate_json(await response.aread())


def _interesting(body: dict[str, Any]) -> tuple[object, ...]:
    counts = body["status"]
    steps = [(step["name"], step["status"]) for step in counts["actual_node_status"]]
    return body["execution"]["status"], counts["finished_node_number"], steps
