"""`GET /v1/executions`: filters and paging (reference 5.1).

Lives here: `listing`. Pure. Does not live here: which executions there are (`stage`). Called by `server`.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from sandbox.gcs.answers import BAD_LIST_QUERY, Answer, Refusal, error
from sandbox.gcs.bodies import Scene, item

STATUSES = frozenset({"Succeeded", "Failed", "Running", "Cancelled", "Deleting", "Cancelling", "Pending"})
"""What the status filter takes: one of these, one per call."""
DEFAULT_LIMIT = 100
"""Undocumented; the successor service's."""


def listing(
    scenes: Sequence[Scene], query: str, *, project_id: str, max_limit: int, cuts_limit: bool = False
) -> Answer:
    """The page of `scenes` that `query` asks for, else a refusal; a limit that is too large is refused, or cut."""
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if asked.get("project_id", project_id) != project_id:
        raise _bad("project_id is not the project of the credentials")
    status = asked.get("status")
    if status is not None and status not in STATUSES:
        raise _bad("status must be one of " + ", ".join(sorted(STATUSES)))
    offset, limit = _page(asked, 10**9 if cuts_limit else max_limit)
    limit = min(limit, max_limit)
    chosen = [scene for scene in scenes if _matches(scene, asked)]
    page = [item(scene) for scene in chosen[offset : offset + limit]]
    return Answer(200, {"executions": page, "total_num": len(chosen)})


def _page(asked: dict[str, str], max_limit: int) -> tuple[int, int]:
    if ("offset" in asked) != ("limit" in asked):
        raise _bad("offset and limit must be given together")
    offset, limit = asked.get("offset", "0"), asked.get("limit", str(min(DEFAULT_LIMIT, max_limit)))
    if not (offset.isdecimal() and limit.isdecimal() and 1 <= int(limit) <= max_limit):
        raise _bad(f"offset and limit must be digits, limit from 1 to {max_limit}")
    return int(offset), int(limit)


def _matches(scene: Scene, asked: dict[str, str]) -> bool:
    status, workflow = asked.get("status"), "" if scene.life.dress.from_file else scene.life.workflow
    return (
        asked.get("name", "") in scene.name
        and asked.get("workflow_name", workflow) == workflow
        and (status is None or status.casefold() == scene.word(scene.frame.status).casefold())
    )


def _bad(why: str) -> Refusal:
    return Refusal(error(400, BAD_LIST_QUERY, f"Invalid parameter: {why}"))
