"""Student's t and the normal distribution in plain Python, for what has to start quickly. Scalars only.

A plan is printed in less time than SciPy takes to be imported. Everything that has loaded SciPy anyway uses that.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

__all__ = ["normal_cdf", "normal_quantile", "t_cdf", "t_quantile"]

_NORMAL: Final = NormalDist()
_MANY: Final = 1000.0
"""Degrees of freedom from which the expansion in powers of 1/df is exact to 12 digits, for quantiles up to 6."""
_STEPS: Final = 100
_FAR: Final = 8.0
"""Beyond this, and with so many degrees of freedom, less than 1e-14 of the distribution lies."""
_CLOSE: Final = 1e-14
_TINY: Final = 1e-300
_LONGEST_FRACTION: Final = 10_000


def normal_quantile(p: float) -> float:
    """Return the value that a standard normal variable is below with probability ``p``, in (0, 1).

    Examples
    --------
    >>> round(normal_quantile(0.975), 6)
    1.959964
    """
    return _NORMAL.inv_cdf(p)


def normal_cdf(x: float) -> float:
    """Return the probability that a standard normal variable is at most ``x``.

    Examples
    --------
    >>> round(normal_cdf(1.0), 6)
    0.841345
    """
    return math.erfc(-x / math.sqrt(2)) / 2


def t_cdf(df: float, x: float) -> float:
    """Return the probability that Student's t is at most ``x``.

    Parameters
    ----------
    df : float
        Degrees of freedom, above 0; may be a fraction, or infinite.
    x : float

    References
    ----------
    Abramowitz, M., Stegun, I.A. (1964). Handbook of mathematical functions, 26.7.1 (the incomplete beta function) and
    26.5.8 (its continued fraction).

    Examples
    --------
    >>> round(t_cdf(4, 2.132), 4), round(t_cdf(math.inf, 1.644854), 4)
    (0.95, 0.95)
    """
    if df >= _MANY:
        return normal_cdf(x if abs(x) > _FAR else _normal_of(df, x))
    tail = _incomplete_beta(df / 2, 0.5, df / (df + x * x)) / 2
    return tail if x < 0 else 1 - tail


def t_quantile(df: float, p: float) -> float:
    """Return the value that Student's t is below with probability ``p``, in (0, 1); the inverse of ``t_cdf``.

    References
    ----------
    Abramowitz, M., Stegun, I.A. (1964). Handbook of mathematical functions, 26.7.5 (from 1,000 degrees of freedom on).

    Examples
    --------
    >>> round(t_quantile(9, 0.975), 4), round(t_quantile(math.inf, 0.8), 4)
    (2.2622, 0.8416)
    """
    z = normal_quantile(p)
    if df >= _MANY or p == 0.5:
        return _expanded(df, z)
    if p < 0.5:
        return -t_quantile(df, 1 - p)
    low, high = 0.0, 1.0
    while t_cdf(df, high) < p:
        low, high = high, 2 * high
    found = min(max(z, low), high)
    for _ in range(_STEPS):  # Newton's method, kept between limits that close in
        error = t_cdf(df, found) - p
        low, high = (low, found) if error > 0 else (found, high)
        step = found - error / _density(df, found)
        following = step if low < step < high else (low + high) / 2
        if abs(following - found) <= _CLOSE * max(1.0, abs(found)):
            return following
        found = following
    return found


def _density(df: float, x: float) -> float:
    log = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    return math.exp(log - (df + 1) / 2 * math.log1p(x * x / df))


def _expanded(df: float, z: float) -> float:
    """Return the quantile of Student's t where the normal one is ``z``; close to the normal one for many df."""
    if math.isinf(df):
        return z
    s = z * z
    first = z * (s + 1) / 4
    second = z * ((5 * s + 16) * s + 3) / 96
    third = z * (((3 * s + 19) * s + 17) * s - 15) / 384
    fourth = z * ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160
    return z + (first + (second + (third + fourth / df) / df) / df) / df


def _normal_of(df: float, x: float) -> float:
    """Return the normal quantile that ``_expanded`` turns into ``x``."""
    z = x
    for _ in range(_STEPS):
        following = z + x - _expanded(df, z)
        if abs(following - z) <= _CLOSE * max(1.0, abs(z)):
            return following
        z = following
    return z


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function, by the continued fraction that converges at once."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log) * _fraction(a, b, x) / a
    return 1 - math.exp(log) * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function from the front (Lentz's method)."""
    c, d = 1.0, 1 / _not_0(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _LONGEST_FRACTION):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            below, above = 1 + term * d, 1 + term / c
            d = 1 / (below if abs(below) > _TINY else _TINY)
            c = above if abs(above) > _TINY else _TINY
            value *= d * c
        if abs(d * c - 1) <= _CLOSE:
            break
    return value


def _not_0(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
