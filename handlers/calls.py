"""Listeners' own calls to Slack: whoever meets a 429 tells all copies of the bot, and nobody calls before it is over.

Lives here: waiting for that, as long as a person would. Does not live here: the memory of it
(`bot.store.slack_limits`), answers, which Slack limits by the request (`handlers.answers`). Called by the listeners.

Nothing is counted beforehand as the notifier's calls are: people come one by one, and to refuse one of them whom Slack
would have let through is worse than to hear a 429.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import RateLimited, StoreUnavailable
from bot.slack.errors import DEFAULT_RETRY_AFTER, retry_after
from handlers.request import Workspace

PATIENCE = timedelta(seconds=5.5)
"""How long a person is made to wait, all pauses together; Slack names whole seconds."""

STORE_SECONDS = 0.5
"""A store that does not say by then whether Slack wants to be left alone is not waited for: triggers live 3 s."""

log = structlog.get_logger()


async def call(
    workspace: Workspace,
    method: str,
    do: Callable[[], Awaitable[AsyncSlackResponse]],
    *,
    patience: timedelta = PATIENCE,
) -> AsyncSlackResponse:
    """`do` what calls `method`, when Slack wants to be called.

    Raises:
        RateLimited: that is later than a person waits; the sentence says when.
        SlackApiError: Slack refuses for another reason.
    """
    while True:
        wait = timedelta(0)
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(STORE_SECONDS):
                wait = await workspace.limits.paused(workspace.team_id, method)
        if not wait:
            try:
                return await do()
            except SlackApiError as error:
                if getattr(error.response, "status_code", 0) != 429:  # noqa: PLR2004  # HTTP's own number
                    raise
                wait = retry_after(error.response.headers) or DEFAULT_RETRY_AFTER
            await _tell_all(workspace, method, wait)
        patience -= wait
        if patience < timedelta(0):
            raise RateLimited(wait)
        await asyncio.sleep(wait.total_seconds())


async def _tell_all(workspace: Workspace, method: str, wait: timedelta) -> None:
    log.warning("handlers.paused", method=method, wait_s=wait.total_seconds())
    with suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(STORE_SECONDS):
            await workspace.limits.pause(workspace.team_id, method, wait)
