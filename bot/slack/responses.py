"""Replies to the person who typed or pressed something, through the `response_url` that came with the request.

Lives here: sending a reply, retrying as long as a person waits. Does not live here: what it says (`bot.blocks`),
messages that stay (`bot.slack.messages`), replies to what comes without a `response_url` (`bot.slack.conversation`).
Called by the listeners and by their middleware.

Bolt's own `respond` opens a new connection each time, does not retry and ignores the result. Here a reply is retried
if that can help. An ephemeral one is retried even when the first attempt may have arrived, because one person who
sees it twice is better off than one who never sees it. A reply that everyone sees is repeated only when the first
attempt certainly failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any

import stamina
import structlog

from bot.blocks import Message
from bot.errors import OutcomeUnknown, PayloadRejected, RateLimited, SlackError, SlackUnavailable, Undeliverable
from bot.metrics import SLACK_RESPONSES
from bot.slack.client import SlackClient

log = structlog.get_logger()

WITHIN = timedelta(seconds=20)
"""How long all attempts to send one reply may take together."""

WAIT_SECONDS = 0.25
"""How long to wait before the second attempt. Each further wait doubles and has some randomness."""

ATTEMPTS = 4
"""At most this many attempts: Slack accepts five replies per request, and one is kept for the plain text."""


async def respond(
    client: SlackClient, url: str, message: Message, *, replace: bool = False, is_public: bool = False
) -> None:
    """Reply to a request: beside the message it came from, in its place (`replace`), or for everyone (`is_public`).

    A reply for one person that Slack does not accept is only logged: nothing else would reach them.

    Raises:
        SlackError: Slack did not accept a reply that is for everyone.
    """
    if not url:
        note_lost("no_url", "no response_url")
        return
    if not client.is_response_url(url):
        note_lost("foreign_url", "the response_url is not Slack's")
        return
    kind = "in_channel" if is_public else "ephemeral"
    reply = _Reply(client, url, {"response_type": kind, "replace_original": replace, "delete_original": False})
    try:
        result = await _sent(reply, message)
    except Undeliverable as error:
        note_lost(error.code.removesuffix("_url"), error.code)
        if is_public:  # the person can still read that nobody got it
            raise
    except SlackError as error:
        note_lost("failed", error.code)
        if is_public:
            raise
    else:
        SLACK_RESPONSES.labels(result).inc()


def note_lost(result: str, why: str) -> None:
    """Note that a person does not get a reply; `result` is a label of the metric."""
    SLACK_RESPONSES.labels(result).inc()
    log.warning("slack.response_lost", why=why)


async def _sent(reply: _Reply, message: Message) -> str:
    """Send a message, or its text alone where Slack refuses the blocks; a label of the metric."""
    try:
        await reply.send({"text": message.text, "blocks": list(message.blocks)})
    except PayloadRejected as error:
        log.error("slack.response_rejected", error=str(error))  # noqa: TRY400  # Slack's code says everything
        await reply.send({"text": message.text})
        return "plain"
    return "sent"


@dataclass(frozen=True, slots=True)
class _Reply:
    """Where a reply goes, and for whom."""

    client: SlackClient
    url: str
    options: dict[str, Any]

    async def send(self, content: dict[str, Any]) -> None:
        """Send `content`, with retries.

        Raises:
            SlackError: the last attempt's failure.
        """
        ends = monotonic() + WITHIN.total_seconds()
        is_public = self.options["response_type"] == "in_channel"

        def again(error: Exception) -> bool | float:
            """Whether to try again, and after how many seconds if Slack says."""
            if isinstance(error, RateLimited):
                wait = error.retry_after.total_seconds()
                return wait if monotonic() + wait < ends else False
            return isinstance(error, SlackUnavailable) or (isinstance(error, OutcomeUnknown) and not is_public)

        async for attempt in stamina.retry_context(
            on=again, attempts=ATTEMPTS, timeout=WITHIN, wait_initial=WAIT_SECONDS, wait_jitter=WAIT_SECONDS
        ):
            with attempt:
                await self._send_once(content)

    async def _send_once(self, content: dict[str, Any]) -> None:
        refusal = await self.client.respond(self.url, content | self.options)
        if refusal is not None:
            raise refusal
