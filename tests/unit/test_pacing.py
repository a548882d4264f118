"""Whether lists are read, how fast, in pages of which size, and how far they are trusted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.cadence import Cadence
from bot.store.gcs_quota import WINDOW
from bot.store.schedule import Coverage
from bot.workers.sweeper.pacing import (
    BLIND_ROUNDS,
    CATCH_UP_SECONDS,
    DISTRUST,
    FAILING_PAGES,
    HOPELESS_PAGES,
    LARGEST_PAGE,
    LONGEST_RETRY_SECONDS,
    RETRY_LARGEST_AFTER,
    SMALLEST_PAGE,
    Cost,
    Measured,
    Pacing,
    PageSize,
    Trust,
)

CADENCE = Cadence(poll=timedelta(seconds=15), retry_grace=timedelta(0), staleness=timedelta(hours=2))
PACING = Pacing(bytes_per_second=1_000_000)
PER_SECOND = 9.0


def cost(watched: int, *, pages: int = 12, changed: float = 0.0) -> Cost:
    """A round at nine calls per second."""
    return Cost(watched=watched, pages=pages, calls_per_second=PER_SECOND, changed_per_second=changed)


@pytest.mark.parametrize(("watched", "pays"), [(45, False), (46, True), (10_000, True)])
def test_lists_pay_beyond_a_third_of_the_quota(watched: int, pays: bool) -> None:
    """Polling 45 executions every 15 s takes three of nine calls per second; that shows more than a list does."""
    assert cost(watched).pays(CADENCE) is pays


def test_lists_slower_than_polls_do_not_pay() -> None:
    """A list may be much longer than what is followed."""
    assert cost(900, pages=899).pays(CADENCE)
    assert not cost(900, pages=900).pays(CADENCE)


def test_polls_of_listed_changes_come_first() -> None:
    """Lists may use only the calls that these leave; where they leave none, reading more lists does not help."""
    assert cost(900, pages=300, changed=5).pays(CADENCE)
    assert not cost(900, pages=300, changed=6.1).pays(CADENCE)
    assert not cost(10**6, pages=1, changed=PER_SECOND).pays(CADENCE)


@pytest.mark.parametrize(
    ("pages", "seconds", "deferral"),
    [
        (9, 0, timedelta(seconds=36)),  # 9 pages, half the quota: 2 s a round, and all are compared within 12
        (90, 0, timedelta(seconds=90)),
        (1, 50, timedelta(seconds=180)),
        (1, 3600, DISTRUST),
    ],
)
def test_deferrals_outlast_three_comparisons(pages: int, seconds: int, deferral: timedelta) -> None:
    """As long as rounds are expected to take, or as the last one took; within bounds."""
    assert cost(900, pages=pages).defer_for(CADENCE, timedelta(seconds=seconds)) == deferral


def test_deferrals_respect_cadence() -> None:
    """Never shorter than the usual interval, since polls would not come sooner; at most half the allowed staleness."""
    slow = Cadence(poll=timedelta(minutes=1), retry_grace=timedelta(0), staleness=timedelta(minutes=4))
    assert cost(900, pages=1).defer_for(slow, timedelta(0)) == slow.poll
    assert cost(900, pages=1).defer_for(slow, timedelta(hours=1)) == slow.staleness / 2


def test_pages_overlap_by_one() -> None:
    """A thousand items fit on one page; each further page repeats the last item of the one before."""
    assert [PageSize().pages(count) for count in (0, 1, 1000, 1001, 1999, 2000)] == [0, 1, 1, 2, 2, 3]


def test_refused_pages_are_halved_to_the_smallest() -> None:
    """Then they stay as small as that."""
    sizes, size = [], PageSize()
    for _ in range(6):
        size = size.halved(size.items, now=0)
        sizes.append(size.items)
    assert sizes == [500, 250, 125, SMALLEST_PAGE, SMALLEST_PAGE, SMALLEST_PAGE]


def test_the_largest_page_returns_after_an_hour() -> None:
    """Whatever made pages small may have been temporary; until then they keep their size."""
    size = PageSize().shrunk(150, now=50)
    hour = RETRY_LARGEST_AFTER.total_seconds()
    assert size.retried(now=50 + hour).items == 150
    assert size.retried(now=51 + hour).items == LARGEST_PAGE


def test_pages_share_the_quota_evenly() -> None:
    """Calls left, and those for lists in the same window, less one for a poll that becomes due meanwhile."""
    window = WINDOW.total_seconds()
    assert PACING.spacing(63, now=0) == window / 62
    read = PACING.read(0, items=0, expected_bytes=0, now=0).read(0, items=0, expected_bytes=0, now=1)
    assert read.spacing(61, now=1) == window / 62
    assert read.spacing(61, now=window + 0.5) == window / 61
    assert PACING.spacing(0, now=0) == window


def test_large_pages_are_spaced_by_bytes() -> None:
    """Whatever the quota allows, no more bytes per second are read than configured."""
    pacing = PACING.read(4_500_000, items=1000, expected_bytes=0, now=0)
    for number in range(20):
        spacing = pacing.spacing(600, now=pacing.bytes_due)
        pacing = pacing.requested(spacing, size_bytes=4_500_000, now=max(0.0, pacing.due(spacing)))
        assert pacing.due(spacing) == pytest.approx(4.5 * (number + 1) - CATCH_UP_SECONDS)


def test_small_pages_take_no_time_of_large_ones() -> None:
    """The last page of a list, and that of an empty one, are requested while the bytes of a large one are due."""
    pacing, now = PACING.read(400_000, items=1000, expected_bytes=0, now=0), 0.0
    for items in [1000, 1000, 1000, 10, 0] * 100:
        pacing = pacing.requested(0.1, size_bytes=items * pacing.item_bytes, now=now)
        now = pacing.due(0.1)
    assert now == pytest.approx(300 * 0.4 + 100 * 0.004, abs=1)


def test_a_page_larger_than_expected_counts_in_full() -> None:
    """What it has beyond that delays the next one; what it lacks lets that come sooner."""
    pacing = PACING.requested(0.1, size_bytes=1_000_000, now=10.0)
    due = pacing.bytes_due
    assert pacing.read(3_000_000, items=1000, expected_bytes=1_000_000, now=11).bytes_due == due + 2
    assert pacing.read(500_000, items=1000, expected_bytes=1_000_000, now=11).bytes_due == due - 0.5


def test_an_empty_page_does_not_change_sizes() -> None:
    """It says nothing about those of other pages."""
    pacing = PACING.read(4_500, items=1, expected_bytes=0, now=0)
    assert pacing.read(40, items=0, expected_bytes=0, now=1).item_bytes == pacing.item_bytes == 4_500


@given(st.lists(st.floats(0, 0.49), min_size=1, max_size=20))
def test_small_delays_do_not_add_up(delays: list[float]) -> None:
    """Pages that are requested slightly late keep their rate."""
    pacing = PACING.requested(1.0, size_bytes=0, now=0.0)
    for number, delay in enumerate(delays, 1):
        pacing = pacing.requested(1.0, size_bytes=0, now=number + delay)
    assert pacing.requested_at == pytest.approx(len(delays))


def test_long_delays_are_not_caught_up() -> None:
    """After a pause pages follow each other as before, without a burst."""
    assert PACING.requested(1.0, size_bytes=0, now=0.0).requested(1.0, size_bytes=0, now=9.0).requested_at == 9.0


def test_useful_calls_follow_from_rounds_and_bytes() -> None:
    """A short list is read every two seconds at most; a long one as fast as bytes allow."""
    assert PACING.useful_calls(2, 1000) == WINDOW.total_seconds() + 1
    assert PACING.useful_calls(100, 4_000_000) == 16 + 1


def test_ten_unfit_pages_in_a_row_are_hopeless() -> None:
    """One page that arrives between them starts the count again; other failures do not count."""
    trust = Trust()
    for _ in range(HOPELESS_PAGES - 1):
        trust = trust.page_failed(is_unfit=True).page_failed(is_unfit=False)
    assert not trust.is_hopeless
    assert trust.page_failed(is_unfit=True).is_hopeless
    assert not trust.page_read().page_failed(is_unfit=True).is_hopeless


def test_three_failed_pages_mean_that_none_arrive() -> None:
    """A page that arrives ends that at once."""
    trust = Trust()
    for _ in range(FAILING_PAGES - 1):
        trust = trust.page_failed(is_unfit=False)
    assert not trust.is_failing
    trust = trust.page_failed(is_unfit=False)
    assert trust.is_failing
    assert not trust.page_read().is_failing


def test_failed_pages_are_retried_more_and_more_slowly() -> None:
    """From half a second to five, and quickly again after a page that arrived."""
    pauses, trust = [], Trust()
    for _ in range(6):
        trust = trust.page_failed(is_unfit=False)
        pauses.append(trust.retry_seconds)
    assert pauses == [0.5, 1, 2, 4, LONGEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS]
    assert trust.page_read().page_failed(is_unfit=False).retry_seconds == 0.5


@pytest.mark.parametrize(
    ("found", "is_blind"),
    [
        (Coverage(watched=10, same=5), False),
        (Coverage(watched=10, same=4), True),
        (Coverage(watched=10, same=4, waiting=2), False),
        (Coverage(), False),
    ],
)
def test_lists_that_hide_most_are_blind(found: Coverage, is_blind: bool) -> None:
    """Less than half of what polls saw, apart from executions whose poll is pending; three rounds in a row."""
    trust = Trust()
    for _ in range(BLIND_ROUNDS - 1):
        trust = trust.round_read(found)
    assert not trust.is_blind
    assert trust.round_read(found).is_blind is is_blind
    assert not trust.round_read(Coverage(watched=10, same=10)).round_read(found).is_blind


def test_one_burst_of_changes_does_not_stop_lists() -> None:
    """Twenty executions of a batch finish a step together: the rate is an average over rounds."""
    measured = Measured().changed(20, seconds=2)
    assert measured.changed_per_second == 2.5
    assert cost(900, changed=measured.changed_per_second).pays(CADENCE)


def test_lists_are_read_again_after_a_storm() -> None:
    """While they are not read no rate can be measured, so the last one halves with each decision."""
    measured = Measured().changed(10_000, seconds=20)
    assert not cost(10_000, changed=measured.changed_per_second).pays(CADENCE)
    for _ in range(6):
        measured = measured.not_read()
    assert cost(10_000, changed=measured.changed_per_second).pays(CADENCE)
