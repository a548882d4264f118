"""The composition root: from `Settings` to a running service, startable by a test.

Lives here: building the doors, the rooms and the way in, in order; stopping them in the opposite order. Does not live
here: anything that decides. Called by `bot.app.cli`; the only importer of `handlers`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import aiohttp
import stamina
import structlog
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

import handlers
from bot import __version__
from bot.app.health import Health
from bot.domain.cadence import Cadence
from bot.errors import OutcomeUnknown, RateLimited, SlackUnavailable
from bot.gcs.auth import IAMUser, SignatureAuth, TokenAuth
from bot.gcs.client import GCSClient
from bot.gcs.http import Credentials, HTTPClient
from bot.settings import Settings
from bot.slack.client import TIMEOUT, Identity, SlackClient
from bot.slack.inbound import HTTPMode, SocketMode
from bot.store import Store
from bot.store.engine.embedded import EmbeddedStore
from bot.store.gcs_quota import GCSQuota
from bot.store.outbox import DeadLetter
from bot.subscriptions import Subscriptions
from bot.workers.notifier import Notifier
from bot.workers.sweeper import Sweeper
from bot.workers.watcher import Watcher

log = structlog.get_logger()

NEW_OBJECTS = 50_000
"""So many more than before, and the garbage collector looks for cycles among them; Python's own number is 700."""

STOP_WITHIN = timedelta(seconds=8)
"""How long work under way has after SIGTERM, all of it together; with closing, the process is gone within 10 s."""


