"""Messages that stay: post, edit, and find the ones that were posted.

Lives here: `Messages`, and the mark by which a message is recognised later. Does not live here: what to send
(`bot.blocks`), when and whether (`bot.workers.notifier`). Called by the notifier only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.errors import OutcomeUnknown
from bot.slack.client import Identity, SlackClient, is_shared, organisations_of

EVENT_TYPE = "execution_message"
"""Type of the metadata that marks the bot's messages; its payload is a `Mark`."""

PAGE = 999
"""At most this many messages per page when reading back, the most that Slack returns: each page is a call."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a message carries invisibly, so that a send in doubt can be settled: its lane and its revision."""

    lane: str
    """The subscription, as the store names it."""
    part: str
    """`card`, `change`, or `dead` for the message to the owner of a destination that cannot be reached."""
    delivered_through: int
    """Last revision that the message reports."""
    at: int = 0
    """When that change was seen, in ms: a store that lost its last writes assigns the same revision again."""

    def metadata(self) -> dict[str, Any]:
        """In Slack's form. Everyone in the channel can read it, so it holds ids only."""
        payload = {"lane": self.lane, "part": self.part, "delivered_through": self.delivered_through, "at": self.at}
        return {"event_type": EVENT_TYPE, "event_payload": payload}


@dataclass(frozen=True, slots=True)
class Delivered:
    """One of the bot's messages, found in a channel."""

    ts: str
    mark: Mark
    is_in_thread: bool = False


class Messages:
    """Posts and edits messages of one workspace."""

    def __init__(self, client: SlackClient) -> None:
        self._client, self._web = client, client.web

    @property
    def address(self) -> str:
        """The address of the workspace, for links to messages; empty where it is not known."""
        return self._client.address

    async def open_dm(self, user_id: str) -> str:
        """The channel id (`D…`) of the direct messages with a person. Calling it again changes nothing."""
        response = await self._client.call(self._web.conversations_open, users=user_id)
        return str(response["channel"]["id"])

    async def check_token(self) -> None:
        """Call `auth.test`, which refuses nothing but the token.

        Raises:
            SlackBadCredentials: Slack refuses it.
            SlackError: Slack does not say.
        """
        await self._client.identity()

    async def sharing(self, channel: str) -> tuple[bool, frozenset[str]]:
        """Whether people of other organisations read a channel, or are invited to; and the ids of these."""
        found = await self._client.channel(channel)
        own = (await self._client.known_identity()).own
        return is_shared(found), organisations_of(found, own)

    async def post(
        self,
        channel: str,
        *,
        text: str,
        blocks: Sequence[Mapping[str, Any]],
        mark: Mark,
        thread_ts: str | None = None,
        is_broadcast: bool = False,
    ) -> str:
        """Post a message and return its ts; `is_broadcast` shows a message of a thread in the channel as well."""
        arguments: dict[str, Any] = {
            "channel": channel,
            "text": text,
            "metadata": mark.metadata(),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if blocks:
            arguments["blocks"] = list(blocks)
        if thread_ts is not None:
            arguments |= {"thread_ts": thread_ts, "reply_broadcast": is_broadcast}
        response = await self._client.call(self._web.chat_postMessage, **arguments)
        ts = response.get("ts")
        if not ts:  # Slack says that it is posted, but not where
            raise OutcomeUnknown("no_ts")
        return str(ts)

    async def update(
        self, channel: str, ts: str, *, text: str, blocks: Sequence[Mapping[str, Any]], mark: Mark
    ) -> None:
        """Edit a message. The same edit twice has the effect of one."""
        await self._client.call(
            self._web.chat_update, channel=channel, ts=ts, text=text, blocks=list(blocks), metadata=mark.metadata()
        )

    async def delivered(
        self, channel: str, lane: str, *, since: datetime, thread_ts: str | None = None, cursor: str = ""
    ) -> tuple[list[Delivered], str]:
        """The bot's messages for `lane` in a channel, or one thread, since a time: one page and the next cursor."""
        own = await self._client.known_identity()
        arguments: dict[str, Any] = {
            "channel": channel,
            "oldest": f"{since.timestamp():.6f}",
            "include_all_metadata": True,
            "limit": PAGE,
        }
        if cursor:
            arguments["cursor"] = cursor
        if thread_ts is None:
            response = await self._client.call(self._web.conversations_history, **arguments)
        else:
            response = await self._client.call(self._web.conversations_replies, ts=thread_ts, **arguments)
        found = [message for row in response["messages"] if (message := _delivered(row, lane, own)) is not None]
        return found, (response.get("response_metadata") or {}).get("next_cursor") or ""


def _delivered(row: Mapping[str, Any], lane: str, own: Identity) -> Delivered | None:
    """The message in a row of Slack's history, if it is the bot's own and has a mark of `lane`.

    Any app can read a mark and post a copy of it, so the mark of another app proves nothing.
    """
    if not own.bot_id or row.get("bot_id") != own.bot_id:
        return None
    metadata = row.get("metadata") or {}
    payload = metadata.get("event_payload")
    if metadata.get("event_type") != EVENT_TYPE or not isinstance(payload, dict) or payload.get("lane") != lane:
        return None
    delivered_through, at = payload.get("delivered_through"), payload.get("at", 0)
    if not isinstance(delivered_through, int) or not isinstance(at, int):  # another version of the bot wrote it
        return None
    mark = Mark(lane, str(payload.get("part")), delivered_through, at)
    return Delivered(str(row["ts"]), mark, is_in_thread=row.get("thread_ts") not in {None, "", row["ts"]})
