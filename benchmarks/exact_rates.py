"""Exact rates of tests of independent 0/1 pairs: every outcome is weighed by its probability, nothing is simulated.

An outcome is the number of gains (pairs that only the treatment has right) and of losses (only the control). Whether an
outcome passes is asked of the program's own exact test; the t test and Tango's score test are shown beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from batch_methods import tango_z
from scipy import special, stats

from promptrial.stats.pairing import BoolArray, FloatArray
from promptrial.stats.unconditional import exact_margin_p

__all__ = [
    "ALPHA",
    "Outcomes",
    "exact_passes",
    "largest_rate",
    "score_coverage",
    "score_test_size",
    "t_passes",
    "tango_passes",
]

ALPHA: Final = 0.05


@dataclass(frozen=True)
class Outcomes:
    """All outcomes of ``n`` pairs."""

    n: int

    @cached_property
    def counts(self) -> tuple[FloatArray, FloatArray]:
        """Gains and losses of each outcome: shape (outcomes,)."""
        gains, losses = np.divmod(np.arange((self.n + 1) ** 2), self.n + 1)
        possible = gains + losses <= self.n
        return gains[possible].astype(np.float64), losses[possible].astype(np.float64)

    @cached_property
    def log_ways(self) -> FloatArray:
        """In how many ways each outcome can arise, in logarithms."""
        gains, losses = self.counts
        even = self.n - gains - losses
        below = special.gammaln(gains + 1) + special.gammaln(losses + 1) + special.gammaln(even + 1)
        result: FloatArray = special.gammaln(self.n + 1) - below
        return result

    def rate(self, passes: BoolArray, gain: float, loss: float) -> float:
        """Return the probability of the outcomes that pass, for these probabilities of a gain and of a loss."""
        gains, losses = (each[passes] for each in self.counts)
        rest = max(1 - gain - loss, 0.0)
        logs = self.log_ways[passes].copy()
        for count, probability in ((gains, gain), (losses, loss), (self.n - gains - losses, rest)):
            logs += count * math.log(probability) if probability > 0 else np.where(count > 0, -np.inf, 0.0)
        return float(np.exp(logs).sum())


def largest_rate(of: Outcomes, passes: BoolArray, margin: float, points: int = 300) -> tuple[float, float]:
    """Return the largest probability to pass where the true drop equals the margin, and the share of gains there.

    The share of gains runs over its whole range, from 0 to (1 - margin)/2, in steps that are finer near 0.
    """
    shares = (1 - margin) / 2 * np.linspace(0, 1, points) ** 2
    rates = [of.rate(passes, float(gain), float(gain) + margin) for gain in shares]
    best = int(np.argmax(rates))
    return rates[best], float(shares[best])


# --- which outcomes pass: the true difference is shown to be above -margin -----------------------------------------


def t_passes(of: Outcomes, margin: float) -> BoolArray:
    """Return what a one-sided t test passes; where no pair differs from another it says nothing."""
    gains, losses = of.counts
    mean = (gains - losses) / of.n
    squares = (gains + losses - of.n * mean**2) / (of.n * (of.n - 1))
    limit = mean - float(special.stdtrit(of.n - 1, 1 - ALPHA)) * np.sqrt(np.maximum(squares, 0.0))
    result: BoolArray = (squares > 1e-15) & (limit >= -margin)
    return result


def tango_passes(of: Outcomes, margin: float) -> BoolArray:
    """Return what Tango's score test passes with a normal quantile."""
    result: BoolArray = tango_z(*of.counts, float(of.n), -margin) >= float(special.ndtri(1 - ALPHA))
    return result


def exact_passes(of: Outcomes, margin: float) -> BoolArray:
    """Return what the program's exact unconditional test passes.

    Its p-value falls as Tango's statistic rises, so that a bisection finds the least statistic that passes.
    """
    z = np.round(tango_z(*of.counts, float(of.n), -margin), 9)
    levels, first = np.unique(z, return_index=True)
    gains, losses = of.counts
    fails, passes = -1, len(levels)
    while passes - fails > 1:
        middle = (fails + passes) // 2
        at = first[middle]
        rejects = exact_margin_p(int(gains[at]), int(losses[at]), of.n, -margin) <= ALPHA
        fails, passes = (fails, middle) if rejects else (middle, passes)
    result: BoolArray = z >= (levels[passes] if passes < len(levels) else np.inf)
    return result


# --- the two-sided score test --------------------------------------------------------------------------------------


def score_test_size(n: int, highest: float = 1.0, points: int = 400) -> tuple[float, float]:
    """Return the largest size of the two-sided score test against 0, and the share of discordant pairs there.

    It rejects where ``|b - c| / sqrt(b + c)`` is at least the normal quantile; given D discordant pairs b is binomial.
    The share of discordant pairs runs up to ``highest``.
    """
    discordant = np.arange(n + 1)
    most = np.floor((discordant - float(special.ndtri(1 - ALPHA / 2)) * np.sqrt(discordant)) / 2 + 1e-12)
    given = np.where(most >= 0, 2 * special.bdtr(np.maximum(most, 0), discordant, 0.5), 0.0)
    given[0] = 0.0
    shares = highest * np.linspace(1 / points, 1, points)
    sizes = given @ np.asarray(stats.binom.pmf(discordant[:, None], n, shares[None, :]))
    best = int(np.argmax(sizes))
    return float(sizes[best]), float(shares[best])


def score_coverage(of: Outcomes, gain: float, loss: float) -> float:
    """Return the probability that the two-sided score interval holds the true difference."""
    z = tango_z(*of.counts, float(of.n), gain - loss)
    return of.rate(np.abs(z) <= float(special.ndtri(1 - ALPHA / 2)) + 1e-12, gain, loss)
