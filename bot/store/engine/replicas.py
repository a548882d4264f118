"""Waiting for replicas: which writes do, and what the server's count means.

Lives here: `Replicas`. Does not live here: which server is the master (`topology`), what is run again (`connection`).
Called by `connection`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import structlog
from redis.exceptions import ResponseError

from bot import metrics

REPLICA_MS = 250
"""How long a write that must not be lost waits for replicas. They mostly answer within the time of a round trip."""

WITHOUT_REPLICAS_SECONDS = 5.0
"""How long claims do not wait for replicas after a wait in vain: the bot goes on without that safety."""

log = structlog.get_logger()


class Replicas:
    """The replicas that must hold what is durable, of every server."""

    def __init__(self, wanted: int, *, node_of: Callable[[str], str]) -> None:
        """`wanted`: of each server; `node_of`: names the server of a key, once something was sent to it."""
        self._wanted, self._node_of = wanted, node_of
        self._missing: dict[str, float] = {}
        """Until when claims do not wait for them, by server."""

    @property
    def are_wanted(self) -> bool:
        """Whether anything is to be held by replicas."""
        return self._wanted > 0

    def wait(self, key: str, *, even_in_vain: bool) -> list[tuple[str, int, int]]:
        """The command that waits for the replicas of the server of `key`; none if they were missing a moment ago.

        With `even_in_vain` it waits all the same.
        """
        is_missing = bool(self._missing) and self._missing.get(self._node_of(key), 0) > monotonic()
        return [("WAIT", self._wanted, REPLICA_MS)] if self._wanted and (even_in_vain or not is_missing) else []

    def hold(self, counts: Sequence[Any], key: str) -> bool:
        """Whether enough replicas hold what was written, by the server's answer to `wait`.

        If not, the bot goes on: a repeated message is better than silence.
        """
        if not self._wanted:
            return True
        if not counts:  # not asked, since they were missing a moment ago
            return False
        (found,) = counts
        if isinstance(found, int) and found >= self._wanted:
            self._missing.pop(self._node_of(key), None)
            return True
        if not isinstance(found, int | ResponseError):  # the connection was lost: nothing has waited
            return False
        metrics.STORE_WITHOUT_REPLICAS.inc()
        log.warning("store.replicas_missed", found=str(found), wanted=self._wanted, within_ms=REPLICA_MS)
        self._missing[self._node_of(key)] = monotonic() + WITHOUT_REPLICAS_SECONDS
        return False
