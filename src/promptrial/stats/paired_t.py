"""The row of the paired t-test with clustered standard errors: context for the tests that decide, and the precision."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from promptrial.documents.significance import DETECTABLE, SIDES, Estimate, StatsSettings
from promptrial.stats.detectable import detectable_difference
from promptrial.stats.paired import (
    ENOUGH_CLUSTERS,
    PairedDifference,
    VarianceSplit,
    paired_difference,
    variance_split,
    without_variation,
)
from promptrial.stats.pairing import PairedSample
from promptrial.stats.statistic import estimate_row

__all__ = ["STATISTIC"]


class _Statistic:
    """One row, ``mean_difference``: for a binary endpoint this is the risk difference."""

    name = "paired_difference"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng
        result = paired_difference(sample.difference, sample.cluster, settings.confidence)
        split = variance_split(sample.difference, sample.arms)
        row = estimate_row(
            sample,
            self.name,
            "mean_difference",
            result.mean,
            interval=(result.ci_low, result.ci_high),
            confidence=settings.confidence,
            p=result.p,
            reason=_reason(result),
            notes=_notes(result, clustered=sample.clustered),
            figures={
                "se": result.se,
                "se_naive": result.se_naive,
                "t": result.t,
                "df": result.df,
                "design_effect": result.design_effect,
                "n_effective": result.n_effective,
                DETECTABLE: detectable_difference(sample, result.se, result.df, settings.alpha),
            }
            | ({} if split is None else _split_figures(split)),
        )
        return [row]


STATISTIC: Final = _Statistic()


def _reason(result: PairedDifference) -> str | None:
    if result.n_clusters < 2:
        return "one cluster: no standard error can be computed"
    if result.degenerate:
        lacking = "neither an interval nor a test" if math.isnan(result.p) else "no interval"
        return f"{without_variation(result)}: {lacking} can be computed"
    return None


def _notes(result: PairedDifference, *, clustered: bool) -> tuple[str, ...]:
    if clustered and result.n_clusters < ENOUGH_CLUSTERS:
        return (f"fewer than {ENOUGH_CLUSTERS} clusters: rely on the sign flips rather than on this p-value",)
    return ()


def _split_figures(split: VarianceSplit) -> dict[str, float | None]:
    return {
        "variance_between_items": split.between,
        **{f"variance_within_{side}": within for side, within in zip(SIDES, split.within, strict=True)},
        **{f"replicates_{side}": replicates for side, replicates in zip(SIDES, split.replicates, strict=True)},
    }
