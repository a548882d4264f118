"""The rule for a 429: every copy of the bot leaves the method alone until Slack wants to be called again.

Lives here: `remember_pause`, for everyone who gets a 429, and `call`, which waits as long as a person does. Does not
live here: the memory of pauses (`bot.store.slack_limits`), the notifier's queue, in which a call waits for longer
(`bot.workers.notifier`), replies, which Slack limits per request (`bot.slack.responses`). Called by the listeners,
`bot.slack.channels` and the notifier.

Listeners' calls are not counted beforehand as the notifier's are: people come one at a time, and refusing one whom
Slack would have let through is worse than a 429.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import TypeVar

import structlog

from bot.errors import OutcomeUnknown, RateLimited, SlackUnavailable, StoreUnavailable
from bot.slack.errors import DEFAULT_RETRY_AFTER
from bot.slack.workspace import Pauses, Workspace

PATIENCE = timedelta(seconds=5.5)
"""How long a person waits at most, all pauses taken together. Slack sends whole seconds."""

NO_PATIENCE = timedelta(0)
"""For a call that is worthless later: a trigger lives for three seconds."""

REPEATED_AFTER = (0.25, 0.5)
"""Seconds before each repetition of a call that Slack, or something in front of it, has failed to answer."""

_ONCE = frozenset({"views.open", "chat.postEphemeral", "usergroups.users.list"})
"""Calls that are not repeated here: a trigger works once, replies and groups have rules of their own."""

STORE_SECONDS = 0.5
"""How long a listener waits to learn of pauses from the store before it calls anyway."""

log = structlog.get_logger()

Answer = TypeVar("Answer")


async def call(
    workspace: Workspace, method: str, do: Callable[[], Awaitable[Answer]], *, patience: timedelta = PATIENCE
) -> Answer:
    """The result of `do`, which calls `method`, as soon as Slack allows that.

    A call that fails on Slack's side is repeated: it asks for something or replaces what is shown, so twice is as once.

    Raises:
        RateLimited: Slack does not allow it within `patience`; the sentence says when it will.
        SlackError: Slack refuses for another reason, or does not answer.
    """
    ends = monotonic() + patience.total_seconds()
    repetitions = [] if method in _ONCE else [*REPEATED_AFTER]
    while True:
        wait = await _paused(workspace, method)
        if not wait:
            try:
                return await do()
            except (SlackUnavailable, OutcomeUnknown):
                if not repetitions or monotonic() + repetitions[0] > ends:
                    raise
                await asyncio.sleep(repetitions.pop(0))
                continue
            except RateLimited as error:
                with suppress(StoreUnavailable, TimeoutError):
                    async with asyncio.timeout(STORE_SECONDS):
                        await remember_pause(workspace.limits, workspace.team_id, method, error)
                wait = pause_of(error)
        patience -= wait
        if patience < NO_PATIENCE:
            raise RateLimited(wait)
        await asyncio.sleep(wait.total_seconds())


async def remember_pause(limits: Pauses, team_id: str, method: str, error: RateLimited) -> None:
    """Have every copy of the bot leave `method` alone for as long as Slack says in a 429.

    Raises:
        StoreUnavailable: the other copies will not know.
    """
    pause = pause_of(error)
    log.warning("slack.paused", why="ratelimited", what=method, wait_s=pause.total_seconds())
    await limits.pause(team_id, method, pause)


def pause_of(error: RateLimited) -> timedelta:
    """How long to pause after a 429: never zero, or the same call would be repeated at once."""
    return error.retry_after or DEFAULT_RETRY_AFTER


async def _paused(workspace: Workspace, method: str) -> timedelta:
    """How long `method` must not be called; zero if the store does not say."""
    with suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(STORE_SECONDS):
            return await workspace.limits.paused(workspace.team_id, method)
    return timedelta(0)
