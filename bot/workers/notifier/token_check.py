"""Whether Slack refuses the token, asked of the one method that is about nothing else: `auth.test`.

Lives here: `TokenCheck`. Does not live here: the look at the token every five minutes (`bot.app.probes`), what follows
from the answer (`messenger`). Called by `messenger` when a call is refused for the token: such a code at one call says
nothing about the others.
"""

from __future__ import annotations

import asyncio
import math
from time import monotonic

import structlog

from bot.errors import SlackBadCredentials, SlackError
from bot.slack.messages import Messages

log = structlog.get_logger()

USED_SECONDS = 30.0
"""How long an answer is used: there is at most one call in that time, however many calls are refused."""

WITHIN_SECONDS = 4.0
"""How long the answer may take; a lane is claimed meanwhile."""


class TokenCheck:
    """What `auth.test` last said."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._asking = asyncio.Lock()
        self._asked_at = -math.inf
        self._is_refused = False

    async def is_refused(self) -> bool:
        """Whether `auth.test` refuses the token; False when it accepts it, or does not say."""
        async with self._asking:
            if monotonic() - self._asked_at > USED_SECONDS:
                self._is_refused = await self._ask()
                self._asked_at = monotonic()
            return self._is_refused

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await self._messages.check_token()
        except SlackBadCredentials:
            return True
        except (SlackError, TimeoutError) as error:
            log.info("notifier.token_unknown", code=getattr(error, "code", "no_answer"))
        return False
