"""The score test of a binary endpoint whose planned items share no cluster: what decides on it."""

from __future__ import annotations

from typing import Final

import numpy as np

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats.difference import decided_by_score, difference_test
from promptrial.stats.pairing import PairedSample
from promptrial.stats.risk_difference import paired_table
from promptrial.stats.statistic import estimate_row

__all__ = ["STATISTIC"]


class _Statistic:
    """One row, ``risk_difference``: McNemar's test without continuity correction, and Tango's interval."""

    name = "score"

    def applies(self, sample: PairedSample) -> bool:
        return sample.n_pairs > 0 and decided_by_score(sample)

    def compute(self, sample: PairedSample, settings: StatsSettings, rng: np.random.Generator) -> list[Estimate]:
        del rng
        test, table = difference_test(sample, settings), paired_table(sample)
        row = estimate_row(
            sample,
            self.name,
            "risk_difference",
            test.estimate,
            interval=(test.low, test.high),
            confidence=settings.confidence,
            p=test.p,
            notes=("no discordant pair",) if table.gains + table.losses == 0 else (),
            figures={"treatment_only": table.gains, "control_only": table.losses},
        )
        return [row]


STATISTIC: Final = _Statistic()
