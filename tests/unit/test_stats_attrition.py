"""Missing answers: worst-case bounds that count replicates."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.stats.attrition import missing_bounds
from promptrial.stats.pairing import ScoreTable, pair_scores
from tests.support.score_tables import table_of

NAN = math.nan


def replicated(control: int, treatment: int, n: int = 225, planned: int = 3) -> ScoreTable:
    """Return a trial of ``n`` items with so many answers in each arm, spread over the items evenly."""
    counts = np.array([(total + place) // n for total in (control, treatment) for place in range(n)])
    rng = np.random.default_rng(8)
    right = [rng.binomial(count, 0.5) / count if count else NAN for count in counts]
    table = table_of(right[:n], right[n:])
    return replace(table, n_samples=counts, planned_samples={(arm, 0.0): planned for arm in (0, 1)})


def test_missing_replicates_count_in_the_worst_case_bounds() -> None:
    """337 of 675 control answers are missing, and of no item all of them."""
    sample = pair_scores(replicated(338, 675), "em", 0.0).sample()
    bounds = missing_bounds(sample)
    assert (bounds.n_missing_control, bounds.n_missing_treatment) == (0, 0)
    assert (bounds.n_answers_missing_control, bounds.n_answers_missing_treatment) == (337, 0)
    control = sample.control_scores
    mean = float((control.score * control.n_samples).sum()) / 675
    assert bounds.low == pytest.approx(sample.treatment_scores.score.mean() - mean - 337 / 675)
    assert bounds.high == pytest.approx(sample.treatment_scores.score.mean() - mean)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_no_way_to_fill_the_missing_answers_leaves_the_bounds(seed: int, planned: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = -1.0, 2.0
    answers = rng.uniform(low, high, size=(2, 12, planned))
    seen = rng.random(answers.shape) < 0.6
    counts = seen.sum(axis=2)
    means = np.where(seen, answers, 0).sum(axis=2) / np.where(counts, counts, NAN)
    table = replace(
        table_of(*means.tolist()),
        n_samples=counts.reshape(-1),
        planned_samples={(arm, 0.0): planned for arm in (0, 1)},
    )
    bounds = missing_bounds(pair_scores(table, "em", 0.0, graded=True, score_range=(low, high)).sample())
    assert bounds.low is not None
    assert bounds.high is not None
    truth = float(answers[1].mean() - answers[0].mean())
    assert bounds.low - 1e-9 <= truth <= bounds.high + 1e-9
    worst = np.where(seen, answers, np.array([high, low])[:, None, None]).mean(axis=(1, 2))
    assert bounds.low == pytest.approx(worst[1] - worst[0])
