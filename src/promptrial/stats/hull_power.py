"""The power of 0/1 scores in clusters of which few differ: there the score test on effective counts has to reject too.

Whether few differ is known after the answers only. Before them it has a probability, and the power is the mean of both.
"""

from __future__ import annotations

import math

from promptrial.documents.density import EACH_WAY, MANY, MOST
from promptrial.stats.student import normal_cdf

__all__ = ["probability_dense", "score_power"]


def probability_dense(clusters: int, size: float, gain: float, loss: float) -> float:
    """Return the probability that enough clusters differ for sign flips alone to decide, as ``Density.dense`` has it.

    Parameters
    ----------
    clusters : int
    size : float
        Independent pairs that a cluster is worth: its pairs by the design effect.
    gain, loss : float
        Probabilities of the two kinds of pairs that differ; their sum is at most 1.
    """
    wanted = ((min(MANY, math.ceil(MOST * clusters)), gain + loss), (EACH_WAY, gain), (EACH_WAY, loss))
    return math.prod(_at_least(least, clusters, 1 - (1 - min(each, 1.0)) ** size) for least, each in wanted)


def score_power(
    n: float, discordance: float, delta: float, *, effect: float, reckoned: float, critical: float
) -> float:
    """Return the probability that the score test on effective counts finds a difference in its direction.

    Parameters
    ----------
    n : float
        Pairs.
    discordance, delta : float
        The share of pairs that differ, and the true difference.
    effect, reckoned : float
        The design effect that there is, and the one that the test reckons with, which has a floor.
    critical : float
        The quantile of Student's t that the score is referred to.
    """
    distance = delta * math.sqrt(n) - critical * math.sqrt(discordance * reckoned)
    spread = math.sqrt(max(discordance - delta**2, 0.0) * effect)
    return normal_cdf(distance / spread) if spread else float(distance >= 0)


def _at_least(least: int, n: int, share: float) -> float:
    """Return P(X >= least), X ~ Bin(n, share)."""
    if share in {0.0, 1.0}:
        return float(n * share >= least)
    odds, term = share / (1 - share), (1 - share) ** n
    below = 0.0
    for count in range(least):
        below += term
        term *= (n - count) / (count + 1) * odds
    return max(0.0, 1 - below)
