"""The one funnel: whatever a listener does, Slack gets its ack and the person a sentence.

Lives here: ack first, errors → sentence + log line + metric, how long an ack took. Does not live here: what listeners
do (the sibling modules). Called by `handlers.register`, which wraps every listener.

An exception within 10 ms after `ack()` would take the ack with it (Bolt forgets the response and answers with an
error), so nothing may escape a listener. Bolt also keeps no reference to a running listener; the funnel does, so that
none is collected half-way and all can be waited for at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import perf_counter

import aiohttp
import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.kwargs_injection.async_args import AsyncArgs
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError

from bot.blocks import error_modal
from bot.blocks.replies import error_reply
from bot.errors import BotError, SlackError, slack_error
from bot.metrics import HANDLERS_ACK_SECONDS, HANDLERS_REQUESTS
from handlers.answers import answer, code_of

Listener = Callable[[AsyncArgs], Awaitable[None]]
"""A listener with its dependencies bound."""

VIEW_ID = "execution_bot_view_id"
"""Where a listener notes, in Bolt's context, which modal an error is to be shown in."""

_TOO_LATE = "That took too long to open. Press the button once more."

log = structlog.get_logger()


class App(AsyncApp):
    """Bolt's app, which also measures how long Slack waits for each ack."""

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Answer one request from Slack."""
        started = perf_counter()
        try:
            return await super().async_dispatch(req)
        finally:
            HANDLERS_ACK_SECONDS.observe(perf_counter() - started)


class Funnel:
    """Wraps listeners, and knows which are running."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def guard(self, name: str, listener: Listener) -> Listener:
        """`listener`, acked before it starts, with nothing escaping from it."""

        async def guarded(args: AsyncArgs) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            await args.ack()
            started = perf_counter()
            result = await _contained(name, listener, args)
            HANDLERS_REQUESTS.labels(name, result).inc()
            milliseconds = round((perf_counter() - started) * 1000)
            log.info("handlers.answered", listener=name, result=result, milliseconds=milliseconds)

        return guarded

    async def drain(self, within: timedelta) -> int:
        """Wait for the listeners under way; returns how many were still running when the time was up."""
        await asyncio.sleep(0)  # one that was just dispatched gets to begin
        if not self._running:
            return 0
        _, unfinished = await asyncio.wait(set(self._running), timeout=within.total_seconds())
        return len(unfinished)


async def _contained(name: str, listener: Listener, args: AsyncArgs) -> str:
    """Run a listener and name how it ended."""
    try:
        await listener(args)
    except SlackApiError as error:
        code = code_of(error)
        log.warning("handlers.slack_refused", listener=name, code=code)
        await _tell(args, _TOO_LATE if "trigger" in code else slack_error(code).sentence)
        return "slack_refused"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("handlers.slack_away", listener=name, kind=type(error).__name__)
        await _tell(args, SlackError.sentence)
        return "slack_away"
    except BotError as error:
        log.warning("handlers.refused", listener=name, kind=type(error).__name__, error=str(error))
        await _tell(args, error.sentence)
        return type(error).__name__
    except Exception as error:  # noqa: BLE001  # the outermost place: a listener's error must not reach Bolt
        # The text of a foreign error may repeat what was typed, or an address with a token: kind and place only.
        log.error("handlers.crashed", listener=name, kind=type(error).__name__, at=_place(error))  # noqa: TRY400
        await _tell(args, BotError.sentence)
        return "crashed"
    return "ok"


async def _tell(args: AsyncArgs, sentence: str) -> None:
    """Give the person the sentence where they look: in the open modal, over the Home tab, or beside the message."""
    view_id, view_type = args.context.get(VIEW_ID), (args.body.get("view") or {}).get("type")
    try:
        if view_id:
            await args.client.views_update(view_id=view_id, view=error_modal(sentence))
        elif view_type == "home" and args.body.get("trigger_id"):
            await args.client.views_open(trigger_id=args.body["trigger_id"], view=error_modal(sentence))
        elif args.body.get("type") != "event_callback":
            await answer(args, error_reply(sentence))
    except Exception as error:  # noqa: BLE001  # nothing is left to do but to say so
        log.warning("handlers.answer_lost", why=type(error).__name__)


def _place(error: Exception) -> str:
    """File and line where an error came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
