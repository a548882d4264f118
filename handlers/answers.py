"""Answers to the person who asked, through the `response_url` that Slack sent along.

Lives here: sending an answer, with patience but no more than a person has. Does not live here: what it says
(`bot.blocks`), messages that stay (`bot.workers.notifier`). Called by the listeners and by the middleware.

Bolt's own `respond` opens a new connection each time, does not retry and does not look at the result. An answer is
tried again where that can help; an ephemeral one even when the first try may have arrived, since twice is better than
never for one pair of eyes. What everybody sees is repeated only where nothing arrived.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from time import monotonic
from typing import Any

import stamina
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.blocks import Message
from bot.errors import (
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackError,
    SlackUnavailable,
    Undeliverable,
)
from bot.metrics import HANDLERS_ANSWERS
from bot.slack.errors import FAILURES, call_error, response_error
from handlers.request import Args

log = structlog.get_logger()

WITHIN = timedelta(seconds=20)
"""For all tries of one answer together."""

WAIT_SECONDS = 0.25
"""Before the second try, doubled each time, and some at random."""

ATTEMPTS = 4
"""Slack takes five answers to one request; one stays for the plain text."""

_QUIET = logging.getLogger("slack_sdk.quiet")
_QUIET.setLevel(logging.WARNING)  # at DEBUG the SDK logs whole requests, address and all


async def answer(args: Args, message: Message, *, replace: bool = False, is_public: bool = False) -> None:
    """Answer the request: beside what was pressed, in its place (`replace`), or for all (`is_public`).

    What the person alone would have seen is only logged when Slack does not take it: nothing else reaches them.

    Raises:
        SlackError: Slack did not take what was for all.
    """
    url = args.body.get("response_url") or ""
    if not url:
        HANDLERS_ANSWERS.labels("homeless").inc()
        log.warning("handlers.answer_lost", why="no response_url")
        return
    kind = "in_channel" if is_public else "ephemeral"
    rest = {"response_type": kind, "replace_original": replace, "delete_original": False}
    try:
        await _send_patiently(args, url, {"text": message.text, "blocks": list(message.blocks), **rest}, is_public)
    except PayloadRejected as error:
        log.error("handlers.blocks_rejected", error=str(error))  # noqa: TRY400  # Slack's word says it all
        HANDLERS_ANSWERS.labels("plain").inc()
        await _send_patiently(args, url, {"text": message.text, **rest}, is_public)
    except Undeliverable as error:
        HANDLERS_ANSWERS.labels("expired").inc()
        log.warning("handlers.answer_lost", why=error.code)
    except SlackError as error:
        HANDLERS_ANSWERS.labels("failed").inc()
        log.warning("handlers.answer_lost", why=error.code)
        if is_public:  # the person can still be told that the others were not
            raise
    else:
        HANDLERS_ANSWERS.labels("sent").inc()


async def _send_patiently(args: Args, url: str, body: dict[str, Any], is_public: bool) -> None:
    ends = monotonic() + WITHIN.total_seconds()

    def again(error: Exception) -> bool | float:
        """Whether to try again, and after how many seconds where Slack says so."""
        if isinstance(error, RateLimited):
            wait = error.retry_after.total_seconds()
            return wait if monotonic() + wait < ends else False
        return isinstance(error, SlackUnavailable) or (isinstance(error, OutcomeUnknown) and not is_public)

    async for attempt in stamina.retry_context(
        on=again, attempts=ATTEMPTS, timeout=WITHIN, wait_initial=WAIT_SECONDS, wait_jitter=WAIT_SECONDS
    ):
        with attempt:
            await _send(args, url, body)


async def _send(args: Args, url: str, body: dict[str, Any]) -> None:
    client = AsyncWebhookClient(
        url, session=args.client.session, proxy=args.client.proxy, timeout=10, retry_handlers=[], logger=_QUIET
    )
    try:
        response = await client.send_dict(body)
    except FAILURES as error:
        raise call_error(error) from error
    refusal = response_error(response.status_code, response.headers, response.body)
    if refusal is not None:
        raise refusal


def code_of(error: SlackApiError) -> str:
    """Slack's own word for a refusal; empty where the answer was no JSON."""
    data = getattr(error.response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""
