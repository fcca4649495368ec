"""The row of the sign flips: what decides on endpoints that are not binary or whose items share clusters.

How flips are made and inverted is in ``sign_flips``, and which interval goes with which data in ``difference``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats.difference import DifferenceTest, decided_by_score, difference_test
from promptrial.stats.fewest import clusters_needed
from promptrial.stats.pairing import PairedSample
from promptrial.stats.sign_flips import FEWEST_FLIPS, sign_flips
from promptrial.stats.statistic import estimate_row

__all__ = ["STATISTIC"]


class _Statistic:
    """One row, ``mean_difference``; clusters are flipped as a whole.

    Where the score test decides, the row is there to be read: a p-value without an interval.
    """

    name = "permutation"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng  # flips are drawn from a stream that the scores give: equal scores have equal p-values
        if sample.n_clusters < 2:
            reason = "one cluster: no test and no interval can be computed"
            return [estimate_row(sample, self.name, "mean_difference", None, reason=reason)]
        test = (
            _beside_the_score_test(sample, settings) if decided_by_score(sample) else difference_test(sample, settings)
        )
        return [
            estimate_row(
                sample,
                self.name,
                "mean_difference",
                test.estimate,
                interval=(test.low, test.high),
                confidence=settings.confidence,
                p=test.p,
                reason=test.reason,
                notes=tuple(_notes(sample, test, settings)),
                figures=_figures(sample, test),
            )
        ]


STATISTIC: Final = _Statistic()


def _beside_the_score_test(sample: PairedSample, settings: StatsSettings) -> DifferenceTest:
    flips = sign_flips(
        sample.totals,
        draws=max(settings.permutation_samples, FEWEST_FLIPS),
        seed=settings.random_seed,
        decisive=((0.0, settings.alpha),),
    )
    p, nan = flips.p_value(), float("nan")
    error = 0.0 if flips.exact_p is not None else flips.standard_error(p)
    return DifferenceTest(sample.totals.mean, p, nan, nan, "permutation", None, None, error, flips, None, p)


def _figures(sample: PairedSample, test: DifferenceTest) -> dict[str, float | None]:
    flips, effective = test.flips, test.effective
    figures: dict[str, float | None] = {"clusters_flipped": int((sample.totals.sums != 0).sum())}
    if flips is not None:
        figures |= {
            "total": flips.flips,
            "enumerated": int(flips.enumerated),
            "exact": int(flips.enumerated or flips.exact_p is not None),
            "monte_carlo_se": test.standard_error,
            "p_flips": test.p_flips,
        }
    if effective is not None:
        figures |= {
            "p_score": effective.p_value(),
            "n_effective": effective.n,
            "design_effect": effective.design_effect,
            "design_effect_floor": effective.floor,
        }
    return figures


def _notes(sample: PairedSample, test: DifferenceTest, settings: StatsSettings) -> Iterator[str]:
    leaning = int((sample.totals.sums != 0).sum())
    if leaning == 0:
        yield "no cluster has a difference other than 0"
    elif leaning < clusters_needed(settings.alpha):
        yield f"cannot reach {settings.alpha:g}: the smallest possible p is {2.0 ** (1 - leaning):.4g}"
    if test.effective is not None:
        yield (
            "too sparse for the flips alone: the interval is the hull of the flips' and the score interval on "
            f"effective counts ({test.effective.said()}), and p is the larger of both"
        )
    if test.not_shown(settings.alpha):
        yield f"the flips alone would reject (p = {test.p_flips:.3g}), the score test would not: not shown"
