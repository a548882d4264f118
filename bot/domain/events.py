"""What GCS says happened to the steps of an execution, and which of it matters for a failure.

Lives here: `Event`, `latest`. Does not live here: how GCS spells events (`bot.gcs.events`), how they look
(`bot.blocks.why`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

_NEVER = datetime.min.replace(tzinfo=UTC)


class Event(NamedTuple):
    """One event of one element; texts are those of GCS, without secrets or markup taken out."""

    element: str
    """The step, or a helper of one: `job-a`, `job-a-init`; empty when it is about the execution."""
    reason: str = ""
    message: str = ""
    """English where GCS sent it, as is `reason`; otherwise the text as GCS sent it."""
    reason_zh: str = ""
    message_zh: str = ""
    """The Chinese half beside an English one, as is `reason_zh`; else empty."""
    at: datetime | None = None
    """When it last happened, in UTC; None where GCS does not say."""
    times: int = 1
    """How often."""


def latest(events: Sequence[Event], steps: Iterable[str], most: int) -> tuple[Event, ...]:
    """The last `most` events of `steps` and of their helpers, oldest first; of the whole execution if they have none.

    GCS documents no order. Events without a time come first.
    """
    names = {name for step in steps for name in (step, f"{step}-init")}
    about = [event for event in events if event.element in names] or events
    return tuple(sorted(about, key=lambda event: event.at or _NEVER)[-most:])
