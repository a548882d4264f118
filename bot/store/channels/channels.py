"""Channels: which of them other organisations share, and who approved that the bot writes there.

Lives here: `Channels`. Does not live here: asking Slack (`bot.slack.channels`, the notifier), what follows from a
record (`bot.domain.access`). Called by the listeners, through `bot.slack.workspace`, and by the notifier.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from bot.domain.access import ChannelRecord
from bot.store.engine.connection import Connection
from bot.store.rows import at, milliseconds

KEPT = timedelta(days=7)
"""How long a channel without an approval is remembered after Slack last described it."""


class Channels:
    """What is known of the channels of all workspaces."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._keys = connection, connection.keys

    async def find(self, team_id: str, channel_id: str) -> ChannelRecord | None:
        """What is known of a channel; None for nothing."""
        async with self._connection.guarded() as redis:
            fields = await redis.hgetall(self._keys.channel_of(team_id, channel_id))
        if not fields:
            return None
        looked = str(fields.get("looked", ""))
        return ChannelRecord(
            is_shared=fields.get("shared") != "0",
            looked_at=at(int(looked)) if looked.isdecimal() else None,
            approver=str(fields.get("approver", "")),
            notified=frozenset(str(fields.get("notified", "")).split()),
            organisations=frozenset(str(fields.get("organisations", "")).split()),
            approved=frozenset(str(fields.get("approved", "")).split()),
        )

    async def note(
        self,
        team_id: str,
        channel_id: str,
        *,
        is_shared: bool,
        organisations: Collection[str] = (),
        has_joined: bool = False,
    ) -> None:
        """Slack says whether other organisations share a channel, and which. When none does, an approval lapses.

        `has_joined`: these have joined, besides those that are known. Otherwise they are all, and an approval lapses
        for those that have left.
        """
        await self._connection.run(
            "channels/looked",
            self._keys.channel_of(team_id, channel_id),
            "1" if is_shared else "0",
            milliseconds(KEPT),
            " ".join(sorted(organisations)),
            "1" if has_joined else "0",
        )

    async def approve(
        self, team_id: str, channel_id: str, approver: str, *, organisations: Collection[str] = ()
    ) -> bool:
        """Approve that `organisations` read what the bot writes; an empty `approver` withdraws that.

        Returns whether replicas hold it.
        """
        key, readers = self._keys.channel_of(team_id, channel_id), " ".join(sorted(organisations))
        _, is_replicated = await self._connection.keep("channels/approve", key, approver, milliseconds(KEPT), readers)
        return is_replicated

    async def note_notified(self, team_id: str, channel_id: str, owner: str) -> None:
        """A person knows that the channel waits for an approval."""
        await self._connection.run(
            "channels/notified", self._keys.channel_of(team_id, channel_id), owner, milliseconds(KEPT)
        )
