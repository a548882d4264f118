"""The ids on a page of the list of executions, each with its project; items may have any shape otherwise.

Lives here: `ListedId` and how it is read. Does not live here: what an item says about its execution (`fingerprint`).
Called by `bot.gcs.client`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from bot.errors import GCSMalformed


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
        rows = json.loads(body.decode("utf-8", "replace"))["executions"] or []
        found = [_listed_id(row) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise GCSMalformed("not a list of executions: is this GeneContainer Service?") from None
    return tuple(filter(None, found))


def _listed_id(row: Any) -> ListedId | None:
    record = row.get("execution") if isinstance(row, dict) else None
    if not isinstance(record, dict) or not isinstance(record.get("guid"), str):
        return None
    project = record.get("project_id")
    return ListedId(record["guid"].strip().casefold(), project if isinstance(project, str) else "")
