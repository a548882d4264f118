"""A page of the list of executions as people's searches read it: what each execution is found by, and its phase.

Lives here: `SearchPage` and how it is read; items that cannot be read are left out. Does not live here: which pages
are requested (`bot.gcs.search`), what the sweeper reads of lists (`bot.gcs.listing`). Called by `bot.gcs.client`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from bot.domain.search import Match
from bot.errors import GCSMalformed
from bot.gcs import values
from bot.gcs.body import listed


class SearchPage(NamedTuple):
    """One page."""

    matches: tuple[Match, ...]
    """In GCS's order."""
    length: int
    """Items on the page, unreadable ones included."""
    total: int
    """Executions in the whole list."""


class _Record(msgspec.Struct):
    guid: str
    name: Any = None
    status: Any = None
    workflow_name: Any = None
    wdl_name: Any = None
    create_at: Any = None
    workflow_id: Any = None
    label: Any = None


class _Item(msgspec.Struct):
    execution: _Record
    enterprise_project: Any = None


_item = msgspec.json.Decoder(_Item)


def parse_search_page(body: bytes) -> SearchPage:
    """Read one page.

    Raises:
        GCSMalformed: `body` is not a list.
    """
    try:
        page = listed(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise GCSMalformed("not a list of executions") from None
    matches = tuple(match for match in map(_match, page.items) if match is not None)
    return SearchPage(matches, len(page.items), values.count(values.whole(page.total)) or len(page.items))


def _match(raw: msgspec.Raw) -> Match | None:
    try:
        item = _item.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    record, project = item.execution, item.enterprise_project if isinstance(item.enterprise_project, dict) else {}
    execution_id = record.guid.strip().casefold()
    if not values.ID_PATTERN.fullmatch(execution_id):
        return None
    return Match(
        execution_id=execution_id,
        name=values.cut(values.plain(record.name)),
        phase=values.phase(values.plain(record.status)),
        workflow_name=values.cut(values.plain(record.workflow_name) or values.plain(record.wdl_name)),
        created_at=values.moment(values.plain(record.create_at)) or values.moment_of_id(execution_id),
        workflow_id=values.cut(values.plain(record.workflow_id)),
        labels=tuple(values.labels(values.pairs(record.label)).items()),
        projects=tuple(filter(None, (values.cut(values.plain(project.get(key))) for key in ("name", "id")))),
    )
