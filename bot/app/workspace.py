"""One workspace, running: its clients, its workers, its listeners, its connection to Slack.

Lives here: `WorkspaceRuntime`, which builds all of it, starts it in order and stops it in the opposite order. Does not
live here: what every workspace shares (`bot.app.service`), the GCS account (`bot.app.gcs_account`), anything that
decides. Called by `bot.app.service`; the only importer of `handlers`. A second workspace is a second object.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import aiohttp
import stamina
import structlog
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

import handlers
from bot.acting import Acting
from bot.app.gcs_account import GCSAccount
from bot.app.health import Probe
from bot.app.ownership import OwnerCheck
from bot.app.probes import TokenProbe, repeat, repeating
from bot.blocks.language import Language
from bot.boards import BoardMaker, BoardRequests, BoardWorker
from bot.clock import ClockSkew
from bot.domain.access import AccessRules
from bot.domain.cadence import Cadence
from bot.domain.following import Level
from bot.errors import OutcomeUnknown, RateLimited, SlackUnavailable, StoreNotOurs, UnknownRefusal
from bot.quiet import HoursWorker
from bot.settings import Settings
from bot.slack.client import Identity, SlackClient
from bot.slack.inbound import HTTPMode, Sender, SocketMode
from bot.slack.languages import Languages
from bot.slack.messages import Messages
from bot.slack.workspace import Removal, Workspace
from bot.store import Store
from bot.subscriptions import Allowance, Subscriptions
from bot.workers.notifier import Notifier
from bot.workers.sweeper import Finder, Sweeper
from bot.workers.watcher import Watcher

log = structlog.get_logger()

TimeLeft = Callable[[], timedelta]
"""How long work under way may still take; the time starts to run with the first call."""

DRAIN_WITHIN = timedelta(seconds=4)
"""How long listeners have at most to finish when the bot stops, so that workers have time left."""

_LANGUAGES = {"en": Language.ENGLISH, "zh": Language.CHINESE}
"""By their names in the settings."""

T = TypeVar("T")

LONGEST_WAIT_SECONDS = 30.0
"""How long the bot waits at most between two attempts to learn who it is."""


class WorkspaceRuntime:
    """Everything of one workspace. `working` runs its workers; inside it, `connected` takes requests."""

    def __init__(
        self, settings: Settings, store: Store, account: GCSAccount, session: aiohttp.ClientSession, clock: ClockSkew
    ) -> None:
        self._settings, self._store, self._account, self._session = settings, store, account, session
        self._clock = clock
        self._cadence = Cadence(
            poll=settings.poll_interval, retry_grace=settings.retry_grace, staleness=settings.max_staleness
        )
        self._limits = store.slack_limits(
            calls=settings.slack_calls_per_minute,
            posts=settings.slack_posts_per_minute,
            channel_posts=settings.slack_channel_posts_per_minute,
        )
        self._slack = SlackClient(
            settings.slack_bot_token.get_secret_value(),
            base_url=settings.slack_api_url,
            session=session,
            network=settings.network,
            clock=clock,
        )
        self._removal = Removal()
        self._languages = Languages(self._slack, store.languages, default=_LANGUAGES[settings.default_language])
        self._token_probe = TokenProbe(
            self._slack, clock, self._removal, is_known_away=lambda: self._notifier.problem is not None
        )
        self._watcher = Watcher(
            account.client,
            store,
            cadence=self._cadence,
            quota=account.quota,
            has_operators=access_rules(settings).has_operators,
        )
        self._finder = Finder(
            account.client,
            store.rules,
            store.enlisting,
            quota=account.quota,
            most=settings.rule_executions,
        )
        self._notifier = Notifier(
            Messages(self._slack),
            store,
            self._limits,
            access=access_rules(settings),
            languages=self._languages,
        )
        self._owner_check = OwnerCheck(settings, store.ownership, account.client)
        self.refusal: StoreNotOurs | None = None
        """Why the bot has to stop: the store answered late, and belongs to another bot."""
        self._inbound: SocketMode | HTTPMode | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def probes(self) -> Mapping[str, Probe]:
        """For `/readyz`: whether Slack and GCS can be reached, and whether endings are stopped."""
        return {"slack": self._slack_problem, "gcs": self._gcs_problem, "brake": self._brake_problem}

    def ended_workers(self) -> list[str]:
        """For `/livez`: the workers whose loop is no longer running."""
        return [task.get_name() for task in self._tasks if task.done()]

    async def identified(self, stop: asyncio.Event) -> Identity | None:
        """Who the bot is; None when `stop` is set before Slack has answered.

        Raises:
            SlackBadCredentials: Slack refuses the token.
            StoreNotOurs: the store has answered, and belongs to another bot.
        """
        identity = await _unless(stop, _identity(self._slack))
        if identity is not None:
            await _unless(stop, self._owner_check.run_once(identity))
        return identity

    @asynccontextmanager
    async def working(self, identity: Identity, stop: asyncio.Event, time_left: TimeLeft) -> AsyncIterator[None]:
        """Run the workers inside the context, as soon as the store has turned out to be this bot's.

        From `stop` on they finish what is under way.
        """

        def start_workers() -> None:
            self._start("watcher", self._watcher.run(stop))
            self._start("notifier", self._notifier.run(stop))
            self._start("sweeper", self._sweeper(identity).run(stop))
            self._start("migrations", repeat(self._store.migrations.run_once, stop))
            self._start("boards", repeat(BoardWorker(self._board_maker()).run_once, stop))
            self._start("quiet hours", repeat(self._hours_worker(identity).run_once, stop))

        self._start("token probe", repeat(self._token_probe.run_once, stop))
        self._start("owner check", self._check_owner(identity, stop, start_workers))
        try:
            yield
        finally:
            stop.set()
            await self._end_workers(time_left())

    @asynccontextmanager
    async def connected(self, identity: Identity, time_left: TimeLeft) -> AsyncIterator[None]:
        """Take requests from Slack inside the context."""
        app = self._bolt_app(identity)
        subscriptions = Subscriptions(
            self._account.client,
            self._store,
            boards=BoardRequests(self._board_maker(), self._store.rules),
            allowance=self._allowance(),
            cadence=self._cadence,
            now=_utc_now,
            default_level=Level(self._settings.default_level),
        )
        workspace = Workspace(
            identity,
            self._slack,
            self._limits,
            access_rules(self._settings),
            self._store.channels,
            self._languages,
            now=_utc_now,
            removal=self._removal,
        )
        acting = Acting(self._account.client, self._store.acts, self._store.subscribers, now=_utc_now)
        middleware = handlers.register(
            app,
            subscriptions=subscriptions,
            workspace=workspace,
            requests=self._store.requests,
            acting=acting if workspace.rules.has_operators else None,
        )
        self._inbound = self._connection(app, identity)
        live = handlers.LiveHomes(subscriptions, workspace)
        try:
            await self._inbound.start()
            async with repeating(live.run_once, asyncio.Event()):
                yield
        finally:
            await self._inbound.stop()
            await middleware.drain(min(time_left(), DRAIN_WITHIN))

    async def _check_owner(self, identity: Identity, stop: asyncio.Event, passed: Callable[[], None]) -> None:
        try:
            await self._owner_check.run(identity, stop, passed=passed)
        except StoreNotOurs as refusal:
            self.refusal = refusal
            stop.set()

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_log_failure)
        self._tasks.append(task)

    async def _end_workers(self, within: timedelta) -> None:
        _, unfinished = await asyncio.wait(self._tasks, timeout=within.total_seconds())
        for task in unfinished:
            log.warning("service.worker_cut_off", worker=task.get_name())
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _slack_problem(self) -> str | None:
        if self._inbound is None:
            return "Slack has not answered yet"
        found = (await self._inbound.problem(), self._token_probe.problem, self._notifier.problem)
        return "; ".join(filter(None, found)) or None

    async def _gcs_problem(self) -> str | None:
        return "; ".join(filter(None, (self._watcher.problem, self._finder.problem))) or None

    async def _brake_problem(self) -> str | None:
        owner = self._store.ownership.known
        return await self._store.brake.problem(owner.scope.removesuffix("/")) if owner else None

    def _sweeper(self, identity: Identity) -> Sweeper:
        return Sweeper(
            self._account.client,
            self._store.schedule,
            quota=self._account.quota,
            team_id=identity.team_id,
            cadence=self._cadence,
            bytes_per_second=self._settings.list_bytes_per_second,
            finder=self._finder,
        )

    def _hours_worker(self, identity: Identity) -> HoursWorker:
        store = self._store
        return HoursWorker(store.subscribers, store.quiet_hours, team_id=identity.team_id, now=_utc_now)

    def _board_maker(self) -> BoardMaker:
        store = self._store
        return BoardMaker(store.boards, store.subscribers, store.homes, now=_utc_now)

    def _allowance(self) -> Allowance:
        settings = self._settings
        requests = self._store.person_limit(per_minute=settings.person_requests_per_minute)
        return Allowance(requests, settings.subscriptions_per_person, settings.subscriptions_per_channel)

    def _connection(self, app: handlers.App, identity: Identity) -> SocketMode | HTTPMode:
        settings = self._settings
        if settings.slack_app_token is not None:
            return SocketMode(app, self._slack, settings.slack_app_token.get_secret_value(), settings.network)
        secret = settings.slack_signing_secret
        return HTTPMode(
            app,
            secret.get_secret_value() if secret else "",
            host=settings.listen_host,
            port=settings.port,
            sender=Sender(identity, self._store.requests),
            is_clock_wrong=lambda: self._clock.problem is not None,
        )

    def _bolt_app(self, identity: Identity) -> handlers.App:
        known = AuthorizeResult(
            enterprise_id=None,
            team_id=identity.team_id,
            bot_token=self._settings.slack_bot_token.get_secret_value(),
            bot_id=identity.bot_id,
            bot_user_id=identity.bot_user_id,
        )

        async def authorize() -> AuthorizeResult:
            """Known since the start: asking Slack again with the first request would delay its ack."""
            return known

        # Bolt finds SLACK_BOT_TOKEN in the environment by itself and warns that it will not use it.
        quiet = logging.getLogger("slack_bolt.quiet")
        quiet.setLevel(logging.ERROR)
        network = self._settings.network
        client = AsyncWebClient(
            base_url=self._settings.slack_api_url, session=self._session, ssl=network.tls(), retry_handlers=[]
        )
        client.proxy = network.proxy_for(self._settings.slack_api_url)  # the SDK would take one from the environment
        return handlers.App(
            logger=quiet,
            client=client,
            authorize=authorize,
            request_verification_enabled=False,  # `bot.slack.inbound` has verified what arrives here
            raise_error_for_unhandled_request=False,
            # `handlers.conversation` distinguishes the bot's own messages from people's, and the bot offers no
            # functions of Workflow Builder: checking for them would only delay acks.
            ignoring_self_events_enabled=False,
            attaching_function_token_enabled=False,
        )


def access_rules(settings: Settings) -> AccessRules:
    """Who may use the bot, as the settings say."""
    return AccessRules(
        guests=settings.allow_guests,
        external=settings.allow_external,
        users=settings.allowed_users,
        groups=settings.allowed_user_groups,
        channels=settings.allowed_channels,
        operators=settings.operators,
        operator_groups=settings.operator_groups,
    )


def _log_failure(worker: asyncio.Task[None]) -> None:
    """Log why a worker has failed: `/livez` only names it."""
    error = None if worker.cancelled() else worker.exception()
    if error is not None:
        log.error("service.worker_failed", worker=worker.get_name(), exc_info=error)


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def _identity(slack: SlackClient) -> Identity:
    """Who the bot is. Waits while Slack does not answer: whether the bot starts must not depend on the minute."""
    async for attempt in stamina.retry_context(
        on=(SlackUnavailable, OutcomeUnknown, RateLimited, UnknownRefusal),
        attempts=None,
        timeout=None,
        wait_max=LONGEST_WAIT_SECONDS,
    ):
        with attempt:
            return await slack.identity()
    raise AssertionError("unreachable")


async def _unless(stop: asyncio.Event, coroutine: Coroutine[Any, Any, T]) -> T | None:
    """The result of `coroutine`, or None when `stop` is set first."""
    working, stopping = asyncio.create_task(coroutine), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return await working
    working.cancel()
    return None
