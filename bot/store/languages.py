"""Which language a person has chosen, or was chosen for a channel.

Lives here: `Languages`. Does not live here: what follows from a choice (`bot.slack.languages`), its deletion with
everything else about a person (`people`). Called through `bot.slack.languages`.
"""

from __future__ import annotations

from bot.store.engine.connection import Connection


class Languages:
    """The choices of the people and channels of all workspaces. They stay until they are withdrawn."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys

    async def find(self, team_id: str, reader_id: str) -> str:
        """What was chosen, as `bot.blocks.language.Language` spells it; empty for nothing.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        async with self._connection.guarded() as redis:
            return str(await redis.get(self._keys.language_of(team_id, reader_id)) or "")

    async def add(self, team_id: str, reader_id: str, language: str) -> bool:
        """Keep what another store held, unless something was chosen here."""
        async with self._connection.guarded() as redis:
            return bool(await redis.set(self._keys.language_of(team_id, reader_id), language, nx=True))

    async def choose(self, team_id: str, reader_id: str, language: str) -> None:
        """Keep a choice; an empty `language` deletes it.

        Raises:
            StoreUnavailable: the store does not answer, or takes no writes.
        """
        key = self._keys.language_of(team_id, reader_id)
        async with self._connection.guarded() as redis:
            await (redis.set(key, language) if language else redis.delete(key))
