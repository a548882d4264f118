"""The one middleware: whatever a listener does, Slack gets its ack and the person a sentence.

Lives here: ack first, errors → sentence + log line + metric, how long an ack took. Does not live here: what listeners
do (the sibling modules). Called by `handlers.register`, which wraps every listener.

Bolt runs a listener beside the request, looks every 10 ms whether it has acked, and forgets the ack when the listener
raises in between. Here a request is acked and answered to Slack at once (`process_before_response`); the listener
follows as a task of the middleware, which keeps it from being collected half-way and can wait for it at the end.

Acks go first: Slack waits three seconds for them, people longer for an answer. So listeners begin in the first moment
in which no other request comes in, and a handful at a time: a request that comes in then does not wait for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from time import perf_counter
from typing import Any

import aiohttp
import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import error_modal
from bot.blocks.replies import error_reply
from bot.blocks.sentences import sentence
from bot.errors import BotError, RateLimited, SlackError
from bot.metrics import HANDLERS_ACK_SECONDS, HANDLERS_REQUESTS
from bot.slack.errors import call_error
from handlers.answers import answer, code_of
from handlers.request import Args

Listener = Callable[[Args], Awaitable[None]]
"""A listener with its dependencies bound."""

VIEW_ID = "execution_bot_view_id"
"""Where a listener notes, in Bolt's context, which modal an error is to be shown in."""

log = structlog.get_logger()


LULL_SECONDS = 0.005
"""When no request has come in for so long, listeners begin."""

LONGEST_RUSH_SECONDS = 0.25
"""They begin then at the latest, however many requests come in."""

HANDFUL, PAUSE_SECONDS = 4, 0.001
"""So many begin at once, and so long later the next ones: less than they take, so nobody waits for the pause."""


class App(AsyncApp):
    """Bolt's app, which answers as soon as a request is acked, and measures how long Slack waits for each ack."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, process_before_response=True)

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Answer one request from Slack."""
        started = perf_counter()
        try:
            return await super().async_dispatch(req)
        finally:
            HANDLERS_ACK_SECONDS.observe(perf_counter() - started)


class Middleware:
    """Wraps listeners, and knows which are running."""

    def __init__(self) -> None:
        self._acked: list[Coroutine[Any, Any, None]] = []
        """What listeners are still to do for requests that are acked."""
        self._running: set[asyncio.Task[None]] = set()
        self._last_ack = self._rush_began = 0.0

    def guard(self, name: str, listener: Listener) -> Callable[..., Awaitable[None]]:
        """`listener` for Bolt: acked before it starts, with nothing escaping from it."""

        async def guarded(
            ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, context: AsyncBoltContext
        ) -> None:
            await ack()
            loop = asyncio.get_running_loop()
            self._last_ack = loop.time()
            if not self._acked:
                self._rush_began = self._last_ack
                loop.call_at(self._begins_at, self._begin)
            self._acked.append(_work(name, listener, Args(body, client, context)))

        return guarded

    @property
    def _begins_at(self) -> float:
        return min(self._last_ack + LULL_SECONDS, self._rush_began + LONGEST_RUSH_SECONDS)

    def _begin(self) -> None:
        """Let a handful of listeners begin, unless requests are coming in."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._begins_at:
            self._start(HANDFUL)
        if self._acked:
            loop.call_at(max(self._begins_at, loop.time() + PAUSE_SECONDS), self._begin)

    def _start(self, count: int) -> None:
        for work in self._acked[:count]:
            task = asyncio.create_task(work)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        del self._acked[:count]

    async def drain(self, within: timedelta) -> int:
        """Wait for the listeners under way; returns how many were still running when the time was up."""
        self._start(len(self._acked))
        if not self._running:
            return 0
        _, unfinished = await asyncio.wait(set(self._running), timeout=within.total_seconds())
        return len(unfinished)


async def _work(name: str, listener: Listener, args: Args) -> None:
    started = perf_counter()
    result = await _contained(name, listener, args)
    HANDLERS_REQUESTS.labels(name, result).inc()
    milliseconds = round((perf_counter() - started) * 1000)
    log.info("handlers.answered", listener=name, result=result, milliseconds=milliseconds)


async def _contained(name: str, listener: Listener, args: Args) -> str:
    """Run a listener and name how it ended."""
    try:
        await listener(args)
    except SlackApiError as error:
        code = code_of(error)
        log.warning("handlers.slack_refused", listener=name, code=code)
        await _tell(args, call_error(error))
        return "slack_refused"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("handlers.slack_away", listener=name, kind=type(error).__name__)
        await _tell(args, SlackError())
        return "slack_away"
    except BotError as error:
        log.warning("handlers.refused", listener=name, kind=type(error).__name__, error=str(error))
        await _tell(args, error)
        return type(error).__name__
    except Exception as error:  # noqa: BLE001  # the outermost place: a listener's error must not reach Bolt
        # The text of a foreign error may repeat what was typed, or an address with a token: kind and place only.
        log.error("handlers.crashed", listener=name, kind=type(error).__name__, at=_place(error))  # noqa: TRY400
        await _tell(args, BotError())
        return "crashed"
    return "ok"


async def _tell(args: Args, error: BotError) -> None:
    """Show the person what went wrong: in the open modal, over the Home tab, or beside the message.

    While Slack limits the updates of modals, an open modal cannot show it.
    """
    shown, is_limited = sentence(error), isinstance(error, RateLimited)
    view_id, view_type = args.context.get(VIEW_ID), (args.body.get("view") or {}).get("type")
    try:
        if view_id and not is_limited:
            await args.client.views_update(view_id=view_id, view=error_modal(shown))
        elif view_type == "home" and args.body.get("trigger_id"):
            await args.client.views_open(trigger_id=args.body["trigger_id"], view=error_modal(shown))
        elif args.body.get("type") != "event_callback":
            await answer(args, error_reply(shown))
    except Exception as lost:  # noqa: BLE001  # nothing is left to do but to say so
        log.warning("handlers.answer_lost", why=type(lost).__name__)


def _place(error: Exception) -> str:
    """File and line where an error came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
