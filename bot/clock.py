"""How far this machine's clock is off, by the `Date` of answers that come anyway, and by the store's clock.

Lives here: `ClockSkew`. Does not live here: who hands it the answers (`bot.slack.client`, `bot.gcs.http`,
`bot.app.store_probe`), what follows (`bot.app.workspace`). Called by these.

GCS refuses what was signed more than 15 minutes ago or ahead, and in HTTP mode the bot refuses what Slack seems to have
signed more than 5 minutes ago or ahead: with a wrong clock both look like a wrong key. Where the store's clock differs,
what cards say of time is wrong, and a message that was sent may not be found again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic

from bot.metrics import CLOCK_OFFSET_SECONDS

OFF_SECONDS, RIGHT_SECONDS = 60.0, 50.0
"""How far the clock must be off to count as wrong, and how little to count as right again. A `Date` has whole seconds,
and an answer may take up to 20 s."""

CONFIRMATIONS = 3
"""How many answers in a row must agree: one may have waited, or come from a cache."""

KNOWN_SECONDS = 360.0
"""How long what a server said counts: longer than the pause between two calls of `auth.test`."""


@dataclass(slots=True)
class _Witness:
    """What one server's answers say."""

    offset: float = 0.0
    """Seconds that its clock is ahead of ours, by the last answer."""
    is_off: bool = False
    against: int = 0
    """How many answers in a row contradict `is_off`."""
    heard_at: float = -math.inf


class ClockSkew:
    """This machine's clock, compared with the clocks of those who answer."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since 1970."""
        self._now = now
        self._witnesses: dict[str, _Witness] = {}

    def heard(self, server: str, date: str | None) -> None:
        """`server` answered with this `Date`; one that is missing or unreadable says nothing."""
        try:
            moment = parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self.showed(server, moment)

    def showed(self, server: str, *moments: float) -> None:
        """The clock of `server` showed this just now, or one of its clocks each of these, in seconds since 1970."""
        offset = max((moment - self._now() for moment in moments), key=abs)
        witness = self._witnesses.setdefault(server, _Witness())
        witness.offset, witness.heard_at = offset, monotonic()
        CLOCK_OFFSET_SECONDS.labels(server.casefold().removeprefix("the ")).set(offset)
        is_off = abs(offset) > (RIGHT_SECONDS if witness.is_off else OFF_SECONDS)
        witness.against = witness.against + 1 if is_off is not witness.is_off else 0
        if witness.against >= CONFIRMATIONS:
            witness.is_off, witness.against = is_off, 0

    @property
    def is_unsure(self) -> bool:
        """Whether more answers are needed to be sure."""
        return any(witness.against for witness in self._witnesses.values())

    @property
    def problem(self) -> str | None:
        """By how much the clock is wrong, in words; None when it is right, or nobody has answered for a while."""
        since = monotonic() - KNOWN_SECONDS
        wrong = {name: each for name, each in self._witnesses.items() if each.is_off and each.heard_at > since}
        return "; ".join(_words(name, each.offset) for name, each in sorted(wrong.items())) or None


def _words(server: str, offset: float) -> str:
    return f"this machine's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} {server}'s"
