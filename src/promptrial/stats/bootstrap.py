"""The cluster bootstrap of the mean paired difference, with bias-corrected and accelerated (BCa) intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats.clusters import DECIMALS, ClusterTotals
from promptrial.stats.paired import ENOUGH_CLUSTERS
from promptrial.stats.pairing import FloatArray, PairedSample
from promptrial.stats.resampling import bootstrap_means
from promptrial.stats.statistic import estimate_row

__all__ = ["STATISTIC", "BcaInterval", "acceleration", "bca_interval", "cluster_bootstrap", "jackknife_means"]


@dataclass(frozen=True, slots=True)
class BcaInterval:
    """A BCa interval and its ingredients.

    ``bias_correction`` is z0, ``acceleration`` a. ``percentile_*`` is the plain percentile interval, ``se`` the
    standard deviation of the replicates. Limits are NaN where there are none: all of them if the replicates are
    all equal (``degenerate``), those of BCa if all replicates lie on one side of the estimate.
    """

    estimate: float
    low: float
    high: float
    bias_correction: float
    acceleration: float
    percentile_low: float
    percentile_high: float
    se: float
    n_resamples: int
    degenerate: bool


def acceleration(jackknife: FloatArray) -> float:
    """Compute the acceleration a = sum(u^3) / (6 (sum u^2)^1.5), u = mean of the jackknife values less each of them.

    Parameters
    ----------
    jackknife : ndarray of float, shape (C,)
        The estimate without each cluster in turn.

    Returns
    -------
    float
        0 if the jackknife values are all equal.

    References
    ----------
    Efron, B., Tibshirani, R. (1993). An introduction to the bootstrap, chapter 14, equation 14.15.
    """
    u = jackknife.mean() - jackknife
    squares = float((u**2).sum())
    return float((u * u * u).sum()) / (6 * squares**1.5) if squares > 0 else 0.0


def jackknife_means(totals: ClusterTotals) -> FloatArray:
    """Return the mean over items without each cluster in turn: shape (C,), for at least two clusters."""
    means: FloatArray = (totals.sums.sum() - totals.sums) / (totals.n_items - totals.sizes)
    return means


def bca_interval(replicates: FloatArray, estimate: float, a: float, confidence: float = 0.95) -> BcaInterval:
    """Compute the BCa interval from bootstrap replicates.

    ``z0 = Phi^-1(share of replicates below the estimate)``, a replicate equal to the estimate counting half;
    the limits are the replicates' quantiles at ``Phi(z0 + (z0 + z) / (1 - a (z0 + z)))`` for both normal quantiles z.

    Parameters
    ----------
    replicates : ndarray of float, shape (B,)
    estimate : float
    a : float
        The acceleration.
    confidence : float
        In (0, 1).

    References
    ----------
    Efron, B. (1987). Better bootstrap confidence intervals. JASA 82:171-185.
    """
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    below = float((replicates < estimate).mean() + (replicates == estimate).mean() / 2)
    degenerate = bool(replicates.min() == replicates.max())
    percentile = np.full(2, np.nan) if degenerate else np.quantile(replicates, tails)
    z0 = 0.0 if degenerate else float(special.ndtri(below))
    shifted = z0 + special.ndtri(tails)
    limits = np.full(2, np.nan)
    if not degenerate and math.isfinite(z0) and (1 - a * shifted > 0).all():
        limits = np.quantile(replicates, special.ndtr(z0 + shifted / (1 - a * shifted)))
    return BcaInterval(
        estimate=estimate,
        low=float(limits[0]),
        high=float(limits[1]),
        bias_correction=z0,
        acceleration=a,
        percentile_low=float(percentile[0]),
        percentile_high=float(percentile[1]),
        se=float(replicates.std(ddof=1)) if len(replicates) > 1 and not degenerate else 0.0,
        n_resamples=len(replicates),
        degenerate=degenerate,
    )


def cluster_bootstrap(
    totals: ClusterTotals, n_resamples: int, rng: np.random.Generator, confidence: float = 0.95
) -> BcaInterval:
    """Bootstrap the mean over items by resampling whole clusters.

    Parameters
    ----------
    totals : ClusterTotals
        At least two clusters.
    n_resamples : int
        10,000 or more for a published interval.
    confidence : float
        In (0, 1).

    Raises
    ------
    ValueError
        If there are fewer than two clusters.

    Notes
    -----
    The draws are made in the orientation in which the estimate is positive, so that exchanging the arms negates the
    interval exactly. Where the sums are symmetric about 0 so is the distribution of replicates, and each draw is used
    with both signs.
    """
    if totals.n_clusters < 2:
        raise ValueError("one cluster: a bootstrap needs at least two")
    sign = _orientation(totals)
    if sign == 0:
        half = bootstrap_means(totals, -(-n_resamples // 2), rng)
        replicates = np.concatenate([half, -half])
    else:
        replicates = sign * bootstrap_means(ClusterTotals(sign * totals.sums, totals.sizes), n_resamples, rng)
    replicates = np.round(replicates, DECIMALS) + 0.0  # no negative zeros
    return bca_interval(replicates, round(totals.mean, DECIMALS), acceleration(jackknife_means(totals)), confidence)


def _orientation(totals: ClusterTotals) -> int:
    """Return the sign that brings the sums into the orientation that draws are made in; 0 if they are symmetric."""
    if totals.mean != 0:
        return 1 if totals.mean > 0 else -1
    forward, backward = (sums[np.lexsort((sums, totals.sizes))] for sums in (totals.sums, -totals.sums))
    differs = np.flatnonzero(forward != backward)
    return int(np.sign(forward[differs[0]] - backward[differs[0]])) if len(differs) else 0


class _Statistic:
    """One row, ``mean_difference`` with its BCa interval."""

    name = "bootstrap"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        if sample.n_clusters < 2:
            return [estimate_row(sample, self.name, "mean_difference", None, reason="one cluster: nothing to resample")]
        result = cluster_bootstrap(sample.totals, settings.bootstrap_samples, rng, settings.confidence)
        row = estimate_row(
            sample,
            self.name,
            "mean_difference",
            result.estimate,
            interval=(result.low, result.high),
            confidence=settings.confidence,
            reason=_reason(result),
            notes=_notes(sample),
            figures={
                "se": result.se,
                "bias_correction": result.bias_correction,
                "acceleration": result.acceleration,
                "percentile_low": result.percentile_low,
                "percentile_high": result.percentile_high,
                "n_resamples": result.n_resamples,
            },
        )
        return [row]


STATISTIC: Final = _Statistic()


def _reason(result: BcaInterval) -> str | None:
    if result.degenerate:
        return "all replicates are equal: no interval can be computed"
    return "no BCa limits: all replicates lie on one side of the estimate" if math.isnan(result.low) else None


def _notes(sample: PairedSample) -> tuple[str, ...]:
    if sample.n_clusters < ENOUGH_CLUSTERS:
        return (f"fewer than {ENOUGH_CLUSTERS} clusters: bootstrap intervals tend to be too narrow",)
    return ()
