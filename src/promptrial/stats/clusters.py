"""The sums of clusters: one function makes them for standard errors, degrees of freedom, the bootstrap and sign flips.

Items with one code are of one cluster; ``datasets/clusters.py`` decides which items those are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promptrial.stats.score_table import FloatArray, IntArray

__all__ = ["DECIMALS", "ClusterTotals", "cluster_codes", "cluster_totals"]

DECIMALS: Final = 12
"""Differences and their sums are rounded to so many decimals, so that equal ones compare equal."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterTotals:
    """Clusters of a sample: ``sums`` of the values and ``sizes``, shape (n_clusters,), in order of cluster code."""

    sums: FloatArray
    sizes: IntArray

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return len(self.sizes)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return int(self.sizes.sum())

    @property
    def clustered(self) -> bool:
        """Whether any cluster holds more than one item."""
        return bool(self.sizes.size) and int(self.sizes.max()) > 1

    @property
    def mean(self) -> float:
        """The mean over items; NaN without any."""
        return float(self.sums.sum() / self.n_items) if self.sizes.size else float("nan")


def cluster_totals(values: FloatArray, cluster: IntArray | None = None) -> ClusterTotals:
    """Sum values within clusters.

    Parameters
    ----------
    values : ndarray of float, shape (n_items,)
    cluster : ndarray of int, shape (n_items,), optional
        Non-negative codes; equal codes are one cluster. Without it every item is a cluster of its own.

    Returns
    -------
    ClusterTotals
        Sums are rounded to ``DECIMALS``, so that clusters with equal sums fall together however they were added up.

    Notes
    -----
    O(n_items + highest code) time and memory.

    Examples
    --------
    >>> totals = cluster_totals(np.array([1.0, 2.0, 4.0]), np.array([7, 7, 3]))
    >>> totals.sums.tolist(), totals.sizes.tolist()
    ([4.0, 3.0], [1, 2])
    """
    if cluster is None:
        return ClusterTotals(np.round(values, DECIMALS), np.ones(len(values), dtype=np.int64))
    sizes = np.bincount(cluster)
    sums = np.bincount(cluster, weights=values, minlength=len(sizes))
    present = sizes > 0
    return ClusterTotals(np.round(sums[present], DECIMALS), sizes[present].astype(np.int64))


def cluster_codes(cluster: IntArray) -> IntArray:
    """Return each code once, ascending: the clusters in the order in which ``cluster_totals`` has them.

    Counting takes a tenth of the time that ``np.unique`` takes.
    """
    return np.flatnonzero(np.bincount(cluster))
