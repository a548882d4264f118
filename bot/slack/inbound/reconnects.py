"""When to open the next Socket Mode connection.

Lives here: `Reconnects`, which counts failures in a row and says how long to wait. Does not live here: connections
(`socket_mode`). Called by `socket_mode`; pure.

Slack ends each connection now and then and announces it; the next one is opened at once. A connection that ends soon
after its hello, again and again, is not Slack's routine: connecting at once would be a storm.
"""

from __future__ import annotations

from datetime import timedelta

LASTING_SECONDS = 10.0
"""How long a connection must last to count as one that works."""

FIRST_PAUSE = timedelta(seconds=1)
"""The first pause; each further one is twice as long."""

LONGEST_PAUSE = timedelta(minutes=3)
"""The longest pause while Slack ends connections or refuses to open one."""

LONGEST_PAUSE_WHILE_AWAY = timedelta(seconds=10)
"""The longest pause while Slack does not answer: people wait for the moment when it does."""

REFUSALS = frozenset({"too_many_websockets", "link_disabled"})
"""Reasons with which Slack says that it wants no connection now."""


class Reconnects:
    """What happened to the connections so far."""

    def __init__(self) -> None:
        self.reason = ""
        """Why the last one ended or was not opened; empty once one has lasted."""
        self.failures = 0
        """How many in a row ended soon, or were not opened."""
        self._has_ended = False
        """Whether the last ones were opened and then ended."""
        self._longest, self._least = LONGEST_PAUSE, timedelta(0)

    @property
    def is_storm(self) -> bool:
        """Whether connections end at once, one after the other."""
        return self._has_ended and self.failures > self._free_failures

    def lasted(self) -> None:
        """The connection works."""
        self.failures, self.reason = 0, ""

    def ended(self, reason: str, *, after_seconds: float) -> None:
        """A connection ended."""
        if not self._has_ended or after_seconds >= LASTING_SECONDS:
            self.failures = 0
        self._failed(reason, has_ended=True)
        if after_seconds >= LASTING_SECONDS and reason not in REFUSALS:
            self.failures = 0

    def refused(self, reason: str, *, wait: timedelta = timedelta(0)) -> None:
        """Slack did not open one and said why; `wait` if it said for how long."""
        self._failed(reason, least=wait)

    def away(self, reason: str) -> None:
        """Slack did not answer."""
        self._failed(reason, longest=LONGEST_PAUSE_WHILE_AWAY)

    def pause(self, draw: float) -> timedelta:
        """How long to wait now; `draw`, from 0 to 1, spreads the copies of the bot."""
        doublings = self.failures - self._free_failures - 1
        if doublings < 0:
            return self._least
        grown = min(FIRST_PAUSE * (1 << min(doublings, 20)), self._longest)
        return max(grown * (0.5 + draw / 2), self._least)

    @property
    def _free_failures(self) -> int:
        """How many failures in a row may be chance and cause no pause."""
        return 1 if self._has_ended and self.reason not in REFUSALS else 0

    def _failed(
        self,
        reason: str,
        *,
        has_ended: bool = False,
        longest: timedelta = LONGEST_PAUSE,
        least: timedelta = timedelta(0),
    ) -> None:
        self.reason, self.failures = reason, self.failures + 1
        self._has_ended, self._longest, self._least = has_ended, longest, least
