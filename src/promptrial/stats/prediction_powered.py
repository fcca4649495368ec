"""Means and paired differences of people's labels, where people labelled some items and a measure scored all of them.

Prediction-powered inference: the mean of the measure, corrected by its errors on the labelled items. It is right
however wrong the measure is, and more precise than the labels alone where the measure is good. Arrays only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from promptrial.stats.score_table import BoolArray, FloatArray, IntArray
from promptrial.stats.t_inference import t_inference

__all__ = ["PredictionPowered", "prediction_powered_difference", "prediction_powered_mean"]

FEWEST_LABELLED_CLUSTERS: Final = 3
"""With fewer there are no degrees of freedom left for a standard error, after a mean and the tuning."""


@dataclass(frozen=True, slots=True)
class PredictionPowered:
    """A mean of labels, corrected; NaN with a ``reason`` where it cannot be estimated.

    Attributes
    ----------
    estimate, se, df, p, low, high : float
        ``p`` is two-sided, of a mean of 0.
    tuning : float
        How much of the measure is used, from 0 (labels alone) to 1 (all of it).
    n_labelled, labelled_clusters, n_others : int
        Labelled items, the clusters they lie in, and items without a label.
    reason : str or None
    """

    estimate: float
    se: float
    df: float
    p: float
    low: float
    high: float
    tuning: float
    n_labelled: int
    labelled_clusters: int
    n_others: int
    reason: str | None = None


def prediction_powered_difference(
    labels: FloatArray,
    predictions: FloatArray,
    cluster: IntArray | None = None,
    *,
    confidence: float = 0.95,
    tuning: float | None = None,
    width: float = 1.0,
) -> PredictionPowered:
    """Estimate the mean paired difference of labels, second arm less first; an item needs both labels to count.

    Parameters
    ----------
    labels, predictions : ndarray of float, shape (2, n_items)
        Control, then treatment. Other parameters, Raises and References are those of ``prediction_powered_mean``.

    Examples
    --------
    >>> labels = np.array([[0.0, 1.0, 0.0, 1.0, np.nan, np.nan], [1.0, 1.0, 1.0, 0.0, np.nan, np.nan]])
    >>> measured = np.array([[0.0, 1.0, 0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]])
    >>> result = prediction_powered_difference(labels, measured, tuning=1.0)
    >>> result.estimate, result.n_labelled  # (0 + 1)/2 + (0 + 0 + 0 - 1)/4
    (0.25, 4)
    """
    return prediction_powered_mean(
        labels[1] - labels[0],
        predictions[1] - predictions[0],
        cluster,
        confidence=confidence,
        tuning=tuning,
        width=width,
    )


def prediction_powered_mean(
    labels: FloatArray,
    predictions: FloatArray,
    cluster: IntArray | None = None,
    *,
    confidence: float = 0.95,
    tuning: float | None = None,
    width: float = 1.0,
) -> PredictionPowered:
    """Estimate the mean of labels over items like these.

    With Y the labels, f the measure, L the labelled items and U the others, the estimate is
    ``T mean_U(f) + mean_L(Y - T f)``. Its variance is the sum over clusters of squared influences, ``V_L + V_U`` where
    no cluster is in both, with the factor m / (m - 1) for the m clusters of each part. The tuning T minimises it
    (PPI++) and is kept within 0 and 1.

    Parameters
    ----------
    labels : ndarray of float, shape (n_items,)
        NaN where an item has no label. The labelled items have to be a random sample, each as probable as the others.
    predictions : ndarray of float, shape (n_items,)
        The measure, finite for every item.
    cluster : ndarray of int, shape (n_items,), optional
        Non-negative codes; without it every item is its own cluster.
    confidence : float
        In (0, 1).
    tuning : float, optional
        In [0, 1]; 1 is plain prediction-powered inference, 0 leaves the labels alone. Estimated without it.
    width : float
        From the lowest label to the highest, above 0.

    Returns
    -------
    PredictionPowered
        Not estimable with fewer than ``FEWEST_LABELLED_CLUSTERS`` labelled clusters.

    Raises
    ------
    ValueError
        If a prediction is not finite.

    Notes
    -----
    Two things keep the interval honest with few labels. The tuning costs a degree of freedom, as a slope does in a
    regression: the factor of V_L is then m / (m - 2). Student's t has Satterthwaite's degrees of freedom, from m - 2.
    And a good measure errs so rarely that a small sample may hold no error at all: the squares of the errors are
    therefore added up with one more, as large as the largest error seen up to ``width``, or ``width`` where none was
    seen (the idea of adding pseudo-observations is Agresti's and Min's). O(n log n) time.

    References
    ----------
    Angelopoulos, A.N., Bates, S., Fannjiang, C., Jordan, M.I., Zrnic, T. (2023). Prediction-powered inference.
    Science 382:669-674. Angelopoulos, A.N., Duchi, J.C., Zrnic, T. (2023). PPI++: efficient prediction-powered
    inference. arXiv:2311.01453. Agresti, A., Min, Y. (2005). Simple improved confidence intervals for comparing matched
    proportions. Statistics in Medicine 24:729-740.

    Examples
    --------
    >>> labels = np.array([1.0, 0.0, 1.0, 1.0, np.nan, np.nan, np.nan, np.nan])
    >>> result = prediction_powered_mean(labels, np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]), tuning=1.0)
    >>> result.estimate  # 3/4 + 1/4
    1.0
    """
    parts = _Parts.of(labels, predictions, cluster)
    m = parts.clusters_in(parts.labelled)
    if m < FEWEST_LABELLED_CLUSTERS:
        why = f"{m} labelled clusters: an estimate needs at least {FEWEST_LABELLED_CLUSTERS}"
        return _not_estimable(parts, m, why)
    y = parts.influence(np.where(parts.labelled, labels, 0.0), parts.labelled)
    f, g = (parts.influence(predictions, part) for part in (parts.labelled, parts.others))
    used = _tuning(y, f, g) if tuning is None else tuning * bool(parts.others.any())
    error = np.where(parts.labelled, labels - predictions, 0.0)
    spent = 2 if tuning is None and parts.others.any() else 1
    tuned = math.sqrt((m - 1) / (m - spent))
    largest = min(float(np.abs(error).max()) or width, width)
    one_more = largest**2 * m / (m - spent) / int(parts.labelled.sum()) ** 2
    of_labels, of_others = tuned * (y - used * f), used * g
    squares = float((of_labels**2).sum()) + one_more, float((of_others**2).sum())
    se = math.sqrt(float(((of_labels + of_others) ** 2).sum()) + one_more)
    below = squares[0] ** 2 / (m - spent) + squares[1] ** 2 / max(parts.clusters_in(parts.others) - 1, 1)
    df = sum(squares) ** 2 / below
    estimate = parts.mean(labels, parts.labelled) - used * parts.mean(predictions, parts.labelled)
    estimate += used * parts.mean(predictions, parts.others) if used else 0.0
    low, high, p = t_inference(estimate, se, df, confidence)
    counts = int(parts.labelled.sum()), m, int(parts.others.sum())
    return PredictionPowered(estimate, se, df, p, low, high, used, *counts)


def _tuning(y: FloatArray, f: FloatArray, g: FloatArray) -> float:
    """Return the share of the measure whose use minimises the variance, within 0 and 1."""
    slope = f - g
    squares = float((slope**2).sum())
    return min(max(float((y * slope).sum()) / squares, 0.0), 1.0) if squares > 0 and g.any() else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The items in two parts, with and without labels."""

    labelled: BoolArray
    cluster: IntArray

    @property
    def others(self) -> BoolArray:
        return ~self.labelled

    @classmethod
    def of(cls, labels: FloatArray, predictions: FloatArray, cluster: IntArray | None) -> _Parts:
        if not np.isfinite(predictions).all():
            raise ValueError("a prediction is missing: leave such items out, and count them")
        codes = np.arange(len(labels)) if cluster is None else np.unique(cluster, return_inverse=True)[1]
        return cls(np.isfinite(labels), codes)

    def clusters_in(self, part: BoolArray) -> int:
        return int(np.count_nonzero(np.bincount(self.cluster[part])))

    def mean(self, values: FloatArray, part: BoolArray) -> float:
        return float(values[part].sum() / np.count_nonzero(part))

    def influence(self, values: FloatArray, part: BoolArray) -> FloatArray:
        """Return what each cluster adds to the error of the mean of a part, scaled so that squares add up."""
        m = self.clusters_in(part)
        if m < 2:
            return np.zeros(int(self.cluster.max()) + 1)
        terms = np.where(part, values - self.mean(values, part), 0.0) / np.count_nonzero(part)
        return np.asarray(np.bincount(self.cluster, weights=terms) * math.sqrt(m / (m - 1)), dtype=np.float64)


def _not_estimable(parts: _Parts, m: int, why: str) -> PredictionPowered:
    gap = math.nan
    counts = int(parts.labelled.sum()), m, int(parts.others.sum())
    return PredictionPowered(gap, gap, gap, gap, gap, gap, gap, *counts, reason=why)
