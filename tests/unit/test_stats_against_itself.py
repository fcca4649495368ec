"""An arm against itself: splits keep clusters whole, use each answer once, and count what the declared test says."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from promptrial.comparison.false_alarms import gate_alarms
from promptrial.comparison.gates import parse_gate
from promptrial.documents.missing import MissingRule
from promptrial.documents.significance import StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.against_itself import (
    Asked,
    Splits,
    alarms,
    as_asked,
    endpoint_of,
    split_pairings,
    splits_for,
    splits_of,
    verdict_alarms,
)
from promptrial.stats.pairing import FloatArray, IntArray, pair_scores
from tests.support.score_tables import table_of

SETTINGS = StatsSettings(primary=("em",), graded=())
CONTINUOUS = StatsSettings(primary=("em",), graded=("em",))


def asked(score: FloatArray, cluster: IntArray | None = None, *, continuous: bool = False) -> Asked:
    """Return answers to single items, NaN for one that is missing."""
    nothing = [0.0] * len(score)
    table = table_of(nothing, nothing, cluster=None if cluster is None else list(cluster))
    pairing = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=continuous)
    return Asked(pairing, score, (~np.isnan(score)).astype(np.int64))


def right_or_wrong(n_items: int, n_answers: int, seed: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (rng.random((n_items, n_answers)) < rng.random((n_items, 1))).astype(np.float64)


TWO_ANSWERS = asked(np.random.default_rng(4).random((60, 2)), continuous=True)


@functools.cache
def some_splits() -> Splits:
    """Return 400 splits of two answers with continuous scores."""
    return splits_of(TWO_ANSWERS, CONTINUOUS, 400)


def test_each_split_uses_an_answer_once_and_leaves_one_out_if_their_number_is_odd() -> None:
    score = 2.0 ** np.arange(5) * np.ones((8, 1)) / 32
    for pairing in split_pairings(asked(score, continuous=True), CONTINUOUS, 20):
        taken = np.round(32 * 2 * (pairing.arms[0].score + pairing.arms[1].score)).astype(int)
        assert {int(bits).bit_count() for bits in taken} == {4}
        assert [set(planned.tolist()) for planned in pairing.planned] == [{2}, {2}]


def test_all_items_of_a_cluster_put_the_same_answers_on_the_same_side() -> None:
    cluster, score = np.arange(60) // 3, np.tile([0.1, 0.2, 0.4, 0.8], (60, 1))
    seen = set()
    for pairing in split_pairings(asked(score, cluster, continuous=True), CONTINUOUS, 20):
        first = pairing.arms[0].score.reshape(20, 3)
        assert (first == first[:, :1]).all()
        seen.add(tuple(first[:, 0]))
    assert len(seen) == 20


def test_the_same_seed_draws_the_same_splits_and_another_seed_draws_others() -> None:
    answers = asked(right_or_wrong(60, 3))
    first, again = (splits_of(answers, SETTINGS, 30) for _ in range(2))
    other = splits_of(answers, replace(SETTINGS, random_seed=2), 30)
    assert np.array_equal(first.difference, again.difference)
    assert not np.array_equal(first.difference, other.difference)


def test_false_alarms_and_the_noise_floor_of_two_answers_are_those_of_coin_flips() -> None:
    """Of m items whose two answers differ, b ~ Bin(m, 1/2) fall on one side: both figures are known exactly."""
    score = np.zeros((100, 2))
    score[:40, 0] = 1.0
    found = splits_of(asked(score), SETTINGS, 2_000)
    endpoint = endpoint_of(asked(score), found, SETTINGS, 2)
    gains = np.arange(41)
    share = stats.binom.pmf(gains, 40, 0.5)
    rejected = np.abs(2 * gains - 40) / math.sqrt(40) >= stats.norm.ppf(0.975)
    rate = float(share[rejected].sum())
    assert endpoint.alarms.ci_low is not None
    assert endpoint.alarms.ci_high is not None
    assert endpoint.alarms.ci_low < rate < endpoint.alarms.ci_high
    apart = np.abs(2 * gains - 40) / 100
    floor = min(size for size in apart if share[apart <= size].sum() >= 0.95)
    assert endpoint.noise_floor == pytest.approx(floor)
    assert endpoint.noise_floor_planned == pytest.approx(floor / math.sqrt(2))
    assert endpoint.method == "score"
    assert endpoint.p_too_small is None
    assert endpoint.p_uniform is None
    assert sum(endpoint.tenths) == 2_000


def test_continuous_scores_give_p_values_that_are_spread_like_uniform_ones() -> None:
    endpoint = endpoint_of(TWO_ANSWERS, some_splits(), CONTINUOUS, 2)
    assert endpoint.method == "permutation"
    assert endpoint.p_uniform is not None
    assert endpoint.p_uniform > 0.01
    assert endpoint.p_too_small is not None
    assert endpoint.p_too_small > 0.01
    assert min(endpoint.tenths) > 20


def test_too_small_p_values_are_detected() -> None:
    found = some_splits()
    endpoint = endpoint_of(TWO_ANSWERS, replace(found, p=found.p / 2), CONTINUOUS, 2)
    assert endpoint.p_too_small is not None
    assert endpoint.p_too_small < 1e-6
    assert endpoint.alarms.n > (found.p <= 0.05).sum()
    assert endpoint.p_uniform is not None
    assert endpoint.p_uniform < 1e-6


def test_answers_that_all_score_the_same_have_no_noise() -> None:
    answers = asked(np.tile(right_or_wrong(50, 1), 3))
    endpoint = endpoint_of(answers, splits_of(answers, SETTINGS, 20), SETTINGS, 3)
    assert endpoint.all_equal
    assert endpoint.noise_floor == endpoint.largest == 0.0
    assert endpoint.alarms.n == 0
    assert endpoint.tenths == (*[0] * 9, 20)


def test_equal_means_with_unequal_pairs_are_not_all_equal() -> None:
    score = np.array([[0.0, 1.0], [1.0, 0.0]] * 4)
    assert not splits_of(asked(score), SETTINGS, 20).all_equal


@pytest.mark.parametrize(("rule", "pairs"), [("exclude", 48), ("failure", 50)])
def test_missing_answers_are_left_out_or_count_as_failures_as_configured(rule: MissingRule, pairs: int) -> None:
    score = right_or_wrong(50, 2)
    score[:2, 0] = np.nan
    answers = asked(score)
    answers = replace(answers, pairing=replace(answers.pairing, worst=np.zeros(50)))
    settings = replace(SETTINGS, missing=rule)
    assert splits_of(answers, settings, 5).sample.n_pairs == pairs


def test_too_few_clusters_are_not_tested_and_the_reason_is_given() -> None:
    answers = asked(right_or_wrong(12, 2), np.zeros(12, dtype=np.int64))
    endpoint = endpoint_of(answers, splits_of(answers, SETTINGS, 5), SETTINGS, 2)
    assert endpoint.alarms.of == 0
    assert endpoint.reason is not None
    assert "one cluster" in endpoint.reason
    assert endpoint.noise_floor is not None


def test_one_answer_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="1 columns of answers cannot be split"):
        splits_of(asked(right_or_wrong(10, 1)), SETTINGS, 1)


def test_two_passes_compare_the_first_column_with_the_second() -> None:
    score = right_or_wrong(40, 2)
    sample = as_asked(asked(score), SETTINGS)
    assert sample.totals.mean == pytest.approx(float((score[:, 1] - score[:, 0]).mean()))
    assert sample.binary


def test_a_column_of_several_answers_is_not_a_binary_score_and_counts_them() -> None:
    answers = replace(asked(right_or_wrong(40, 2) / 2, continuous=False), planned=2)
    answers = replace(answers, n_samples=2 * answers.n_samples)
    sample = as_asked(answers, SETTINGS)
    assert not sample.binary
    assert sample.arms[0].n_samples.tolist() == [2] * 40
    assert endpoint_of(answers, splits_of(answers, SETTINGS, 3), SETTINGS, 2).answers_per_side == 2


def test_a_verdict_is_a_false_alarm_if_any_endpoint_is_one_after_holms_correction() -> None:
    sample = as_asked(asked(right_or_wrong(10, 2)), SETTINGS)
    columns = [np.array([0.01, 0.03, 0.04, np.nan]), np.array([0.9, 0.9, 0.04, np.nan])]
    both = [Splits(sample, p, np.zeros(4), all_equal=False, reason=None) for p in columns]
    assert (verdict_alarms(both, SETTINGS).n, verdict_alarms(both, SETTINGS).of) == (1, 3)
    assert verdict_alarms(both[:1], SETTINGS).n == 3


def test_no_split_that_can_be_tested_gives_no_rate() -> None:
    assert alarms([math.nan], 0.95).rate is None


def test_a_margin_gate_errs_by_failing_and_a_gate_for_improvement_by_passing() -> None:
    score = right_or_wrong(60, 2)
    table = table_of([0.0] * 60, [0.0] * 60)
    answers = asked(score)
    loose, tight, better, less = (
        gate_alarms(parse_gate(text), answers, table, SETTINGS, 0.05, 12)
        for text in ("em >= -0.9", "em >= -0.01", "em >= 0", "em <= -0.01")
    )
    assert (loose.alarm, loose.alarms.n) == ("fails", 0)
    assert (tight.alarm, tight.alarms.n > 10) == ("fails", True)
    assert better.alarm == less.alarm == "passes"
    assert better.alarms.n < 6


def test_a_gate_that_no_split_can_decide_has_no_rate() -> None:
    answers = asked(right_or_wrong(12, 2), np.zeros(12, dtype=np.int64))
    table = table_of([0.0] * 12, [0.0] * 12, cluster=[0] * 12)
    found = gate_alarms(parse_gate("em >= -0.1"), answers, table, SETTINGS, 0.05, 3)
    assert found.alarms.rate is None
    assert found.reason is not None


def test_a_stop_ends_the_splits() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        splits_of(asked(right_or_wrong(10, 2)), SETTINGS, 5, stop)


@pytest.mark.parametrize(("items", "splits"), [(0, 1000), (1, 1000), (300, 1000), (20_000, 200), (1_000_000, 100)])
def test_large_trials_are_split_less_often_and_never_less_than_a_hundred_times(items: int, splits: int) -> None:
    assert splits_for(items) == splits


def test_answers_of_which_no_item_has_two_show_nothing_and_say_why() -> None:
    found = splits_of(asked(np.full((20, 2), np.nan)), SETTINGS, 5)
    assert found.reason == "no item has an answer on both sides"
    assert np.isnan(found.p).all()
    assert not found.all_equal
    endpoint = endpoint_of(asked(np.full((20, 2), np.nan)), found, SETTINGS, 2)
    assert (endpoint.noise_floor, endpoint.p_too_small, endpoint.p_uniform, endpoint.commonest) == (None,) * 4
    assert endpoint.alarms == alarms((), 0.95)
    assert verdict_alarms((), SETTINGS).of == 0


def test_no_split_is_no_check() -> None:
    with pytest.raises(ValueError, match="no split was asked for"):
        splits_of(asked(np.zeros((20, 2))), SETTINGS, 0)
