"""Each request of Slack is worked on once, whichever copy of the bot gets it and however often it comes.

Lives here: `Requests`, and by what Slack's own requests are recognised (`sender`). Does not live here: what makes two
requests the same, what a sender proves (`bot.slack.inbound`), what happens to a repeated request
(`handlers.middleware`). Called by those two.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from bot.store.engine.connection import Connection
from bot.store.rows import milliseconds

REMEMBERED = timedelta(minutes=10)
"""How long a request is remembered. Slack repeats an event within 6 minutes, and a signature is valid for 5."""


class Requests:
    """The requests of the last minutes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def is_first(self, team_id: str, identity: str, *, within: timedelta = REMEMBERED) -> bool:
        """Whether this is the first request with this identity `within` that time; notes it.

        Raises:
            StoreUnavailable: the store does not answer or takes no writes.
        """
        key = self._connection.keys.request_of(team_id, identity)
        return bool(await self._connection.run("requests/first_time", key, uuid4().hex, milliseconds(within)))

    async def forget(self, team_id: str, identity: str) -> None:
        """Have the next request with this identity be the first one, since nothing came of this one.

        Raises:
            StoreUnavailable: the store does not answer or takes no writes.
        """
        async with self._connection.guarded() as redis:
            await redis.delete(self._connection.keys.request_of(team_id, identity))

    async def sender(self, team_id: str) -> str:
        """What `note_sender` noted last, by any copy of the bot; empty for nothing.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        async with self._connection.guarded() as redis:
            return str(await redis.get(self._connection.keys.sender_of(team_id)) or "")

    async def note_sender(self, team_id: str, digest: str) -> None:
        """Requests that Slack signed name a sender with this digest.

        Raises:
            StoreUnavailable: the store does not answer or takes no writes.
        """
        async with self._connection.guarded() as redis:
            await redis.set(self._connection.keys.sender_of(team_id), digest)
