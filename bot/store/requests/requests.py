"""Each request of Slack is worked on once, whichever copy of the bot gets it and however often it comes.

Lives here: `Requests`. Does not live here: what makes two requests the same (`bot.slack.inbound.payloads`), what
happens to a repeated one (`handlers.middleware`). Called by the middleware.
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

    async def is_first(self, team_id: str, identity: str) -> bool:
        """Whether this is the first request with this identity; notes it.

        Raises:
            StoreUnavailable: the store does not answer or takes no writes.
        """
        key = self._connection.keys.request_of(team_id, identity)
        return bool(await self._connection.run("requests/first_time", key, uuid4().hex, milliseconds(REMEMBERED)))
