"""The connection to the store: scripts by name, what is repeated when one is lost, and our errors for the client's.

Lives here: running scripts, waiting for replicas, turning the client's errors into `StoreUnavailable`. Does not live
here: what the scripts mean (the siblings), which server is asked (`topology`), the embedded engine (`embedded`). Called
by the siblings and by `bot.app.service`.

Every script may be run twice: the second time finds its work done, and changes nothing. So one whose answer was lost
with its connection is sent once more, and what came of a claim is sent again and again while the store is away.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from importlib import resources
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import (
    ClusterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TimedOut

from bot import metrics
from bot.errors import StoreFull, StoreReadOnly, StoreUnavailable
from bot.store.engine.topology import CONNECTIONS, Address, connect, is_demoted
from bot.store.keys import PARTITIONS, partition

REPLICA_MS = 250
"""How long a write that must not be lost waits for replicas; they mostly answer within the time of a round trip."""

WITHOUT_REPLICAS_SECONDS = 5.0
"""After a wait in vain, so long until the next: the bot goes on, only without that safety."""

MASTER_SECONDS = 1.0
"""After nobody knew of another master, so long until it is asked anew, but for what is promised: Sentinels that are
gone are waited for. One that hangs for less than this is no reason to elect another."""

PATIENCE_SECONDS = 20.0
"""So long a store in trouble is waited for with what came of a claim; given up, it would wait for its lease to end."""

AGAIN_SECONDS = 0.2
"""Pause before the store is tried again."""

Call = tuple[str, str, Sequence[str | int]]
"""A script, its key and its arguments."""

_FOREIGN = (RedisError, RedisClusterException, OSError)
"""What the client raises."""

_NOT_RUN = (NoScriptError, MovedError, ReadOnlyError)
"""Said by a server that has not begun: it is a fresh master, or a master no more."""

_UNHEARD = (*_NOT_RUN, Disconnected)
"""Not run, or run without anybody having heard."""

_ELSEWHERE = (Disconnected, TimedOut, ClusterDownError, MovedError)
"""Reasons to ask who the master is now."""

log = structlog.get_logger()


class Connection:
    """The store behind an address, and its scripts by name."""

    def __init__(self, url: str, *, replicas: int | None = None) -> None:
        """`replicas` must hold what is durable; by default one where the address says that there are some."""
        self._endpoint = connect(url)
        self._replicas = int("+" in url.partition(":")[0]) if replicas is None else replicas
        self._without_replicas: dict[str, float] = {}
        self._masters: dict[Address, float] = {}
        """When nobody knew of another."""
        self._lost: dict[str, list[str]] = {}
        self._free_connections = asyncio.Semaphore(CONNECTIONS)  # more callers than connections wait for their turn
        self._scripts: dict[str, tuple[str, str]] = {}
        self._pending: list[tuple[Call, asyncio.Future[Any]]] = []
        """Scripts that leave together at the end of this turn of the event loop."""
        self._round_trips: set[asyncio.Task[None]] = set()

    async def run(self, script: str, key: str, *args: str | int, patient: bool = False) -> Any:
        """Run `<script>.lua` on one key, or on the partition whose keys begin with `key`.

        With `patient` a store in trouble is waited for.

        Raises:
            StoreUnavailable: the store does not answer, is full or read-only.
        """
        call, ends = (script, key, args), monotonic() + PATIENCE_SECONDS
        while True:
            answer = await self._together(call)
            if not isinstance(answer, Exception):
                return answer
            if not patient or monotonic() > ends:
                raise answer
            await asyncio.sleep(AGAIN_SECONDS)

    async def keep(self, script: str, key: str, *args: str | int) -> tuple[Any, bool]:
        """Run a script whose writes somebody is promised; the answer comes once replicas hold them, too.

        Returns:
            The script's answer, and whether replicas hold what it wrote: False after `REPLICA_MS` in vain. True where
            there are to be none.

        Raises:
            StoreUnavailable: as from `run`.
        """
        (answer,), is_replicated = await self._run_replicated(
            [(script, key, args)], waits_for=key, even_without_replicas=True
        )
        if isinstance(answer, Exception):
            raise answer
        return answer, is_replicated

    def send(self, script: str, key: str, *args: str | int) -> asyncio.Future[Any]:
        """Run a script in the same round trip as all that is run now, whether or not somebody waits for it.

        Its answer is a `StoreUnavailable` where it may not have been run.
        """
        return self._together((script, key, args))

    async def claim(self, script: str, number: int, *args: int, durable: bool = False) -> tuple[str, list[Any]]:
        """Claim something in a partition: `<script>.lua` with a token behind its first two arguments, limit and lease.

        It is not sent twice, since the second time would find nothing; a claim whose answer was lost is given back
        before the next one in its partition instead, or it would wait for its lease to end.

        Returns:
            The token, and the script's answer.

        Raises:
            StoreUnavailable: as from `run`.
        """
        key, token = partition(number), uuid4().hex
        await self._give_back(key)
        limit, lease_ms, *more = args
        call: Call = (script, key, (limit, lease_ms, token, *more))
        (answer,), _ = await self._run_replicated([call], waits_for=key if durable else None, again=_NOT_RUN)
        if isinstance(answer, StoreUnavailable):
            self._lost.setdefault(key, []).append(token)
            raise answer
        return token, answer

    async def run_many(self, calls: Sequence[Call]) -> list[Any]:
        """Run several scripts in one round trip, each all or nothing, whatever becomes of the others.

        Returns:
            Each one's answer in its place, or the `StoreUnavailable` that it would have raised alone. An empty list
            makes no round trip: packed, it would be an empty chunk, at which asyncio spins on Python 3.12 and later.
        """
        return await self._run(calls) if calls else []

    async def ready(self, script: str, *args: int) -> list[int]:
        """The partitions in which something is due, the most overdue first, as `script` says of each.

        One round trip for all of them, so that asking often costs little while nothing is due.
        """
        late = await self.run_many([(script, partition(number), args) for number in range(PARTITIONS)])
        answered = [(each, number) for number, each in enumerate(late) if not isinstance(each, StoreUnavailable)]
        if not answered:
            raise late[0]
        return [number for each, number in sorted(answered, reverse=True) if each >= 0]

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[Redis]:
        """The client, with its errors turned into ours."""
        try:
            async with self._free_connections:
                yield self._endpoint.redis  # type: ignore[misc]  # a cluster's client has the same commands
        except _FOREIGN as error:
            raise _ours(error) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._endpoint.aclose()

    async def _give_back(self, key: str) -> None:
        """What was claimed there without an answer."""
        lost = self._lost.get(key, [])
        while lost:
            token = lost.pop()
            try:
                await self.run("engine/give_back", key, token)
            except StoreUnavailable:
                lost.append(token)
                raise

    def _together(self, call: Call) -> asyncio.Future[Any]:
        """The answer to `call`, which travels with all that are made in the same turn of the event loop."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._pending.append((call, answer))
        if len(self._pending) == 1:
            loop.call_soon(self._flush)
        return answer

    def _flush(self) -> None:
        flushed, self._pending = self._pending, []
        round_trip = asyncio.create_task(self._round_trip(flushed))
        self._round_trips.add(round_trip)
        round_trip.add_done_callback(self._round_trips.discard)

    async def _round_trip(self, flushed: Sequence[tuple[Call, asyncio.Future[Any]]]) -> None:
        answers: Sequence[Any]
        try:
            answers = await self._run([call for call, _ in flushed])
        except Exception as error:  # noqa: BLE001  # a mistake of ours; whoever waits must hear of it
            answers = [error] * len(flushed)
        for (_, waiting), answer in zip(flushed, answers, strict=True):
            if not waiting.done():  # who asked may have given up
                waiting.set_result(answer)

    async def _run(self, calls: Sequence[Call]) -> list[Any]:
        answers, _ = await self._run_replicated(calls)
        return answers

    async def _run_replicated(
        self,
        calls: Sequence[Call],
        *,
        waits_for: str | None = None,
        even_without_replicas: bool = False,
        again: tuple[type[Exception], ...] = _UNHEARD,
    ) -> tuple[list[Any], bool]:
        answers, is_replicated = await self._sent("EVALSHA", calls, waits_for, even_without_replicas)
        lost = [i for i, answer in enumerate(answers) if isinstance(answer, again)]
        if lost:
            found, is_replicated = await self._sent("EVAL", [calls[i] for i in lost], waits_for, even_without_replicas)
            for i, answer in zip(lost, found, strict=True):
                answers[i] = answer
        return [_ours(answer) if isinstance(answer, Exception) else answer for answer in answers], is_replicated

    async def _sent(
        self, command: str, calls: Sequence[Call], waits_for: str | None, even_without_replicas: bool
    ) -> tuple[list[Any], bool]:
        """The answers, errors among them, to EVALSHA or EVAL of each; whether replicas of `waits_for`'s server heard.

        Unless `even_without_replicas`, those that did not answer a moment ago are not waited for.
        """
        commands = []
        for script, key, args in calls:
            text, digest = self._script(script)
            commands.append((command, digest if command == "EVALSHA" else text, 1, key, *args))
        is_waiting = (
            waits_for is not None
            and self._replicas > 0
            and (even_without_replicas or not self._lacks_replicas(waits_for))
        )
        behind = [("WAIT", self._replicas, REPLICA_MS)] if is_waiting else []
        try:
            async with self._free_connections:
                answers, answered = await self._endpoint.execute([key for _, key, _ in calls], commands, behind)
        except _FOREIGN as error:  # nobody knows which of them were run
            return [error] * len(calls), False
        if any(isinstance(answer, _ELSEWHERE) for answer in answers):
            await self._endpoint.refresh_topology()
        counts = answers[len(calls) :]
        if any(map(is_demoted, counts)):
            await self._endpoint.refresh_topology()
            return [ReadOnlyError("READONLY a master no more")] * len(calls), False
        is_replicated = waits_for is None or self._is_replicated(counts, waits_for)
        if not is_replicated and (even_without_replicas or not self._was_master(answered)):
            if await self._endpoint.has_moved(answered):
                return [ReadOnlyError("another master was elected")] * len(calls), False
            self._masters[answered] = monotonic()
        return answers[: len(calls)], is_replicated

    def _was_master(self, address: Address) -> bool:
        """Whether nobody knew of another master than the server at `address` a moment ago."""
        return monotonic() < self._masters.get(address, -math.inf) + MASTER_SECONDS

    def _lacks_replicas(self, key: str) -> bool:
        """Whether the server of `key` was without replicas a moment ago."""
        return bool(self._without_replicas) and self._without_replicas.get(self._endpoint.node_of(key), 0) > monotonic()

    def _is_replicated(self, counts: Sequence[Any], key: str) -> bool:
        """Whether enough replicas hold what was written; if not, the bot goes on: a repeat is better than silence."""
        if self._replicas == 0:
            return True
        if not counts:  # not asked, since they had not answered a moment ago
            return False
        (found,) = counts
        if isinstance(found, int) and found >= self._replicas:
            self._without_replicas.pop(self._endpoint.node_of(key), None)
            return True
        if not isinstance(found, int | ResponseError):  # the connection was lost: nobody has waited
            return False
        metrics.STORE_WITHOUT_REPLICAS.inc()
        log.warning("store.replicas_missed", found=str(found), wanted=self._replicas, within_ms=REPLICA_MS)
        self._without_replicas[self._endpoint.node_of(key)] = monotonic() + WITHOUT_REPLICAS_SECONDS
        return False

    def _script(self, name: str) -> tuple[str, str]:
        if name not in self._scripts:
            folder = resources.files("bot.store")
            text = (folder / "engine/prelude.lua").read_text() + (folder / f"{name}.lua").read_text()
            self._scripts[name] = (text, sha1(text.encode(), usedforsecurity=False).hexdigest())
        return self._scripts[name]


