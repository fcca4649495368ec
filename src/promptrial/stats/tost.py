"""Equivalence by two one-sided tests, and non-inferiority, which is one of the two and is called that.

Which test each side is depends on the design: ``margins`` chooses. ``tost`` is Student's, for context.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats.margins import MarginTest, margin_notes, margin_test, needed_note, pairs_needed
from promptrial.stats.paired import PairedDifference, paired_difference
from promptrial.stats.pairing import PairedSample
from promptrial.stats.statistic import estimate_row, floor_p_value

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
    """Test that a mean paired difference lies within ``(-margin, margin)``, by Student's t: for context.

    On sparse 0/1 scores it passes far too often (15% at a level of 5%), so that it decides nothing.

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
        floor_p_value(float(special.stdtr(result.df, -(margin + side * result.mean) / result.se))) for side in (1, -1)
    )
    half = float(special.stdtrit(result.df, 1 - alpha)) * result.se
    return Tost(max(lower, upper), lower, upper, result.mean - half, result.mean + half)


class _Statistic:
    """Rows for measures with a margin: ``equivalence`` and, if it is known which side is worse, ``non_inferiority``.

    Each side is tested as ``margins`` says; Student's t is among the figures, for context.
    """

    name = "tost"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng
        margin = settings.tost_margins.get(sample.metric)
        if margin is None:
            return []
        legs = _Legs(
            margin_test(sample, -margin, settings.alpha, settings),
            margin_test(sample, margin, settings.alpha, settings, above=False),
        )
        rows = [_row(sample, "equivalence", legs, max(legs.lower.p, legs.upper.p), margin, settings)]
        wanted = settings.wanted.get(sample.metric)
        if wanted is not None:
            leg, side = (legs.upper, f"below {margin}") if wanted == "lower" else (legs.lower, f"above {-margin}")
            note = f"one leg: the difference is {side}"
            rows.append(_row(sample, "non_inferiority", legs, leg.p, margin, settings, (note,)))
        return rows


STATISTIC: Final = _Statistic()


@dataclass(frozen=True, slots=True)
class _Legs:
    """The two one-sided tests: that the difference is above minus the margin, and below the margin."""

    lower: MarginTest
    upper: MarginTest

    @property
    def method(self) -> str | None:
        return self.lower.method


def _row(
    sample: PairedSample,
    quantity: str,
    legs: _Legs,
    p: float,
    margin: float,
    settings: StatsSettings,
    notes: tuple[str, ...] = (),
) -> Estimate:
    shown = p <= settings.alpha
    both_sides = quantity == "equivalence"
    needed = None if shown else pairs_needed(sample, margin, settings.alpha, both_sides=both_sides)
    return estimate_row(
        sample,
        "tost",
        quantity,
        sample.totals.mean,
        interval=(legs.lower.limit, legs.upper.limit),
        confidence=1 - 2 * settings.alpha,
        p=p,
        reason=legs.lower.reason,
        notes=(*notes, *margin_notes(legs.lower), *(() if needed is None else (needed_note(needed, margin),))),
        figures={
            "margin": margin,
            "p_lower": legs.lower.p,
            "p_upper": legs.upper.p,
            "p_t": _student(sample, margin, settings).p,
            "monte_carlo_se": max(legs.lower.standard_error, legs.upper.standard_error),
        }
        | _effective_figures(legs.lower)
        | ({} if needed is None else {"unchanged_pairs_needed": needed.unchanged, "pairs_needed": needed.planned}),
    )


def _student(sample: PairedSample, margin: float, settings: StatsSettings) -> Tost:
    return tost(paired_difference(sample.difference, sample.cluster, settings.confidence), margin, settings.alpha)


def _effective_figures(test: MarginTest) -> dict[str, float]:
    found = test.effective
    if found is None:
        return {}
    return {"n_effective": found.n, "design_effect": found.design_effect, "design_effect_floor": found.floor}
