"""What the app hears of messages: `message.*` and `app_mention`, if it is subscribed to them and has the scopes.

Lives here: which message leads to which events, and their payloads. Does not live here: the envelope and repetitions
(`interactions`). Called by `state.Workspace`, whenever a message is posted, edited or deleted.

Slack sends an app everything that is written in its direct messages, what the app itself writes included. A mention is
sent by itself, and as a message as well where the app is subscribed to those of the channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

from sandbox.slack.interactions import Interaction
from sandbox.slack.rows import Row, message_row
from sandbox.slack.state import Channel, Message, Workspace

MESSAGES = {"im": "message.im", "channels": "message.channels", "groups": "message.groups"}
"""Kind of conversation → what an app subscribes to."""

MENTION = "app_mention"

_TYPES = {"im": "im", "channels": "channel", "groups": "group"}
"""Kind of conversation → `channel_type`."""


class Hearing:
    """What the app is subscribed to, and the events on their way."""

    def __init__(
        self, workspace: Workspace, send: Callable[[Row], Awaitable[Interaction]], may_hear: Callable[[str], bool]
    ) -> None:
        """`may_hear` says whether the app has a scope, and can be reached at all."""
        self.events: set[str] = set()
        """`message.im`, `message.channels`, `message.groups`, `app_mention`; none by default."""
        self._workspace, self._send, self._may_hear = workspace, send, may_hear
        self._sending: set[asyncio.Task[Interaction]] = set()

    def posted(self, message: Message) -> None:
        """A message is new."""
        if self.events:
            self._send_events(message, self._row(message) | self._subtype(message))

    def edited(self, message: Message, before: Row) -> None:
        """A message is another one now; `before` is what it was."""
        if not self.events:
            return
        change = {"subtype": "message_changed", "hidden": True, "message": self._row(message)}
        self._send_message_event(message.channel, change | {"previous_message": before})
        if message.user != self._workspace.bot_user:  # Slack sends the mention in it once more
            self._send_mention_event(message, self._row(message))

    def deleted(self, message: Message) -> None:
        """A message is gone."""
        if not self.events:
            return
        change = {"subtype": "message_deleted", "hidden": True, "deleted_ts": message.ts}
        self._send_message_event(message.channel, change | {"previous_message": self._row(message)})

    def joined(self, user: str, channel: str) -> None:
        """A person is in a channel from now on."""
        text = f"<@{user}> has joined the channel"
        self._send_message_event(channel, {"subtype": "channel_join", "user": user, "text": text})

    def row(self, message: Message) -> Row:
        """A message as it is now, for `edited`."""
        return self._row(message) if self.events else {}

    async def during(self, act: Callable[[], Any]) -> list[Interaction]:
        """Call `act`, and return how the events ended that it led to."""
        before = set(self._sending)
        act()
        return list(await asyncio.gather(*(self._sending - before)))

    async def stop(self) -> None:
        """Cancel what is on its way."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _send_events(self, message: Message, row: Row) -> None:
        self._send_message_event(message.channel, row)
        self._send_mention_event(message, row)

    def _send_message_event(self, channel: str, row: Row) -> None:
        place = self._workspace.channels[channel]
        if MESSAGES[place.kind] in self.events and self._hears(place, f"{place.kind}:history"):
            stamp = row.get("ts") or self._workspace.next_ts()
            common = {"type": "message", "channel": channel, "channel_type": _TYPES[place.kind]}
            self._start(row | common | {"ts": stamp, "event_ts": stamp})

    def _send_mention_event(self, message: Message, row: Row) -> None:
        place = self._workspace.channels[message.channel]
        is_meant = f"<@{self._workspace.bot_user}>" in message.text and message.user != self._workspace.bot_user
        if MENTION in self.events and is_meant and not place.is_im and self._hears(place, "app_mentions:read"):
            self._start(row | {"type": MENTION, "channel": message.channel, "event_ts": message.ts})

    def _hears(self, place: Channel, scope: str) -> bool:
        return self._workspace.bot_user in place.members and self._may_hear(scope)

    def _start(self, event: Row) -> None:
        task = asyncio.ensure_future(self._send(event))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _row(self, message: Message) -> Row:
        row = message_row(self._workspace, message, with_metadata=True)
        row.pop("reply_count", None)
        row.pop("latest_reply", None)
        if message.thread_ts is None:
            row.pop("thread_ts", None)
        author = self._workspace.users[message.user]
        row["team"] = author.team_id or self._workspace.team_id
        if row.get("bot_id"):
            row["bot_profile"] = {"id": row["bot_id"], "name": author.name, "app_id": row.get("app_id", "A0OTHER")}
        else:
            row |= {"client_msg_id": str(uuid4()), "blocks": list(_as_typed(message.text))}
        return row

    @staticmethod
    def _subtype(message: Message) -> Row:
        return {"subtype": "thread_broadcast"} if message.is_broadcast else {}


def _as_typed(text: str) -> Iterator[Row]:
    """What Slack's editor makes of a line."""
    yield {
        "type": "rich_text",
        "block_id": "typed",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }
