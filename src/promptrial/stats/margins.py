"""One-sided tests of a difference against a margin, each with the limit that is its inversion. Chosen once, by design.

* Binary, no two pairs in one cluster: the exact unconditional test on Tango's ordering.
* Clusters that say enough: sign flips, one-sided.
* Otherwise both the flips and the score test on effective counts have to reject; p is the larger of the two, and the
  limit the one farther away. For scores that are not 0 or 1 this is approximate, and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from promptrial.stats.difference import few_clusters
from promptrial.stats.effective import MARGIN_SLOPE, EffectivePairs, density, effective_pairs
from promptrial.stats.pairing import FloatArray, IntArray, cluster_totals
from promptrial.stats.sign_flips import FEWEST_FLIPS, SignFlips, clusters_needed, sign_flips
from promptrial.stats.unconditional import exact_lower_limit, exact_margin_p

__all__ = ["MarginTest", "binary_margin_test", "clustered_margin_test"]


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
        Whether the level is not warranted: few clusters differ, and the scores are not 0 or 1.
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


def binary_margin_test(b: int, c: int, n: int, delta0: float, alpha: float = 0.05, *, above: bool = True) -> MarginTest:
    """Test 0/1 pairs that share no cluster against a bound, exactly.

    Parameters
    ----------
    b, c : int
        Pairs that only the treatment, and only the control, has right.
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
    draws, seed
        As for ``sign_flips``.

    Notes
    -----
    With fewer clusters than ``clusters_needed(alpha)`` there is no conclusion: p and limit are NaN.

    Examples
    --------
    >>> test = clustered_margin_test(np.zeros(900), np.arange(900) // 3, -0.02, binary=True)
    >>> test.method, test.p < 0.05, test.limit > -0.02
    ('sign_flips_score', True, True)
    """
    if not above:
        return _turned(
            clustered_margin_test(0.0 - difference, cluster, -delta0, alpha, binary=binary, draws=draws, seed=seed)
        )
    totals = cluster_totals(difference, cluster)
    needed = clusters_needed(alpha)
    if totals.n_clusters < needed:
        reason = few_clusters(totals, f"a margin at level {alpha:g}", needed)
        return MarginTest(math.nan, math.nan, None, reason, clusters_needed=needed)
    flips = sign_flips(totals, draws=draws, seed=seed, decisive=((delta0, 2 * alpha),))
    say = density(difference, cluster)
    within = bool((np.abs(difference) <= 1).all())
    if not say.dense and within:
        effective = effective_pairs(difference, cluster, MARGIN_SLOPE)
        return _both(flips, effective, delta0, alpha, approximate=not binary)
    if not say.varies:
        reason = "the clusters do not differ, and scores lie outside 0 to 1: no test can be made"
        return MarginTest(math.nan, math.nan, None, reason)
    return _of_flips(flips, delta0, alpha, approximate=not say.dense)


def _of_flips(flips: SignFlips, delta0: float, alpha: float, *, approximate: bool) -> MarginTest:
    p = flips.p_greater(delta0)
    limit = _agreeing(flips.lower_limit(alpha), delta0, rejects=p <= alpha)
    return MarginTest(p, limit, "sign_flips", approximate=approximate, standard_error=_error(flips, p, delta0))


def _both(flips: SignFlips, effective: EffectivePairs, delta0: float, alpha: float, *, approximate: bool) -> MarginTest:
    p = max(flips.p_greater(delta0), effective.p_greater(delta0))
    limit = min(flips.lower_limit(alpha), effective.lower_limit(alpha))
    return MarginTest(
        p,
        _agreeing(limit, delta0, rejects=p <= alpha),
        "sign_flips_score",
        approximate=approximate,
        standard_error=_error(flips, flips.p_greater(delta0), delta0),
        effective=effective,
    )


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
