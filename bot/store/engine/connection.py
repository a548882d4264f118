"""The connection to the store: scripts by name, what is repeated when a reply is lost, and our errors for the client's.

Lives here: running scripts, alone or together, and waiting for replicas. Does not live here: what the scripts mean (the
siblings), which server runs them (`topology`), what an error says (`refusals`), the embedded engine (`embedded`).
Called by the siblings and by `bot.app.service`.

Every script may be run twice: the second time finds its work done, and changes nothing. So a script whose reply was
lost with its connection is sent once more, and the result of a claimed item is sent again and again while the store is
down.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, NamedTuple
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import ClusterDownError, MovedError, NoScriptError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TimedOut

from bot import metrics
from bot.errors import StoreUnavailable
from bot.store.engine.refusals import CLIENT_ERRORS, kind_of, unavailable
from bot.store.engine.replicas import Replicas
from bot.store.engine.scripts import script
from bot.store.engine.topology import CONNECTIONS, Address, connect, is_demoted
from bot.store.keys import PARTITIONS, PREFIX, Keyspace

MASTER_SECONDS = 1.0
"""How long the Sentinels are not asked again after they knew of no other master, except for writes that people are
promised: Sentinels that are gone are waited for. A master that hangs for less than this is not replaced."""

PATIENCE_SECONDS = 20.0
"""How long results of a claimed item are retried while the store is down. Given up, the item waits for its lease to
end."""

RETRY_SECONDS = 0.2
"""How long until such a result is sent again."""

_SUCCESS = metrics.LAST_SUCCESS.labels("store")

Keys = str | tuple[str, ...]
"""One key, or several of one server."""

Call = tuple[str, Keys, Sequence[str | int]]
"""A script, its keys and its arguments."""

_NOT_RUN = (NoScriptError, MovedError, ReadOnlyError)
"""Errors of a server that has not begun: it is a new master, or no longer the master."""

_LOST = (*_NOT_RUN, Disconnected)
"""Either not executed, or the reply was lost."""

_ELSEWHERE = (Disconnected, TimedOut, ClusterDownError, MovedError)
"""Reasons to ask who the master is now."""


class Ready(NamedTuple):
    """What is due in the store."""

    partitions: list[int]
    """Where something is due, the most urgent first."""
    next_in: float | None
    """Seconds until something else is due in the other partitions; None when nothing is."""
    size: int
    """How much is scheduled at all."""


class Connection:
    """The store behind an address, and its scripts by name."""

    def __init__(self, url: str, *, prefix: str = PREFIX, replicas: int | None = None) -> None:
        """All keys begin with `prefix`.

        `replicas` must hold what is durable; by default one where the address says that there are some.
        """
        self.keys = Keyspace(prefix)
        self._endpoint = connect(url)
        wanted = int("+" in url.partition(":")[0]) if replicas is None else replicas
        self._replicas = Replicas(wanted, node_of=self._endpoint.node_of)
        self._masters: dict[Address, float] = {}
        """When the Sentinels knew of no other master than this one."""
        self._lost: dict[str, list[str]] = {}
        """Tokens of claims whose reply was lost, by partition."""
        self._free_connections = asyncio.Semaphore(CONNECTIONS)
        """Limits the callers: those beyond wait instead of being refused a connection."""
        self._pending: list[tuple[Call, asyncio.Future[Any]]] = []
        """Scripts that leave together at the end of this iteration of the event loop."""
        self._round_trips: set[asyncio.Task[None]] = set()

    async def run(self, name: str, key: str, *args: str | int, patient: bool = False) -> Any:
        """Run `<name>.lua` on one key, or on the partition whose keys begin with `key`.

        With `patient` it is sent again for `PATIENCE_SECONDS` while the store is down.

        Raises:
            StoreUnavailable: the store does not answer, is full or read-only.
        """
        call, ends = (name, key, args), monotonic() + PATIENCE_SECONDS
        while True:
            answer = await self._together(call)
            if not isinstance(answer, Exception):
                return answer
            if not patient or monotonic() > ends:
                raise answer
            await asyncio.sleep(RETRY_SECONDS)

    async def keep(self, name: str, key: str, *args: str | int) -> tuple[Any, bool]:
        """Run a script whose writes people are promised; returns once replicas hold them, too.

        Returns:
            The script's answer, and whether replicas hold what it wrote: False after a wait in vain. True where
            there are to be none.

        Raises:
            StoreUnavailable: as from `run`.
        """
        call: Call = (name, key, args)
        if not self._replicas.are_wanted:  # nothing waits behind it, so it leaves with all that is run now
            return await self.run(name, key, *args), True
        (answer,), is_replicated = await self._run_replicated([call], waits_for=key, even_without_replicas=True)
        if isinstance(answer, Exception):
            raise answer
        return answer, is_replicated

    def send(self, name: str, key: str, *args: str | int) -> asyncio.Future[Any]:
        """Run a script in the same round trip as all that is run now; nobody needs to wait for its answer.

        The answer is a `StoreUnavailable` where the script may not have been run.
        """
        return self._together((name, key, args))

    async def claim(self, name: str, number: int, *args: str | int, durable: bool = False) -> tuple[str, list[Any]]:
        """Claim something in a partition: `<name>.lua` with a token behind its first two arguments, limit and lease.

        It is not sent twice, since the second time would find nothing. Instead, a claim whose reply was lost is given
        back before the next one in its partition, or it would wait for its lease to end.

        Returns:
            The token, and the script's answer.

        Raises:
            StoreUnavailable: as from `run`.
        """
        key, token = self.keys.partition(number), uuid4().hex
        await self._give_back(key)
        limit, lease_ms, *more = args
        call: Call = (name, key, (limit, lease_ms, token, *more))
        (answer,), _ = await self._run_replicated([call], waits_for=key if durable else None, again=_NOT_RUN)
        if isinstance(answer, StoreUnavailable):
            self._lost.setdefault(key, []).append(token)
            raise answer
        return token, answer

    async def run_many(self, calls: Sequence[Call]) -> list[Any]:
        """Run several scripts in one round trip, each all or nothing, independently of the others.

        Returns:
            Each one's answer in its place, or the `StoreUnavailable` that it would have raised alone. An empty list
            makes no round trip: packed, it would be an empty chunk, at which asyncio spins on Python 3.12 and later.
        """
        return await self._run(calls) if calls else []

    async def run_everywhere(self, name: str, *args: int) -> list[Any]:
        """Run a script that answers with one item per key on all partitions, in one round trip.

        One server runs it once, with all partitions as its keys; a cluster once for each, since keys of two slots
        cannot be in one script.

        Returns:
            The item of each partition, or the `StoreUnavailable` of the script that should have given it.
        """
        homes = tuple(self.keys.partition(number) for number in range(PARTITIONS))
        groups = [(home,) for home in homes] if self._endpoint.is_sharded else [homes]
        answers = await self._run([(name, group, args) for group in groups])
        items: list[Any] = []
        for group, answer in zip(groups, answers, strict=True):
            items += [answer] * len(group) if _is_error(answer) else answer
        return items

    async def ready(self, name: str, *args: int) -> Ready:
        """Ask in all partitions for what is due; `<name>.lua` says per partition {priority, ms, size}.

        A priority of -1 means that nothing is due yet. Partitions that do not answer are left out.

        Raises:
            StoreUnavailable: none of them answers.
        """
        answers = await self.run_everywhere(name, *args)
        found = [(*each, number) for number, each in enumerate(answers) if not _is_error(each)]
        if not found:
            raise answers[0]
        due = sorted((priority, -since, number) for priority, since, _, number in found if priority >= 0)
        waits = [wait / 1000 for priority, wait, _, _ in found if priority < 0 <= wait]
        return Ready([number for _, _, number in due], min(waits, default=None), sum(size for _, _, size, _ in found))

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[Redis]:
        """The client, with its errors turned into ours."""
        try:
            async with self._free_connections:
                yield self._endpoint.redis  # type: ignore[misc]  # a cluster's client has the same commands
        except CLIENT_ERRORS as error:
            raise unavailable(error) from error

    async def info(self, section: str) -> list[dict[str, Any]] | None:
        """A section of what each server that takes writes says about itself; None where one does not say.

        Raises:
            StoreUnavailable: one of them does not answer.
        """
        async with self.guarded():
            try:
                return await self._endpoint.info(section)
            except ResponseError:  # NOPERM, or a command that a managed service does not have
                return None

    async def aclose(self) -> None:
        """Close all connections."""
        await self._endpoint.aclose()

    async def _give_back(self, key: str) -> None:
        """Give back what was claimed there without a reply."""
        lost = self._lost.get(key, [])
        while lost:
            token = lost.pop()
            try:
                await self.run("engine/give_back", key, token)
            except StoreUnavailable:
                lost.append(token)
                raise

    def _together(self, call: Call) -> asyncio.Future[Any]:
        """The answer to `call`, sent with all that are made in the same iteration of the event loop."""
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
        except Exception as error:  # noqa: BLE001  # a mistake of ours, which every caller that waits must see
            answers = [error] * len(flushed)
        for (_, waiting), answer in zip(flushed, answers, strict=True):
            if not waiting.done():  # its caller may have given up
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
        again: tuple[type[Exception], ...] = _LOST,
    ) -> tuple[list[Any], bool]:
        """Answers to `calls`, our errors among them, and whether replicas of the server of `waits_for` hold the writes.

        Calls that fail with one of `again` are sent once more, with the script's text.
        """
        behind = self._replicas.wait(waits_for, even_in_vain=even_without_replicas) if waits_for else []
        answers, is_replicated = await self._sent("EVALSHA", calls, behind, waits_for, even_without_replicas)
        lost = [i for i, answer in enumerate(answers) if isinstance(answer, again)]
        if lost:
            repeated = [calls[i] for i in lost]
            found, is_replicated = await self._sent("EVAL", repeated, behind, waits_for, even_without_replicas)
            for i, answer in zip(lost, found, strict=True):
                answers[i] = answer
        return [unavailable(answer) if isinstance(answer, Exception) else answer for answer in answers], is_replicated

    async def _sent(
        self,
        command: str,
        calls: Sequence[Call],
        behind: Sequence[tuple[str, int, int]],
        waits_for: str | None,
        even_without_replicas: bool,
    ) -> tuple[list[Any], bool]:
        """The client's answers, errors among them, to EVALSHA or EVAL of each and to `behind`."""
        keys = [(key,) if isinstance(key, str) else key for _, key, _ in calls]
        commands = [
            (command, getattr(script(name), "digest" if command == "EVALSHA" else "text"), len(mine), *mine, *args)
            for mine, (name, _, args) in zip(keys, calls, strict=True)
        ]
        began = monotonic()
        try:
            async with self._free_connections:
                answers, answered = await self._endpoint.execute([first for first, *_ in keys], commands, behind)
        except CLIENT_ERRORS as error:  # nobody knows which of them were run
            metrics.STORE_ERRORS.labels(kind_of(error)).inc()
            return [error] * len(calls), False
        metrics.STORE_SECONDS.observe(monotonic() - began)
        _SUCCESS.set_to_current_time()
        for answer in answers:
            # A server that does not know a script yet is sent it; nothing is wrong.
            if isinstance(answer, Exception) and not isinstance(answer, NoScriptError):
                metrics.STORE_ERRORS.labels(kind_of(answer)).inc()
        if any(isinstance(answer, _ELSEWHERE) for answer in answers):
            await self._endpoint.refresh_topology()
        counts = answers[len(calls) :]
        if any(map(is_demoted, counts)):
            await self._endpoint.refresh_topology()
            return [ReadOnlyError("READONLY no longer the master")] * len(calls), False
        is_replicated = waits_for is None or self._replicas.hold(counts, waits_for)
        if not is_replicated and (even_without_replicas or not self._was_master(answered)):
            if await self._endpoint.has_moved(answered):
                return [ReadOnlyError("another master was elected")] * len(calls), False
            self._masters[answered] = monotonic()
        return answers[: len(calls)], is_replicated

    def _was_master(self, address: Address) -> bool:
        """Whether the Sentinels knew of no other master than the server at `address` a moment ago."""
        return monotonic() < self._masters.get(address, -math.inf) + MASTER_SECONDS


def _is_error(answer: Any) -> bool:
    return isinstance(answer, StoreUnavailable)
