"""Promises of reading a list while it arrives: the same as reading all of it, however little of it is parsed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.errors import GCSMalformed
from bot.gcs import listing as listing_module
from bot.gcs.fingerprint import ItemState, fingerprint_of, item_state
from bot.gcs.known import NOTHING_LISTED, VOLATILE_FIELDS, Listing
from bot.gcs.listed_ids import parse_listed_ids
from bot.gcs.listing import Page, PageReader, parse_page
from bot.gcs.search_page import parse_search_page
from bot.gcs.tables import GetExecutionResponse

from .conftest import ID, body_of

Json = dict[str, Any]
Path = tuple[str | int, ...]

RUNNING: Json = json.loads(body_of("running")) | {"status": None}


def item(number: int, **record: object) -> Json:
    """The item of the running execution of the reference under another id."""
    copied = copy.deepcopy(RUNNING)
    copied["execution"].update(guid=f"{number:08x}{ID[8:]}", **record)
    return copied


def at(second: int, number: int = 1) -> Json:
    """The same some seconds later: all that moves by itself has moved, and its second step has begun."""
    moved = item(number, time_duration=400 + second, update_at=f"2018-08-20T07:00:{second:02}Z")
    moved["object"]["metadata"]["resourceVersion"] = str(29574440 + second)
    status = moved["object"]["status"]
    for report in (status["objectStatus"], status["subObjectStatuses"]["job-b"]):
        report["updateAt"] = f"2018-08-20T07:00:{second:02}Z"
    return moved


def packed(*items: Json, total: int = 0) -> bytes:
    """A page with these items."""
    return json.dumps({"executions": items, "total_num": total}).encode()


def read(*items: Json, before: Listing = NOTHING_LISTED) -> Page:
    """What a page with these items shows."""
    return parse_page(packed(*items), before)


def listing(page: Page) -> Listing:
    """A whole list of one page."""
    return Listing.of(page.items, page.runs)


def states(page: Page) -> list[tuple[str, str]]:
    """What a page shows, without how it was read."""
    return [(each.execution_id, each.state) for each in page.items]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths to all values that hold no others."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    else:
        yield path


def changed(body: Json, path: Path) -> Json:
    """`body` with another value of the same length, where that is possible, at `path`."""
    body = copy.deepcopy(body)
    holder: Any = body
    for step in path[:-1]:
        holder = holder[step]
    old = holder[path[-1]]
    holder[path[-1]] = old + 1 if isinstance(old, int) else "7" * max(len(old or ""), 1)
    return body


def third(body: Json) -> list[Json]:
    """A list in which `body` is the third item: the first two of a page are always parsed."""
    return [item(8), item(9), body]


def many(second: int) -> list[Json]:
    """A list of many items, some of which begin a run."""
    return [at(second, number) for number in range(60)]


def known_in_runs() -> Listing:
    """That list after three readings: it is known what moves in its items, and they were compared one by one."""
    before = NOTHING_LISTED
    for second in range(3):
        before = listing(read(*many(second), before=before))
    return before


def learned(earlier: Json, later: Json) -> Listing:
    """A list whose third item was read twice, so that it is known what moves in it."""
    return listing(read(*third(later), before=listing(read(*third(earlier)))))


@pytest.mark.parametrize("size", [1, 7, 300, 100_000])
def test_pieces_of_any_size_are_the_page(size: int) -> None:
    """Wherever the body is cut, all items are found, with or without an earlier list."""
    body = packed(item(1), item(2), item(3), total=7)
    whole = parse_page(body)
    for before in (NOTHING_LISTED, listing(whole)):
        reader = PageReader(before)
        for begin in range(0, len(body), size):
            reader.feed(body[begin : begin + size])
        assert reader.page()._replace(new=whole.new, changed=whole.changed) == whole
    assert (whole.length, whole.total, whole.size_bytes) == (3, 7, len(body))


def test_a_page_says_what_has_changed() -> None:
    """What is new, or in another state; not what has only moved."""
    before = listing(read(at(1), item(2), item(3)))
    page = read(at(2), item(4), item(3, status="Pending"), item(2), before=before)
    assert [each.execution_id[:8] for each in page.changed] == ["00000004", "00000003"]


def test_a_page_says_what_is_new() -> None:
    """With all that rules look for; what the list before it shows is not, however much of it has changed."""
    before = listing(read(item(1), item(2)))
    page = read(item(3, label={"batch": "panel-7"}), item(2, status="Failed"), item(1), before=before)
    (new,) = page.new
    assert (new.execution_id[:8], new.phase, new.workflow_name) == ("00000003", "Running", "deepvariant")
    assert new.created_at == datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)
    assert new.labels == (("batch", "panel-7"),)
    assert new.projects == ("dts", "ccc130bb-fa32-4af9-9370-7458470169cf")
    assert len(before.items) == 2


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n ", " : ")])
def test_any_spacing_is_read(separators: tuple[str, str]) -> None:
    """A list is read however GCS spaces its JSON."""
    body = json.dumps({"total_num": 2, "executions": [item(1), item(2)]}, separators=separators).encode()
    page = parse_page(body)
    assert states(page) == states(read(item(1), item(2)))
    assert parse_page(body, listing(page)).items == page.items


@pytest.mark.parametrize(
    "body", [b'{"executions": null}', b'{"executions": null, "total_num": 0}', b'{"total_num": 0}']
)
def test_an_empty_list_may_be_left_out(body: bytes) -> None:
    """GCS may write null where nothing is listed, or leave the list out, as it does with empty objects."""
    assert parse_page(body, listing(read(RUNNING))).length == 0
    assert parse_search_page(body).matches == ()
    assert parse_listed_ids(body) == ()


@pytest.mark.parametrize(
    ("wire", "total"), [(7.0, 7), ("7.0", 7), ("many", 1), ([7], 1), (True, 1), (None, 1), (-3, 1)]
)
def test_a_total_of_another_type(wire: object, total: int) -> None:
    """It is read sensibly or is unknown; then the list has as many items as the page."""
    body = json.dumps({"executions": [item(1)], "total_num": wire}).encode()
    assert parse_page(body).total == parse_search_page(body).total == total


@pytest.mark.parametrize(
    "changes",
    [
        {"execution": {"name": 7, "label": [{"key": "batch", "value": "7"}], "description": ["a", "b"]}},
        {"execution": {"target": {"a": 1}, "status": 3, "create_at": [2026]}, "enterprise_project": "0"},
        {"object": []},
        {"object": {"metadata": 5, "spec": {"metadata": {"labels": "x"}}, "status": "Running"}},
        {"object": {"status": {"objectStatus": "Running", "subObjectStatuses": {"job-a": "Failed"}}}},
        {"object": {"status": {"objectStatus": {"message": ["a", "b"]}, "subObjectStatuses": [{"name": "job-a"}]}}},
    ],
)
def test_items_of_other_shapes_are_read(changes: dict[str, Any]) -> None:
    """A list shows of them what their own answers show, and rules find them."""
    shown = item(1)
    for table, change in changes.items():
        shown[table] = {**shown[table], **change} if isinstance(change, dict) else change
    page = read(item(2), shown)
    own = GetExecutionResponse.read(json.dumps(shown).encode())
    assert page.items[1].state == fingerprint_of(own).state
    assert page.new[1].workflow_name == "deepvariant"


def test_unreadable_items_are_skipped_but_count() -> None:
    """An item that cannot be read has no entry, and still counts for paging."""
    odd = [{"execution": None}, None, 5, "a ] text", [[1], {}], {"execution": {"guid": "no id"}}, {}]
    body = json.dumps({"executions": [item(1), *odd, item(2)], "total_num": "12"}).encode()
    page = parse_page(body)
    assert states(page) == states(read(item(1), item(2)))
    assert (page.length, page.total) == (9, 12)


def test_unchanged_items_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those that were listed before; the first two of a page are parsed, to find their place and the gap."""
    items = [item(number) for number in range(9)]
    first = read(*items)
    parsed: list[str] = []

    def spied(text: bytes) -> ItemState | None:
        if (shown := item_state(text)) is not None:
            parsed.append(shown.execution_id[:8])
        return shown

    monkeypatch.setattr(listing_module, "item_state", spied)
    again = read(*items, before=listing(first))
    assert all(mine is theirs for mine, theirs in zip(again.items, first.items, strict=True))
    assert parsed == ["00000000", "00000001"]


