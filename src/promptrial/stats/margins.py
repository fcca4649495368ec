"""One-sided tests of a difference against a margin, each with the limit that is its inversion. Chosen once, by design.

* Binary, no two pairs in one cluster: the exact unconditional test on Tango's ordering.
* Clusters that say enough: sign flips, one-sided.
* Otherwise both the flips and the score test on effective counts have to reject; p is the larger of the two, and the
  limit the one farther away. For scores that are not 0 or 1 this is approximate, and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import special

from promptrial.documents.significance import StatsSettings
from promptrial.documents.usual import POWER
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.difference import decided_by_score, few_clusters
from promptrial.stats.effective import EffectivePairs, density, effective_pairs
from promptrial.stats.fewest import MARGIN_SLOPE, clusters_needed, unchanged_clusters
from promptrial.stats.margin_power import AlikePairs
from promptrial.stats.pairing import FloatArray, IntArray, PairedSample
from promptrial.stats.risk_difference import paired_table
from promptrial.stats.sign_flips import FEWEST_FLIPS, SignFlips, sign_flips
from promptrial.stats.unconditional import exact_lower_limit, exact_margin_p, unchanged_pairs_needed

__all__ = [
    "MarginTest",
    "PairsNeeded",
    "binary_margin_test",
    "clustered_margin_test",
    "margin_notes",
    "margin_test",
    "needed_note",
    "pairs_needed",
]


_SMALLEST_MARGIN: Final = 1e-9
_METHODS: Final = {
    "exact_unconditional": "the exact unconditional test on Tango's ordering",
    "sign_flips": "sign flips of clusters",
    "sign_flips_score": "both the sign flips and the score test on effective counts",
}


@dataclass(frozen=True, slots=True)
class MarginTest:
    """A one-sided test against a bound; NaN with a ``reason`` where there is none.

    Attributes
    ----------
    p : float
        Small where the difference lies on the wanted side of the bound.
    limit : float
        One-sided limit at level ``1 - alpha``: the lower one for a bound from below. It lies strictly beyond the bound
        exactly when p is at most alpha.
    method : str or None
        ``exact_unconditional``, ``sign_flips``, or ``sign_flips_score`` (both have to reject).
    approximate : bool
        Whether the level is not warranted: the data are sparse, and the scores are not 0 or 1.
    standard_error : float
        Monte Carlo standard error of p; 0 where it is exact.
    """

    p: float
    limit: float
    method: str | None
    reason: str | None = None
    approximate: bool = False
    standard_error: float = 0.0
    effective: EffectivePairs | None = None
    clusters_needed: int | None = None


def margin_test(
    sample: PairedSample, delta0: float, alpha: float, settings: StatsSettings, *, above: bool = True
) -> MarginTest:
    """Test an endpoint against a bound, by its planned scale and clustering.

    Parameters
    ----------
    sample : PairedSample
        At least one pair.
    delta0 : float
        The bound. One beyond what the range of scores allows is taken as the end of what it allows.
    alpha : float
        One-sided level.
    settings : StatsSettings
        Flips to begin with (at least 9,999) and seed.
    above : bool
        Whether the difference is to be shown to lie above the bound; below it otherwise.
    """
    width = sample.largest_difference
    bound = min(max(delta0, -width), width)
    if decided_by_score(sample):
        table = paired_table(sample)
        return binary_margin_test(table.gains, table.losses, table.n, bound, alpha, above=above)
    return clustered_margin_test(
        sample.difference,
        sample.cluster,
        bound,
        alpha,
        binary=sample.binary,
        above=above,
        width=width,
        draws=max(settings.permutation_samples, FEWEST_FLIPS),
        seed=settings.random_seed,
    )


@dataclass(frozen=True, slots=True)
class PairsNeeded:
    """How many pairs would show a margin: at least ``unchanged``, and ``planned`` with a power of 80%.

    ``unchanged`` pairs suffice if none of them changes; ``planned`` if the arms are alike, and pairs differ as often as
    they did. Both allow for clusters as the margin test does: by the floor, and by the design effect seen.
    """

    unchanged: int
    planned: int


def pairs_needed(sample: PairedSample, margin: float, alpha: float, *, both_sides: bool = False) -> PairsNeeded | None:
    """Estimate how many pairs would show a margin; None where it is 0 or less, no margin, or there is one cluster.

    The power is 0.8; where ``both_sides`` have to be shown (equivalence), 0.9 each, which makes 0.8 for both if the
    arms are alike. 0/1 pairs, and clusters few of which differ, need as many as ``AlikePairs`` says: they differ as
    often as they did, with the design effect seen. Others need ``(z_(1-alpha) + z_power)^2 V / margin^2``, V the mean
    squared difference times the design effect. None need fewer than the test needs unchanged ones.

    References
    ----------
    Nam, J. (1997). Establishing equivalence of two treatments and sample size requirements in matched-pairs design.
    Biometrics 53:1422-1430. Julious, S.A. (2004). Sample sizes for clinical trials with Normal data. Statistics in
    Medicine 23:1921-1986, section 4 (equivalence: half of the error of the second kind on each side).
    """
    width, by_score = sample.largest_difference, decided_by_score(sample)
    if not _SMALLEST_MARGIN <= margin / width < 1 or sample.n_pairs == 0 or not (by_score or sample.n_clusters > 1):
        return None
    share, power = margin / width, (1 + POWER) / 2 if both_sides else POWER
    difference = sample.difference / width
    if by_score:
        unchanged = unchanged_pairs_needed(share, alpha)
        alike = AlikePairs(float(np.abs(difference).mean()), share, alpha)
    else:
        pairs, size = effective_pairs(difference, sample.cluster, MARGIN_SLOPE), sample.n_pairs / sample.n_clusters
        unchanged = math.ceil(unchanged_clusters(size, pairs.floor, share, alpha) * size)
        if density(sample.difference, sample.cluster).dense:
            quantiles = float(special.ndtri(1 - alpha) + special.ndtri(power))
            planned = math.ceil(pairs.design_effect * float((difference**2).mean()) * (quantiles / share) ** 2)
            return PairsNeeded(unchanged, max(unchanged, planned))
        alike = AlikePairs((pairs.b + pairs.c) / pairs.n, share, alpha, size, pairs.design_effect)
    return PairsNeeded(unchanged, max(unchanged, alike.needed(power)) if difference.any() else unchanged)


def margin_notes(test: MarginTest) -> tuple[str, ...]:
    """Return in words which test a margin was put to, and with which floor of the design effect."""
    if test.method is None:
        return ()
    said = _METHODS[test.method]
    if test.effective is not None:
        said += f" ({test.effective.said()})"
    cautions = ("approximate: the data are sparse, and the scores are not 0 or 1",) if test.approximate else ()
    return (f"by {said}", *cautions)


def needed_note(needed: PairsNeeded, margin: float) -> str:
    """Return in words how many pairs would show a margin.

    Examples
    --------
    >>> needed_note(PairsNeeded(299, 1200), 0.01)
    'a margin of 0.01 needs at least 299 pairs, all unchanged; about 1,200 if the arms are alike but differ as seen'
    """
    text = f"a margin of {margin:g} needs at least {needed.unchanged:,} pairs, all unchanged"
    if needed.planned <= needed.unchanged:
        return text
    return f"{text}; about {needed.planned:,} if the arms are alike but differ as seen"


def binary_margin_test(b: int, c: int, n: int, delta0: float, alpha: float = 0.05, *, above: bool = True) -> MarginTest:
    """Test 0/1 pairs that share no cluster against a bound, exactly.

    Parameters
    ----------
    b, c : int
        Pairs with a gain (0 in the first arm, 1 in the second), and pairs with a loss.
    n : int
        All pairs, above 0.
    delta0 : float
        The bound, in [-1, 1]: ``-margin`` for non-inferiority where more is better.
    alpha : float
        One-sided level, in (0, 0.5).
    above : bool
        Whether the difference is to be shown to lie above the bound; below it otherwise.

    Examples
    --------
    >>> [binary_margin_test(0, 0, n, -0.01).p <= 0.05 for n in (298, 299)]
    [False, True]
    """
    if not above:
        return _turned(binary_margin_test(c, b, n, -delta0, alpha))
    p = exact_margin_p(b, c, n, delta0)
    limit = _agreeing(exact_lower_limit(b, c, n, alpha), delta0, rejects=p <= alpha)
    return MarginTest(p, limit, "exact_unconditional")


def clustered_margin_test(
    difference: FloatArray,
    cluster: IntArray | None,
    delta0: float,
    alpha: float = 0.05,
    *,
    binary: bool,
    above: bool = True,
    width: float = 1.0,
    draws: int = FEWEST_FLIPS,
    seed: int = 0,
) -> MarginTest:
    """Test paired differences against a bound by sign flips of whole clusters, and by the score test where few differ.

    Parameters
    ----------
    difference : ndarray of float, shape (n_pairs,)
        At least one.
    cluster : ndarray of int, shape (n_pairs,) or None
        None: every pair is its own cluster.
    delta0, alpha, above
        As for ``binary_margin_test``.
    binary : bool
        Whether the scores are 0 or 1.
    width : float
        The largest difference that the range of scores allows, above 0.
    draws, seed
        As for ``sign_flips``.

    Raises
    ------
    ValueError
        If a difference is larger than ``width``.

    Notes
    -----
    With fewer clusters than ``clusters_needed(alpha)`` there is no conclusion: p and limit are NaN.

    Examples
    --------
    >>> test = clustered_margin_test(np.zeros(900), np.arange(900) // 3, -0.02, binary=True)
    >>> test.method, test.p < 0.05, test.limit > -0.02
    ('sign_flips_score', True, True)
    """
    if np.abs(difference).max() > width * (1 + 1e-9):
        raise ValueError(f"a difference of {np.abs(difference).max()}: the scores allow no more than {width}")
    totals = cluster_totals(difference if above else 0.0 - difference, cluster)
    needed = clusters_needed(alpha)
    if totals.n_clusters < needed:
        reason = few_clusters(totals, f"a margin at level {alpha:g}", needed)
        return MarginTest(math.nan, math.nan, None, reason, clusters_needed=needed)
    bound = delta0 if above else -delta0
    flips = sign_flips(totals, draws=draws, seed=seed, decisive=((bound, 2 * alpha),))
    dense = density(difference, cluster).dense
    effective = None if dense else effective_pairs(difference / width * (1 if above else -1), cluster, MARGIN_SLOPE)
    test = _lower_bound_test(flips, effective, bound, alpha, width)
    test = replace(test, approximate=not (dense or binary))
    return test if above else _turned(test)


def _lower_bound_test(
    flips: SignFlips, effective: EffectivePairs | None, delta0: float, alpha: float, width: float
) -> MarginTest:
    p, limit, method = flips.p_greater(delta0), flips.lower_limit(alpha), "sign_flips"
    error = _error(flips, p, delta0)
    if effective is not None:
        p = max(p, effective.p_greater(delta0 / width))
        limit, method = min(limit, effective.lower_limit(alpha) * width), "sign_flips_score"
    limit = _agreeing(limit, delta0, rejects=p <= alpha)
    return MarginTest(p, limit, method, standard_error=error, effective=effective)


def _error(flips: SignFlips, p: float, delta0: float) -> float:
    """Return the Monte Carlo standard error of a one-sided p, which is half a two-sided one."""
    if delta0 == 0 and flips.exact_p is not None:
        return 0.0
    return flips.standard_error(min(2 * p, 1.0)) / 2


def _agreeing(limit: float, delta0: float, *, rejects: bool) -> float:
    """Return the limit, moved to the side of the bound that the p-value says, should the last digits say otherwise."""
    return max(limit, math.nextafter(delta0, math.inf)) if rejects else min(limit, delta0)


def _turned(test: MarginTest) -> MarginTest:
    return replace(test, limit=-test.limit + 0.0)
