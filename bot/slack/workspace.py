"""One workspace that the bot is installed in, as listeners see it.

Lives here: `Workspace`, handed to every listener. Does not live here: building one (`bot.app.workspace`). A second
workspace is a second object: nothing about a workspace is kept in a module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.access import AccessRules, ChannelRecord
from bot.slack.client import Identity, SlackClient


class Pauses(Protocol):
    """Where all copies of the bot remember which methods Slack has asked them to leave alone."""

    async def pause(self, team_id: str, method: str, span: timedelta) -> None:
        """Leave `method` alone for `span`."""

    async def paused(self, team_id: str, method: str) -> timedelta:
        """How long `method` is still to be left alone; zero when it may be called."""


class ChannelRecords(Protocol):
    """Where all copies of the bot remember which channels other organisations share, and who approved them."""

    async def find(self, team_id: str, channel_id: str) -> ChannelRecord | None:
        """What is known of a channel; None for nothing."""

    async def note(self, team_id: str, channel_id: str, *, is_shared: bool) -> None:
        """Slack says whether other organisations share a channel."""

    async def approve(self, team_id: str, channel_id: str, approver: str) -> bool:
        """Approve a shared channel; an empty `approver` withdraws that. Returns whether replicas hold it."""

    async def note_told(self, team_id: str, channel_id: str, owner: str) -> None:
        """A person knows that the channel waits for an approval."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Who the bot is in a workspace, its client, Slack's limits there, who may use it, and the clock."""

    identity: Identity
    slack: SlackClient
    limits: Pauses
    rules: AccessRules
    channels: ChannelRecords
    now: Callable[[], datetime]

    @property
    def team_id(self) -> str:
        """Slack's id of the workspace."""
        return self.identity.team_id
