"""Rows of the version before are brought to the schema of this one, while copies of both go on working.

Lives here: `MIGRATIONS`, which script brings rows to which schema, and `Migrations`, which runs them. Does not live
here: which schemas a bot may work on (`bot.store.owner`), what a version does with a value that it does not know
(`bot.domain`). Called by `bot.app.workspace` while the workers run.

A migration is a Lua script in this folder. It rewrites the rows of one execution, all or nothing, and finds nothing to
do the second time; it leaves alone what it cannot read. So it can be killed, and two copies can run it at once. What is
done stands in the owner record, by partition. A copy of the version before lowers that again when it next compares the
record (`merged` in `bot.store.owner`), since it writes old rows; then there is another pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from bot.errors import StoreUnavailable
from bot.store.contents import Contents
from bot.store.engine.connection import Connection
from bot.store.keys import PARTITIONS
from bot.store.owner import SCHEMA, Ownership

log = structlog.get_logger()

MIGRATIONS: Mapping[int, str] = {}
"""Schema → the script that brings rows of the schema before to it: `migrations/<name>`, called with the partition's
prefix and an execution key. It returns how many rows it changed. A schema that only adds fields needs none."""

STEP = 100
"""How many executions are migrated in one round trip: a few milliseconds of the server."""

AGAIN_SECONDS = 60.0
"""How long until the next look at the record: longer than an older copy needs to lower it."""

AWAY_SECONDS = 5.0
"""How long until the next attempt when the store did not answer."""


class Migrations:
    """Brings rows to `schema`, in the background."""

    def __init__(
        self,
        connection: Connection,
        ownership: Ownership,
        *,
        schema: int = SCHEMA,
        migrations: Mapping[int, str] = MIGRATIONS,
    ) -> None:
        self._connection, self._ownership, self._contents = connection, ownership, Contents(connection)
        self._schema, self._migrations = schema, migrations
        self._is_confirmed = False
        """Whether all was gone through once more after no partition was behind."""

    async def run_once(self) -> float:
        """Migrate the partitions that are behind; returns the seconds until the next look.

        When none is behind, all are gone through once more: an older copy may have written a row and ended before it
        compared the record again.
        """
        try:
            await self._catch_up()
        except StoreUnavailable as error:
            log.warning("migrations.store_away", error=str(error))
            return AWAY_SECONDS
        return AGAIN_SECONDS

    async def _catch_up(self) -> None:
        record = await self._ownership.read()
        if record is None or self._ownership.refusal is not None:
            return
        behind = [number for number in range(PARTITIONS) if record.migrated_to(number) < self._schema]
        was_confirmed, self._is_confirmed, changed = self._is_confirmed, False, 0
        for number in behind:
            changed += await self._migrate(number, record.migrated_to(number))
            await self._ownership.note_migrated(number, self._schema)
        if not behind and not was_confirmed:
            changed = sum([await self._migrate(number, self._schema - 1) for number in range(PARTITIONS)])
        self._is_confirmed = not behind
        if changed:
            log.info("migrations.rows_changed", schema=self._schema, rows=changed)

    async def _migrate(self, number: int, since: int) -> int:
        """Bring the rows of a partition from schema `since` to this version's; returns how many were changed."""
        home, changed = self._connection.keys.partition(number), 0
        for schema, name in sorted(self._migrations.items()):
            if since < schema <= self._schema:
                changed += await self._run(name, home, await self._contents.executions_of(number))
        return changed

    async def _run(self, name: str, home: str, executions: Sequence[str]) -> int:
        """Run a script on each of `executions`; returns how many rows were changed."""
        changed = 0
        for begin in range(0, len(executions), STEP):
            calls = [(name, home, (execution,)) for execution in executions[begin : begin + STEP]]
            for answer in await self._connection.run_many(calls):
                if isinstance(answer, Exception):
                    raise answer
                changed += int(answer)
        return changed
