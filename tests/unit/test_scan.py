"""Promises of a scan: it shows everything that is not too old, in whatever order GCS lists it, and little else."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.search import Match
from bot.gcs.listing import Page
from bot.workers.sweeper.scan import FIRST, LARGEST, Scan

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLOOR = NOW - timedelta(minutes=10)


def executions(count: int, *, every: float) -> list[Match]:
    """The newest first, one in so many seconds."""
    return [Match(f"e{number}", created_at=NOW - timedelta(seconds=every * number)) for number in range(count)]


Total = Callable[[int, int], int]
"""What GCS says about how many there are, by how many there are and how many are on the page."""


def scanned(listed: list[Match], *, most: int = LARGEST, total: Total = lambda count, _: count) -> tuple[set[str], int]:
    """What a scan of a list shows, and how many pages it takes; GCS gives at most so many items."""
    scan, shown = Scan(FLOOR), set[str]()
    while (wanted := scan.next_page) is not None:
        offset, limit = wanted
        items = tuple(listed[offset : offset + min(limit, most)])
        shown |= {match.execution_id for match in items}
        scan.add(Page((), len(items), max(total(len(listed), len(items)), len(items)), 0, new=items))
        assert scan.pages < 100
    return shown, scan.pages


ORDERS: dict[str, Callable[[list[Match]], list[Match]]] = {
    "newest first": lambda listed: listed,
    "oldest first": lambda listed: listed[::-1],
    "none": lambda listed: random.Random(7).sample(listed, len(listed)),  # noqa: S311  # no secret
}


@pytest.mark.parametrize("count", [0, 1, FIRST - 1, FIRST, FIRST + 1, 700, 3000])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("most", [60, LARGEST])
def test_nothing_new_is_missed(count: int, order: str, most: int) -> None:
    """Of a list in any order, and from a GCS that gives less than it was asked for."""
    listed = executions(count, every=1)
    shown, _ = scanned(ORDERS[order](listed), most=most)
    wanted = {match.execution_id for match in listed if match.created_at and match.created_at >= FLOOR}
    assert wanted <= shown


TOTALS: dict[str, Total] = {
    "none": lambda _, __: 0,
    "of the page": lambda _, on_page: on_page,
    "too small": lambda count, _: count // 2,
    "too large": lambda count, _: 2 * count,
    "far too large": lambda _, __: 10**9,
}


@pytest.mark.parametrize("count", [0, 1, FIRST, FIRST + 1, 700, 3000])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("total", TOTALS)
def test_a_wrong_total_hides_nothing(count: int, order: str, total: str) -> None:
    """GCS leaves the number of executions out, or it is that of something else."""
    listed = executions(count, every=1)
    shown, _ = scanned(ORDERS[order](listed), total=TOTALS[total])
    wanted = {match.execution_id for match in listed if match.created_at and match.created_at >= FLOOR}
    assert wanted <= shown


@pytest.mark.parametrize(("order", "pages"), [("newest first", 1), ("oldest first", 2)])
def test_a_long_history_costs_nothing(order: str, pages: int) -> None:
    """A hundred thousand executions, of which a few are new."""
    assert scanned(ORDERS[order](executions(100_000, every=30)))[1] == pages


def test_a_list_without_times_is_read_whole() -> None:
    """Nothing says where the newest are."""
    shown, _ = scanned([Match(f"e{number}") for number in range(300)])
    assert len(shown) == 300


def test_an_order_by_chance_is_not_believed() -> None:
    """Its first page was in order by chance."""
    listed = executions(700, every=1)
    shuffled = [*listed[:FIRST], *random.Random(7).sample(listed[FIRST:], 600)]  # noqa: S311  # no secret
    shown, _ = scanned(shuffled)
    assert len(shown) == 700
