"""Examples of the message that says how an execution ended.

Lives here: the examples. Does not live here: what they show (`tests.messages.world`). Called by
`tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bot.blocks import Message, outcome_message
from bot.domain.model import ChangeKind, Execution
from tests.messages import world
from tests.messages.example import Example, Goal, Place, Surface
from tests.messages.world import CHANNEL_SUBSCRIPTION, NOW, RUNNING, end

END = Goal("end", wide=170, narrow=260, is_held=False)
_RETRY = {"retry_until": NOW + timedelta(hours=20)}


def _end(execution: Execution, **fields: Any) -> Callable[[], Message]:
    return lambda: outcome_message(end(execution, **fields), CHANNEL_SUBSCRIPTION, execution, now=NOW)


_TIMED_OUT = replace(world.FAILED, reason="", message="", message_zh="", timeout=timedelta(minutes=90))
_STOPPED = replace(RUNNING, phase="Cancelled", elapsed=timedelta(minutes=48), updated_at=NOW)

ENDS = Surface(
    "Ends",
    "A new message when an execution ends; in a channel it answers the card.",
    Place.CHANNEL,
    (
        Example("Succeeded", "All steps are done.", _end(world.SUCCEEDED), END),
        Example("Failed", "One step failed; a retry may follow.", _end(world.FAILED, **_RETRY), END),
        Example("Failed for good", "The same without a retry to wait for.", _end(world.FAILED), END),
        Example("Failed, many steps", "29 steps failed.", _end(world.MANY_FAILED, **_RETRY), END),
        Example("Failed, Chinese names", "Names and texts in Chinese.", _end(world.CHINESE, **_RETRY), END),
        Example("Failed, time limit", "GCS names no reason, but the time is up.", _end(_TIMED_OUT), END),
        Example("Failed, no reason", "GCS says nothing at all.", _end(replace(RUNNING, phase="Failed", steps=())), END),
        Example("Error", "The phase of a mistake in GCS.", _end(replace(world.FAILED, phase="Error")), END),
        Example("Cancelled", "Somebody stopped it; it may be retried.", _end(_STOPPED, **_RETRY), END),
        Example("Aborted", "The same word of another engine.", _end(replace(_STOPPED, phase="Aborted")), END),
        Example("Deleted", "GCS does not know it any more.", _end(RUNNING, kind=ChangeKind.VANISHED), END),
    ),
)