async def run(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    serving = asyncio.create_task(_serve(settings, stop))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    try:
        await serving
    finally:
        log.info("service.stopped")


async def _serve(settings: Settings, stop: asyncio.Event) -> None:
    async with running(settings, stop):
        settle_memory()
        if not stop.is_set():
            log.info("service.started", version=__version__)
        await stop.wait()
        log.info("service.stopping")


def settle_memory() -> None:
    """Keep the garbage collector from looking at what stays, and from looking all the time."""
    gc.collect()
    gc.freeze()  # what is there now stays; looking through it again and again held everything up for 100 ms
    gc.set_threshold(NEW_OBJECTS)  # sixteen lanes to tell are thousands of objects, and die by themselves


@asynccontextmanager
async def running(settings: Settings, stop: asyncio.Event) -> AsyncIterator[None]:
    """The whole bot, running inside the context; `stop` cuts a start short that waits for Slack.

    Raises:
        SettingsInvalid: the state directory or the platform cannot be used.
        SlackBadCredentials: Slack refuses the token.
        StoreUnavailable: the embedded store does not start.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        http = await stack.enter_async_context(HTTPClient())
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        slack = SlackClient(
            settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url, session=session
        )
        budget = store.gcs_quota(
            _gcs_user(settings), per_minute=settings.gcs_quota, reserve=settings.gcs_quota_for_people
        )
        gcs = gcs_client(settings, http, budget)
        cadence = Cadence(
            poll=settings.poll_interval, retry_grace=settings.retry_grace, staleness=settings.max_staleness
        )
        watcher = Watcher(gcs, store.schedule, cadence=cadence, budget=budget, history=store.history)
        limits = store.slack_limits(
            calls=settings.slack_calls_per_minute,
            posts=settings.slack_posts_per_minute,
            channel_posts=settings.slack_channel_posts_per_minute,
        )
        notifier = Notifier(slack, store.outbox, limits)
        time_left = _countdown(STOP_WITHIN)
        rooms = await stack.enter_async_context(_rooms(watcher, notifier, stop, time_left))
        way_in: list[SocketMode | HTTPMode] = []

        async def slack_problem() -> str | None:
            if not way_in:
                return "Slack has not answered yet"
            return await way_in[0].problem() or notifier.problem

        async def gcs_problem() -> str | None:
            return watcher.problem

        health = Health(
            {"store": store.problem, "slack": slack_problem, "gcs": gcs_problem},
            ended=lambda: [room.get_name() for room in rooms if room.done()],
        )
        await health.start(settings.health_port, settings.listen_host)
        stack.push_async_callback(health.stop)

        identity = await _unless(stop, _identity(slack))
        if identity is not None:
            sweeper = Sweeper(
                gcs,
                store.schedule,
                budget=budget,
                team_id=identity.team_id,
                cadence=cadence,
                bytes_per_second=settings.list_bytes_per_second,
            )
            rooms.append(asyncio.create_task(sweeper.run(stop), name="sweeper"))
            subscriptions = Subscriptions(gcs, store.subscribers, cadence=cadence, now=lambda: datetime.now(UTC))
            app = _bolt_app(settings, identity, session)
            workspace = handlers.Workspace(team_id=identity.team_id, limits=limits)
            middleware = handlers.register(app, subscriptions=subscriptions, workspace=workspace)
            stack.push_async_callback(lambda: middleware.drain(min(time_left(), STOP_WITHIN / 2)))
            way_in.append(_way_in(settings, app))
            await way_in[0].start()
            stack.push_async_callback(way_in[0].stop)
        yield


def _way_in(settings: Settings, app: handlers.App) -> SocketMode | HTTPMode:
    if settings.slack_app_token is not None:
        return SocketMode(app, settings.slack_app_token.get_secret_value())
    return HTTPMode(app, host=settings.listen_host, port=settings.port)


async def _unless(stop: asyncio.Event, coroutine: Coroutine[Any, Any, Identity]) -> Identity | None:
    """What `coroutine` gives, or None when `stop` is set first."""
    working, stopping = asyncio.create_task(coroutine), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return await working
    working.cancel()
    return None


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """The store that the settings name, or the embedded one."""
    embedded = None if settings.redis_url else EmbeddedStore(settings.state_dir)
    url = await embedded.start() if embedded else settings.redis_url.get_secret_value()  # type: ignore[union-attr]
    store = Store(url, coalesce=settings.coalesce, staleness=settings.max_staleness, replicas=settings.redis_replicas)
    try:
        if embedded:  # nobody else can be alive on it: what is claimed belongs to a dead predecessor
            taken_over = await store.recover()
            log.info("service.store_opened", embedded=True, taken_over=taken_over)
        yield store
    finally:
        await store.aclose()
        if embedded:
            await embedded.stop()


async def dead_letters(settings: Settings) -> list[DeadLetter]:
    """What could not be told, the newest first; read beside the bot that runs on that store."""
    url = settings.redis_url.get_secret_value() if settings.redis_url else EmbeddedStore(settings.state_dir).url
    store = Store(url, coalesce=settings.coalesce, staleness=settings.max_staleness)
    try:
        return await store.outbox.dead_letters()
    finally:
        await store.aclose()


def gcs_client(settings: Settings, http: HTTPClient, budget: GCSQuota | None = None) -> GCSClient:
    """The client for GCS with the credentials that the settings have; without `budget` for a single question."""
    auth: Credentials
    if settings.gcs_ak and settings.gcs_sk:
        auth = SignatureAuth(
            settings.gcs_ak.get_secret_value(),
            settings.gcs_sk,
            project_id=settings.gcs_project_id,
            security_token=settings.gcs_security_token,
        )
    else:
        assert settings.gcs_username and settings.gcs_password and settings.gcs_domain  # noqa: S101, PT018  # Settings
        user = IAMUser(
            username=settings.gcs_username,
            password=settings.gcs_password,
            domain=settings.gcs_domain,
            project_name=settings.gcs_region,
            project_id=settings.gcs_project_id or "",
        )
        auth = TokenAuth(http, settings.iam_endpoint, user)
    return GCSClient(
        http,
        endpoint=settings.gcs_endpoint,
        auth=auth,
        take=budget.take if budget else None,
        refused=budget.refused if budget else None,
    )


def _gcs_user(settings: Settings) -> str:
    """Whose quota it is."""
    return settings.gcs_ak.get_secret_value() if settings.gcs_ak else f"{settings.gcs_domain}/{settings.gcs_username}"


@asynccontextmanager
async def _rooms(
    watcher: Watcher, notifier: Notifier, stop: asyncio.Event, time_left: Callable[[], timedelta]
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """The loops, to which others may be added; from `stop` on they finish what is under way, as listeners do."""
    tasks = [
        asyncio.create_task(watcher.run(stop), name="watcher"),
        asyncio.create_task(notifier.run(stop), name="notifier"),
    ]
    try:
        yield tasks
    finally:
        stop.set()
        _, unfinished = await asyncio.wait(tasks, timeout=time_left().total_seconds())
        for task in unfinished:
            log.warning("service.room_cut_off", room=task.get_name())
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _countdown(whole: timedelta) -> Callable[[], timedelta]:
    """What is left of `whole`, which begins to run with the first question."""
    ends: float | None = None

    def left() -> timedelta:
        nonlocal ends
        ends = ends or monotonic() + whole.total_seconds()
        return timedelta(seconds=max(0.0, ends - monotonic()))

    return left


async def _identity(slack: SlackClient) -> Identity:
    """Who we are; a Slack that is away is waited for, since a bot that starts must not depend on the minute."""
    async for attempt in stamina.retry_context(
        on=(SlackUnavailable, OutcomeUnknown, RateLimited), attempts=None, timeout=None, wait_max=30.0
    ):
        with attempt:
            return await slack.identity()
    raise AssertionError("unreachable")


def _bolt_app(settings: Settings, identity: Identity, session: aiohttp.ClientSession) -> handlers.App:
    token = settings.slack_bot_token.get_secret_value()

    known = AuthorizeResult(
        enterprise_id=None,
        team_id=identity.team_id,
        bot_token=token,
        bot_id=identity.bot_id,
        bot_user_id=identity.bot_user_id,
    )

    async def authorize() -> AuthorizeResult:
        """Known since the start: asking Slack again with the first request would delay its ack."""
        return known

    # Bolt finds SLACK_BOT_TOKEN in the environment by itself and warns that it will not use it.
    quiet = logging.getLogger("slack_bolt.quiet")
    quiet.setLevel(logging.ERROR)
    secret = settings.slack_signing_secret
    return handlers.App(
        logger=quiet,
        client=AsyncWebClient(base_url=settings.slack_api_url, session=session, retry_handlers=[]),
        authorize=authorize,
        signing_secret=secret.get_secret_value() if secret else "",
        raise_error_for_unhandled_request=False,
        # Events that come of our own messages are not subscribed to, functions of Workflow Builder are not offered; to
        # look for them would only delay acks.
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
    )