def test_values_that_move_are_left_out() -> None:
    """From the third reading on, an item in which only times have moved is the one listed before."""
    before = learned(at(1), at(2))
    assert read(*third(at(3)), before=before).items[2] is before.items[2]


def test_times_that_move_apart_are_learned_too() -> None:
    """Where not only the latest time moves, all of them are left out from the next reading on."""

    def apart(second: int) -> Json:
        body = at(second)
        body["object"]["status"]["objectStatus"]["updateAt"] = f"2018-08-20T06:59:{second:02}Z"
        return body

    before = listing(read(*third(apart(3)), before=learned(apart(1), apart(2))))
    assert read(*third(apart(4)), before=before).items[2] is before.items[2]


def test_neighbours_are_compared_at_once() -> None:
    """From the fourth reading on, runs of unchanged items are known as a whole, wherever the body is cut."""
    before = known_in_runs()
    assert sum(len(run.items) for run in before.runs.values()) > 40
    body = packed(*many(4))
    for size in (1_000, 30_000, len(body)):
        reader = PageReader(before)
        for begin in range(0, len(body), size):
            reader.feed(body[begin : begin + size])
        page = reader.page()
        assert all(mine is theirs for mine, theirs in zip(page.items, before.items, strict=True))
        assert {id(run) for run in page.runs} == {id(run) for run in before.runs.values()}


