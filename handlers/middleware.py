"""The one middleware: whatever a listener does, Slack gets its ack and the person a sentence.

Lives here: ack first; nothing is done twice, or for people who may not ask; an error becomes a sentence, a log line and
a metric; how long an ack took. Does not live here: who may ask (`bot.slack.access`), what makes two requests the same
(`bot.slack.inbound`), what listeners do (the siblings). Called by `handlers.register`, which wraps every listener.

By default Bolt runs a listener beside the request, checks every 10 ms whether it has acked, and loses the ack when the
listener raises in between. Here the listener runs in a task of the middleware, which starts after the ack, so that
Bolt can answer Slack at once (`process_before_response`). The middleware keeps a reference to each task, or the task
could be garbage-collected half-way, and waits for all of them at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.audit import audit, begin_request
from bot.blocks import error_modal, refusing_home
from bot.blocks.language import speaking
from bot.blocks.message import Block
from bot.blocks.replies import error_reply
from bot.blocks.sentences import sentence
from bot.domain.access import NOBODY_ELSE
from bot.domain.following import Subscriber
from bot.errors import (
    BotError,
    InputProblem,
    InvalidInput,
    NotAllowed,
    RateLimited,
    SlackError,
    StoreUnavailable,
    TooManyRequests,
)
from bot.metrics import HANDLERS_ACK_SECONDS, HANDLERS_NOT_ALLOWED, HANDLERS_REQUESTS, LAST_SUCCESS
from bot.slack.access import Access
from bot.slack.calls import NO_PATIENCE
from bot.slack.channels import readers
from bot.slack.conversation import Place, say_directly
from bot.slack.inbound import IDENTITY
from bot.slack.workspace import Workspace
from bot.store.requests import REMEMBERED
from handlers.answers import answer
from handlers.conversation import Once, is_news
from handlers.modals import show
from handlers.request import Request

Listener = Callable[[Request], Awaitable[None]]
"""A listener with its dependencies bound."""


class Who(StrEnum):
    """For whom a listener works."""

    SLACK = "slack"
    """For nobody: it takes notice, or only acks."""
    PEOPLE = "people"
    """For everyone who may use the bot."""
    MEMBERS = "members"
    """For those of them who are full members of the workspace."""


CHECK_SECONDS = 1.0
"""How long the store may take to say whether a request is new; a trigger lives for three."""

CLOSED = "not_found"
"""Slack's word for a modal that the person has closed."""

log = structlog.get_logger()

_SUCCESS = LAST_SUCCESS.labels("inbound")


class Repeated(Exception):
    """The request was worked on before."""


