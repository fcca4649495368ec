"""What a pair, a cluster and a binary endpoint are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.pairing import PairCounts, ScoreTable, pair_scores
from tests.support.score_tables import sample_of, table_of, trial_table

NAN = math.nan


def changed(table: ScoreTable, **columns: Any) -> ScoreTable:
    return ScoreTable(**({name: getattr(table, name) for name in ScoreTable.__slots__} | columns))


def test_a_pair_needs_a_score_in_both_arms() -> None:
    sample = sample_of([1, NAN, 0, NAN, 1], [0, 1, NAN, NAN, 1])
    assert sample.counts == PairCounts(items=5, paired=2, one_side_only=(1, 1), lost=1, not_applicable=0)
    assert sample.items.tolist() == [0, 4]
    assert sample.difference.tolist() == [-1, 0]


def test_a_missing_score_never_enters_a_mean_as_0() -> None:
    sample = sample_of([1, 1, NAN], [1, 1, 1])
    assert sample.whole_arms[0].score.mean() == 1
    assert sample.totals.mean == 0
    assert sample.n_pairs == 2


def test_an_item_without_any_row_counts_as_lost() -> None:
    table = table_of([1, 0], [1, 1])
    planned = changed(table, item_keys=[*table.item_keys, "set|never_answered"], unanswerable=np.zeros(3, np.bool_))
    assert pair_scores(planned, "em", 0.0, DEFAULT_CONTRAST).sample().counts.lost == 1


def test_a_metric_that_does_not_apply_is_distinguished_from_a_lost_answer() -> None:
    table = table_of([1, NAN, NAN], [0, NAN, NAN])
    table = changed(table, n_samples=np.array([1, 1, 0, 1, 1, 0]))
    counts = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST).sample().counts
    assert (counts.paired, counts.not_applicable, counts.lost) == (1, 1, 1)
    assert counts.applies


def test_one_answer_is_enough_to_know_that_a_metric_does_not_apply() -> None:
    table = changed(table_of([1, NAN, NAN], [0, NAN, NAN]), n_samples=np.array([1, 1, 0, 1, 0, 1]))
    counts = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST).sample().counts
    assert (counts.paired, counts.not_applicable, counts.lost) == (1, 2, 0)


def test_a_metric_applies_to_nothing_when_all_answered_items_say_so() -> None:
    table = changed(table_of([NAN, NAN], [NAN, NAN]), n_samples=np.array([1, 0, 1, 0]))
    assert not pair_scores(table, "em", 0.0, DEFAULT_CONTRAST).sample().counts.applies


def test_pairs_are_made_within_a_temperature() -> None:
    table = trial_table(40, temps=(0.0, 0.7))
    pairing = pair_scores(table, "em", 0.7, DEFAULT_CONTRAST)
    rows = (table.temp == 0.7) & (table.arm == 1)
    assert np.array_equal(pairing.arms[1].score, table.metrics["em"][rows], equal_nan=True)


def test_the_order_of_the_rows_does_not_matter() -> None:
    table = trial_table(60)
    order = np.random.default_rng(0).permutation(len(table.item))
    columns = {
        name: getattr(table, name)[order] for name in ("item", "dataset", "cluster", "type", "arm", "temp", "n_samples")
    }
    shuffled = changed(table, **columns, metrics={name: column[order] for name, column in table.metrics.items()})
    one, other = (pair_scores(t, "f1", 0.0, DEFAULT_CONTRAST, continuous=True).sample() for t in (table, shuffled))
    assert np.array_equal(one.difference, other.difference)
    assert np.array_equal(one.totals.sums, other.totals.sums)


@pytest.mark.parametrize(
    ("graded", "planned", "score_range", "binary"),
    [
        (False, (1, 1), (0.0, 1.0), True),
        (True, (1, 1), (0.0, 1.0), False),
        (False, (3, 3), (0.0, 1.0), False),
        (False, (1, 3), (0.0, 1.0), False),
        (False, (1, 1), (0.0, 2.0), False),
    ],
    ids=["0/1", "graded scorer", "replicates", "replicates in one arm", "another range"],
)
def test_an_endpoint_is_binary_by_design_whatever_the_scores_are(
    graded: bool, planned: tuple[int, int], score_range: tuple[float, float], binary: bool
) -> None:
    table = changed(table_of([1, 0, 1], [0, 1, 1]), planned_samples={(arm, 0.0): planned[arm] for arm in (0, 1)})
    pairing = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=graded, score_range=score_range)
    assert pairing.sample().binary == binary
    assert pairing.sample(chosen=np.array([True, True, False])).binary == binary


@pytest.mark.parametrize(
    ("score", "graded", "score_range", "allowed"),
    [
        (0.5, False, (0.0, 1.0), "0 or 1"),
        (1.5, True, (0.0, 1.0), "from 0 to 1"),
        (-0.1, True, (0.0, 1.0), "from 0 to 1"),
        (11.0, True, (1.0, 10.0), "from 1 to 10"),
    ],
)
def test_a_score_that_its_scorer_cannot_give_is_refused_with_the_item(
    score: float, graded: bool, score_range: tuple[float, float], allowed: str
) -> None:
    table = table_of([1, 1], [1, score])
    with pytest.raises(ValueError, match=rf"em: item 'set\|1' has the score {score}; its range: {allowed}"):
        pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=graded, score_range=score_range)


def test_one_shared_passage_clusters_an_endpoint_whichever_answers_arrived() -> None:
    """104 items, of which the first two share a passage."""
    cluster = [0, 0, *range(1, 103)]
    right = [1.0] * 104
    for lost in ([], [0], [1], [0, 1], [5]):
        control = [NAN if item in lost else score for item, score in enumerate(right)]
        assert sample_of(control, right, cluster=cluster).clustered, lost
        assert sample_of(right, control, cluster=cluster).clustered, lost


def test_only_the_items_planned_for_an_endpoint_cluster_it() -> None:
    table = table_of([1, 1, 1, 1], [1, 1, 1, 1], cluster=[0, 0, 1, 2])
    pairing = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST)
    assert pairing.sample().clustered
    assert not pairing.sample(chosen=np.array([True, False, True, True])).clustered
    scores = np.array([1.0, NAN, 1, 1] * 2)
    planned = changed(table, metrics={"em": scores}, worst={"em": np.array([0, NAN, 0, 0])})
    assert not pair_scores(planned, "em", 0.0, DEFAULT_CONTRAST).sample().clustered


def test_the_plan_distinguishes_a_lost_answer_from_an_inapplicable_metric() -> None:
    table = changed(table_of([1, NAN, NAN], [0, NAN, NAN]), worst={"em": np.array([0.0, 0.0, NAN])})
    counts = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST).sample().counts
    assert counts == PairCounts(items=3, paired=1, one_side_only=(0, 0), lost=1, not_applicable=1)


def test_round_off_does_not_make_differences_unequal() -> None:
    sample = sample_of([0.1 + 0.2, 0.3], [0.4, 0.4], continuous=True)
    assert sample.difference[0] == sample.difference[1]


def test_cluster_totals_add_up_items_that_share_a_code() -> None:
    totals = cluster_totals(np.array([1.0, -1.0, 0.5, 2.0]), np.array([9, 9, 2, 9]))
    assert totals.sums.tolist() == [0.5, 2.0]
    assert totals.sizes.tolist() == [1, 3]
    assert (totals.n_clusters, totals.n_items, totals.clustered) == (2, 4, True)
    assert not cluster_totals(np.array([1.0, 2.0])).clustered
    assert math.isnan(cluster_totals(np.array([]), np.array([], dtype=np.int64)).mean)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"temp": np.zeros(3)}, "temp has shape"),
        ({"metrics": {"em": np.zeros(3)}}, "em has shape"),
        ({"arm": np.array([0, 0, 2, 1])}, "arm holds a code outside 0..1"),
        ({"cluster": np.array([0, -1, 0, -1])}, "cluster holds a code"),
        ({"item": np.array([0, 0, 0, 1])}, r"'set\|0' appears twice in one arm at temp 0.0"),
        ({"cluster": np.array([0, 1, 0, 0])}, r"'set\|1' has two values of cluster"),
        ({"n_samples": np.array([1, 1, 1, 0])}, "score where n_samples is 0; missing is NaN"),
        ({"metrics": {"em": np.array([1, 0, np.inf, 0])}}, "infinite"),
        ({"n_samples": np.array([1, 1, 2, 1])}, "2 answers at temp 0.0; planned were 1"),
        ({"worst": {"em": np.zeros(3)}}, "worst scores of em have shape"),
        ({"worst": {"em": np.array([0, NAN])}}, "an item that it does not apply to"),
    ],
)
def test_an_inconsistent_table_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(table_of([1, 0], [1, 1]), **columns)


def test_an_empty_table_has_no_temperatures_and_no_pairs() -> None:
    table = table_of([], [])
    assert table.temps == []
    assert pair_scores(table, "em", 0.0, DEFAULT_CONTRAST).sample().n_pairs == 0
