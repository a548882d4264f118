"""Promises of people's searches in GCS's list: few calls, shared, newest first, and nothing typed in any error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from bot.errors import GCSError, GCSListForbidden, GCSMalformed, GCSMisdirected
from bot.gcs.client import GCSClient
from bot.gcs.search import MOST_PAGES, PAGE_SIZE, SharedSearches
from bot.gcs.search_page import parse_search_page

from .conftest import ID, Scripted

NOW = datetime(2026, 3, 12, tzinfo=UTC)


def item(number: int, name: str = "", **record: Any) -> dict[str, Any]:
    """An item of the list, as old as its number says."""
    made = (NOW - timedelta(minutes=number)).isoformat()
    known = {"guid": f"{number:08x}{ID[8:]}", "name": name or f"run-{number}", "status": "Running", "create_at": made}
    return {"execution": known | record, "object": {}, "status": None}


def serve(
    scripted: Scripted, items: list[dict[str, Any]], total: Callable[[int], int | None] = lambda count: count
) -> None:
    """Let the server list `items`, filtered and paged as documented; `total` is what it says of how many there are."""

    async def answer(request: web.Request) -> web.StreamResponse:
        query = request.query
        chosen = [each for each in items if query.get("name", "") in each["execution"]["name"]]
        chosen = [each for each in chosen if query.get("status", "Running") == each["execution"]["status"]]
        offset, limit = int(query["offset"]), int(query["limit"])
        body = {"executions": chosen[offset : offset + limit], "total_num": total(len(chosen))}
        return web.json_response(body)

    scripted.answers.append(answer)


def searches(client: GCSClient, now: list[datetime] | None = None) -> SharedSearches:
    """Searches at a time that the test sets."""
    times = now or [NOW]
    return SharedSearches(client, within=timedelta(seconds=5), now=lambda: times[0])


async def test_a_part_of_a_name_is_found(client: GCSClient, scripted: Scripted) -> None:
    """GCS is asked for the name, escaped; the newest comes first."""
    serve(scripted, [item(3, "a&b c-3"), item(1, "a&b c-1"), item(2, "other")])
    found = await searches(client).named("a&b c")
    assert [match.name for match in found.matches] == ["a&b c-1", "a&b c-3"]
    assert (found.unread, len(scripted.requests)) == (0, 1)


async def test_capitals_are_tried_small(client: GCSClient, scripted: Scripted) -> None:
    """A phone writes the first letter large; the list may mind."""
    serve(scripted, [item(1, "germline-1")])
    assert [match.name for match in (await searches(client).named("Germline")).matches] == ["germline-1"]
    assert len(scripted.requests) == 2


async def test_digits_are_compared_with_ids(client: GCSClient, scripted: Scripted) -> None:
    """The first digits find an id among the newest, or a part of a name."""
    serve(scripted, [*(item(number) for number in range(150)), item(151, "from-00000005")])
    found = await searches(client).named("00000005")
    assert [match.name for match in found.matches] == ["run-5", "from-00000005"]


@pytest.mark.parametrize("is_reversed", [False, True])
async def test_the_newest_pages_are_read(client: GCSClient, scripted: Scripted, is_reversed: bool) -> None:
    """At most three calls, whichever end of the list is the newest; the others are counted."""
    serve(scripted, [item(number) for number in sorted(range(1000), reverse=is_reversed)])
    found = await searches(client).in_phase("Running")
    assert len(scripted.requests) == MOST_PAGES
    assert [match.name for match in found.matches[:200]] == [f"run-{number}" for number in range(200)]
    assert found.unread == 700


@pytest.mark.parametrize("total", [None, 0, PAGE_SIZE])
@pytest.mark.parametrize("is_reversed", [False, True])
async def test_a_wrong_total_ends_no_search(
    client: GCSClient, scripted: Scripted, total: int | None, is_reversed: bool
) -> None:
    """GCS leaves it out, or says how many are on the page."""
    serve(scripted, [item(number) for number in sorted(range(250), reverse=is_reversed)], total=lambda _: total)
    found = await searches(client).in_phase("Running")
    assert len(found.matches) == 250


async def test_the_same_search_is_shared(client: GCSClient, scripted: Scripted) -> None:
    """Those who ask at once or shortly after get one answer; later ones a new one."""
    serve(scripted, [item(1)])
    now = [NOW]
    shared = searches(client, now)
    await asyncio.gather(*(shared.named("run") for _ in range(20)))
    await shared.named("run")
    assert len(scripted.requests) == 1
    for count, later in enumerate((timedelta(minutes=1), -timedelta(hours=1)), 2):  # clocks are set back
        now[0] += later
        await shared.named("run")
        assert len(scripted.requests) == count


async def test_a_rule_gets_an_answer_of_its_own(client: GCSClient, scripted: Scripted) -> None:
    """What began since somebody else asked is in it."""
    items = [item(1)]
    serve(scripted, items)
    shared = searches(client)
    await shared.of_workflow("")
    items.append(item(0))
    assert [match.name for match in (await shared.of_workflow("")).matches] == ["run-0", "run-1"]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, GCSError), (403, GCSListForbidden), (404, GCSMisdirected), (500, GCSError)]
)
async def test_errors_repeat_nothing_typed(
    client: GCSClient, scripted: Scripted, status: int, kind: type[GCSError]
) -> None:
    """GCS's words about a refusal may hold the name; the error, which is logged, does not."""
    scripted.says(status, json.dumps({"error_code": "GCS.1", "error_msg": "bad name=secret-run"}))
    with pytest.raises(kind) as caught:
        await searches(client).named("secret-run")
    assert "secret-run" not in str(caught.value)


def test_odd_items_are_left_out() -> None:
    """What has no id is no hit; fields of other types are read sensibly; totals may be missing."""
    items = [item(1, 7), item(2, guid="x"), {"execution": None}, 5, item(3, status=None, create_at=8)]  # type: ignore[arg-type]
    page = parse_search_page(json.dumps({"executions": items}).encode())
    assert [(match.name, match.phase) for match in page.matches] == [("7", "Running"), ("run-3", "")]
    assert (page.length, page.total) == (5, 5)
    assert parse_search_page(b'{"executions": null}').matches == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"executions": 5}', b'{"error_code": 5}'])
def test_no_list_is_malformed(body: bytes) -> None:
    """Something else than a list finds nothing, which is said."""
    with pytest.raises(GCSMalformed):
        parse_search_page(body)