class App(AsyncApp):
    """Bolt's app, which answers as soon as a request is acked and measures how long Slack waits for each ack."""

    def __init__(self, **arguments: Any) -> None:
        name = type(self).__module__  # Bolt reads the source of every caller for it otherwise
        super().__init__(**arguments, name=name, process_before_response=True)
        self.error(_unreadable)

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Answer one request from Slack."""
        started = perf_counter()
        try:
            response = await super().async_dispatch(req)
        finally:
            HANDLERS_ACK_SECONDS.observe(perf_counter() - started)
        if response.status == HTTPStatus.OK:
            _SUCCESS.set_to_current_time()
        return response


async def _unreadable(error: Exception) -> BoltResponse:
    """Bolt could not find the listener of a request, because a field is not what it expects: no traceback, no retry."""
    log.error("handlers.unreadable", kind=type(error).__name__, at=_place(error))
    return BoltResponse(status=400)


class Middleware:
    """Wraps the listeners of one workspace and knows which are running."""

    def __init__(self, workspace: Workspace, requests: Once) -> None:
        self.workspace, self._access, self._requests = workspace, Access(workspace), requests
        self._running: set[asyncio.Task[None]] = set()
        self.listeners: dict[str, Who] = {}
        """Every listener by its name, and for whom it works."""

    def guard(
        self,
        name: str,
        listener: Listener,
        *,
        who: Who = Who.PEOPLE,
        is_public: bool = False,
        shows: Callable[[Request], Block] | None = None,
    ) -> Callable[..., Awaitable[None]]:
        """`listener` for Bolt: it starts after the ack, and none of its errors reaches Bolt.

        One that works for a person starts only if that person may ask. What others would see twice (`is_public`)
        starts only if the store says that the request is new. A modal that is submitted stays open, and shows what
        `shows` returns until the listener is done.
        """
        self.listeners[name] = who
        checked = listener if who is Who.SLACK else partial(self._checked, listener, who)

        async def guarded(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
            request = Request(body)
            if shows is None:
                await ack()
            else:
                request.submitted = request.view_hash
                await ack(response_action="update", view=shows(request))
            once = partial(self._once, checked, context.get(IDENTITY, ""), is_public)
            task = asyncio.create_task(self._run(name, once, request))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        return guarded

    async def drain(self, within: timedelta) -> int:
        """Wait for the running listeners; returns how many were still running when the time was up."""
        if not self._running:
            return 0
        _, unfinished = await asyncio.wait(set(self._running), timeout=within.total_seconds())
        return len(unfinished)

    async def _run(self, name: str, listener: Listener, request: Request) -> None:
        started = perf_counter()
        begin_request(actor=request.user_id, team=request.team_id)
        result = await self._contained(name, listener, request)
        HANDLERS_REQUESTS.labels(name, result).inc()
        audit(
            "handlers.answered",
            listener=name,
            verb=request.verb,
            channel=request.channel_id,
            execution=request.execution_id,
            result=result,
            problem=request.problem,
            milliseconds=round((perf_counter() - started) * 1000),
        )

    async def _checked(self, listener: Listener, who: Who, request: Request) -> None:
        identity = self.workspace.identity
        signs, channel_id = request.signs(identity), request.channel_id
        await self._access.check(request.user_id, signs=signs, channel_id=channel_id)
        if who is Who.MEMBERS:
            await self._access.check_member(request.user_id, signs=signs, channel_id=channel_id)
        request.access = self._access
        request.asker = Subscriber(team_id=identity.team_id, id=request.user_id)
        with speaking(await self.workspace.languages.of(identity.team_id, request.user_id)):
            await listener(request)

    async def _once(self, listener: Listener, identity: str, is_public: bool, request: Request) -> None:
        """Run the listener unless this very request was worked on before: an event repeated, a request captured.

        While the store does not say, a request is worked on: to subscribe twice changes nothing, and one person who
        reads an answer twice is better off than one who reads none. Only what others see is not done then.

        Raises:
            Repeated: it was worked on before.
        """
        if identity:
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    is_first = await self._requests.is_first(self.workspace.team_id, identity, within=REMEMBERED)
            except (StoreUnavailable, TimeoutError):
                if is_public:
                    raise StoreUnavailable("does not say whether this request is new") from None
                is_first = True
            if not is_first:
                raise Repeated
        await listener(request)

    async def _contained(self, name: str, listener: Listener, request: Request) -> str:
        """Run a listener and name its result."""
        try:
            await listener(request)
        except Repeated:
            return "repeated"
        except TooManyRequests as error:
            if not error.is_repeated:  # one sentence and one line in the log for each burst
                log.warning("handlers.limited", listener=name, wait_s=error.retry_after.total_seconds())
                await self._explain(request, error)
            return "limited"
        except BotError as error:
            log.warning("handlers.refused", listener=name, kind=type(error).__name__, error=str(error))
            if isinstance(error, NotAllowed):
                HANDLERS_NOT_ALLOWED.labels(error.problem.value).inc()
            request.problem = error.problem.value if isinstance(error, InvalidInput) else ""
            await self._explain(request, error)
            return type(error).__name__
        except Exception as error:  # noqa: BLE001  # the outermost place: a listener's error must not reach Bolt
            # The text of a foreign error may repeat what was typed, or an address with a token: kind and place only.
            log.error("handlers.crashed", listener=name, kind=type(error).__name__, at=_place(error))  # noqa: TRY400
            await self._explain(request, BotError())
            return "crashed"
        return "ok"

    async def _explain(self, request: Request, error: BotError) -> None:
        """Show the person what went wrong: in the open modal, as an answer, or in a modal where no answer can be sent.

        While Slack limits the updates of modals, an open modal cannot show it. Somebody who may not ask, and types all
        the same, reads that once an hour.
        """
        if request.is_answered:
            return
        if request.is_typed and isinstance(error, NotAllowed) and not request.asker.id:
            about = error.problem.value
            if not await is_news(request, self._requests, self.workspace, about=about):
                return
        languages, reader = self.workspace.languages, request.user_id
        # Whom Slack does not know, or may not say anything about, is not asked for.
        with speaking(await languages.of(self.workspace.team_id, reader, asks_slack=bool(request.asker.id))):
            await self._show(request, error)

    async def _show(self, request: Request, error: BotError) -> None:
        shown = sentence(error)
        try:
            await self._say(request, error, shown)
        except Exception as lost:  # noqa: BLE001  # nothing is left to do but to log it
            code = lost.code if isinstance(lost, SlackError) else ""
            if not code or code == CLOSED or not request.trigger_id:
                log.warning("handlers.sentence_lost", why=type(lost).__name__)
            elif request.response_url:  # the modal does not show it, but the message below can
                await answer(request, error_reply(shown), self.workspace)
            else:  # no other address
                place = Place(request.user_id, request.user_id, request.trigger_id)
                await say_directly(self.workspace, place, error_reply(shown))

    async def _say(self, request: Request, error: BotError, shown: str) -> None:
        """Show it where the person looks.

        Raises:
            SlackError: Slack does not show it there.
        """
        slack, is_limited = self.workspace.slack, isinstance(error, RateLimited)
        if request.view_id and not is_limited:
            await show(request, self.workspace, error_modal(shown), patience=NO_PATIENCE)
        elif request.trigger_id and (request.is_at_home or not request.response_url):
            await slack.open_view(request.trigger_id, error_modal(shown))
        elif request.is_home_opened:
            if isinstance(error, NotAllowed):
                await slack.publish_home(request.user_id, refusing_home(shown))
        elif request.is_typed or request.body.get("type") != "event_callback":
            channel_id = _approvable(request, error)
            others = await readers(self.workspace, channel_id) if channel_id else NOBODY_ELSE
            await answer(request, error_reply(shown, approvable=channel_id, readers=others), self.workspace)


def _approvable(request: Request, error: BotError) -> str:
    """The channel whose approval would help; empty when none would."""
    helped = {InputProblem.CHANNEL_NOT_APPROVED, InputProblem.CHANNEL_HAS_GROWN}
    is_one = isinstance(error, InvalidInput) and error.problem in helped
    return request.channel_id if is_one else ""


def _place(error: Exception) -> str:
    """File and line that an error came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
