"""How often 0/1 pairs that are alike on average show a margin, and how many pairs show it with a given power.

The test allows for all the losses that the margin grants, not only for those that are expected. Where few pairs differ,
power is therefore summed over the outcomes that the test rejects; a normal formula would say far too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from promptrial.stats.planning import least_enough
from promptrial.stats.risk_difference import score_statistic
from promptrial.stats.student import normal_cdf, normal_quantile, t_quantile
from promptrial.stats.unconditional import Tail

__all__ = ["NEVER", "AlikePairs"]

NEVER: Final = 10**9
"""Pairs that are not enough either."""

MANY_DISCORDANT: Final = 50.0
"""Discordant pairs that are expected, from which the normal formula differs by less than 0.02."""
_MANY_GRANTED: Final = 200.0
"""Losses that the margin grants, from which fewer discordant pairs than that always show it."""
MOST_SUMMED: Final = 1_000
"""Pairs up to which power is summed as it is. Above, only the products of pairs and shares matter (Poisson's limit)."""
_WINDOW: Final = 6.0
"""Standard deviations of a count that are summed."""
_ALWAYS_SUMMED: Final = 8


@dataclass(frozen=True, slots=True)
class AlikePairs:
    """Pairs of 0/1 scores that change as often for the better as for the worse, and a margin to be shown of them.

    Attributes
    ----------
    discordance : float
        The share of pairs that change, in [0, 1]; for means of replicates, the variance of a pair's difference.
    margin : float
        In (0, 1).
    alpha : float
        One-sided level, in (0, 0.5).
    cluster_size : float or None
        Pairs in a cluster, on average, whose margin is decided by the score test on effective counts where few change.
        None: independent pairs, whose margin the exact test decides.
    design_effect : float
        By how much clusters raise the variance.
    least_effect : float
        The least design effect that the score test reckons with where few pairs change.
    """

    discordance: float
    margin: float
    alpha: float
    cluster_size: float | None = None
    design_effect: float = 1.0
    least_effect: float = 1.0

    def power(self, n: float) -> float:
        """Return the probability that ``n`` pairs, above 0, show the margin."""
        pairs = n / self.design_effect
        if self._is_normal(pairs):
            distance = self.margin * math.sqrt(pairs) - self._normal_critical * normal_quantile(1 - self.alpha)
            return normal_cdf(distance / math.sqrt(self.discordance)) if self.discordance else 1.0
        pairs = n / max(self.design_effect, self.least_effect)
        scale = max(1.0, pairs / MOST_SUMMED)
        counted = max(1, round(pairs / scale))
        shares = min(self.discordance * scale, 1.0), min(self.margin * scale, 1 - 1 / MOST_SUMMED)
        if self.cluster_size is None:
            return _exact_power(counted, *shares, self.alpha)
        df = max(n / self.cluster_size - 1, 0.1)
        return _power_beyond(counted, *shares, t_quantile(df, 1 - self.alpha))

    def needed(self, power: float) -> int:
        """Return how many pairs show the margin with this power, while one fewer does not.

        Power rises in small waves, as that of every test of counts: a few more may fall short again.

        References
        ----------
        Nam, J. (1997). Establishing equivalence of two treatments and sample size requirements in matched-pairs design.
        Biometrics 53:1422-1430 (the normal formula).
        """
        quantiles = self._normal_critical * normal_quantile(1 - self.alpha)
        quantiles += math.sqrt(self.discordance) * normal_quantile(power)
        about = (quantiles / self.margin) ** 2
        if self._is_normal(about):
            return math.ceil(about * self.design_effect)
        return least_enough(lambda n: self.power(n) >= power, max(1, math.ceil(about * self.design_effect))) or NEVER

    @property
    def _normal_critical(self) -> float:
        """The standard deviation of a pair's difference that the score test reckons with, if the true difference is 0.

        That of the difference ``-margin`` that fits as many gains as losses best.
        """
        psi, margin = self.discordance, self.margin
        return math.sqrt((math.sqrt(psi**2 + 4 * margin**2 * (1 - psi)) + psi) / 2 - margin**2)

    def _is_normal(self, pairs: float) -> bool:
        return pairs * self.discordance >= MANY_DISCORDANT or pairs * self.margin >= _MANY_GRANTED


@lru_cache(maxsize=1024)
def _exact_power(n: int, discordance: float, margin: float, alpha: float) -> float:
    """Return the power of the exact test: p falls as the score rises, so the tables it rejects have the highest."""
    most = min(n, math.ceil(n * discordance / 2 + _WINDOW * math.sqrt(n * discordance / 2)) + _ALWAYS_SUMMED)
    gains, losses = np.meshgrid(np.arange(most + 1), np.arange(most + 1))
    possible = gains + losses <= n
    scores = np.unique(score_statistic(gains[possible], losses[possible], n, -margin))
    kept, rejected = -1, len(scores)
    while rejected - kept > 1:
        middle = (kept + rejected) // 2
        rejects = Tail(n, -margin, float(scores[middle])).largest_probability() <= alpha
        kept, rejected = (kept, middle) if rejects else (middle, rejected)
    return _power_beyond(n, discordance, margin, float(scores[rejected])) if rejected < len(scores) else 0.0


def _power_beyond(n: int, discordance: float, margin: float, critical: float) -> float:
    """Return the probability that the score of ``n`` pairs against the margin is at least a critical value."""
    each = np.array([discordance / 2])
    return min(1.0, float(Tail(n, -margin, critical).probabilities(each, each)[0]))