@pytest.mark.parametrize("number", range(0, 60, 7))
def test_what_changes_within_a_run_is_noticed(number: int) -> None:
    """An item that changed, ended or began among others shows what it shows when read afresh."""
    before, items = known_in_runs(), many(5)
    other = changed(items[number], ("execution", "name"))
    for now in (
        [*items[:number], other, *items[number + 1 :]],
        [*items[:number], *items[number + 1 :]],
        [*items[:number], at(5, 99), *items[number:]],
        [*items[number:], *items[:number]],
    ):
        page = read(*now, before=before)
        assert states(page) == states(read(*now))
        again = read(*now, before=listing(page))
        assert (states(again), again.length) == (states(page), len(now))


@pytest.mark.parametrize("path", list(leaves(at(2))), ids=".".join)
def test_every_other_value_is_noticed(path: Path) -> None:
    """Whatever changes in an item whose moving values are left out: it shows what it shows when read afresh."""
    items = third(changed(at(3), path))
    assert states(read(*items, before=learned(at(1), at(2)))) == states(read(*items))


@pytest.mark.parametrize("name", VOLATILE_FIELDS)
def test_labels_may_be_named_like_times(name: str) -> None:
    """A label is part of what people see, whatever its name."""

    def labelled(second: int, label: str) -> Json:
        body = at(second)
        body["execution"]["label"] = {name: label}
        return body

    before, items = learned(labelled(1, "5"), labelled(2, "5")), third(labelled(2, "6"))
    assert states(read(*items, before=before)) == states(read(*items))
    assert read(*items).items[2].state != before.items[2].state


def test_nothing_hides_where_a_value_moved() -> None:
    """In the place of a number of three digits, other JSON of three characters is not overlooked."""
    text = packed(*third(at(3))).replace(b'"time_duration": 403', b'"time_duration": 4,"')
    with pytest.raises(GCSMalformed):
        parse_page(text, learned(at(1), at(2)))


def test_nothing_hides_between_items_of_a_run() -> None:
    """Known items in a text that is no list do not make it one, nor does JSON in the place of a number."""
    before, body = known_in_runs(), packed(*many(6))
    middle = body.index(b"}, {", len(body) // 2)
    for broken in (
        body[:middle] + b"}; {" + body[middle + 4 :],
        body.replace(b'"time_duration": 406', b'"time_duration": 4,"'),
    ):
        with pytest.raises(GCSMalformed):
            parse_page(broken, before)


def test_what_stands_between_items_is_checked() -> None:
    """Known items in a text that is no list do not make it one."""
    body = packed(*third(item(1)))
    with pytest.raises(GCSMalformed):
        parse_page(b"}; {".join(body.rsplit(b"}, {", 1)), listing(parse_page(body)))


def test_lists_in_another_order_are_the_same() -> None:
    """Executions that began, ended or moved since the last reading are found where they are now."""
    items = [item(number) for number in range(8)]
    before = listing(read(*items[:6]))
    for now in (items[::-1], items[1:], items[:2] + items[4:], [items[7], *items[:3], items[6], *items[3:6]], []):
        assert states(read(*now, before=before)) == states(read(*now))


BROKEN = [
    b"<html>",
    b"{}",
    b'{"executions": 3}',
    b'{"error_code": "GCS.1", "error_msg": "no"}',
    b'{"executions": null',
    b'{"executions": {"a": 1}, "total_num": 1}',
    b'{"executions": [{"execution": {"guid": 1}}',
    b'{"executions": [{} {}]}',
    b'{"executions": [{},]}',
    b'{"executions": [,{}]}',
    b'{"executions": [}]}',
    b'{"a": {"executions": []}}',
    b'{"a": {"executions": []}, "executions": [{}]}',
    packed(RUNNING)[:-60],
    b'{"executions": [' + b"[" * 200_000 + b"]" * 200_000 + b"]}",
    b'{"executions": [' + b"{}," * 20_000 + b"{}]}",
]


@pytest.mark.parametrize("body", BROKEN)
def test_refuses_what_is_no_list(body: bytes) -> None:
    """A gateway's page, an execution or half a list is not taken for a list."""
    for before in (NOTHING_LISTED, listing(read(RUNNING))):
        with pytest.raises(GCSMalformed):
            parse_page(body, before)


def test_a_list_cut_at_any_byte_is_refused() -> None:
    """What arrived in part is no list."""
    body = packed(item(1), item(2))
    before = listing(parse_page(body))
    for cut in range(len(body)):
        with pytest.raises(GCSMalformed):
            parse_page(body[:cut], before)
