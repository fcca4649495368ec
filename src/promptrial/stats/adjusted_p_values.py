"""Correction of p-values that are tested together: Holm, Benjamini-Hochberg, Benjamini-Yekutieli.

A NaN is a test that could not be made: it stays NaN and does not count in the family.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptrial.stats.pairing import FloatArray, IntArray

__all__ = ["benjamini_hochberg", "benjamini_yekutieli", "holm"]


def holm(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Adjust p-values by Holm's step-down method, which controls the familywise error under any dependence.

    ``adj p_(i) = max over j <= i of (m - j + 1) p_(j)``, at most 1.

    Parameters
    ----------
    p_values : array_like of float, shape (m,)
        In [0, 1], or NaN.

    Returns
    -------
    ndarray, shape (m,)
        In the order given; never below the raw value.

    Raises
    ------
    ValueError
        If a value is outside [0, 1].

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics
    6:65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(12).tolist()
    [0.03, 0.06, 0.06]
    """
    values, order = _ascending(p_values)
    m = len(order)
    stepped = np.maximum.accumulate(values[order] * (m - np.arange(m)))
    return _placed(values, order, stepped)


def benjamini_hochberg(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Adjust p-values by Benjamini and Hochberg's step-up method, which controls the false discovery rate.

    ``adj p_(i) = min over j >= i of m p_(j) / j``: the running minimum starts at the *largest* p-value.
    Valid for independent tests and for positively dependent ones. Parameters, Returns and Raises are those of ``holm``.

    References
    ----------
    Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57:289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(12).tolist()
    [0.03, 0.04, 0.04]
    """
    return _step_up(p_values, dependence_factor=False)


def benjamini_yekutieli(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Adjust p-values as ``benjamini_hochberg`` does, times ``1 + 1/2 + ... + 1/m``: valid under any dependence.

    No family of the program is corrected so. It is for analyses of your own, where dependence may be of any kind.

    References
    ----------
    Benjamini, Y., Yekutieli, D. (2001). The control of the false discovery rate in multiple testing under dependency.
    Annals of Statistics 29:1165-1188.
    """
    return _step_up(p_values, dependence_factor=True)


def _step_up(p_values: Sequence[float] | FloatArray, *, dependence_factor: bool) -> FloatArray:
    values, order = _ascending(p_values)
    m = len(order)
    ranks = np.arange(1, m + 1)
    factor = float((1 / ranks).sum()) if dependence_factor else 1.0
    scaled = values[order] * (factor * m / ranks)
    stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    return _placed(values, order, stepped)


def _ascending(p_values: Sequence[float] | FloatArray) -> tuple[FloatArray, IntArray]:
    values = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise ValueError("a p-value lies outside [0, 1]")
    return values, tested[np.argsort(values[tested], kind="stable")]


def _placed(values: FloatArray, order: IntArray, stepped: FloatArray) -> FloatArray:
    adjusted = np.full(values.shape, np.nan)
    adjusted[order] = np.minimum(stepped, 1.0)
    # Round-off must not put an adjusted value below its raw one.
    at_least: FloatArray = np.maximum(adjusted, values)
    return at_least
