"""Selective accuracy with replicates: what is answered to an unanswerable question is never right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from promptrial.documents.significance import StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.pairing import pair_scores
from promptrial.stats.selective import selective_rows
from tests.support.score_tables import table_of

QUICK = StatsSettings(bootstrap_samples=300, permutation_samples=300)


def test_right_refusals_of_some_replicates_are_no_right_answers() -> None:
    """Of four replicates to each unanswerable item two refuse, which is right, and two answer, which is not."""
    half, whole, none = [0.5] * 3, [1.0] * 3, [0.0] * 3
    planned = {(0, 0.0): 4, (1, 0.0): 4}
    em = replace(table_of([*half, *whole], [*half, *whole]), planned_samples=planned)
    abstains = replace(table_of([*half, *none], [*half, *none], metric="abstain_rate"), planned_samples=planned)
    unanswerable = np.array([True] * 3 + [False] * 3)
    rows = selective_rows(
        pair_scores(em, "em", 0.0, DEFAULT_CONTRAST),
        pair_scores(abstains, "abstain_rate", 0.0, DEFAULT_CONTRAST),
        unanswerable,
        QUICK,
    )
    found = {(row.metric, row.quantity): row.estimate for row in rows}
    assert found["coverage", "control"] == pytest.approx(4.5 / 6)
    assert found["selective_accuracy", "control"] == pytest.approx(3 / 4.5)
