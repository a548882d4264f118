"""Replies to what a person typed to the bot: an ordinary message in direct messages, an ephemeral one in a channel.

Lives here: sending such a reply, retrying as long as a person waits. Does not live here: what it says (`bot.blocks`),
replies to commands and presses, which come with a `response_url` (`bot.slack.responses`), messages about executions
(`bot.slack.messages`). Called by the listeners and by their middleware.

Nobody but the person who typed reads what is sent here: an ordinary message goes into direct messages only. It is never
edited or looked for, so it has no mark. Like a reply through a `response_url` it is sent again even if the first
attempt may have arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import Any, NamedTuple

import stamina
import structlog

from bot.blocks import Message
from bot.blocks.conversation import elsewhere
from bot.errors import (
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackError,
    SlackUnavailable,
    StoreUnavailable,
    Undeliverable,
    UnknownRefusal,
)
from bot.metrics import SLACK_RESPONSES
from bot.slack import responses
from bot.slack.calls import STORE_SECONDS, call, pause_of, remember_pause
from bot.slack.workspace import Admission, Workspace

POST, EPHEMERAL = "chat.postMessage", "chat.postEphemeral"

log = structlog.get_logger()


class Place(NamedTuple):
    """Where somebody typed something."""

    channel_id: str
    person_id: str
    ts: str
    """The timestamp of their message."""
    thread_ts: str = ""
    """The timestamp of the thread that it is in; empty outside one."""

    @property
    def is_direct(self) -> bool:
        """Whether it is in their direct messages with the bot."""
        return self.channel_id.startswith("D")


async def say(workspace: Workspace, place: Place, message: Message) -> None:
    """Reply in `place`; if the bot cannot, because it is not there, reply in direct messages.

    A reply that Slack does not accept is only logged: nothing else would reach the person.
    """
    send = _post if place.is_direct else _show
    try:
        await _with_plain(workspace, send, place, message)
    except (Undeliverable, UnknownRefusal) as error:
        if place.is_direct:
            responses.note_lost("failed", error.code)
            return
        log.info("slack.answered_elsewhere", channel=place.channel_id, code=error.code)
        direct = place._replace(channel_id=place.person_id, thread_ts="")
        await say_directly(workspace, direct, elsewhere(message, place.channel_id))
    except SlackError as error:
        responses.note_lost("failed", error.code)


async def say_directly(workspace: Workspace, place: Place, message: Message) -> None:
    """Reply to a person in their direct messages, wherever they typed."""
    try:
        await _with_plain(workspace, _post, place, message)
    except SlackError as error:
        responses.note_lost("failed", error.code)


Send = Callable[[Workspace, Place, dict[str, Any]], Awaitable[None]]


async def _with_plain(workspace: Workspace, send: Send, place: Place, message: Message) -> None:
    """Send `message`, or its plain text if Slack refuses the blocks."""
    try:
        await _with_retries(workspace, send, place, {"text": message.text, "blocks": list(message.blocks)})
    except PayloadRejected as error:
        log.error("slack.response_rejected", error=str(error))  # noqa: TRY400  # Slack's code says everything
        SLACK_RESPONSES.labels("plain").inc()
        await _with_retries(workspace, send, place, {"text": message.text})
    else:
        SLACK_RESPONSES.labels("sent").inc()


async def _with_retries(workspace: Workspace, send: Send, place: Place, content: dict[str, Any]) -> None:
    async for attempt in stamina.retry_context(
        on=(SlackUnavailable, OutcomeUnknown),
        attempts=responses.ATTEMPTS,
        timeout=responses.WITHIN,
        wait_initial=responses.WAIT_SECONDS,
        wait_jitter=responses.WAIT_SECONDS,
    ):
        with attempt:
            await send(workspace, place, content)


async def _show(workspace: Workspace, place: Place, content: dict[str, Any]) -> None:
    """To the person alone, in a channel; in the thread that they typed in."""
    slack = workspace.slack
    more = {"thread_ts": place.thread_ts} if place.thread_ts else {}

    async def show() -> None:
        await slack.call(
            slack.web.chat_postEphemeral, channel=place.channel_id, user=place.person_id, **more, **content
        )

    await call(workspace, EPHEMERAL, show)


async def _post(workspace: Workspace, place: Place, content: dict[str, Any]) -> None:
    """Into the person's direct messages, under the limits that the notifier's posts are under."""
    slack, ends = workspace.slack, monotonic() + responses.WITHIN.total_seconds()
    more = {"thread_ts": place.thread_ts} if place.thread_ts else {}
    while True:
        admission = await _admission(workspace, place)
        wait = admission.wait if admission else timedelta(0)
        if not wait:
            try:
                await slack.call(
                    slack.web.chat_postMessage,
                    channel=place.channel_id,
                    unfurl_links=False,
                    unfurl_media=False,
                    **more,
                    **content,
                )
            except RateLimited as error:
                await _shared(remember_pause(workspace.limits, workspace.team_id, POST, error))
                wait = pause_of(error)
            else:
                if admission is not None and admission.is_away:
                    await _shared(workspace.limits.back(workspace.team_id))
                return
        if monotonic() + wait.total_seconds() > ends:
            raise RateLimited(wait)
        await asyncio.sleep(wait.total_seconds())


async def _admission(workspace: Workspace, place: Place) -> Admission | None:
    """Whether the limits have room; None if the store does not say, and the post goes out anyway."""
    request = workspace.limits.admit_answer(workspace.team_id, place.person_id, f"{place.person_id}/{place.ts}")
    try:
        async with asyncio.timeout(STORE_SECONDS):
            return await request
    except (StoreUnavailable, TimeoutError):
        return None


async def _shared(note: Awaitable[None]) -> None:
    """Share it with the other copies, if the store takes it in time."""
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await note
    except (StoreUnavailable, TimeoutError):
        log.info("slack.limits_not_noted")
