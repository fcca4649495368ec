"""What must hold of agreement, and of effects that labels correct, whatever the ratings are."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.stats.agreement import (
    MOST_CATEGORIES,
    AlphaScale,
    KappaWeights,
    cohens_kappa,
    confusion_table,
    effective_judges,
    krippendorffs_alpha,
)
from promptrial.stats.prediction_powered import prediction_powered_difference, prediction_powered_mean

ratings: st.SearchStrategy[np.ndarray] = st.lists(
    st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, math.nan])] * 3), min_size=1, max_size=25
).map(np.array)
scales = st.sampled_from(["nominal", "ordinal", "interval"])
labelled: st.SearchStrategy[np.ndarray] = st.lists(
    st.tuples(*[st.sampled_from([0.0, 1.0])] * 2), min_size=4, max_size=30
).map(np.array)


@settings(deadline=None, max_examples=60)
@given(ratings, scales)
def test_agreement_does_not_depend_on_the_order_of_units_or_judges(rows: np.ndarray, scale: AlphaScale) -> None:
    found = krippendorffs_alpha(rows, scale=scale, n_resamples=40)
    again = krippendorffs_alpha(rows[::-1, ::-1], scale=scale, n_resamples=40)
    assert found.value == pytest.approx(again.value, nan_ok=True)
    assert math.isnan(found.value) or found.value <= 1 + 1e-12
    assert (found.reason is not None) == math.isnan(found.low)
    if scale != "ordinal":
        assert math.isnan(found.value) or found.value == pytest.approx(
            krippendorffs_alpha(2 - 3 * rows, scale=scale, n_resamples=40).value, abs=1e-9
        )


@settings(deadline=None, max_examples=60)
@given(ratings, st.sampled_from(["none", "linear", "quadratic"]))
def test_kappa_is_symmetric_and_1_only_where_all_agree(rows: np.ndarray, weights: KappaWeights) -> None:
    first, second = rows[:, 0], rows[:, 1]
    found = cohens_kappa(first, second, weights=weights, n_resamples=40)
    assert found.value == pytest.approx(cohens_kappa(second, first, weights=weights, n_resamples=40).value, nan_ok=True)
    if not math.isnan(found.value):
        assert (found.value == 1) == (confusion_table(first, second).agreeing == 1)
        assert found.value <= 1


@settings(deadline=None, max_examples=40)
@given(ratings)
def test_nominal_and_interval_alpha_of_two_values_are_the_same(rows: np.ndarray) -> None:
    two = np.where(rows == 2, 1.0, rows)
    found = {
        krippendorffs_alpha(two, scale=scale, n_resamples=2).value.__round__(9) for scale in ("nominal", "interval")
    }
    assert len(found) == 1 or all(map(math.isnan, found))


def test_whole_clusters_are_resampled() -> None:
    rng = np.random.default_rng(5)
    first = rng.integers(0, 2, 40).astype(float)
    second = np.where(rng.random(40) < 0.3, 1 - first, first)
    alone = cohens_kappa(first, second, n_resamples=2_000)
    copied = cohens_kappa(np.tile(first, 5), np.tile(second, 5), np.tile(np.arange(40), 5), n_resamples=2_000)
    assert copied.value == pytest.approx(alone.value)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high), abs=0.03)
    assert copied.n_clusters == 40
    naive = cohens_kappa(np.tile(first, 5), np.tile(second, 5), n_resamples=2_000)
    assert naive.high - naive.low < 0.6 * (alone.high - alone.low)


def test_an_agreement_that_cannot_be_estimated_gives_the_reason() -> None:
    same, gap = np.ones(9), np.full(9, np.nan)
    assert "all ratings are equal" in str(cohens_kappa(same, same).reason)
    assert "no unit was rated twice" in str(cohens_kappa(same, gap).reason)
    assert "no unit was rated twice" in str(krippendorffs_alpha(np.column_stack([same, gap])).reason)
    assert "one cluster" in str(cohens_kappa(np.arange(9.0), np.arange(9.0), np.zeros(9, dtype=int)).reason)
    full = np.array([0.0, 1.0] * 20)
    found = cohens_kappa(full, full)
    assert (found.value, math.isnan(found.low)) == (1.0, True)
    assert "agree alike" in str(found.reason)
    many = np.arange(MOST_CATEGORIES + 1.0)
    with pytest.raises(ValueError, match="different values"):
        cohens_kappa(many, many)
    assert krippendorffs_alpha(np.column_stack([many, many]), scale="interval", n_resamples=20).value == 1


def test_the_seed_determines_the_interval() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 3, (2, 60)).astype(float)
    found = [cohens_kappa(first, second, seed=seed, n_resamples=300) for seed in (1, 1, 2)]
    assert found[0] == found[1]
    assert found[0].low != found[2].low
    assert found[0].value == found[2].value


@settings(deadline=None, max_examples=60)
@given(labelled, st.integers(0, 20))
def test_exchanging_the_arms_negates_a_corrected_difference(rows: np.ndarray, others: int) -> None:
    labels = np.full((2, len(rows) + others), np.nan)
    labels[:, : len(rows)] = rows.T
    measured = np.tile([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]], (1, 20))[:, : labels.shape[1]]
    found, swapped = (prediction_powered_difference(labels[s], measured[s]) for s in ([0, 1], [1, 0]))
    assert (found.estimate, found.low, found.high) == pytest.approx((-swapped.estimate, -swapped.high, -swapped.low))
    assert found.se > 0
    assert 0 <= found.tuning <= 1
    if not others:
        assert found.tuning == 0
        assert found.estimate == pytest.approx(rows[:, 1].mean() - rows[:, 0].mean())


def test_a_bias_shared_by_all_predictions_is_corrected() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random(500)
    labels = np.where(rng.random(500) < 0.2, truth, np.nan)
    plain, shifted = (prediction_powered_mean(labels, truth + by, tuning=1.0) for by in (0.0, 0.3))
    assert shifted.estimate == pytest.approx(plain.estimate)


def test_a_measure_without_errors_in_the_sample_does_not_claim_certainty() -> None:
    labels = np.array([0.0, 1.0] * 25 + [np.nan] * 2_000)
    found = prediction_powered_mean(labels, np.tile([0.0, 1.0], 1_025), tuning=1.0)
    assert found.se > 1 / 50
    assert prediction_powered_mean(labels, np.tile([0.0, 1.0], 1_025), width=5.0, tuning=1.0).se > 4 * found.se


def test_a_mean_that_cannot_be_estimated_says_why_and_odd_input_is_refused() -> None:
    labels = np.array([1.0, 0.0, np.nan, np.nan])
    assert prediction_powered_mean(labels, np.zeros(4)).reason == "2 labelled clusters: an estimate needs at least 3"
    with pytest.raises(ValueError, match="prediction is missing"):
        prediction_powered_mean(labels, np.array([0.0, 1.0, np.nan, 0.0]))


def test_judges_with_identical_errors_count_as_one_and_independent_ones_as_many() -> None:
    rng = np.random.default_rng(8)
    one = rng.normal(size=(4_000, 1))
    assert effective_judges(np.tile(one, (1, 5))) == pytest.approx(1.0)
    assert effective_judges(rng.normal(size=(4_000, 5))) == pytest.approx(5.0, rel=0.1)
    assert math.isnan(effective_judges(np.zeros((9, 3))))
    assert effective_judges(np.array([[1.0, -1.0], [0.0, 0.0], [2.0, -2.0]])) == math.inf


def test_corrected_intervals_cover_where_those_of_the_judge_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import calibration_labels

    found = calibration_labels.simulate(
        calibration_labels.LabelCell("difference, the judge favours the treatment", 0.8, 50, 300)
    )
    assert 0.91 < found.corrected < 0.99
    assert found.judge_alone < 0.05
    assert found.width < 0.8 * found.width_of_labels
