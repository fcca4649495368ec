"""Sign flips of whole clusters, inverted in closed form: p-values of any mean, and the limits that agree with them.

A flip exchanges the arms of some clusters F and keeps the rest R. With D_c the sum of the differences in cluster c and
n_c its items, the flipped statistic ``|sum s_c (D_c - n_c delta0)|`` is at least the observed one exactly when delta0
lies between the mean of F and the mean of R (mean = sum of D over sum of n). So each flip is a pair of means, p(delta0)
is the share of pairs that hold delta0, and the limits are order statistics of the pairs. Nothing is studentised.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from promptrial.stats.clusters import ClusterTotals
from promptrial.stats.lattice import exact_sign_flip_p, lattice_steps
from promptrial.stats.pairing import FloatArray
from promptrial.stats.resampling import all_sign_flip_sums, all_subset_sums, subset_sums
from promptrial.stats.streams import stream

__all__ = [
    "FEWEST_FLIPS",
    "LARGEST_ENUMERATION",
    "MOST_FLIPS",
    "SignFlips",
    "sign_flips",
]

LARGEST_ENUMERATION: Final = 20
"""Up to so many clusters every flip is looked at: half a million pairs at most."""
FEWEST_FLIPS: Final = 9_999
MOST_FLIPS: Final = 1_000_000
_DECIMALS: Final = 9
"""Means that differ by less than 1e-9 are ties; on a scale of more than 1, relative to it."""
_STANDARD_ERRORS: Final = 3

_ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True, slots=True, eq=False)
class SignFlips:
    """The sign flips of a sample: p-values and limits from the same order statistics.

    Attributes
    ----------
    mean : float
        The mean over items, on the grid on which ties are decided.
    low, high : ndarray of float, shape (flips,)
        The smaller and the larger mean of each flip, in no order. The flip that changes nothing is among them, with
        -inf and inf.
    flips : int
        How many flips were looked at, M. A flip and its opposite count as one: they have the same pair.
    n_clusters : int
    enumerated : bool
        Whether all 2^(C-1) flips were looked at. Otherwise they were drawn at random.
    exact_p : float or None
        The two-sided p-value at 0 without Monte Carlo error, where flips were drawn but the sums lie on a lattice or
        few of them are not 0.
    decimals : int
        To how many decimals means are rounded.
    """

    mean: float
    low: FloatArray
    high: FloatArray
    flips: int
    n_clusters: int
    enumerated: bool
    exact_p: float | None
    decimals: int

    def p_value(self, delta0: float = 0.0) -> float:
        """Return the two-sided p-value of "the mean is ``delta0``": in [1/M, 1], or exact."""
        if delta0 == 0 and self.exact_p is not None:
            return self.exact_p
        return self._share(round(delta0, self.decimals))

    def p_greater(self, delta0: float = 0.0) -> float:
        """Return the one-sided p-value of "the mean is ``delta0`` or less"; small if it is greater."""
        value = round(delta0, self.decimals)
        if value < self.mean:
            return self.p_value(delta0) / 2
        beyond = int(np.count_nonzero(self.high <= value))
        return (len(self.low) + beyond + 1) / (2 * len(self.low))

    def limits(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the two-sided limits: the values whose p is above ``1 - confidence``. NaN where p cannot get there."""
        return self.lower_limit((1 - confidence) / 2), self.upper_limit((1 - confidence) / 2)

    def lower_limit(self, alpha: float) -> float:
        """Return the one-sided lower limit at level ``1 - alpha``: ``p_greater`` is above alpha from there on."""
        return self._limit(self.low, self.mean, alpha)

    def upper_limit(self, alpha: float) -> float:
        """Return the one-sided upper limit at level ``1 - alpha``: the lower one with arms exchanged, negated."""
        return -self._limit(-self.high, -self.mean, alpha) + 0.0

    def standard_error(self, p: float) -> float:
        """Return the Monte Carlo standard error of a two-sided p-value at any value but an exact 0; 0 if enumerated."""
        return 0.0 if self.enumerated else math.sqrt(p * (1 - p) / self.flips)

    def _share(self, value: float) -> float:
        if value < self.mean:
            held = np.count_nonzero(self.low <= value)
        elif value > self.mean:
            held = np.count_nonzero(self.high >= value)
        else:
            return 1.0
        return int(held) / len(self.low)

    def _limit(self, low: FloatArray, mean: float, alpha: float) -> float:
        """Return a lower limit: the first of ``low`` up to which more than ``2 alpha`` of all pairs begin."""
        place = math.floor(2 * alpha * len(low) * (1 + 1e-12) + 1e-9)
        if place >= len(low):
            return math.nan
        limit = _ordered(low, place)
        if math.isinf(limit) or self.exact_p is None or mean <= 0:
            return math.nan if math.isinf(limit) else limit
        return self._agreeing(low, place, mean, rejects=self.exact_p <= 2 * alpha * (1 + 1e-12))

    @staticmethod
    def _agreeing(low: FloatArray, place: int, mean: float, *, rejects: bool) -> float:
        """Return the limit next to the drawn one that lies on the side of 0 which the exact p-value says."""
        up_to_0 = int(np.count_nonzero(low <= 0))
        if rejects:
            place = max(place, up_to_0)
            return _ordered(low, place) if place < len(low) else mean
        limit = _ordered(low, min(place, up_to_0 - 1))
        return limit if math.isfinite(limit) else 0.0


def _ordered(values: FloatArray, place: int) -> float:
    """Return the value at a place of the ascending order."""
    return float(np.partition(values, place)[place]) + 0.0


