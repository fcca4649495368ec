"""With how few clusters, or unchanged pairs, something can be shown at all: closed forms, in plain Python."""

from __future__ import annotations

import math
from typing import Final

from promptrial.stats.student import normal_quantile, t_quantile

__all__ = [
    "INTERVAL_SLOPE",
    "MARGIN_SLOPE",
    "clusters_needed",
    "counted_clusters",
    "unchanged_clusters",
    "unchanged_pairs",
]

INTERVAL_SLOPE: Final = 0.05
"""The least intraclass correlation that is reckoned with: the design effect is at least ``1 + slope (m - 1)``."""
MARGIN_SLOPE: Final = 0.1
"""The same for tests against a margin, in clusters of which few say anything."""


def clusters_needed(alpha: float) -> int:
    """Return with how many clusters a two-sided p-value can be ``alpha`` or less: the least C with 2^(1-C) <= alpha.

    Examples
    --------
    >>> [clusters_needed(alpha) for alpha in (0.1, 0.05, 0.01)]
    [5, 6, 8]
    """
    return next(c for c in range(2, 2000) if math.exp2(1 - c) <= alpha * (1 + 1e-12))


def counted_clusters(n: int, *, clustered: bool) -> str:
    """Return in words how many clusters there are; where no two pairs share one, they are pairs.

    Examples
    --------
    >>> counted_clusters(1, clustered=True), counted_clusters(3, clustered=False)
    ('1 cluster', '3 pairs')
    """
    return f"{n} {'cluster' if clustered else 'pair'}{'' if n == 1 else 's'}"


def unchanged_pairs(margin: float, alpha: float) -> int:
    """Return how many independent 0/1 pairs, none of them changed, show a margin: the least n, (1 - margin)^n <= alpha.

    The exact test on Tango's ordering needs as many at a level of 0.05, and at times a few more at smaller ones
    (``unconditional.unchanged_pairs_needed``).

    Parameters
    ----------
    margin : float
        In (0, 1).
    alpha : float
        One-sided level, in (0, 1).

    Examples
    --------
    >>> unchanged_pairs(0.01, 0.05), unchanged_pairs(0.05, 0.05)
    (299, 59)
    """
    return math.ceil(math.log(alpha) / math.log1p(-margin))


def unchanged_clusters(size: float, floor: float, margin: float, alpha: float) -> int:
    """Return how many clusters of 0/1 pairs, none of them changed, show a margin by the score test on effective counts.

    Without a pair that differs its statistic is ``sqrt(n M / (1 - M))``, n the pairs divided by the floor of the design
    effect; it is referred to Student's t.

    Parameters
    ----------
    size : float
        Pairs in a cluster, on average.
    floor : float
        ``1 + MARGIN_SLOPE (m - 1)``, m the pairs in the cluster of an average pair.
    margin : float
        In (0, 1): a share of the range of the scores.
    alpha : float
        One-sided level.

    Examples
    --------
    >>> unchanged_clusters(1, 1.0, 0.05, 0.05), unchanged_clusters(4, 1.3, 0.05, 0.05)
    (54, 19)
    """
    odds = size / floor * margin / (1 - margin)
    clusters = max(clusters_needed(alpha), math.ceil(normal_quantile(1 - alpha) ** 2 / odds))
    while math.sqrt(clusters * odds) < t_quantile(clusters - 1, 1 - alpha):
        clusters += 1
    return clusters
