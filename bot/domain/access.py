"""Who may use the bot: the rules that the operator sets, and what they mean for one person.

Lives here: `AccessRules`, what is known of a person (`Standing`) and of a channel (`ChannelRecord`), and the decision.
Does not live here: asking Slack who a person is (`bot.slack.access`), the sentence for a refusal
(`bot.blocks.sentences`). Pure; called by `bot.slack.access`, `bot.slack.channels` and the notifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

NOBODY = "-"
"""In the place of an approver whose data was deleted: the approval stays."""


class Standing(StrEnum):
    """What a person is to the workspace."""

    MEMBER = "member"
    """A full member of the workspace or of its organisation, as far as Slack says."""
    GUEST = "guest"
    OUTSIDER = "outsider"
    """Of another organisation, which shares a channel with this one."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What a request itself shows of the person who asks; all that counts where Slack does not let the bot look."""

    is_outsider: bool = False
    """They belong to another organisation, or Slack does not say to which."""
    is_guest: bool = False
    names_team: bool = False
    """Slack says which workspace the person is of, and not only which one the request is for: with presses and modals,
    not with commands and most events."""
    is_in_shared_channel: bool = False
    """Other organisations share the channel; only some events say so."""


class Refusal(StrEnum):
    """Why somebody may not use the bot."""

    OUTSIDER = "outsider"
    GUEST = "guest"
    NOT_LISTED = "not_listed"
    """Neither among the allowed people nor in an allowed group."""
    GROUP_UNREADABLE = "group_unreadable"
    """The same, as far as known: an allowed group cannot be read, and lets nobody in meanwhile."""
    NO_OPERATOR = "no_operator"
    """Neither among the people who may cancel and retry nor in a group of theirs."""
    OPERATORS_UNREADABLE = "operators_unreadable"
    """The same, as far as known."""


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What the operator allows. An empty list allows all."""

    guests: bool = False
    external: bool = False
    """Whether people of other organisations may ask."""
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    """User groups. With `users`, a person needs to be in one of the two."""
    channels: frozenset[str] = frozenset()
    """Channels in which the bot may be used, and into which it may write. Direct messages are not channels."""
    operators: frozenset[str] = frozenset()
    """People who may cancel and retry executions, if they may use the bot. An empty list allows nobody."""
    operator_groups: frozenset[str] = frozenset()
    """User groups whose members may do so, too."""

    @property
    def needs_standing(self) -> bool:
        """Whether it matters what a person is."""
        return not (self.guests and self.external)

    @property
    def has_operators(self) -> bool:
        """Whether anybody may cancel and retry executions."""
        return bool(self.operators or self.operator_groups)

    def allows_channel(self, channel_id: str) -> bool:
        """Whether the bot may be used in a channel; empty for the Home tab and modals, which are in none."""
        is_channel = bool(channel_id) and not channel_id.startswith("D")
        return not self.channels or not is_channel or channel_id in self.channels

    def refusal(self, standing: Standing) -> Refusal | None:
        """Why nobody of this standing may ask; None when they may."""
        if standing is Standing.OUTSIDER and not self.external:
            return Refusal.OUTSIDER
        return Refusal.GUEST if standing is Standing.GUEST and not self.guests else None

    def needs_groups(self, user_id: str) -> bool:
        """Whether it depends on the groups if a person may ask."""
        return bool(self.groups) and user_id not in self.users

    def unlisted(self, user_id: str, *, is_in_group: bool, is_group_unreadable: bool) -> Refusal | None:
        """Why a person may not ask, given whether they are in one of the allowed groups; None when they may."""
        if not (self.users or self.groups) or user_id in self.users or is_in_group:
            return None
        return Refusal.GROUP_UNREADABLE if is_group_unreadable else Refusal.NOT_LISTED

    def no_operator(self, user_id: str, *, is_in_group: bool, is_group_unreadable: bool) -> Refusal | None:
        """Why a person may not cancel or retry, given whether they are in an operators' group; None when they may."""
        if user_id in self.operators or is_in_group:
            return None
        return Refusal.OPERATORS_UNREADABLE if is_group_unreadable else Refusal.NO_OPERATOR


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    """What is known of a channel."""

    is_shared: bool
    """Whether people of other organisations read it, or are invited to."""
    looked_at: datetime | None
    """When Slack last said so; None if it never has, and the channel counts as shared."""
    approver: str = ""
    """The member who approved that the bot writes there all the same; empty for nobody, `NOBODY` for one unnamed."""
    notified: frozenset[str] = frozenset()
    """Owners of subscriptions who know that messages to the channel are held."""
    organisations: frozenset[str] = frozenset()
    """The other organisations that read it, or are invited to, by their ids; as far as Slack says."""
    approved: frozenset[str] = frozenset()
    """Those of them that the approval is about."""

    @property
    def is_open(self) -> bool:
        """Whether the bot may write there: an approval is about those who read the channel then, and nobody else."""
        return not self.is_shared or (bool(self.approver) and self.organisations <= self.approved)

    @property
    def has_grown(self) -> bool:
        """Whether another organisation has joined since the channel was approved."""
        return bool(self.approver) and not self.is_open


@dataclass(frozen=True, slots=True)
class Readers:
    """The other organisations that read a channel, as they are shown to somebody who decides about it."""

    organisations: frozenset[str] = frozenset()
    """Their ids; empty where Slack does not list them."""
    names: tuple[str, ...] = ()
    """The names of those whose names the bot may read."""

    @property
    def digest(self) -> str:
        """Distinguishes these organisations from others; empty where Slack does not list them."""
        return sha256(" ".join(sorted(self.organisations)).encode()).hexdigest()[:12] if self.organisations else ""


NOBODY_ELSE = Readers()
"""Of a channel whose other organisations are not known, or do not matter."""
