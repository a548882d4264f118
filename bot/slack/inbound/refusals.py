"""Requests that were not served: counted by reason, and logged once in a while.

Lives here: `Refusals`. Does not live here: the reasons (`signatures`), the answer (`http_mode`, `socket_mode`). Called
by those two; `bot.app` may ask what was refused lately.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from time import monotonic

import structlog

from bot.metrics import SLACK_REFUSED_REQUESTS
from bot.slack.inbound.signatures import Refusal

LOG_SECONDS = 60.0
"""How long further refusals for the same reason are only counted: anybody can cause them, and fill a log."""

log = structlog.get_logger()


class Refusals:
    """What was refused so far."""

    def __init__(self) -> None:
        self._last: dict[Refusal, float] = {}
        self._logged: dict[Refusal, float] = {}
        self._unlogged: Counter[Refusal] = Counter()

    def note(self, reason: Refusal) -> None:
        """One more request was refused."""
        SLACK_REFUSED_REQUESTS.labels(reason.value).inc()
        now = self._last[reason] = monotonic()
        self._unlogged[reason] += 1
        if now - self._logged.get(reason, -math.inf) >= LOG_SECONDS:
            log.warning("inbound.refused", reason=reason.value, requests=self._unlogged.pop(reason))
            self._logged[reason] = now

    def within(self, span: timedelta) -> frozenset[Refusal]:
        """The reasons for which requests were refused during the last `span`."""
        since = monotonic() - span.total_seconds()
        return frozenset(reason for reason, last in self._last.items() if last >= since)
