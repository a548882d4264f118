"""The connection to the store: one client, and the scripts that run on it.

Lives here: connecting, running a script, turning the client's errors into `StoreUnavailable`. Does not live here: what
the scripts mean (the siblings), the embedded engine (`embedded`). Called by the siblings and by `bot.service`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from importlib import resources
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, RedisError

from bot.errors import StoreUnavailable
from bot.store.keys import PARTITIONS, partition
from bot.store.rows import BYTES

TIMEOUT_SECONDS = 5.0
"""For a connection and for an answer. Scripts take microseconds; longer means that the store is in trouble."""

CONNECTIONS = 32
"""Most connections of one bot."""

Call = tuple[str, str, Sequence[str | int]]
"""A script, its key and its arguments."""


class Connection:
    """One client of a Redis or Valkey, and its scripts by name."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(  # more callers than connections wait for their turn
            url,
            decode_responses=True,
            encoding_errors=BYTES,  # deflated snapshots pass as text
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            health_check_interval=30,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_SECONDS,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
            client_name="execution-bot",
        )
        self._redis = Redis.from_pool(pool)
        self._scripts: dict[str, tuple[str, str]] = {}

    async def run(self, script: str, key: str, *args: str | int) -> Any:
        """Run `<script>.lua` on one key, or on the partition whose keys begin with `key`.

        Raises:
            StoreUnavailable: the store does not answer, is full or read-only.
        """
        (answer,) = await self.run_many([(script, key, args)])
        if isinstance(answer, StoreUnavailable):
            raise answer
        return answer

    async def run_many(self, calls: Sequence[Call]) -> list[Any]:
        """Run several scripts in one round trip, each all or nothing, whatever becomes of the others.

        Returns:
            Each one's answer in its place, or the `StoreUnavailable` that it would have raised alone.
        """
        answers = await self._sent("EVALSHA", calls)
        unknown = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # first use, or the store was restarted: these were not run
            again = await self._sent("EVAL", [calls[i] for i in unknown])
            for i, answer in zip(unknown, again, strict=True):
                answers[i] = answer
        return [_ours(answer) if isinstance(answer, Exception) else answer for answer in answers]

    async def ready(self, name: str) -> list[int]:
        """The partitions whose zset `name` holds something that is due, the most overdue first.

        One round trip for all of them, so that asking often costs little while nothing is due.
        """
        async with self.guarded() as redis, redis.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.zrange(f"{partition(number)}{name}", 0, 0, withscores=True)
            pipeline.time()
            *firsts, (seconds, micros) = await pipeline.execute()
        now = seconds * 1000 + micros // 1000
        due = [(first[0][1], number) for number, first in enumerate(firsts) if first and first[0][1] <= now]
        return [number for _, number in sorted(due)]

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[Redis]:
        """The client, with its errors turned into ours."""
        try:
            yield self._redis
        except (RedisError, OSError) as error:
            raise _ours(error) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def _sent(self, command: str, calls: Sequence[Call]) -> list[Any]:
        """The answers, errors among them, to EVALSHA or EVAL of each."""
        pipeline = self._redis.pipeline(transaction=False)
        for script, key, args in calls:
            text, digest = self._script(script)
            pipeline.execute_command(command, digest if command == "EVALSHA" else text, 1, key, *args)
        try:
            return await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:  # nobody knows which of them were run; all may be repeated
            return [error] * len(calls)

    def _script(self, name: str) -> tuple[str, str]:
        if name not in self._scripts:
            folder = resources.files(__package__)
            text = (folder / "common.lua").read_text() + (folder / f"{name}.lua").read_text()
            self._scripts[name] = (text, sha1(text.encode(), usedforsecurity=False).hexdigest())
        return self._scripts[name]


def _ours(error: Exception) -> StoreUnavailable:
    """The client's error as one of ours."""
    return StoreUnavailable(f"{type(error).__name__}: {error}")
