"""Student's distribution, against a printed table and against itself."""

from __future__ import annotations

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.student import cdf, quantile

SHARES = (0.75, 0.90, 0.95, 0.975, 0.99, 0.995, 0.999)
TABLE = {
    1: (1.000, 3.078, 6.314, 12.706, 31.821, 63.657, 318.309),
    2: (0.816, 1.886, 2.920, 4.303, 6.965, 9.925, 22.327),
    3: (0.765, 1.638, 2.353, 3.182, 4.541, 5.841, 10.215),
    4: (0.741, 1.533, 2.132, 2.776, 3.747, 4.604, 7.173),
    5: (0.727, 1.476, 2.015, 2.571, 3.365, 4.032, 5.893),
    6: (0.718, 1.440, 1.943, 2.447, 3.143, 3.707, 5.208),
    7: (0.711, 1.415, 1.895, 2.365, 2.998, 3.499, 4.785),
    10: (0.700, 1.372, 1.812, 2.228, 2.764, 3.169, 4.144),
    15: (0.691, 1.341, 1.753, 2.131, 2.602, 2.947, 3.733),
    23: (0.685, 1.319, 1.714, 2.069, 2.500, 2.807, 3.485),
    30: (0.683, 1.310, 1.697, 2.042, 2.457, 2.750, 3.385),
    120: (0.677, 1.289, 1.658, 1.980, 2.358, 2.617, 3.160),
}
"""Percentage points of the t-distribution as printed in textbooks: degrees of freedom → by share, one-sided."""

freedoms, shares = st.integers(1, 200), st.floats(0.0005, 0.9995)


@pytest.mark.parametrize("freedom", TABLE)
def test_quantiles_are_those_of_the_table(freedom: int) -> None:
    """To its three decimals."""
    found = [quantile(share, freedom) for share in SHARES]
    assert found == [pytest.approx(value, abs=0.0006) for value in TABLE[freedom]]


@pytest.mark.parametrize("freedom", TABLE)
def test_shares_are_those_of_the_table(freedom: int) -> None:
    """The other way round."""
    found = [cdf(value, freedom) for value in TABLE[freedom]]
    assert found == [pytest.approx(share, abs=0.0003) for share in SHARES]


@given(shares, freedoms)
def test_a_quantile_is_the_way_back(share: float, freedom: int) -> None:
    """For all degrees of freedom that a history has, and more."""
    assert cdf(quantile(share, freedom), freedom) == pytest.approx(share, abs=1e-7)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), freedoms)
def test_more_is_below_a_larger_value(one: float, other: float, freedom: int) -> None:
    """A share is a share, and grows."""
    low, high = sorted((one, other))
    assert 0 <= cdf(low, freedom) <= cdf(high, freedom) + 1e-12 <= 1 + 2e-12


@given(shares, freedoms)
def test_it_is_symmetric(share: float, freedom: int) -> None:
    """About 0."""
    assert quantile(share, freedom) == pytest.approx(-quantile(1 - share, freedom), abs=1e-6, rel=1e-6)


@given(st.floats(0.51, 0.9995), st.integers(1, 60))
def test_fewer_degrees_have_longer_tails(share: float, freedom: int) -> None:
    """Down to the normal distribution, which is shortest."""
    assert quantile(share, freedom) >= quantile(share, freedom + 1) >= NormalDist().inv_cdf(share)


def test_far_tails_end() -> None:
    """The furthest share that is asked for."""
    assert cdf(quantile(1 - 1e-9, 6), 6) == pytest.approx(1 - 1e-9, abs=1e-12)
