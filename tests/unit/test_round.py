"""One reading of the whole list: which pages it takes, and what dropped out since the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.gcs.known import Listed
from bot.gcs.listing import Page
from bot.workers.sweeper.round import MOST_LISTED, Round


def begun(limit: int = 10, **totals: int) -> Round:
    """A round that has requested nothing yet, after one that had these totals."""
    return Round(began=0.0, limit=limit, defer_for=timedelta(seconds=15), useful_calls=10, totals=totals)


def page(ids: Sequence[str], *, total: int | None = None, size_bytes: int = 0) -> Page:
    """A page that shows executions with these ids."""
    return Page(tuple(Listed(each, "state") for each in ids), len(ids), total or len(ids), size_bytes)


def completed(ids: Sequence[str]) -> Round:
    """A round that listed these ids in this order."""
    round_ = begun(len(ids))
    round_.add("Running", 0, page(ids))
    round_.complete()
    return round_


IDS = [f"e{number:02}" for number in range(20)]


def test_the_first_page_says_how_many_follow() -> None:
    """Each page repeats the last item of the one before, since an execution that ends moves all others up."""
    round_ = begun(limit=10)
    assert [round_.pages_left.popleft() for _ in range(2)] == [("Running", 0), ("Pending", 0)]
    round_.add("Running", 0, page(IDS[:10], total=29))
    assert list(round_.pages_left) == [("Running", 9), ("Running", 18), ("Running", 27)]
    assert round_.listed == 29


def test_no_page_is_read_for_what_another_shows() -> None:
    """The last of 28 executions is also the last one on the page behind the eighteenth."""
    assert list(begun(limit=10, Running=28).pages_left) == [*(("Running", at) for at in (0, 9, 18)), ("Pending", 0)]
    round_ = begun(limit=10)
    round_.add("Running", 0, page(IDS[:10], total=28))
    assert [each for each in round_.pages_left if each[1]] == [("Running", 9), ("Running", 18)]


def test_as_many_pages_are_expected_as_before() -> None:
    """Only what has been added to the list since then waits for its first page."""
    round_ = begun(limit=10, Running=29, Pending=0)
    pages = [("Running", 0), ("Running", 9), ("Running", 18), ("Running", 27), ("Pending", 0)]
    assert [round_.pages_left.popleft() for _ in range(5)] == pages
    round_.add("Running", 0, page(IDS[:10], total=37))
    assert not round_.pages_left
    round_.add("Running", 0, page(IDS[:10], total=38))
    assert list(round_.pages_left) == [("Running", 36)]


def test_the_last_page_is_expected_to_be_short() -> None:
    """Nothing is expected where the length of the list is unknown."""
    round_ = begun(limit=10, Running=29)
    assert [round_.next_page(100).expected_bytes for _ in range(5)] == [1000, 1000, 1000, 200, 0]


def test_a_round_is_followed_once_all_is_requested() -> None:
    """Its first pages say how much that is, unless an earlier round did."""
    first = begun()
    first.pages_left.clear()
    assert not first.may_be_followed
    later = begun(limit=10, Running=10, Pending=0)
    assert not later.may_be_followed
    later.pages_left.clear()
    assert later.may_be_followed


@pytest.mark.parametrize("shown", [[], IDS[:1]])
def test_a_page_without_new_items_ends_its_list(shown: list[str]) -> None:
    """Whatever total GCS gave: later pages of that phase would show nothing either."""
    round_ = begun(limit=10)
    round_.pages_left.popleft()
    round_.add("Running", 0, page(IDS[:10], total=100))
    round_.add("Running", 9, page(shown, total=100))
    assert list(round_.pages_left) == [("Pending", 0)]


def test_an_absurd_total_is_bounded() -> None:
    """GCS may send any number; the round must not plan a page for each."""
    round_ = begun(limit=1000)
    round_.add("Running", 0, page(IDS, total=10**15))
    assert round_.listed == MOST_LISTED
    assert len(round_.pages_left) < 1100


def test_a_short_page_is_cut_unless_last() -> None:
    """GCS returned fewer items than requested: either its limit is smaller, or the list ends."""
    round_ = begun(limit=10)
    assert round_.is_cut(0, page(IDS[:5], total=28))
    assert not round_.is_cut(0, page(IDS[:10], total=28))
    assert not round_.is_cut(18, page(IDS[:5], total=23))


def test_a_gap_between_neighbours_has_dropped_out() -> None:
    """A later page that shows the neighbours but not the execution between them is enough."""
    last = completed(IDS)
    shown = [*IDS[:4], *IDS[5:]]
    assert last.dropped(page(shown), seen=shown) == [IDS[4]]
    assert last.dropped(page(shown), seen=IDS) == [], "another page of this round showed it"


def test_a_list_in_another_order_drops_nothing() -> None:
    """Where more than a quarter would be missing, the list was sorted differently."""
    last = completed(IDS)
    shown = [*IDS[:2], *IDS[-2:]]
    assert last.dropped(page(shown), seen=shown) == []
    assert last.dropped(page(["unknown"]), seen=["unknown"]) == []


def test_places_follow_phase_and_offset() -> None:
    """Pages arrive in any order; running executions come before pending ones."""
    round_ = begun(limit=3)
    round_.add("Pending", 0, page(["d"]))
    round_.add("Running", 0, page(["a", "b"], total=3))
    round_.add("Running", 2, page(["c", "x"]))
    round_.complete()
    assert [item.execution_id for item in round_.listing.items] == ["a", "b", "c", "x", "d"]
    assert round_.listing.places == {"a": 0, "b": 1, "c": 2, "x": 3, "d": 4}


def test_what_two_pages_show_counts_once() -> None:
    """The item that one page repeats of another keeps its first place."""
    round_ = begun(limit=3)
    round_.add("Running", 2, page(["b", "c"]))
    round_.add("Running", 0, page(["a", "b"], total=3))
    round_.complete()
    assert round_.listing.places == {"a": 0, "b": 1, "c": 2}


def test_a_round_ends_with_its_last_page() -> None:
    """Not while a page is under way, even if none is left to request."""
    round_ = begun()
    round_.pages_left.clear()
    round_.under_way = 1
    assert not round_.is_done
    round_.under_way = 0
    assert round_.is_done
