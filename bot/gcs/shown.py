"""Whose executions a list shows: only ids and projects, of items of any shape.

Lives here: `Shown` and how it is read. Does not live here: what an item says about its execution (`fingerprint`).
Called by `bot.gcs.client`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from bot.errors import GCSMalformed


class Shown(NamedTuple):
    """An execution that a list shows."""

    execution_id: str
    project_id: str
    """Empty where GCS leaves it out."""


def parse_shown(body: bytes) -> tuple[Shown, ...]:
    """The executions on a page; items that cannot be read are left out.

    Raises:
        GCSMalformed: `body` is no list.
    """
    try:
        rows = json.loads(body.decode("utf-8", "replace"))["executions"] or []
        found = [_shown(row) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise GCSMalformed("not a list of executions: is this GeneContainer Service?") from None
    return tuple(filter(None, found))


def _shown(row: Any) -> Shown | None:
    record = row.get("execution") if isinstance(row, dict) else None
    if not isinstance(record, dict) or not isinstance(record.get("guid"), str):
        return None
    project = record.get("project_id")
    return Shown(record["guid"].strip().casefold(), project if isinstance(project, str) else "")
