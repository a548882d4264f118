"""The state of the simulated Slack: people, channels, messages with their earlier versions, ephemerals, views.

Lives here: plain records and `Workspace`, which holds them and signals changes. Does not live here: who may change what
(`chat`, `conversations`, `views`). Read by the page and by tests, written by the Web API's methods.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

Block = dict[str, Any]


@dataclass
class User:
    """A person, or the app's bot user."""

    id: str
    name: str
    tz: str = "Europe/London"
    locale: str = "en-US"
    is_bot: bool = False
    deleted: bool = False
    guest: str = ""
    """`multi` for a guest of several channels, `single` for a guest of one; empty for a full member."""
    team_id: str = ""
    """Another organisation's workspace, for its people in shared channels; empty for this workspace."""
    enterprise_id: str = ""
    """The organisation of that workspace, if it has one."""


@dataclass
class Channel:
    """A channel, or the direct messages between the bot and a person."""

    id: str
    name: str
    is_private: bool = False
    is_archived: bool = False
    members: set[str] = field(default_factory=set)
    user: str = ""
    """The person, for direct messages; else empty."""
    connected: set[str] = field(default_factory=set)
    """Workspaces of other organisations that share the channel."""
    invited: set[str] = field(default_factory=set)
    """Those that have not accepted yet."""

    @property
    def is_im(self) -> bool:
        """Whether this is a direct message channel."""
        return bool(self.user)

    @property
    def kind(self) -> str:
        """Its name in Slack's scopes: `channels`, `groups` or `im`."""
        if self.is_im:
            return "im"
        return "groups" if self.is_private else "channels"


@dataclass
class Edit:
    """A version of a message before an edit."""

    at: float
    """When it was replaced."""
    text: str
    blocks: list[Block]


@dataclass
class Message:
    """A message visible to all members of the channel."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Block] = field(default_factory=list)
    thread_ts: str | None = None
    """The ts of the message it replies to."""
    is_broadcast: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    bot_id: str = ""
    """Of another app that posted it; empty for people and for the bot itself."""
    edits: list[Edit] = field(default_factory=list)
    """Earlier versions, oldest first."""


@dataclass
class Ephemeral:
    """A message visible to one person."""

    channel: str
    ts: str
    user: str
    """The person who sees it."""
    text: str
    blocks: list[Block] = field(default_factory=list)
    thread_ts: str | None = None
    is_notice: bool = False
    """Whether it is Slack's own notice that the app did not answer."""


@dataclass
class View:
    """A modal or a Home tab of one person."""

    id: str
    user: str
    body: dict[str, Any]
    """What the app sent: type, title, blocks, private_metadata…"""
    hash: str
    root_id: str
    previous_id: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    """The app's errors about the last submission, by block_id."""


@dataclass(frozen=True)
class Shortcut:
    """What the app offers to do, in its manifest: with a message, or everywhere."""

    name: str
    callback_id: str
    is_message: bool = False


class Ears(Protocol):
    """Who gets events about messages (`hearing`)."""

    def posted(self, message: Message) -> None:
        """A message is new."""

    def row(self, message: Message) -> dict[str, Any]:
        """A message as it is now."""

    def edited(self, message: Message, before: dict[str, Any]) -> None:
        """A message is another one now."""

    def deleted(self, message: Message) -> None:
        """A message is gone."""


