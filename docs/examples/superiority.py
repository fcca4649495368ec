"""The share of items that the treatment does better on. A statistic, as an example."""

from __future__ import annotations

from typing import Final

import numpy as np

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats.pairing import FloatArray, PairedSample
from promptrial.stats.statistic import estimate_row

__all__ = ["STATISTIC", "superiority"]


def superiority(difference: FloatArray) -> float:
    """Compute P(d > 0) + P(d = 0) / 2 over the items at hand: 0.5 means that neither arm is ahead.

    Examples
    --------
    >>> superiority(np.array([1.0, 0.0, 0.0, -1.0, 1.0]))
    0.6
    """
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


class _Statistic:
    """One row, ``superiority``, without a p-value: it describes, and nothing is decided on it."""

    name = "superiority"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del settings, rng
        return [estimate_row(sample, self.name, "superiority", superiority(sample.difference))]


STATISTIC: Final = _Statistic()
