"""Whether scores rise or fall along arms that were declared to be in an order, as doses are."""

from __future__ import annotations

import numpy as np

from promptrial.stats.difference import DifferenceTest, clustered_difference_test
from promptrial.stats.pairing import FloatArray, IntArray
from promptrial.stats.sign_flips import FEWEST_FLIPS

__all__ = ["item_slopes", "trend_test"]


def item_slopes(scores: FloatArray) -> FloatArray:
    """Return by how much the score of each item rises from one arm to the next: its least squares line.

    ``b_i = sum_k w_k s_ik / sum_k w_k^2``, the weights ``w_k = k - (K - 1) / 2`` for k from 0 to K - 1.

    Parameters
    ----------
    scores : ndarray of float, shape (n, K)
        Of each item in each arm, in the declared order; K at least 2.

    Returns
    -------
    ndarray of float, shape (n,)
        NaN where an arm has no score.

    Examples
    --------
    >>> item_slopes(np.array([[0.0, 0.5, 1.0], [1.0, 1.0, 0.0]])).tolist()
    [0.5, -0.5]
    """
    weights = np.arange(scores.shape[1]) - (scores.shape[1] - 1) / 2
    slopes: FloatArray = (scores * weights).sum(axis=1) / (weights**2).sum()
    return slopes


def trend_test(
    scores: FloatArray,
    cluster: IntArray | None = None,
    *,
    confidence: float = 0.95,
    alpha: float = 0.05,
    draws: int = FEWEST_FLIPS,
    seed: int = 0,
) -> DifferenceTest:
    """Test that the mean score neither rises nor falls along the arms, by sign flips of the items' slopes.

    Parameters
    ----------
    scores : ndarray of float, shape (n, K)
        Of items that have a score in every arm; n at least 1, K at least 3.
    cluster, confidence, alpha, draws, seed
        As for ``clustered_difference_test``.

    Returns
    -------
    DifferenceTest
        Its ``estimate`` and limits are slopes: score per step from one arm to the next.

    Notes
    -----
    The weights are antisymmetric, so that reversing the order of exchangeable arms negates a slope: under "the order of
    the arms does not matter within a cluster" the flips are exact.

    References
    ----------
    Page, E.B. (1963). Ordered hypotheses for multiple treatments: a significance test for linear ranks. JASA
    58:216-230 (the contrast; here of the scores themselves).
    """
    slopes = item_slopes(scores)
    return clustered_difference_test(
        slopes, cluster, binary=False, confidence=confidence, alpha=alpha, draws=draws, seed=seed
    )
