"""Requests that were not served: counted by reason, and logged once in a while.

Lives here: `Refusals`. Does not live here: the reasons (`signatures`), the answer (`http_mode`, `socket_mode`). Called
by those two.
"""

from __future__ import annotations

import math
from collections import Counter
from time import monotonic

import structlog

from bot.metrics import SLACK_REFUSED_REQUESTS
from bot.slack.inbound.signatures import Refusal

LOG_SECONDS = 60.0
"""How long further refusals for the same reason are only counted: anybody can cause them, and fill a log."""

COUNTED_SECONDS = 360.0
"""How long a refusal counts for `problem`: a bot that is not ready may get no requests that prove the contrary."""

CONFIRMING_REFUSALS = 3
"""How many refusals in a row show a problem once a request was accepted: a single one may have been changed in transit.
Before that, one is enough: a wrong secret shows with the first request."""

_OUR_FAULT = {
    Refusal.WRONG_SIGNATURE: "their signature is wrong: compare SLACK_SIGNING_SECRET with the app's",
    Refusal.STALE: "their time is wrong: set this machine's clock",
}
"""Why Slack's own requests are refused, and what is wrong on our side."""

log = structlog.get_logger()


class Refusals:
    """What was refused so far."""

    def __init__(self) -> None:
        self._last: dict[Refusal, float] = {}
        self._logged: dict[Refusal, float] = {}
        self._unlogged: Counter[Refusal] = Counter()
        self._in_a_row: Counter[Refusal] = Counter()
        """Refusals since the last request that was accepted."""
        self._has_accepted = False

    def note(self, reason: Refusal, *, is_slacks: bool = False) -> None:
        """Count a refused request. Only one from Slack itself says something about us."""
        SLACK_REFUSED_REQUESTS.labels(reason.value).inc()
        now = monotonic()
        self._unlogged[reason] += 1
        if is_slacks:
            self._last[reason] = now
            self._in_a_row[reason] += 1
        if now - self._logged.get(reason, -math.inf) >= LOG_SECONDS:
            log.warning("inbound.refused", reason=reason.value, requests=self._unlogged.pop(reason))
            self._logged[reason] = now

    def accept(self) -> None:
        """A request was accepted, so secret and clock are right."""
        self._has_accepted = True
        self._in_a_row.clear()

    @property
    def problem(self) -> str | None:
        """Why no request is accepted, in words; None when some are, or nobody has tried."""
        since = monotonic() - COUNTED_SECONDS
        lately = {reason for reason, last in self._last.items() if last >= since}
        enough = CONFIRMING_REFUSALS if self._has_accepted else 1
        found = [words for reason, words in _OUR_FAULT.items() if reason in lately and self._in_a_row[reason] >= enough]
        return f"requests are refused, since {'; '.join(found)}" if found else None
