"""The schedule: which executions are due, who looks at them, and what came of it.

Called by the watcher. Claims have a lease in server time; settling is one script (`settle.lua`), refused when the claim
was lost meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from pydantic import ValidationError

from bot.model import Change, ChangeKind, Level, Snapshot
from bot.store.connection import Connection
from bot.store.keys import home_of, partition
from bot.store.rows import at, milliseconds

log = structlog.get_logger()

LEASE = timedelta(seconds=30)
"""Longer than any look takes, so that only a dead worker's claim runs out."""


@dataclass(frozen=True, slots=True)
class Due:
    """An execution to look at, claimed."""

    execution: str
    """Its execution key."""
    snapshot: Snapshot
    now: datetime
    """Server time of the claim; the watch goes by this clock."""
    late: timedelta
    token: str


class Schedule:
    """The due times of all watched executions."""

    def __init__(self, connection: Connection, *, coalesce: timedelta) -> None:
        self._connection = connection
        self._coalesce = coalesce

    async def ready(self) -> list[int]:
        """The partitions in which something is due, the most overdue first."""
        return await self._connection.ready("due")

    async def claim(self, number: int, limit: int) -> list[Due]:
        """Claim at most `limit` executions of partition `number` that are due."""
        token = uuid4().hex
        rows = await self._connection.run("claim_due", partition(number), limit, milliseconds(LEASE), token)
        now, claimed = at(rows[0]), []
        for execution, late, text in zip(rows[1::3], rows[2::3], rows[3::3], strict=True):
            try:
                snapshot = Snapshot.model_validate_json(text)
            except ValidationError as error:  # a newer version wrote it; it comes again when the lease ends
                log.warning("schedule.unreadable", execution=execution, problems=error.error_count())
                continue
            claimed.append(Due(execution, snapshot, now, timedelta(milliseconds=late), token))
        return claimed

    async def settle(
        self,
        due: Due,
        snapshot: Snapshot,
        changes: Sequence[Change],
        *,
        next_look: timedelta | None,
        is_visible: bool,
    ) -> bool:
        """Write what a look brought, all or nothing.

        Returns:
            False when the claim was lost to another worker, and nothing was written.
        """
        entries: list[str | int] = []
        for change in changes:
            entries += [_rank(change.kind), f"{change.revision}|{change.model_dump_json(exclude_defaults=True)}"]
        settled = await self._connection.run(
            "settle",
            home_of(due.execution),
            due.execution,
            due.token,
            snapshot.model_dump_json(exclude_defaults=True),
            "" if next_look is None else milliseconds(next_look),
            "1" if is_visible else "",
            milliseconds(self._coalesce),
            *entries,
        )
        return bool(settled)


def _rank(kind: ChangeKind) -> int:
    """How many levels leave a change of `kind` out: the script keeps it from subscriptions of a higher level."""
    return sum(level.includes(kind) for level in Level) - 1
