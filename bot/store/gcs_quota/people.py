"""How much one person may ask for, shared by every copy of the bot.

Lives here: counting a person's requests. Does not live here: which requests count (`handlers`), the quota that
all people share (`quota`). Called by `bot.subscriptions`. Each person has a count of their own (GCRA in server time),
so nobody is slowed by another.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from bot.domain.following import Subscriber
from bot.store.engine.connection import Connection
from bot.store.rows import milliseconds

BURST_MINUTES = 1.5
"""How many minutes' requests a person may make at once."""

SILENCE = timedelta(seconds=1)
"""How long a refusal is not repeated: a flood gets a sentence a second, and people who type get one each time."""


class Refusal(NamedTuple):
    """A request that comes too soon."""

    wait: timedelta
    """How long until the next one is taken."""
    is_repeated: bool
    """Whether the person has read this refusal a moment ago."""


class PersonLimit:
    """The requests that each person may make."""

    def __init__(self, connection: Connection, *, per_minute: int) -> None:
        self._connection = connection
        self._interval = timedelta(minutes=1) / per_minute
        self._burst = max(1, round(per_minute * BURST_MINUTES))

    async def count(self, person: Subscriber) -> Refusal | None:
        """Count one request; None if it is taken."""
        key = self._connection.keys.requests_of(person.team_id, person.id)
        spans = max(1, milliseconds(self._interval)), self._burst, milliseconds(SILENCE)
        wait, is_repeated = await self._connection.run("gcs_quota/request", key, *spans)
        return Refusal(timedelta(milliseconds=wait), bool(is_repeated)) if wait else None
