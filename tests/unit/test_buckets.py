"""Slack's limits as buckets: the arithmetic, apart from the store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.store.slack_limits.limits import _bucket

MINUTE = 60_000_000


@given(st.integers(1, 1_000_000))
def test_the_worst_minute_holds_exactly_the_limit(per_minute: int) -> None:
    """It begins with the whole burst, and adds the calls that become free until its end."""
    gap, saved = _bucket(per_minute)
    assert 1 + saved // gap + MINUTE // gap <= per_minute


@given(st.integers(20, 100_000))
def test_little_of_a_limit_is_left_unused(per_minute: int) -> None:
    """The steady rate is what the burst and the transit time leave of the limit."""
    gap, _ = _bucket(per_minute)
    assert MINUTE / gap >= 0.85 * per_minute
