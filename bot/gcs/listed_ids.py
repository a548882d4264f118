"""The ids on a page of the list of executions, each with its project; items may have any shape otherwise.

Lives here: `ListedId` and how it is read. Does not live here: what an item says about its execution (`fingerprint`).
Called by `bot.gcs.client`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from bot.errors import GCSMalformed
from bot.gcs.body import listed


class ListedId(NamedTuple):
    """The id of a listed execution, and the project that it belongs to."""

    execution_id: str
    project_id: str
    """Empty where GCS leaves it out."""


def parse_listed_ids(body: bytes) -> tuple[ListedId, ...]:
    """The ids on a page; items that cannot be read are left out.

    Raises:
        GCSMalformed: `body` is not a list.
    """
    try:
        found = map(_listed_id, listed(body).items)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise GCSMalformed("not a list of executions: is this GeneContainer Service?") from None
    return tuple(filter(None, found))


def _listed_id(item: Raw) -> ListedId | None:
    try:
        row: Any = json.loads(bytes(item).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    record = row.get("execution") if isinstance(row, dict) else None
    if not isinstance(record, dict) or not isinstance(record.get("guid"), str):
        return None
    project = record.get("project_id")
    return ListedId(record["guid"].strip().casefold(), project if isinstance(project, str) else "")
