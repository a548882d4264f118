"""The answer to `GET /v1/executions/{id}/events` (reference 5.2): a bare JSON array of events.

Lives here: the fields that are read of an event, and the translation to `bot.domain.events.Event`. As lenient as
`bot.gcs.tables`: an event that cannot be read is left out. Does not live here: which events matter
(`bot.domain.events`). Called by `bot.gcs.client`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from pydantic import ValidationError

from bot.domain.events import Event
from bot.errors import GCSMalformed
from bot.gcs import values
from bot.gcs.body import mend
from bot.gcs.lenient import Prose, Text, Whole
from bot.gcs.tables import CamelTable

MOST_EVENTS = 5_000
"""At most this many events of an answer are read. GCS documents neither pages nor an order."""

_entries = msgspec.json.Decoder(list[Raw])


class EventRecord(CamelTable):
    """What is read of one event."""

    NOT_READ = ("metadata", "involvedObject", "type", "elemType", "actionName")
    reason: Prose = ""
    message: Prose = ""
    first_timestamp: Text = ""
    last_timestamp: Text = ""
    count: Whole = None
    elem_id: Text = ""

    def to_event(self) -> Event:
        """The domain's event."""
        reason, message = values.bilingual(self.reason), values.bilingual(self.message)
        return Event(
            element=values.cut(self.elem_id, 100),
            reason=reason.text,
            message=message.text,
            reason_zh=reason.chinese,
            message_zh=message.chinese,
            at=values.first_moment((self.last_timestamp, self.first_timestamp)),
            times=max(1, values.count(self.count) or 1),
        )


def parse_events(body: bytes) -> tuple[Event, ...]:
    """The events of an answer in GCS's order, without those that say nothing.

    Raises:
        GCSMalformed: `body` is not an array.
    """
    try:
        entries = _entries.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        entries = _mended(body)
    return tuple(event for event in map(_event, entries[:MOST_EVENTS]) if event is not None)


def _mended(body: bytes) -> list[Raw]:
    try:
        return _entries.decode(mend(body))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise GCSMalformed("not an array of events") from None


def _event(entry: Raw) -> Event | None:
    try:
        event = EventRecord.model_validate_json(bytes(entry)).to_event()
    except ValidationError:
        return None
    return event if event.reason or event.message else None
