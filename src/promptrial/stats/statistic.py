"""What a statistic is, and how its results become rows of ``significance.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from promptrial.documents.significance import SCORE_QUANTITIES, Estimate, StatsSettings, number
from promptrial.stats.pairing import PairedSample

__all__ = ["Statistic", "estimate_row", "floor_p_value"]

_SMALLEST: Final = 5e-324


class Statistic(Protocol):
    """One entry of ``registry.STATISTICS``."""

    @property
    def name(self) -> str:
        """The name under which its rows appear as ``method``."""

    def applies(self, sample: PairedSample) -> bool:
        """Say whether the method is meant for this endpoint; called with at least one pair."""

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        """Return its rows. What is not available is a row with a reason."""


def estimate_row(
    sample: PairedSample,
    method: str,
    quantity: str,
    estimate: float | None,
    *,
    metric: str | None = None,
    interval: tuple[float | None, float | None] = (None, None),
    confidence: float | None = None,
    p: float | None = None,
    reason: str | None = None,
    notes: tuple[str, ...] = (),
    figures: Mapping[str, float | None] | None = None,
) -> Estimate:
    """Return a row that is labelled with the endpoint of ``sample``; NaN and infinities become null.

    ``metric`` names what is estimated where that is not the measure of the sample. The interval of a quantity on the
    scale of the scores is cut at the largest difference that they can have.
    """
    widest = sample.largest_difference if quantity in SCORE_QUANTITIES else math.inf
    low, high = (None if (limit := number(end)) is None else min(max(limit, -widest), widest) for end in interval)
    return Estimate(
        contrast=sample.label,
        metric=sample.metric if metric is None else metric,
        temp=sample.temp,
        scope=sample.scope,
        subset=sample.subset,
        method=method,
        quantity=quantity,
        estimate=number(estimate),
        ci_low=low,
        ci_high=high,
        confidence=confidence,
        p=number(p),
        n_pairs=sample.n_pairs,
        n_clusters=sample.n_clusters,
        reason=reason,
        notes=notes,
        figures={name: _figure(value) for name, value in (figures or {}).items()},
    )


def floor_p_value(p: float) -> float:
    """Return a p-value, or the smallest positive double if it is too small for one: no p-value is exactly 0."""
    return max(p, _SMALLEST)


def _figure(value: float | None) -> float | int | None:
    return int(value) if isinstance(value, (int, np.integer)) else number(value)
