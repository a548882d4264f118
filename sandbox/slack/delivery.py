"""A delivery to the app and how it can end.

Does not live here: transport (`socket_mode`, `http_mode`). Called by those two and by `interactions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["slash_commands", "interactive", "events_api"]


@dataclass(frozen=True)
class Parcel:
    """One attempt to deliver something to the app."""

    kind: Kind
    payload: dict[str, Any]
    attempt: int = 0
    """0 for the first one."""
    reason: str = ""
    """Why the previous attempt failed: `timeout`, `http_error`, `connection_failed`."""


@dataclass(frozen=True)
class Ack:
    """The app acknowledged it, possibly with a body."""

    body: Any = None


class NotDelivered(Exception):
    """The app did not acknowledge it. `reason` is for the next attempt, `shown` is what the person sees."""

    def __init__(self, reason: str, shown: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.shown = shown


def too_late() -> NotDelivered:
    """No acknowledgement in time."""
    return NotDelivered("timeout", "operation_timeout")
