"""When people want to read nothing, every day.

Lives here: `HoursKept`. Does not live here: what follows from it (`bot.quiet`), the hours of a day
(`bot.domain.quiet`), their deletion with everything else about a person (`people`). Called through `bot.quiet`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bot.domain.quiet import QuietHours
from bot.store.engine.connection import Connection
from bot.store.unreadable import Unreadable, reading


class HoursKept:
    """The quiet hours of the people of all workspaces. They stay until they are withdrawn."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys

    async def find(self, team_id: str, user_id: str) -> QuietHours | None:
        """Those of a person; None if they chose none, or they cannot be read."""
        async with self._connection.guarded() as redis:
            row = await redis.hget(self._keys.quiet_hours_of(team_id), user_id)
        return _readable(user_id, row)

    async def all(self, team_id: str) -> Mapping[str, QuietHours]:
        """Those of everybody in a workspace, by user id."""
        async with self._connection.guarded() as redis:
            rows = await redis.hgetall(self._keys.quiet_hours_of(team_id))
        found = {str(user_id): _readable(str(user_id), row) for user_id, row in rows.items()}
        return {user_id: hours for user_id, hours in found.items() if hours is not None}

    async def choose(self, team_id: str, user_id: str, hours: QuietHours | None) -> None:
        """Keep a choice; None deletes it."""
        key = self._keys.quiet_hours_of(team_id)
        async with self._connection.guarded() as redis:
            if hours is None:
                await redis.hdel(key, user_id)
            else:
                await redis.hset(key, user_id, msgspec.json.encode(hours).decode())

    async def add(self, team_id: str, user_id: str, hours: QuietHours) -> bool:
        """Keep what another store held, unless the person has chosen here."""
        async with self._connection.guarded() as redis:
            row = msgspec.json.encode(hours).decode()
            return bool(await redis.hsetnx(self._keys.quiet_hours_of(team_id), user_id, row))


def _readable(user_id: str, row: object) -> QuietHours | None:
    if not row:
        return None
    try:
        with reading("quiet hours"):
            return msgspec.json.decode(str(row), type=QuietHours)
    except Unreadable as error:
        error.report(user_id)
        return None
