"""The mean over groups: every task or category counts the same, however many items it has (macro average)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from promptrial.stats.pairing import FloatArray, IntArray
from promptrial.stats.t_inference import t_inference

__all__ = ["GroupMeans", "group_means"]


@dataclass(frozen=True, slots=True)
class GroupMeans:
    """The mean over groups of the mean difference in each; NaN is "not estimable".

    ``se`` and ``df`` are NaN, and so are the limits and ``p``, where a group has a single cluster of pairs, or nothing
    varies within any.
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
    freedom.

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
    O(n log n) time.

    References
    ----------
    Cochran, W.G. (1977). Sampling techniques, 3rd edition, 5.3 and 5.4 (stratified means and their degrees of freedom).

    Examples
    --------
    >>> found = group_means(np.array([0.0, 1.0, 4.0, 6.0]), np.array([0, 0, 1, 1]), np.arange(4))
    >>> found.mean, round(found.se, 6), round(found.df, 6)
    (2.75, 0.559017, 1.470588)
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
    if in_group.min() < 2:
        return _without(mean, n_groups, "a group has a single cluster, so that no standard error can be computed")
    factor = np.sqrt(in_group / (in_group - 1)) / (n_groups * sizes)
    parts = np.bincount(piece_of.ravel(), weights=factor[group] * (difference - means[group]))
    of_groups = np.bincount(pieces[0], weights=parts**2)
    clusters = np.unique(pieces[1], return_inverse=True)[1]
    variance = float((np.bincount(clusters, weights=parts) ** 2).sum())
    if variance <= 1e-24 * max(1.0, mean**2):
        return _without(mean, n_groups, "the differences do not vary within the groups")
    se = math.sqrt(variance)
    df = float(of_groups.sum() ** 2 / (of_groups**2 / (in_group - 1)).sum())
    low, high, p = t_inference(mean, se, df, confidence)
    return GroupMeans(mean, se, df, p, low, high, n_groups, None)


def _without(mean: float, n_groups: int, reason: str) -> GroupMeans:
    return GroupMeans(mean, math.nan, math.nan, math.nan, math.nan, math.nan, n_groups, reason)
