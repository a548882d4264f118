"""What an interaction gives the app to respond with: a trigger_id and a response_url.

Lives here: how long and how often each can be used. Does not live here: what they do (`views`, `responses`). Issued by
`interactions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sandbox.slack.refusal import Refused

TRIGGER_SECONDS: Final = 3
RESPONSE_SECONDS: Final = 30 * 60
RESPONSE_USES: Final = 5


@dataclass
class Trigger:
    """A trigger_id: the right to open one view for a person."""

    user: str
    issued: float
    is_used: bool = False


@dataclass
class Reply:
    """A response_url: the right to respond a few times to one interaction."""

    user: str
    channel: str
    issued: float
    ts: str = ""
    """The message whose button was pressed; empty for a command."""
    is_ephemeral: bool = False
    uses: int = 0


class Passes:
    """All trigger_ids and response_urls that were issued."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._triggers: dict[str, Trigger] = {}
        self._replies: dict[str, Reply] = {}

    def trigger(self, user: str) -> str:
        """A new trigger_id."""
        name = f"{len(self._triggers) + 1}.sandbox.trigger"
        self._triggers[name] = Trigger(user, self._now())
        return name

    def reply(self, user: str, channel: str, ts: str = "", *, is_ephemeral: bool = False) -> str:
        """The last part of a new response_url."""
        name = f"reply-{len(self._replies) + 1}"
        self._replies[name] = Reply(user, channel, self._now(), ts, is_ephemeral)
        return name

    def redeem_trigger(self, name: object) -> str:
        """Use a trigger_id; returns the person for whom a view may be opened. Raises `Refused`."""
        trigger = self._triggers.get(str(name))
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger.is_used:
            raise Refused("exchanged_trigger_id")
        if self._now() - trigger.issued > TRIGGER_SECONDS:
            raise Refused("expired_trigger_id")
        trigger.is_used = True
        return trigger.user

    def redeem_reply(self, name: str) -> Reply:
        """Use a response_url once; returns where to respond. Raises `Refused`."""
        reply = self._replies.get(name)
        if reply is None or self._now() - reply.issued > RESPONSE_SECONDS:
            raise Refused("expired_url")
        if reply.uses >= RESPONSE_USES:
            raise Refused("used_url")
        reply.uses += 1
        return reply
