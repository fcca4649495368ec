"""Elementary functions of arrays with the same bits on every processor of a kind.

NumPy computes exponentials, logarithms and sines of arrays by instructions that some processors have and others lack
(AVX-512), and its matrix products by kernels chosen for the processor; their last bits differ. Figures of a run are
compared byte by byte, also on another machine, so what leads to them goes number by number through the C library.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from promptrial.stats.score_table import FloatArray

__all__ = ["exp", "log1p", "sin", "special_functions", "weighted_sums"]


def exp(values: FloatArray) -> FloatArray:
    """Return e to the power of each value.

    Examples
    --------
    >>> exp(np.array([0.0, 1.0])).tolist() == [1.0, math.e]
    True
    """
    found: FloatArray = special_functions().inv_boxcox(
        values, 0.0
    )  # with a power of 0 it is the exponential, by definition
    return found


def log1p(values: FloatArray) -> FloatArray:
    """Return the logarithm of 1 plus each value.

    Examples
    --------
    >>> log1p(np.array([0.0, math.e - 1])).round(12).tolist()
    [0.0, 1.0]
    """
    found: FloatArray = special_functions().log1p(values)
    return found


def sin(values: FloatArray) -> FloatArray:
    """Return the sine of each value, one after the other: for some hundred values.

    Examples
    --------
    >>> sin(np.array([0.0, math.pi / 2])).tolist()
    [0.0, 1.0]
    """
    return np.fromiter(map(math.sin, values), np.float64, len(values))


def weighted_sums(table: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of each row: ``table @ weights``.

    Examples
    --------
    >>> weighted_sums(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 0.5])).tolist()
    [2.0, 5.0]
    """
    found: FloatArray = np.einsum("rc,c->r", table, weights)
    return found


def special_functions() -> Any:  # noqa: ANN401 - a module
    """Return ``scipy.special``, loaded when it is needed: a plan without looks does without."""
    from scipy import special

    return special
