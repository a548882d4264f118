"""Who has their Home tab open: in memory only, since a person who opens it again misses nothing.

Lives here: `OpenHomes`, which says whose Home is due for an update. Does not live here: what a Home shows
(`bot.blocks.home`), updating it (`handlers.live`). Called by the listeners.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

LIVE_SECONDS = 600.0
"""How long a Home is kept up to date after its person was seen there: Slack does not say when they leave."""

UPDATE_SECONDS = 30.0
"""How long at least between two updates of a Home."""

UPDATE_SECONDS_PER_HOME = 1.5
"""How long at least for each Home that is open, so that all of them together stay within Slack's limits."""

MOST = 1_000
"""At most this many are kept up to date: those that were opened last."""


@dataclass(slots=True)
class OpenHome:
    """A Home that somebody looks at."""

    until: float
    """When it is no longer kept up to date, by the monotonic clock."""
    due_at: float
    page: int = 0
    shown: str = ""
    """A digest of what it shows."""
    version: str = ""
    """Slack's hash of it."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is drawn and published, so that an older state never overwrites a newer one."""


class OpenHomes:
    """The Homes that are open, as far as this process knows."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._open: dict[str, OpenHome] = {}

    def seen(self, user_id: str, page: int) -> OpenHome:
        """A person looks at a page of their Home."""
        home = self._open.pop(user_id, None) or OpenHome(0.0, self._now() + UPDATE_SECONDS)
        home.until, home.page = self._now() + LIVE_SECONDS, page
        self._open[user_id] = home
        if len(self._open) > MOST:
            del self._open[next(iter(self._open))]
        return home

    def find(self, user_id: str) -> OpenHome | None:
        """The Home of a person who was seen there lately."""
        return self._open.get(user_id)

    def close(self, user_id: str) -> None:
        """Stop updating it."""
        self._open.pop(user_id, None)

    def hurry(self, user_id: str) -> None:
        """Update it soon, if it is open: the person has done something that it shows."""
        if home := self._open.get(user_id):
            home.due_at = self._now()

    def put_off(self, home: OpenHome) -> None:
        """Schedule the next update of a Home that was updated now."""
        home.due_at = self._now() + max(UPDATE_SECONDS, UPDATE_SECONDS_PER_HOME * len(self._open))

    def due(self) -> list[tuple[str, OpenHome]]:
        """The Homes that are due for an update, by person."""
        now = self._now()
        return [(user_id, home) for user_id, home in self._open.items() if home.due_at <= now or home.until <= now]

    def is_over(self, home: OpenHome) -> bool:
        """Whether this is its last update."""
        return home.until <= self._now()