def sign_flips(
    totals: ClusterTotals,
    *,
    draws: int = FEWEST_FLIPS,
    seed: int = 0,
    decisive: Sequence[tuple[float, float]] = ((0.0, 0.05),),
    most: int = MOST_FLIPS,
) -> SignFlips:
    """Look at sign flips of whole clusters: all of them up to 20 clusters, otherwise as many as it takes.

    Parameters
    ----------
    totals : ClusterTotals
        Of the paired differences; at least one cluster.
    draws : int
        Random flips to begin with, used above 20 clusters.
    seed : int
        Draws depend on it and on the totals alone: equal scores give equal figures, in whatever order they are.
    decisive : sequence of (float, float)
        Values of the mean and two-sided levels at which something is decided. More is drawn while the p-value of one of
        them is within three Monte Carlo standard errors of its level. A one-sided level counts twice.
    most : int
        Flips to stop at.

    Notes
    -----
    Exchanging the arms negates the result exactly: flips are drawn in the orientation in which the mean is positive,
    and where exchanging changes nothing each draw counts in both. Clusters of equal size and sum are drawn together,
    as a binomial count.

    References
    ----------
    Fisher, R.A. (1935). The design of experiments, section 21. Phipson, B., Smyth, G.K. (2010). Permutation p-values
    should never be zero. Statistical Applications in Genetics and Molecular Biology 9:39. Hemerik, J., Goeman, J.
    (2018). Exact testing with random permutations. TEST 27:811-825 (drawing within a group, the identity included).

    Examples
    --------
    >>> flips = sign_flips(ClusterTotals(np.array([1.0, 2.0, 3.0, 2.0, 4.0, 1.0]), np.full(6, 5)))
    >>> flips.p_value(), flips.limits(0.95)
    (0.03125, (0.2, 0.8))
    """
    values, mirrored, symmetric = _oriented(totals)
    decimals = _decimals(totals)
    enumerated = len(values) <= LARGEST_ENUMERATION
    if enumerated:
        flipped, exact = all_subset_sums(values[1:]), None
        return _made(values, [flipped], decimals, exact, mirrored=mirrored, enumerated=True, symmetric=False)
    exact = _exact_p(values.imag)
    rng = stream(seed, "sign flips", hashlib.sha256(values.tobytes()).hexdigest())
    drawn = [np.zeros(1, dtype=np.complex128), subset_sums(values, draws, rng)]
    while True:
        found = _made(values, drawn, decimals, exact, mirrored=mirrored, enumerated=False, symmetric=symmetric)
        more = min(found.flips, most - found.flips)
        if more <= 0 or not any(_undecided(found, *point) for point in decisive):
            return found
        drawn.append(subset_sums(values, more, rng))


def _oriented(totals: ClusterTotals) -> tuple[_ComplexArray, bool, bool]:
    """Return size + sum i of the clusters, sorted, with a sum of 0 or more; whether negated, and whether symmetric."""
    values = np.sort_complex(totals.sizes + 1j * (totals.sums + 0.0))
    mirror = np.sort_complex(totals.sizes + 1j * (0.0 - totals.sums))
    differing = np.flatnonzero(values.imag != mirror.imag)
    total = float(values.imag.sum())
    negated = total < 0 if total else bool(len(differing)) and values.imag[differing[0]] > mirror.imag[differing[0]]
    return (mirror if negated else values), bool(negated), not len(differing)


def _decimals(totals: ClusterTotals) -> int:
    largest = float(np.abs(totals.sums / totals.sizes).max())
    return _DECIMALS - max(0, math.ceil(math.log10(largest))) if largest > 1 else _DECIMALS


def _exact_p(sums: FloatArray) -> float | None:
    leaning = np.abs(sums[sums != 0])
    if len(leaning) <= LARGEST_ENUMERATION:
        observed, tolerance = abs(float(sums.sum())), 1e-9 * float(leaning.max(initial=0.0))
        return float((np.abs(all_sign_flip_sums(leaning)) >= observed - tolerance).mean())
    steps = lattice_steps(sums)
    return None if steps is None else exact_sign_flip_p(steps)


def _made(
    values: _ComplexArray,
    drawn: Sequence[_ComplexArray],
    decimals: int,
    exact: float | None,
    *,
    mirrored: bool,
    enumerated: bool,
    symmetric: bool,
) -> SignFlips:
    """Turn the totals of the flipped clusters into pairs of means."""
    flipped, everything = np.concatenate(drawn), complex(values.sum())
    low, high = _pairs(flipped, everything, decimals)
    mean = round(everything.imag / everything.real, decimals) + 0.0
    if symmetric:
        low = np.concatenate([low, -high])
        high = -low
    if mirrored:
        low, high, mean = -high, -low, -mean + 0.0
    return SignFlips(mean, low, high, len(flipped), len(values), enumerated, exact, decimals)


def _pairs(flipped: _ComplexArray, everything: complex, decimals: int) -> tuple[FloatArray, FloatArray]:
    size, rest = flipped.real, everything.real - flipped.real
    inner = (size > 0) & (rest > 0)
    ones = np.ones(len(flipped))
    of_flipped = np.round(flipped.imag / np.where(inner, size, ones), decimals)
    of_rest = np.round((everything.imag - flipped.imag) / np.where(inner, rest, ones), decimals)
    low = np.where(inner, np.minimum(of_flipped, of_rest), -np.inf)
    high = np.where(inner, np.maximum(of_flipped, of_rest), np.inf)
    return low + 0.0, high + 0.0


def _undecided(found: SignFlips, delta0: float, level: float) -> bool:
    if delta0 == 0 and found.exact_p is not None:
        return False
    p = found.p_value(delta0)
    return abs(p - level) <= _STANDARD_ERRORS * found.standard_error(p)
