"""The mean over groups: every task or category counts the same, however many items it has (macro average)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from promptrial.stats.fewest import clusters_needed
from promptrial.stats.pairing import FloatArray, IntArray
from promptrial.stats.t_inference import t_inference

__all__ = ["GroupMeans", "group_means"]


@dataclass(frozen=True, slots=True)
class GroupMeans:
    """The mean over groups of the mean difference in each; NaN is "not estimable".

    ``se`` and ``df`` are NaN, and so are the limits and ``p``, where there are few clusters, a group has a single one,
    or nothing varies within any.
    """

    mean: float
    se: float
    df: float
    p: float
    ci_low: float
    ci_high: float
    n_groups: int
    reason: str | None


def group_means(difference: FloatArray, group: IntArray, cluster: IntArray, confidence: float = 0.95) -> GroupMeans:
    """Estimate the mean over groups, with the groups as they are: no others are inferred about.

    With G groups, of which g has n_g pairs in m_g clusters, ``mean = 1/G sum_g dbar_g``, and
    ``SE^2 = sum_c ( sum_(i in c) sqrt(m_g / (m_g - 1)) (d_i - dbar_g) / (G n_g) )^2``, the sum of the groups' own
    clustered variances over G^2 where no cluster lies in two groups. Student's t with Satterthwaite's degrees of
    freedom, those of the clusters' parts of the mean where a cluster lies in several groups.

    Parameters
    ----------
    difference : ndarray of float, shape (n_pairs,)
        At least one.
    group, cluster : ndarray of int, shape (n_pairs,)
        Non-negative codes. A cluster may lie in several groups.
    confidence : float
        In (0, 1).

    Raises
    ------
    ValueError
        If there is no pair.

    Notes
    -----
    O(n log n) time. With fewer clusters than ``clusters_needed(1 - confidence)`` in all groups together there is no
    interval.

    References
    ----------
    Satterthwaite, F.E. (1946). An approximate distribution of estimates of variance components. Biometrics Bulletin
    2:110-114.
    Cochran, W.G. (1977). Sampling techniques, 3rd edition, 5.3 and 5.4 (stratified means and their degrees of freedom).

    Examples
    --------
    >>> found = group_means(np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0]), np.array([0, 0, 0, 1, 1, 1]), np.arange(6))
    >>> found.mean, round(found.se, 6), round(found.df, 6)
    (3.5, 0.645497, 2.941176)
    """
    if not len(difference):
        raise ValueError("no pair: a mean needs at least one")
    group = np.unique(group, return_inverse=True)[1]
    sizes = np.bincount(group)
    n_groups = len(sizes)
    means = np.bincount(group, weights=difference) / sizes
    mean = float(means.mean())
    pieces, piece_of = np.unique(np.stack([group, cluster]), axis=1, return_inverse=True)
    in_group = np.bincount(pieces[0], minlength=n_groups)
    needed, clusters = clusters_needed(1 - confidence), np.unique(pieces[1], return_inverse=True)[1]
    if in_group.min() < 2:
        return _without(mean, n_groups, "a group has a single cluster, so that no standard error can be computed")
    if (count := int(clusters.max()) + 1) < needed:
        return _without(mean, n_groups, f"not estimable with {count} clusters: the interval needs at least {needed}")
    factor = np.sqrt(in_group / (in_group - 1)) / (n_groups * sizes)
    parts = np.bincount(piece_of.ravel(), weights=factor[group] * (difference - means[group]))
    of_groups = np.bincount(pieces[0], weights=parts**2).astype(np.float64)
    variance = float((np.bincount(clusters, weights=parts) ** 2).sum())
    if variance <= 1e-24 * max(1.0, mean**2):
        return _without(mean, n_groups, "the differences do not vary within the groups")
    se = math.sqrt(variance)
    df = _freedom(of_groups, in_group, pieces[0], clusters, variance)
    low, high, p = t_inference(mean, se, df, confidence)
    return GroupMeans(mean, se, df, p, low, high, n_groups, None)


def _freedom(of_groups: FloatArray, in_group: IntArray, group: IntArray, cluster: IntArray, variance: float) -> float:
    """Return Satterthwaite's degrees of freedom of the variance of the mean, at most the clusters less one.

    The parts of a group's clusters are taken to be as large as each other. Those of one cluster in several groups
    correlate as much, in [0, 1], as gives the mean its variance: all groups have the same C clusters, C - 1.
    """
    count = int(cluster.max()) + 1
    expected = (of_groups / in_group)[group]
    own, squares, roots = (np.bincount(cluster, weights=each) for each in (expected, expected**2, np.sqrt(expected)))
    cross = np.where(np.bincount(cluster) > 1, np.maximum(roots**2 - own, 0.0), 0.0)
    apart, most = float(of_groups.sum()), float(cross.sum())
    together = own + cross * (min(max((variance - apart) / most, 0.0), 1.0) if most > 0 else 0.0)
    spread = float((of_groups**2 / (in_group - 1)).sum())
    spread += count / (count - 1) * float((together**2 - squares).sum())
    return min(float(together.sum()) ** 2 / spread, count - 1.0)


def _without(mean: float, n_groups: int, reason: str) -> GroupMeans:
    return GroupMeans(mean, math.nan, math.nan, math.nan, math.nan, math.nan, n_groups, reason)
