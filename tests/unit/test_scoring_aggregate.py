"""Replicates are averaged within an item; what is missing stays missing."""

import math
import statistics

import pytest

from promptrial.scoring.aggregate import summarize_replicates

NAN = math.nan


def test_mean_and_sample_deviation_of_three_replicates() -> None:
    summary = summarize_replicates([(1.0, 0.25), (0.0, 0.5), (1.0, 1.0)], 2)
    assert summary.n_samples == 3
    assert summary.means == pytest.approx((2 / 3, 1.75 / 3))
    assert summary.stds == pytest.approx((statistics.stdev([1, 0, 1]), statistics.stdev([0.25, 0.5, 1])))


def test_one_replicate_has_a_mean_and_no_deviation() -> None:
    summary = summarize_replicates([(1.0, NAN)], 2)
    assert summary.n_samples == 1
    assert summary.means[0] == 1
    assert math.isnan(summary.means[1])
    assert all(map(math.isnan, summary.stds))


def test_no_scored_answer_is_missing_and_never_zero() -> None:
    summary = summarize_replicates([], 3)
    assert summary.n_samples == 0
    assert len(summary.means) == len(summary.stds) == 3
    assert all(map(math.isnan, summary.means + summary.stds))


def test_a_score_that_does_not_apply_is_missing_in_every_replicate_alike() -> None:
    summary = summarize_replicates([(1.0, NAN), (0.0, NAN)], 2)
    assert summary.means[0] == 0.5
    assert math.isnan(summary.means[1])
    assert math.isnan(summary.stds[1])


def test_equal_replicates_have_a_deviation_of_exactly_zero() -> None:
    assert summarize_replicates([(0.1,)] * 10, 1).stds == (0.0,)


def test_the_order_of_replicates_changes_no_bit() -> None:
    values = [(0.1,), (0.7,), (1 / 3,), (1e-17,), (0.9,)]
    assert summarize_replicates(values, 1) == summarize_replicates(values[::-1], 1)
