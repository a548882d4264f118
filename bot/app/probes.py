"""What the bot checks by itself from time to time, because nothing else would show that it no longer works.

Lives here: `repeat`, the loop of every probe, and `TokenProbe`, which finds out that Slack no longer accepts the token.
Does not live here: what is checked in the store (`bot.app.store_probe`), `/readyz` (`bot.app.health`). Called by
`bot.app.workspace` and `bot.app.service`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from bot.clock import ClockSkew
from bot.errors import RateLimited, SlackBadCredentials, SlackError
from bot.slack.client import SlackClient
from bot.slack.workspace import Removal

EVERY_SECONDS = 300.0
"""How long until `auth.test` is called again while all is well."""

AGAIN_SECONDS = 60.0
"""How long until the next call after one without an answer; a single one means nothing."""

UNSURE_SECONDS = 10.0
"""How long until the next call when one answer says that the clock is wrong, and more are needed to be sure."""

STOP_SECONDS = 1.0
"""How long a probe under way may take to end."""

SILENT_CALLS = 3
"""How many calls in a row must fail before Slack counts as silent."""

log = structlog.get_logger()


async def repeat(run_once: Callable[[], Awaitable[float]], stop: asyncio.Event) -> None:
    """Run a probe, or other work, at once, and again after as many seconds as it returns, until `stop` is set."""
    while not stop.is_set():
        try:
            seconds = await run_once()
        except Exception:  # a bug in a probe must end neither the bot nor the probe
            log.exception("probe.failed")
            seconds = AGAIN_SECONDS
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)


@asynccontextmanager
async def repeating(run_once: Callable[[], Awaitable[float]], stop: asyncio.Event) -> AsyncIterator[None]:
    """Do what `repeat` does in the background of the context; `stop` is set when the context ends."""
    probing = asyncio.create_task(repeat(run_once, stop), name="probe")
    try:
        yield
    finally:
        stop.set()  # cancelling alone is not enough: a library may take it for its own time-out
        probing.cancel()
        await asyncio.wait({probing}, timeout=STOP_SECONDS)


class TokenProbe:
    """Calls `auth.test`: a token that was revoked shows before somebody has to be notified."""

    def __init__(
        self,
        slack: SlackClient,
        clock: ClockSkew,
        removal: Removal,
        *,
        is_known_away: Callable[[], bool] = lambda: False,
    ) -> None:
        """`clock` learns from the same answers; `removal` is what Slack's events say, until a call succeeds again.

        `is_known_away`: whether others already watch for Slack to answer again, so that no calls are needed here.
        """
        self._slack, self._clock, self._removal, self._is_known_away = slack, clock, removal, is_known_away
        self._failures = 0
        self._refusal = ""

    @property
    def problem(self) -> str | None:
        """Why Slack does not accept the bot, in words; None when it does."""
        if self._refusal:
            return f"Slack refuses the token: {self._refusal}"
        return self._removal.problem or ("Slack does not answer auth.test" if self._failures >= SILENT_CALLS else None)

    async def run_once(self) -> float:
        """Call once; returns the seconds until the next call."""
        if self._is_known_away():
            return AGAIN_SECONDS
        try:
            await self._slack.identity()
        except SlackBadCredentials as error:
            self._refused(error.words)
        except RateLimited:  # it answers
            return AGAIN_SECONDS
        except SlackError as error:
            self._failures += 1
            log.info("slack.probe_failed", code=error.code, in_a_row=self._failures)
            return AGAIN_SECONDS if self._failures < SILENT_CALLS else EVERY_SECONDS
        else:
            self._accepted()
        return UNSURE_SECONDS if self._clock.is_unsure else EVERY_SECONDS

    def _refused(self, code: str) -> None:
        if self._refusal != code:
            log.error("slack.token_refused", code=code)
        self._refusal, self._failures = code, 0

    def _accepted(self) -> None:
        if self._refusal or self._removal.event:
            log.info("slack.token_accepted")
        self._refusal, self._failures = "", 0
        self._removal.clear()
