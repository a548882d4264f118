"""`GET /v1/executions` filters and pages as documented."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sandbox.gcs import GCS
from sandbox.story import deleted, failing, happy
from tests.sandbox.gcs_caller import Query, get


@pytest.fixture
async def gcs() -> AsyncIterator[GCS]:
    """Three executions, started one after another, and one that is gone."""
    async with GCS(max_limit=10) as running:
        running.play(happy(), execution_id="one", ago=9000)
        running.play(failing(), execution_id="two", ago=8000)
        running.play(happy(), execution_id="three", by_hand=True)
        running.play(deleted(), execution_id="gone", ago=9999)
        yield running


async def found(gcs: GCS, query: Query) -> tuple[list[str], int]:
    """Ids on the page, and the total."""
    body = (await get(gcs, "/v1/executions", query)).json
    return [item["execution"]["guid"] for item in body["executions"]], body["total_num"]


async def test_newest_first(gcs: GCS) -> None:
    """All executions, newest first."""
    assert await found(gcs, []) == (["three", "two", "one"], 3)


async def test_items_have_no_counts(gcs: GCS) -> None:
    """A list shows the phase, but `status` is null in every item."""
    items = (await get(gcs, "/v1/executions")).json["executions"]
    assert [(item["execution"]["status"], item["status"]) for item in items] == [
        ("Pending", None),
        ("Failed", None),
        ("Succeeded", None),
    ]


async def test_pages(gcs: GCS) -> None:
    """`total_num` counts all executions, on every page."""
    assert await found(gcs, [("offset", "1"), ("limit", "1")]) == (["two"], 3)
    assert await found(gcs, [("offset", "3"), ("limit", "10")]) == ([], 3)


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("status", "Failed", ["two"]),
        ("status", "Running", []),
        ("name", "germline", ["three", "two", "one"]),
        ("name", "exome", []),
        ("workflow_name", "germline-wgs", ["three", "two", "one"]),
        ("workflow_name", "germline", []),
    ],
)
async def test_filters(gcs: GCS, name: str, value: str, ids: list[str]) -> None:
    """A name matches by substring, a workflow in full, a status exactly."""
    assert await found(gcs, [(name, value)]) == (ids, len(ids))


@pytest.mark.parametrize(
    "query",
    [
        [("offset", "0")],
        [("limit", "5")],
        [("limit", "11"), ("offset", "0")],
        [("limit", "0"), ("offset", "0")],
        [("limit", "-1"), ("offset", "0")],
        [("limit", "5"), ("offset", "x")],
        [("status", "Running,Failed")],
        [("status", "Retrying")],
        [("project_id", "f" * 32)],
    ],
)
async def test_refused(gcs: GCS, query: Query) -> None:
    """Offset and limit come together and within bounds, a status is one of seven, the project is the caller's."""
    assert (await get(gcs, "/v1/executions", query)).error == (400, "GCS.4000001")
