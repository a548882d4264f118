"""`GET /v1/executions`: filters and paging (reference 5.1).

Lives here: `listing`. Pure. Does not live here: which executions there are (`stage`). Called by `server`.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from sandbox.gcs.answers import BAD_LIST_QUERY, Answer, Refusal, error
from sandbox.gcs.bodies import Scene, item

STATUSES = frozenset({"Succeeded", "Failed", "Running", "Cancelled", "Deleting", "Cancelling", "Pending"})
"""Values of the status filter, one per call."""
DEFAULT_LIMIT = 100
"""Undocumented; this is the successor service's default."""


def listing(
    scenes: Sequence[Scene], query: str, *, project_id: str, max_limit: int, cuts_limit: bool = False
) -> Answer:
    """The page of `scenes` that `query` requests. Raises `Refusal`, also for a limit too large unless `cuts_limit`."""
    query_arguments = dict(parse_qsl(query, keep_blank_values=True))
    if query_arguments.get("project_id", project_id) != project_id:
        raise _bad("project_id is not the project of the credentials")
    status = query_arguments.get("status")
    if status is not None and status not in STATUSES:
        raise _bad("status must be one of " + ", ".join(sorted(STATUSES)))
    offset, limit = _page(query_arguments, 10**9 if cuts_limit else max_limit)
    limit = min(limit, max_limit)
    chosen = [scene for scene in scenes if _matches(scene, query_arguments)]
    page = [item(scene) for scene in chosen[offset : offset + limit]]
    return Answer(200, {"executions": page, "total_num": len(chosen)})


def _page(query_arguments: dict[str, str], max_limit: int) -> tuple[int, int]:
    if ("offset" in query_arguments) != ("limit" in query_arguments):
        raise _bad("offset and limit must be given together")
    offset, limit = query_arguments.get("offset", "0"), query_arguments.get("limit", str(min(DEFAULT_LIMIT, max_limit)))
    if not (offset.isdecimal() and limit.isdecimal() and 1 <= int(limit) <= max_limit):
        raise _bad(f"offset and limit must be digits, limit from 1 to {max_limit}")
    return int(offset), int(limit)


def _matches(scene: Scene, query_arguments: dict[str, str]) -> bool:
    status, workflow = query_arguments.get("status"), "" if scene.life.dialect.from_file else scene.life.workflow
    return (
        query_arguments.get("name", "") in scene.name
        and query_arguments.get("workflow_name", workflow) == workflow
        and (status is None or status.casefold() == scene.word(scene.frame.status).casefold())
    )


def _bad(why: str) -> Refusal:
    return Refusal(error(400, BAD_LIST_QUERY, f"Invalid parameter: {why}"))
