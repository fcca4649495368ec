"""Prediction-powered inference against plain calculations of its papers' formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from promptrial.stats.prediction_powered import (
    PredictionPowered,
    prediction_powered_difference,
    prediction_powered_mean,
)


def drawn(n_labelled: int, n_others: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0.5, 0.2, n_labelled + n_others)
    predictions = 0.1 + 0.8 * truth + rng.normal(0, 0.1, len(truth))
    labels = truth.copy()
    labels[n_labelled:] = np.nan
    return labels, predictions


def test_the_corrected_mean_equals_the_formula_of_the_paper() -> None:
    """Angelopoulos et al. (2023), algorithm 1: mean of the others' predictions, less the mean error of the labelled."""
    n = 400
    labels, predictions = drawn(n, 6_000)
    errors, others = predictions[:n] - labels[:n], predictions[n:]
    centre = others.mean() - errors.mean()
    se = np.sqrt(errors.var(ddof=1) / n + others.var(ddof=1) / len(others))
    found = prediction_powered_mean(labels, predictions, tuning=1.0)
    assert found.estimate == pytest.approx(centre, rel=1e-12)
    assert found.se == pytest.approx(se, rel=0.02)
    assert found.se >= se, "one more error is added up"
    half = 1.96 * se
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half), abs=0.03 * half)


def test_the_standard_error_counts_the_largest_error_once_more() -> None:
    n = 30
    labels, predictions = drawn(n, 200)
    errors, others = labels[:n] - predictions[:n], predictions[n:]
    squares = ((errors - errors.mean()) ** 2).sum() + np.abs(errors).max() ** 2
    of_labels, of_others = squares / (n - 1) / n, others.var(ddof=1) / 200
    df = (of_labels + of_others) ** 2 / (of_labels**2 / (n - 1) + of_others**2 / 199)
    found = prediction_powered_mean(labels, predictions, tuning=1.0)
    assert (found.se, found.df) == pytest.approx((np.sqrt(of_labels + of_others), df), rel=1e-10)
    half = stats.t.ppf(0.975, df) * found.se
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half), rel=1e-10)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.estimate / found.se), df), rel=1e-8)


def test_the_tuning_equals_the_formula_of_the_second_paper() -> None:
    """PPI++ (2023), on tuning, for a mean: the covariance over (1 + n/N) times the variance, about."""
    n = 3_000
    labels, predictions = drawn(n, 9_000)
    expected = np.cov(labels[:n], predictions[:n])[0, 1] / (1 + n / 9_000) / predictions.var(ddof=1)
    found = prediction_powered_mean(labels, predictions)
    assert 0 < found.tuning < 1
    assert found.tuning == pytest.approx(expected, rel=0.02)


def test_estimates_equal_those_of_the_authors_package() -> None:
    """``ppi_mean_pointestimate`` and ``ppi_mean_ci`` of ppi-python 0.2.3, with ``lam=1``, on these numbers.

    Its standard error has no degrees of freedom and no further error, so that ours is the larger one.
    """
    labels = np.array([0.0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1] + [np.nan] * 40)
    predictions = np.array([0.0, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1] + [1.0, 0, 1, 1, 1, 0, 1, 1, 0, 1] * 4)
    found = prediction_powered_mean(labels, predictions, tuning=1.0)
    assert found.estimate == pytest.approx(0.7)
    theirs = (0.97114803 - 0.42885197) / 2 / stats.norm.ppf(0.975)
    errors, others = labels[:12] - predictions[:12], predictions[12:]
    assert theirs == pytest.approx(np.sqrt(errors.var() / 12 + others.var() / 40), rel=1e-6)
    assert theirs < found.se < 1.5 * theirs


def test_a_tuning_of_0_uses_only_the_labels() -> None:
    labels, predictions = drawn(2_000, 500)
    t = stats.ttest_1samp(labels[:2_000], 0).confidence_interval()
    found = prediction_powered_mean(labels, predictions, tuning=0.0)
    assert (found.low, found.high) == pytest.approx(tuple(t), rel=0.002)


def test_cluster_sums_equal_a_direct_loop() -> None:
    labels = np.array([1.0, 0.0, 1.0, 1.0, 0.0, np.nan, np.nan, np.nan, np.nan])
    predictions = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    cluster = np.array([4, 4, 7, 9, 9, 11, 11, 12, 13])
    tuning = 0.6
    found = prediction_powered_mean(labels, predictions, cluster, tuning=tuning)
    rest = labels[:5] - tuning * predictions[:5]
    labelled_mean, others_mean = rest.mean(), predictions[5:].mean()
    assert found.estimate == pytest.approx(tuning * others_mean + labelled_mean)
    variance = 0.0
    for values, codes, centre, factor in (
        (rest, cluster[:5], labelled_mean, 1.0),
        (predictions[5:], cluster[5:], others_mean, tuning),
    ):
        sums = [(values - centre)[codes == code].sum() for code in set(codes)]
        variance += factor**2 * len(sums) / (len(sums) - 1) * sum(s * s for s in sums) / len(values) ** 2
    one_more = 1.0 * 3 / 2 / 25
    assert found.se == pytest.approx(np.sqrt(variance + one_more))


def test_a_difference_is_the_mean_of_differences() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, (2, 90)).astype(float)
    labels[:, 60:] = np.nan
    labels[1, 59] = np.nan
    measured = rng.random((2, 90))
    found = prediction_powered_difference(labels, measured)
    assert found == prediction_powered_mean(labels[1] - labels[0], measured[1] - measured[0])
    assert isinstance(found, PredictionPowered)
    assert (found.n_labelled, found.n_others) == (59, 31), "an item without one of its labels has none"
