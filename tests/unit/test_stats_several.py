"""All arms of a trial at once: intervals that agree with their tests, missing answers, ranks, trend and data sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pytest
from msgspec import UNSET

from promptrial.documents.many_arms import PooledEffect, Ranking, Simultaneous
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.model.arms import Contrast
from promptrial.stats.analysis import analyse, decided_pairing, pairing_of
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.cr2 import cr2
from promptrial.stats.one_control import with_one_control
from promptrial.stats.pooling import pool
from promptrial.stats.score_table import ScoreTable
from promptrial.stats.several import several_arms
from promptrial.stats.sign_flips import sign_flips
from tests.support.score_tables import table_of, trial_table

ARMS: Final = ("control", "a", "b", "c")
QUICK: Final = StatsSettings(bootstrap_samples=20, permutation_samples=20, wanted={"em": "higher"})


def arms_table(scores: np.ndarray, cluster: np.ndarray | None = None) -> ScoreTable:
    """One metric; the columns of ``scores`` are the arms, NaN is a missing answer."""
    n, k = scores.shape
    two = table_of(scores[:, 0].tolist(), scores[:, 1].tolist(), cluster=None if cluster is None else cluster.tolist())
    flat = scores.T.ravel()
    return replace(
        two,
        item=np.tile(np.arange(n), k),
        dataset=np.zeros(n * k, dtype=np.int64),
        cluster=np.tile(two.cluster[:n], k),
        type=np.zeros(n * k, dtype=np.int64),
        arm=np.repeat(np.arange(k), n),
        temp=np.zeros(n * k),
        n_samples=(~np.isnan(flat)).astype(np.int64),
        metrics={"em": flat},
        arm_names=("control", *"abcdefgh"[: k - 1]),
    )


def binary(n: int, rates: tuple[float, ...], seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ability = rng.normal(size=(n, 1))
    threshold = np.quantile(rng.normal(size=20_000) * 2**0.5, [1 - each for each in rates])
    return (ability + rng.normal(size=(n, len(rates))) > threshold).astype(np.float64)


def simultaneous(document: Significance) -> tuple[Simultaneous, ...]:
    assert isinstance(document.simultaneous, tuple)
    return document.simultaneous


def ranking(document: Significance) -> Ranking:
    assert isinstance(document.rankings, tuple)
    [found] = document.rankings
    return found


@pytest.mark.parametrize("clusters", [None, 15])
@pytest.mark.parametrize("seed", range(4))
def test_an_interval_holds_0_exactly_where_the_single_step_test_does_not_reject(
    clusters: int | None, seed: int
) -> None:
    scores = binary(150, (0.5, 0.52, 0.6, 0.66), seed)
    document = analyse(arms_table(scores, None if clusters is None else np.arange(150) % clusters), QUICK)
    for row in simultaneous(document):
        assert row.ci_low is not None
        assert row.ci_high is not None
        assert row.p_single_step is not None
        assert (row.ci_low <= 0 <= row.ci_high) == (row.p_single_step > 0.05)
        assert row.p <= row.p_step_down <= row.p_single_step  # type: ignore[operator]
    for pair in ranking(document).pairs:
        assert pair.ci_low < pair.difference < pair.ci_high  # type: ignore[operator]
        assert pair.p <= pair.p_adjusted  # type: ignore[operator]


def test_simultaneous_intervals_are_wider_than_those_of_a_contrast_alone_and_those_of_all_pairs_wider_still() -> None:
    document = analyse(arms_table(binary(300, (0.5, 0.55, 0.6, 0.7))), QUICK)
    alone = {str(row.compared): row.ci_high - row.ci_low for row in document.endpoints}  # type: ignore[operator]
    several = {str(row.compared): row.ci_high - row.ci_low for row in simultaneous(document)}  # type: ignore[operator]
    pairs = {
        f"{pair.first} vs {pair.second}": pair.ci_high - pair.ci_low  # type: ignore[operator]
        for pair in ranking(document).pairs
    }
    assert all(alone[name] < several[name] < pairs[name] for name in several)


def test_max_t_decides_and_holm_is_reported_beside_it() -> None:
    document = analyse(arms_table(binary(300, (0.5, 0.55, 0.6, 0.7))), QUICK)
    decided = {row.compared: row.p_adjusted for row in document.endpoints}
    assert decided == {row.compared: row.p_step_down for row in simultaneous(document)}
    assert all(row.p_step_down <= row.p_holm + 0.001 for row in simultaneous(document))  # type: ignore[operator]


def test_the_last_remaining_contrast_of_0_1_scores_has_the_p_value_of_the_score_test() -> None:
    for seed in range(3):
        rows = simultaneous(analyse(arms_table(binary(300, (0.5, 0.55, 0.6, 0.7), seed)), QUICK))
        last = max(rows, key=lambda row: row.p or 0)
        assert last.p_step_down == pytest.approx(last.p, abs=2e-4)


def test_an_item_missing_in_one_arm_drops_only_from_contrasts_of_that_arm() -> None:
    scores = binary(200, (0.5, 0.5, 0.6, 0.7))
    lost = scores.copy()
    lost[:30, 1] = np.nan
    pairs = {(pair.first, pair.second): pair.n_pairs for pair in ranking(analyse(arms_table(lost), QUICK)).pairs}
    assert {n for arms, n in pairs.items() if "a" in arms} == {170}
    assert {n for arms, n in pairs.items() if "a" not in arms} == {200}


def test_the_best_arm_is_found_in_the_better_direction() -> None:
    table = arms_table(binary(400, (0.4, 0.42, 0.6, 0.85)))
    found = ranking(analyse(table, QUICK))
    assert found.best == ("c",)
    assert {each.arm: (each.lowest, each.highest) for each in found.arms}["c"] == (1, 1)
    lower = ranking(analyse(table, replace(QUICK, wanted={"em": "lower"})))
    assert set(lower.best) == {"control", "a"}
    assert {each.arm: (each.lowest, each.highest) for each in lower.arms}["c"] == (4, 4)
    assert [pair.ahead for pair in lower.pairs if pair.first == "c"] == ["control", "a", "b"]


def test_five_clusters_rank_nothing_and_say_so() -> None:
    document = analyse(arms_table(binary(50, (0.1, 0.5, 0.9)), np.arange(50) % 5), QUICK)
    found = ranking(document)
    assert set(found.best) == {"control", "a", "b"}
    assert all(pair.ci_low is None and "5 clusters" in str(pair.reason) for pair in found.pairs)
    assert all("5 clusters" in str(row.reason) for row in simultaneous(document))
    assert found.enumerated


def test_the_order_of_the_rows_changes_nothing() -> None:
    table = arms_table(binary(120, (0.5, 0.55, 0.7)))
    order = np.random.default_rng(3).permutation(len(table.item))
    columns = ("item", "dataset", "cluster", "type", "arm", "temp", "n_samples")
    shuffled = replace(
        table,
        **{name: getattr(table, name)[order] for name in columns},
        metrics={"em": table.metrics["em"][order]},
    )
    assert analyse(table, QUICK) == analyse(shuffled, QUICK)


def test_trials_that_share_a_control_give_the_table_of_one_trial() -> None:
    scores = binary(150, (0.5, 0.55, 0.7, 0.6))
    scores[:10, 0] = scores[20:40, 2] = np.nan
    cluster = np.arange(150) // 3
    whole = arms_table(scores, cluster)
    parts = {"one": arms_table(scores[:, [0, 1, 2]], cluster), "two": arms_table(scores[:, [0, 3]], cluster)}
    merged = with_one_control(parts)
    assert merged.arm_names == ["control", "one: a", "one: b", "two: a"]
    found = several_arms(merged, QUICK, decided_pairing(merged, QUICK))
    wanted = several_arms(whole, QUICK, decided_pairing(whole, QUICK))
    assert found is not None
    assert wanted is not None
    assert [*found.adjusted.values()] == [*wanted.adjusted.values()]
    assert [each.arm for each in found.rankings[0].arms] == merged.arm_names
    names = dict(zip(merged.arm_names, whole.arm_names, strict=True))
    assert [names[name] for name in found.rankings[0].best] == [*wanted.rankings[0].best]
    with pytest.raises(ValueError, match="other items"):
        with_one_control(parts | {"three": arms_table(scores[:20])})


def test_a_trend_is_tested_on_the_items_that_every_arm_of_the_order_has() -> None:
    scores = binary(200, (0.4, 0.5, 0.6, 0.9))
    scores[:20, 0] = scores[10:40, 2] = np.nan
    document = analyse(arms_table(scores), QUICK, trend=("control", "a", "b"))
    assert isinstance(document.trends, tuple)
    [row] = document.trends
    kept = ~np.isnan(scores[:, :3]).any(axis=1)
    slopes = (scores[kept, 2] - scores[kept, 0]) / 2
    assert row.n_items == 160
    assert row.slope == pytest.approx(slopes.mean())
    assert row.p == pytest.approx(sign_flips(cluster_totals(slopes)).p_value())
    assert (row.p_adjusted, row.arms) == (row.p, ("control", "a", "b"))
    assert "trends" not in str(analyse(arms_table(scores), QUICK, trend=("control", "x", "b")).trends)


def test_effects_over_data_sets_are_weighted_by_variances_of_the_items() -> None:
    table = trial_table(240, effect=0.8, arms=("control", "short"))
    document = analyse(table, QUICK, pooled=True)
    assert isinstance(document.pooled, tuple)
    [row] = document.pooled
    pairing, of_items = pairing_of(table, "em", 0.0, Contrast("short"), QUICK), table.of_items(table.dataset)
    samples = [pairing.sample("dataset", name, of_items == code) for code, name in enumerate(table.dataset_names)]
    parts = [cr2(each.difference, each.cluster) for each in samples]
    wanted = pool([each.mean for each in parts], [each.se**2 for each in parts], [each.df for each in parts])
    assert (row.difference, row.q, row.p) == pytest.approx((wanted.estimate, wanted.q, wanted.p))
    assert (row.se, row.df) == pytest.approx((wanted.se, wanted.df))
    assert (row.datasets, row.left_out) == (("passages", "trivia_a", "trivia_b"), ())


def sets_of(*sizes: tuple[int, int], clusters: int | None = None) -> PooledEffect:
    """Return the effect over data sets of so many items, of which so many are gained; in so many clusters each."""
    gained = [float(at < gains) for n, gains in sizes for at in range(n)]
    dataset = [at for at, (n, _) in enumerate(sizes) for _ in range(n)]
    cluster = None if clusters is None else [
        at * clusters + item % clusters for at, (n, _) in enumerate(sizes) for item in range(n)
    ]  # fmt: skip
    table = table_of([0.0] * len(gained), gained, dataset=dataset, cluster=cluster)
    document = analyse(table, QUICK, pooled=True)
    assert isinstance(document.pooled, tuple)
    [row] = document.pooled
    return row


def test_a_data_set_whose_effect_does_not_vary_is_not_left_out_of_the_effect_over_all() -> None:
    """1,000 items without a change and two data sets of 20 with a quarter gained: +25 points would be of the two."""
    row = sets_of((1000, 0), (20, 5), (20, 5))
    assert (row.difference, row.p, row.left_out) == (None, None, ())
    assert row.datasets == ("set0", "set1", "set2")
    assert row.reason == "the effect in set0 does not vary"


def test_a_data_set_of_few_clusters_has_no_weight_and_the_reason_names_each_one() -> None:
    row = sets_of((40, 7), (40, 9), clusters=5)
    assert (row.difference, row.method) == (None, None)
    assert row.reason == (
        "set0 has 5 clusters; at level 0.05 it needs 6; set1 has 5 clusters; at level 0.05 it needs 6"
    )
    found = sets_of((40, 7), (40, 9), clusters=6)
    assert (found.reason, found.method) == (None, "inverse_variance")
    assert found.df is not None
    assert found.df <= 5.0001
    assert sets_of((5, 2), (40, 9)).reason == "set0 has 5 pairs; at level 0.05 it needs 6"


def test_a_data_set_without_a_pair_is_left_out_by_name() -> None:
    table = trial_table(240, arms=("control", "short"))
    gone = np.where(table.dataset == 0, np.nan, table.metrics["em"])
    document = analyse(replace(table, metrics=dict(table.metrics) | {"em": gone}), QUICK, pooled=True)
    assert isinstance(document.pooled, tuple)
    [row] = document.pooled
    assert (row.left_out, row.datasets, row.reason) == (("passages",), ("trivia_a", "trivia_b"), None)
    alone = np.where(table.dataset == 1, np.nan, gone)
    document = analyse(replace(table, metrics=dict(table.metrics) | {"em": alone}), QUICK, pooled=True)
    assert isinstance(document.pooled, tuple)
    assert document.pooled[0].reason == "fewer than two data sets have a pair"


def test_an_endpoint_with_a_stopping_rule_has_no_trend_and_no_effect_over_data_sets() -> None:
    """Both assume a fixed size: after five looks by Pocock's rule such a test rejects far more than the level says."""
    table = trial_table(240, effect=0.8, arms=("control", "short", "long"))
    both = replace(QUICK, primary=("em", "f1"))
    found = analyse(table, both, trend=("control", "short", "long"), pooled=True, looked_at="em")
    alone = analyse(table, replace(QUICK, primary=("f1",)), trend=("control", "short", "long"), pooled=True)
    for rows, others in ((found.trends, alone.trends), (found.pooled, alone.pooled)):
        assert isinstance(rows, tuple)
        of_em = [row for row in rows if row.metric == "em"]
        assert of_em
        assert {(row.p, row.ci_low, row.ci_high) for row in of_em} == {(None, None, None)}
        assert all("sample size fixed in advance" in (row.reason or "") for row in of_em)
        assert tuple(row for row in rows if row.metric == "f1") == others


def test_a_trend_or_effect_over_data_sets_that_depends_on_few_items_says_so() -> None:
    sparse = np.ones((200, 3))
    sparse[:4, 0], sparse[4:6, 2] = 0, 0
    for scores, said in (
        (sparse, ("scores change in 6 of 200 items (upwards in 4, downwards in 2): the interval may be too narrow",)),
        (binary(200, (0.2, 0.5, 0.8)), UNSET),
    ):
        found = analyse(arms_table(scores), QUICK, trend=("control", "a", "b"))
        assert isinstance(found.trends, tuple)
        assert found.trends[0].cautions == said
    assert sets_of((100, 5), (100, 30)).cautions == (
        "set0: pairs differ in 5 of 100 items (upwards in 5, downwards in 0): the interval may be too narrow",
    )
    table = table_of([0.0, 1.0] * 60, [1.0, 0.0] * 60, dataset=[0, 0, 1, 1, 0] * 24)
    document = analyse(table, QUICK, pooled=True)
    assert isinstance(document.pooled, tuple)
    assert document.pooled[0].cautions is UNSET
