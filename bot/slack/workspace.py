"""One workspace that the bot is installed in, as listeners see it.

Lives here: `Workspace`, handed to every listener. Does not live here: building one (`bot.app.workspace`). A second
workspace is a second object: nothing about a workspace is kept in a module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from bot.domain.access import AccessRules, ChannelRecord
from bot.slack.client import Identity, SlackClient
from bot.slack.languages import Languages
from bot.slack.lookups import Lookups
from bot.slack.open_homes import OpenHomes

MEMBERSHIP_SECONDS = 60.0
"""How long Slack's answer about the channels that a person is in is reused."""

MOST_MEMBERSHIPS = 1_000
"""For at most this many people it is kept."""

SETTLED_SECONDS = 60.0
"""How long Slack may still accept the token of an app that was removed."""


class Admission(Protocol):
    """Whether a call may go out now."""

    @property
    def wait(self) -> timedelta:
        """Zero: now."""

    @property
    def is_away(self) -> bool:
        """Whether Slack was not answering; a caller that gets an answer reports that with `back`."""


class Pauses(Protocol):
    """Where all copies of the bot remember which methods Slack wants no calls of for a while, and what they post."""

    async def pause(self, team_id: str, method: str, span: timedelta) -> None:
        """Leave `method` alone for `span`."""

    async def paused(self, team_id: str, method: str) -> timedelta:
        """How long `method` is still to be left alone; zero when it may be called."""

    async def admit_answer(self, team_id: str, person_id: str, name: str) -> Admission:
        """Request to post the reply `name` to a person in their direct messages."""

    async def back(self, team_id: str) -> None:
        """Slack answers again."""


class ChannelRecords(Protocol):
    """Where all copies of the bot remember which channels other organisations share, and who approved them."""

    async def find(self, team_id: str, channel_id: str) -> ChannelRecord | None:
        """What is known of a channel; None for nothing."""

    async def note(
        self,
        team_id: str,
        channel_id: str,
        *,
        is_shared: bool,
        organisations: Collection[str] = (),
        has_joined: bool = False,
    ) -> None:
        """Note what Slack says: whether others share a channel, and which, perhaps besides those that are known."""

    async def approve(
        self, team_id: str, channel_id: str, approver: str, *, organisations: Collection[str] = ()
    ) -> bool:
        """Approve that these organisations read what the bot writes; an empty `approver` withdraws that.

        Returns whether replicas hold it.
        """

    async def note_notified(self, team_id: str, channel_id: str, owner: str) -> None:
        """A person knows that the channel waits for an approval."""


@dataclass(slots=True)
class Removal:
    """Whether Slack has said that the app was removed from the workspace."""

    event: str = ""
    """`app_uninstalled` or `tokens_revoked`; empty while the app is installed."""
    at: float = 0.0
    """When it came, by the monotonic clock."""

    def note(self, event: str) -> None:
        """Slack sent such an event."""
        self.event, self.at = event, monotonic()

    @property
    def problem(self) -> str | None:
        """The removal in words; None while the app is installed."""
        return f"Slack says that the app was removed from the workspace: {self.event}" if self.event else None

    def clear(self) -> None:
        """Slack accepts the token, which disproves the removal unless that is only seconds old."""
        if monotonic() - self.at >= SETTLED_SECONDS:
            self.event = ""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Who the bot is in a workspace, its client, Slack's limits there, who may use it, and the clock."""

    identity: Identity
    slack: SlackClient
    limits: Pauses
    rules: AccessRules
    channels: ChannelRecords
    languages: Languages
    now: Callable[[], datetime]
    removal: Removal = field(default_factory=Removal)
    homes: OpenHomes = field(default_factory=OpenHomes)
    """Who looks at their Home tab."""
    memberships: Lookups[frozenset[str]] = field(
        default_factory=lambda: Lookups(MEMBERSHIP_SECONDS, most=MOST_MEMBERSHIPS)
    )
    """The channels that people are in, by the person."""

    @property
    def team_id(self) -> str:
        """Slack's id of the workspace."""
        return self.identity.team_id
