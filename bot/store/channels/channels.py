"""Channels: which of them other organisations share, and who approved that the bot writes there.

Lives here: `Channels`. Does not live here: asking Slack (`bot.slack.channels`, the notifier), what follows from a
record (`bot.domain.access`). Called by the listeners, through `bot.slack.workspace`, and by the notifier.
"""

from __future__ import annotations

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
            told=frozenset(str(fields.get("told", "")).split()),
        )

    async def note(self, team_id: str, channel_id: str, *, is_shared: bool) -> None:
        """Slack says whether other organisations share a channel. When none does, an approval lapses."""
        shared = "1" if is_shared else "0"
        await self._connection.run(
            "channels/looked", self._keys.channel_of(team_id, channel_id), shared, milliseconds(KEPT)
        )

    async def approve(self, team_id: str, channel_id: str, approver: str) -> bool:
        """Approve a shared channel; an empty `approver` withdraws that. Returns whether replicas hold it."""
        key = self._keys.channel_of(team_id, channel_id)
        _, is_replicated = await self._connection.keep("channels/approve", key, approver, milliseconds(KEPT))
        return is_replicated

    async def note_told(self, team_id: str, channel_id: str, owner: str) -> None:
        """A person knows that the channel waits for an approval."""
        await self._connection.run(
            "channels/tell", self._keys.channel_of(team_id, channel_id), owner, milliseconds(KEPT)
        )
