"""What the bot checks in its store once a minute: whether it keeps what it is given, and how long people have waited.

Lives here: `StoreProbe`, and what each state of the store means. Does not live here: asking (`bot.store.inspection`),
whether the store answers at all (`bot.store.Store.verify`), the loop (`bot.app.probes`). Called by `bot.app.service`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import structlog

from bot import metrics
from bot.app.health import Probe
from bot.clock import ClockSkew
from bot.errors import StoreUnavailable
from bot.store import Store
from bot.store.engine.embedded import EmbeddedStore
from bot.store.gcs_quota import GCSQuota
from bot.store.inspection import Backlog, ServerState

EVERY_SECONDS = 60.0
"""How long until the store is checked again."""

LATE = timedelta(minutes=2)
"""How long an outcome may wait for its delivery."""

LEAST_DISK = 64 << 20
"""How many bytes must be free where the embedded store writes: at 0 it ends."""

_DISPLACED = (
    "the directory of the embedded store was moved or deleted: put it back, or what is followed is lost with the next "
    "restart"
)

log = structlog.get_logger()


class StoreProbe:
    """The state of the store, as of the last minute."""

    def __init__(
        self,
        store: Store,
        quota: GCSQuota,
        clock: ClockSkew,
        *,
        state_dir: Path | None = None,
        engine: EmbeddedStore | None = None,
    ) -> None:
        """`clock` learns what the store's shows.

        `state_dir` is where the embedded store, `engine`, writes; None for another store.
        """
        self._store, self._quota, self._clock, self._state_dir, self._engine = store, quota, clock, state_dir, engine
        self._server: ServerState | None = None
        self.problems: tuple[str, ...] = ()
        """Why the store may lose what it is given, in words."""
        self.notes: tuple[str, ...] = ()
        """What its operator should know, although it works."""
        self._oldest = timedelta(0)

    @property
    def probes(self) -> Mapping[str, Probe]:
        """For `/readyz`: whether the store works and keeps what it is given, and whether people wait for outcomes."""
        return {"store": self._store_problem, "delivery": self._delivery_problem}

    async def _store_problem(self) -> str | None:
        if self._engine is not None and self._engine.is_displaced:
            return _DISPLACED
        await self._store.verify()
        return "; ".join(self.problems) or None

    async def _delivery_problem(self) -> str | None:
        return self.lateness

    @property
    def lateness(self) -> str | None:
        """How long the oldest outcome has been waiting, in words; None if that is at most `LATE`."""
        if self._oldest <= LATE:
            return None
        return f"the oldest outcome has been waiting for {self._oldest.total_seconds() // 60:.0f} min"

    async def run_once(self) -> float:
        """Check once, and log what is wrong; returns the seconds until the next time."""
        if self._engine is not None and self._engine.is_displaced:
            log.error("store.unsafe", problem=_DISPLACED)
        with suppress(StoreUnavailable):  # `/readyz` and the workers say that
            await self._read_server()
            self._clock.showed("the store", *(now.timestamp() for now in (await self._store.clock.check()).now))
            self._show(await self._store.inspection.backlog())
            await self._read_quota()
        if self.lateness:
            log.warning("store.outcomes_late", oldest_s=round(self._oldest.total_seconds()))
        return EVERY_SECONDS

    async def _read_server(self) -> None:
        server = await self._store.inspection.server()
        free = await asyncio.to_thread(_free, self._state_dir) if self._state_dir else None
        if free is not None:
            metrics.STORE_DISK_FREE_BYTES.set(free)
        self.problems = tuple(_problems(server, free))
        self.notes = tuple(notes_of(server, is_ours=self._state_dir is not None))
        for problem in self.problems:
            log.error("store.unsafe", problem=problem)
        for note in self.notes:
            log.warning("store.note", note=note)
        if server is not None and server != self._server:
            log.info(
                "store.server",
                policy=server.evicts or "noeviction",
                is_limited=server.is_limited,
                appendonly=server.has_file,
                appendfsync=server.fsync or "unknown",
                replicas=server.replicas,
            )
        self._server = server

    def _show(self, backlog: Backlog) -> None:
        metrics.WATCHER_EXECUTIONS.set(backlog.executions)
        metrics.WATCHER_SUBSCRIPTIONS.set(backlog.subscriptions)
        metrics.NOTIFIER_DEAD_LETTERS_KEPT.set(backlog.dead_letters)
        for priority, age in enumerate(backlog.ages):
            metrics.NOTIFIER_OLDEST_SECONDS.labels(str(priority)).set(age.total_seconds())
        self._oldest = max(backlog.ages[:2])

    async def _read_quota(self) -> None:
        used, left, pause = await self._quota.usage()
        metrics.GCS_QUOTA_CALLS.labels("used").set(used)
        metrics.GCS_QUOTA_CALLS.labels("left").set(left)
        metrics.GCS_QUOTA_PAUSED_SECONDS.set(pause.total_seconds())


def _free(folder: Path) -> int | None:
    """Bytes that are free there; None when that cannot be found out."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _problems(server: ServerState | None, free: int | None) -> Iterator[str]:
    """What may lose subscriptions or messages."""
    if server is not None and server.is_limited and server.evicts.startswith("allkeys"):
        yield f"the store drops subscriptions when it is full ({server.evicts}): set maxmemory-policy noeviction"
    for what in server.failed_writes if server is not None else ():
        yield f"the store could not write its {what}"
    if free is not None and free < LEAST_DISK:
        yield f"the embedded store has only {free >> 20} MiB of disk space left"


def notes_of(server: ServerState | None, *, is_ours: bool) -> Iterator[str]:
    """What does not keep the bot from working; `is_ours` for the embedded store."""
    if server is None:
        yield "the store's user may not run INFO: eviction and persistence are not checked"
        return
    if server.evicts and not (server.is_limited and server.evicts.startswith("allkeys")):
        when = "when it is full" if server.is_limited else "once it has a limit"
        yield f"the store drops keys {when} ({server.evicts}): set maxmemory-policy noeviction"
    if not is_ours and not server.has_file and not server.replicas:
        yield (
            "the store has neither an append-only file nor a replica: a restart loses what it was given; set "
            "appendonly yes and appendfsync always"
        )
    if server.has_file and server.fsync in {"everysec", "no"} and not server.replicas:
        yield (
            f"the store flushes its file late (appendfsync {server.fsync}): a crash of its machine loses some writes; "
            "set appendfsync always"
        )
