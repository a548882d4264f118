"""The composition root: from `Settings` to a running process, startable by a test.

Lives here: what all workspaces share (signals, garbage collection, the store, health) and how long stopping may take.
Does not live here: what belongs to one workspace (`bot.app.workspace`) or GCS account (`bot.app.gcs_account`), anything
that decides. Called by `bot.app.cli`.
"""

from __future__ import annotations

import asyncio
import gc
import platform
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from time import monotonic

import structlog

from bot import __version__, metrics
from bot.app.gcs_account import gcs_account
from bot.app.health import Health, Probe
from bot.app.probes import repeating
from bot.app.store_probe import StoreProbe
from bot.app.workspace import TimeLeft, WorkspaceRuntime
from bot.audit import audit
from bot.clock import ClockSkew
from bot.gcs.http import HTTPClient
from bot.settings import Settings
from bot.slack.client import slack_session
from bot.store import Store
from bot.store.engine.embedded import EmbeddedStore

log = structlog.get_logger()

NEW_OBJECTS = 50_000
"""How many new objects make the garbage collector search them for cycles. Python's own number is 700."""

STOP_WITHIN = timedelta(seconds=8)
"""How long all work under way has after SIGTERM; with closing, the process ends within 10 s."""


async def run(settings: Settings) -> None:
    """Run the bot until SIGTERM, SIGINT or SIGHUP."""
    stop = asyncio.Event()
    serving = asyncio.create_task(_serve(settings, stop))
    _on_signals(stop)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    try:
        await serving
    finally:
        audit("service.stopped")


def _on_signals(stop: asyncio.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT, and on SIGHUP unless that is ignored, as under nohup.

    SIGHUP comes when a terminal is closed, or of who wants settings to be read again, which takes a restart.
    """
    loop = asyncio.get_running_loop()
    hangup = [signal.SIGHUP] if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
    for number in (signal.SIGTERM, signal.SIGINT, *hangup):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # on Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


async def _serve(settings: Settings, stop: asyncio.Event) -> None:
    async with running(settings, stop):
        settle_memory()
        if not stop.is_set():
            audit("service.started", version=__version__)
            metrics.BUILD_INFO.labels(__version__, platform.python_version()).set(1)
        await stop.wait()
        log.info("service.stopping")


def settle_memory() -> None:
    """Keep the garbage collector from searching what stays, and from searching all the time."""
    gc.collect()
    gc.freeze()  # what exists now stays; searching it again and again paused everything for 100 ms
    gc.set_threshold(NEW_OBJECTS)  # sixteen deliveries are thousands of objects, and need no collector to go away


@asynccontextmanager
async def running(settings: Settings, stop: asyncio.Event) -> AsyncIterator[None]:
    """The whole bot, running inside the context; `stop` ends a start that waits for Slack or the store.

    No worker starts before both have answered, and the store has turned out to be this bot's. Until then people read
    that the bot cannot reach its memory.

    Raises:
        SettingsInvalid: the state directory cannot be used.
        SlackBadCredentials: Slack refuses the token.
        StoreNotOurs: the store belongs to another bot.
        StoreUnavailable: there is no embedded store for this platform, or it does not start.
    """
    async with AsyncExitStack() as stack:
        engine = embedded_store(settings)
        store = await stack.enter_async_context(opened_store(settings, engine))
        clock = ClockSkew()
        http = await stack.enter_async_context(HTTPClient(settings.network, clock=clock))
        session = await stack.enter_async_context(slack_session(settings.network))
        time_left = _countdown(STOP_WITHIN)
        account = gcs_account(settings, store, http)
        workspace = WorkspaceRuntime(settings, store, account, session, clock)
        state_dir = settings.state_dir if engine else None
        state = StoreProbe(store, account.quota, clock, state_dir=state_dir, engine=engine)
        await stack.enter_async_context(repeating(state.run_once, stop))
        probes = {**workspace.probes, **state.probes, "clock": _clock_probe(clock)}
        health = Health(probes, ended=lambda: _ended(workspace, engine), notes=lambda: state.notes)
        await health.start(settings.health_port, settings.health_host)
        stack.push_async_callback(health.stop)  # if the start fails
        identity = await workspace.identified(stop)
        if identity is not None:
            await stack.enter_async_context(workspace.working(identity, stop, time_left))
            stack.push_async_callback(health.stop)  # before the workers end, or they would be reported as ended
            await stack.enter_async_context(workspace.connected(identity, time_left))
        yield
    if workspace.refusal is not None:
        raise workspace.refusal


def _clock_probe(clock: ClockSkew) -> Probe:
    async def problem() -> str | None:
        return clock.problem

    return problem


def _ended(workspace: WorkspaceRuntime, engine: EmbeddedStore | None) -> list[str]:
    """What a restart of the bot may bring back: workers whose loop has ended, and our own store."""
    return [*workspace.ended_workers(), *(["store"] if engine and engine.is_gone else [])]


def embedded_store(settings: Settings) -> EmbeddedStore | None:
    """Our own store, not started yet; None if the settings name another one."""
    return None if settings.redis_url else EmbeddedStore(settings.state_dir)


@asynccontextmanager
async def opened_store(settings: Settings, embedded: EmbeddedStore | None) -> AsyncIterator[Store]:
    """The store that the settings name, or the embedded one, which is started and stopped."""
    url = await embedded.start() if embedded else settings.store_address.get_secret_value()  # type: ignore[union-attr]
    store = _store(url, settings)
    try:
        if embedded:  # only one process uses it at a time: what is claimed was claimed by a dead predecessor
            taken_over = await store.recover()
            log.info("service.store_opened", embedded=True, taken_over=taken_over)
        yield store
    finally:
        await store.aclose()
        if embedded:
            await embedded.stop()


@asynccontextmanager
async def store_beside(settings: Settings) -> AsyncIterator[Store]:
    """The store of a running bot; it is neither started nor stopped here."""
    address = settings.store_address
    url = address.get_secret_value() if address else EmbeddedStore(settings.state_dir).url
    store = _store(url, settings)
    try:
        yield store
    finally:
        await store.aclose()


def _store(url: str, settings: Settings) -> Store:
    return Store(
        url,
        coalesce=settings.coalesce,
        staleness=settings.max_staleness,
        prefix=settings.store_prefix,
        replicas=settings.redis_replicas,
    )


def _countdown(whole: timedelta) -> TimeLeft:
    """Returns what is left of `whole`; the time starts to run with the first call."""
    ends: float | None = None

    def left() -> timedelta:
        nonlocal ends
        ends = ends or monotonic() + whole.total_seconds()
        return timedelta(seconds=max(0.0, ends - monotonic()))

    return left
