"""Equivalence by two one-sided tests, and non-inferiority, which is one of the two and is called that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from promptrial.significance import Estimate, StatsSettings
from promptrial.stats.paired import PairedDifference, paired_difference
from promptrial.stats.pairing import PairedSample
from promptrial.stats.statistic import estimate_row, never_zero

__all__ = ["STATISTIC", "Tost", "tost"]


@dataclass(frozen=True, slots=True)
class Tost:
    """Two one-sided tests of a mean difference against a margin.

    ``p`` is the larger of ``p_lower`` (the difference is above ``-margin``) and ``p_upper`` (it is below ``margin``);
    ``ci_low`` and ``ci_high`` bound the interval of level ``1 - 2 alpha``, which lies inside the margin exactly when
    ``p <= alpha``. NaN is "not estimable": there is no standard error, or no variation.
    """

    p: float
    p_lower: float
    p_upper: float
    ci_low: float
    ci_high: float


def tost(result: PairedDifference, margin: float, alpha: float = 0.05) -> Tost:
    """Test that a mean paired difference lies within ``(-margin, margin)``.

    Parameters
    ----------
    result : PairedDifference
        Its standard error is clustered, so the test is too.
    margin : float
        Above 0, on the scale of the scores.
    alpha : float
        In (0, 0.5).

    Raises
    ------
    ValueError
        If the margin is not above 0.

    References
    ----------
    Schuirmann, D.J. (1987). A comparison of the two one-sided tests procedure and the power approach. Journal of
    Pharmacokinetics and Biopharmaceutics 15:657-680.

    Examples
    --------
    >>> result = paired_difference(np.array([0.1, -0.1, 0.2, -0.2, 0.0]))
    >>> test = tost(result, 0.2)
    >>> round(test.p, 6), test.p <= 0.05, test.ci_high < 0.2
    (0.02371, True, True)
    """
    if not margin > 0:
        raise ValueError(f"a margin of {margin}: it must be above 0")
    if not result.se > 0:
        return Tost(math.nan, math.nan, math.nan, math.nan, math.nan)
    lower, upper = (
        never_zero(float(special.stdtr(result.df, -(margin + side * result.mean) / result.se))) for side in (1, -1)
    )
    half = float(special.stdtrit(result.df, 1 - alpha)) * result.se
    return Tost(max(lower, upper), lower, upper, result.mean - half, result.mean + half)


class _Statistic:
    """Rows for metrics with a margin: ``equivalence`` and, if it is known which side is worse, ``non_inferiority``."""

    name = "tost"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng
        margin = settings.tost_margins.get(sample.metric)
        if margin is None:
            return []
        result = paired_difference(sample.difference, sample.cluster, settings.confidence)
        test = tost(result, margin, settings.alpha)
        figures = {"margin": margin, "p_lower": test.p_lower, "p_upper": test.p_upper}
        rows = [_row(sample, "equivalence", result, test, test.p, settings.alpha, figures)]
        wanted = settings.wanted.get(sample.metric)
        if wanted is not None:
            leg, side = (test.p_upper, f"below {margin}") if wanted == "lower" else (test.p_lower, f"above {-margin}")
            note = f"one leg: the difference is {side}"
            rows.append(_row(sample, "non_inferiority", result, test, leg, settings.alpha, figures, notes=(note,)))
        return rows


STATISTIC: Final = _Statistic()


def _row(
    sample: PairedSample,
    quantity: str,
    result: PairedDifference,
    test: Tost,
    p: float,
    alpha: float,
    figures: dict[str, float],
    notes: tuple[str, ...] = (),
) -> Estimate:
    return estimate_row(
        sample,
        "tost",
        quantity,
        result.mean,
        interval=(test.ci_low, test.ci_high),
        confidence=1 - 2 * alpha,
        p=p,
        reason="no variation between clusters, or only one: no test can be made" if math.isnan(p) else None,
        notes=notes,
        figures=figures,
    )
