"""Student's t-distribution, which says how far the next value may be from the mean of a few.

Lives here: its distribution function and quantiles, for whole degrees of freedom. Does not live here: what they are for
(`estimate`, which calls this module). Pure. `statistics` has the normal distribution only, and SciPy is large.
"""

from __future__ import annotations

from functools import lru_cache
from math import atan, cos, exp, lgamma, log, log1p, pi, sin, sqrt
from statistics import NormalDist

PRECISION = 1e-9
"""How exact a quantile is."""

_NORMAL = NormalDist()


def cdf(t: float, freedom: int) -> float:
    """The share of values below `t`. `freedom` is a whole number from 1.

    A finite sum (Abramowitz and Stegun, 26.7.3 and 26.7.4): exact, but for rounding.
    """
    angle = atan(t / sqrt(freedom))
    cosine = cos(angle)
    term = total = 1.0 if freedom % 2 == 0 else cosine
    for part in range(1 if freedom % 2 == 0 else 2, freedom - 1, 2):
        term *= cosine * cosine * part / (part + 1)
        total += term
    if freedom % 2 == 0:
        share = (1 + sin(angle) * total) / 2
    else:
        share = 0.5 + (angle + (sin(angle) * total if freedom > 1 else 0.0)) / pi
    return min(max(share, 0.0), 1.0)  # rounding may lead out of it


@lru_cache(maxsize=4096)
def quantile(share: float, freedom: int) -> float:
    """The value below which the `share` of all values is; 0 < `share` < 1.

    Newton's method from the normal distribution's quantile. That is nearer to the middle, and from there on the
    function bends one way, so that each step comes nearer.
    """
    if share < 0.5:  # noqa: PLR2004  # the middle, about which it is symmetric
        return -quantile(1 - share, freedom)
    t = _NORMAL.inv_cdf(share)
    for _ in range(100):
        step = (share - cdf(t, freedom)) / _density(t, freedom)
        t += step
        if step < PRECISION * (1 + t):
            break
    return t


def _density(t: float, freedom: int) -> float:
    scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - log(freedom * pi) / 2
    return exp(scale - (freedom + 1) / 2 * log1p(t * t / freedom))