class Workspace:
    """All state of one workspace with one app in it. Call `touch()` after a change."""

    def __init__(self, team_id: str = "T0SANDBOX", *, now: Callable[[], float] = time.time) -> None:
        self.team_id = team_id
        self.app_id = "A0SANDBOX"
        self.bot_id = "B0SANDBOX"
        self.bot_user = "U0BOT"
        self.now = now
        self.users: dict[str, User] = {self.bot_user: User(self.bot_user, "execution-bot", is_bot=True)}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, list[Message]] = {}
        """By channel, oldest first."""
        self.ephemerals: dict[str, list[Ephemeral]] = {}
        """By person, oldest first."""
        self.modals: dict[str, list[View]] = {}
        """By person: the stack of open modals, the top one last."""
        self.homes: dict[str, View] = {}
        self.messages_tab_disabled = False
        self.version = 0
        """Grows with each change."""
        self.changed = asyncio.Event()
        """Set at the next change and then replaced by a new event."""
        self.enterprise_id = ""
        """The organisation that this workspace belongs to; empty outside Enterprise Grid."""
        self.usergroups: dict[str, set[str]] = {}
        """The members of each user group."""
        self.is_paid = True
        """Whether the plan has user groups."""
        self.ims: dict[str, Channel] = {}
        """The direct message channels that were opened, by person."""
        self.ears: Ears | None = None
        """Who gets events about messages, if anybody."""
        self._micros = 0
        self._ids = 0

    def touch(self) -> None:
        """Wake everyone who waits for a change."""
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()

    def next_ts(self) -> str:
        """A unique timestamp, later than all before."""
        self._micros = max(self._micros + 1, int(self.now() * 1_000_000))
        return f"{self._micros // 1_000_000}.{self._micros % 1_000_000:06d}"

    def next_id(self, prefix: str) -> str:
        """A unique id."""
        self._ids += 1
        return f"{prefix}0SANDBOX{self._ids:03d}"

    def named(self, blocks: list[Block]) -> list[Block]:
        """The blocks as Slack stores them: each has a block_id, each button an action_id."""
        return [self._named(block) for block in blocks]

    def _named(self, block: Block) -> Block:
        kept = {"block_id": self.next_id("b"), **block}
        if block.get("type") == "actions":
            kept["elements"] = [{"action_id": self.next_id("a"), **element} for element in block["elements"]]
        return kept

    def im(self, user: str) -> Channel:
        """The direct message channel with a person, opened if necessary."""
        if user in self.ims:
            return self.ims[user]
        channel = self.ims[user] = Channel(self.next_id("D"), "directmessage", is_private=True, user=user)
        channel.members = {user, self.bot_user}
        return self.add(channel)

    def add(self, channel: Channel) -> Channel:
        """Add an empty channel."""
        self.channels[channel.id] = channel
        self.messages[channel.id] = []
        self.touch()
        return channel

    def message(self, channel: str, ts: str) -> Message | None:
        """The message with that ts."""
        messages = self.messages.get(channel, [])
        place = self._place(messages, ts)
        return messages[place] if place < len(messages) and messages[place].ts == ts else None

    def replies(self, message: Message) -> list[Message]:
        """The replies to a message, oldest first; all are later than the message."""
        messages = self.messages[message.channel]
        later = messages[self._place(messages, message.ts) + 1 :]
        return [reply for reply in later if reply.thread_ts == message.ts]

    @staticmethod
    def _place(messages: list[Message], ts: str) -> int:
        return bisect_left(messages, ts, key=lambda message: message.ts)

    def post(self, message: Message) -> Message:
        """Add a new message."""
        message.blocks = self.named(message.blocks)
        self.messages[message.channel].append(message)
        self.touch()
        if self.ears is not None:
            self.ears.posted(message)
        return message

    def edit(self, message: Message, *, text: str, blocks: list[Block]) -> None:
        """Change a message and keep its earlier version."""
        before = self.ears.row(message) if self.ears is not None else {}
        message.edits.append(Edit(self.now(), message.text, message.blocks))
        message.text, message.blocks = text, self.named(blocks)
        self.touch()
        if self.ears is not None:
            self.ears.edited(message, before)

    def delete(self, message: Message) -> None:
        """Remove a message."""
        self.messages[message.channel].remove(message)
        self.touch()
        if self.ears is not None:
            self.ears.deleted(message)

    def show_ephemeral(self, ephemeral: Ephemeral) -> Ephemeral:
        """Show an ephemeral message."""
        ephemeral.blocks = self.named(ephemeral.blocks)
        self.ephemerals.setdefault(ephemeral.user, []).append(ephemeral)
        self.touch()
        return ephemeral

    def view(self, view_id: str) -> View | None:
        """The modal or Home tab with that id, if it still exists."""
        return next((view for view in self.views() if view.id == view_id), None)

    def views(self) -> list[View]:
        """All open modals and all Home tabs."""
        return [*(view for stack in self.modals.values() for view in stack), *self.homes.values()]
