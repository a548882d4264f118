"""What a delivery to the app is and how it can end.

Does not live here: how it travels (`socket_mode`, `http_mode`). Called by those two and by `interactions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["slash_commands", "interactive", "events_api"]


@dataclass(frozen=True)
class Parcel:
    """One attempt to hand something to the app."""

    kind: Kind
    payload: dict[str, Any]
    attempt: int = 0
    """0 for the first one."""
    reason: str = ""
    """Why the attempt before failed: `timeout`, `http_error`, `connection_failed`."""


@dataclass(frozen=True)
class Ack:
    """The app took it, perhaps with an answer."""

    body: Any = None


class NotDelivered(Exception):
    """The app did not take it. `reason` is for the next attempt, `shown` what the person sees."""

    def __init__(self, reason: str, shown: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.shown = shown


def too_late() -> NotDelivered:
    """No ack in time."""
    return NotDelivered("timeout", "operation_timeout")