_REASONS = {
    "OOM ": "the store is full; give it more memory (maxmemory)",
    "READONLY ": "the store takes no writes: it is a replica",
    "NOREPLICAS ": "the store takes no writes: too few of its replicas are there",
    "MISCONF ": "the store takes no writes: it cannot write to its disk",
    "NOAUTH ": "the store wants a password",
    "invalid username-password": "the store refuses the user or the password",
    "NOPERM ": "the store's user may not do what the bot must",
    "LOADING ": "the store is still loading its data",
    "CLUSTERDOWN ": "the store's cluster is not whole",
    "ASK ": "this part of the store is moving to another node",
}
"""The servers' own words for what is wrong, and ours."""

_KINDS = {
    "OOM ": StoreFull,
    "READONLY ": StoreReadOnly,
    "NOREPLICAS ": StoreReadOnly,
    "MISCONF ": StoreReadOnly,
}
"""Servers' words for errors other than `StoreUnavailable`."""


def _ours(error: Exception) -> StoreUnavailable:
    """The client's error as one of ours, with a word about what is wrong."""
    text = f"{getattr(error, 'status_code', None) or ''} {error}"
    other = "the store refuses a command" if isinstance(error, ResponseError) else "the store does not answer"
    word = next((word for word in _REASONS if word in text), "")
    kind = _KINDS.get(word, StoreUnavailable)
    return kind(f"{_REASONS.get(word, other)} ({type(error).__name__}: {error})")
