"""The test of interaction: whether an effect differs between two subsets."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from promptrial.documents.significance import Interaction, StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.adjusted_p_values import benjamini_hochberg
from promptrial.stats.analysis import analyse
from promptrial.stats.cr2 import cr2
from promptrial.stats.interaction import interaction
from promptrial.stats.pairing import FloatArray, IntArray, PairedSample, ScoreTable, pair_scores
from tests.support.score_tables import table_of, trial_table

SETTINGS = StatsSettings(bootstrap_samples=300, permutation_samples=300)
NAN = math.nan


def halves(control: FloatArray, treatment: FloatArray, n_first: int, cluster: IntArray | None = None) -> ScoreTable:
    """Return a table of two data sets, the first of ``n_first`` items."""
    n = len(control)
    return table_of(
        [*control],
        [*treatment],
        cluster=None if cluster is None else [*map(int, cluster)],
        dataset=[int(item >= n_first) for item in range(n)],
    )


def samples(table: ScoreTable) -> tuple[PairedSample, PairedSample]:
    pairing = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=True)
    codes = table.of_items(table.dataset)
    return pairing.sample("dataset", "set0", codes == 0), pairing.sample("dataset", "set1", codes == 1)


def scores(seed: int, n: int = 60) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return rng.random(n), rng.random(n)


def test_without_clusters_the_interaction_test_is_welchs_test() -> None:
    control, treatment = scores(1)
    one, other = samples(halves(control, treatment, 25))
    found = interaction(one, other, SETTINGS)
    expected = stats.ttest_ind(one.difference, other.difference, equal_var=False)
    assert (found.p, found.df) == pytest.approx((expected.pvalue, expected.df), rel=1e-9)
    assert found.difference == pytest.approx(one.difference.mean() - other.difference.mean())
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)
    assert (found.n_pairs, found.n_pairs_other, found.n_clusters, found.n_clusters_other) == (25, 35, 25, 35)


def test_clusters_are_units_in_each_subset() -> None:
    control, treatment = scores(2)
    one, other = samples(halves(control, treatment, 30, np.arange(60) // 3))
    found = interaction(one, other, SETTINGS)
    parts = [cr2(sample.difference, sample.cluster) for sample in (one, other)]
    assert found.se == pytest.approx(math.hypot(*(part.se for part in parts)))
    assert found.df is not None
    assert found.df < 18.0001
    naive = [cr2(sample.difference) for sample in (one, other)]
    assert found.se != pytest.approx(math.hypot(*(part.se for part in naive)))


def test_clusters_in_both_subsets_reduce_the_variance_by_their_covariance() -> None:
    """What the items of a cluster share moves both effects alike, and so not their difference."""
    rng = np.random.default_rng(3)
    shared = rng.normal(size=30)
    noise = rng.normal(scale=0.1, size=60)
    difference = np.tile(shared, 2) + noise
    cluster = np.tile(np.arange(30), 2)
    control = np.zeros(60)
    table = halves(control, np.clip(0.5 + difference / 10, 0, 1), 30, cluster)
    one, other = samples(table)
    apart, together = (
        interaction(one, replace(other, cluster=other.cluster + 100), SETTINGS),
        interaction(one, other, SETTINGS),
    )
    assert together.se is not None
    assert apart.se is not None
    assert together.se < apart.se / 3
    paired = one.difference - other.difference
    assert together.se == pytest.approx(paired.std(ddof=1) / math.sqrt(30), rel=0.02)
    alike = halves(control, np.tile(np.clip(0.5 + shared / 10, 0, 1), 2), 30, cluster)
    assert interaction(*samples(alike), SETTINGS).reason == "the two effects vary together: no standard error"


@pytest.mark.parametrize("clusters", [6, 10])
def test_if_every_cluster_is_in_both_subsets_the_test_is_the_paired_t_test(clusters: int) -> None:
    rng = np.random.default_rng(clusters)
    cluster = np.tile(np.repeat(np.arange(clusters), 3), 2)
    drawn = rng.normal(size=clusters)[cluster] + rng.normal(size=len(cluster))
    half = len(cluster) // 2
    found = interaction(*samples(halves(np.full(len(cluster), 0.5), 0.5 + drawn / 20, half, cluster)), SETTINGS)
    first, second = ((drawn[part] / 20).reshape(clusters, 3).mean(axis=1) for part in (slice(half), slice(half, None)))
    expected = stats.ttest_rel(first, second)
    assert (found.df, found.p) == pytest.approx((clusters - 1, expected.pvalue))


def test_degrees_of_freedom_come_from_the_full_covariance_of_cluster_contributions() -> None:
    """Some clusters are in both subsets, with other sizes in each; the matrices are written out in full."""
    rng = np.random.default_rng(6)
    cluster = np.concatenate([np.repeat(np.arange(8), np.arange(1, 9)), np.repeat(np.arange(4, 16), 2)])
    drawn = rng.normal(size=16)[cluster] + rng.normal(size=len(cluster))
    pair = samples(halves(np.full(len(cluster), 0.5), 0.5 + drawn / 20, 36, cluster))
    found = interaction(*pair, SETTINGS)
    to_influences, covariances = [], []
    for sample in pair:
        sizes = np.bincount(sample.cluster, minlength=16)
        share, part = sizes / sizes.sum(), cr2(sample.difference, sample.cluster)
        turn = ((sizes > 0) / np.sqrt(1 - share))[:, None] * (np.eye(16) - share[:, None])
        spread = np.diag(sizes * (1 - part.correlation) + part.correlation * sizes**2)
        to_influences.append(turn)
        covariances.append(spread * part.se**2 / np.trace(turn @ spread @ turn.T))
    (turn, other), (spread, other_spread) = to_influences, covariances
    apart = turn @ spread @ turn.T + other @ other_spread @ other.T
    crossed = turn @ np.sqrt(spread * other_spread) @ other.T
    assert found.se is not None
    correlation = (np.trace(apart) - found.se**2) / (2 * np.trace(crossed))
    assert 0 < correlation < 1
    whole = apart - correlation * (crossed + crossed.T)
    assert found.df == pytest.approx(np.trace(whole) ** 2 / np.trace(whole @ whole))


def test_exchanging_arms_or_subsets_negates_the_difference_and_keeps_p() -> None:
    control, treatment = scores(4)
    cluster = np.arange(60) // 2
    one, other = samples(halves(control, treatment, 20, cluster))
    found = interaction(one, other, SETTINGS)
    for turned in (
        interaction(other, one, SETTINGS),
        interaction(*samples(halves(treatment, control, 20, cluster)), SETTINGS),
    ):
        assert turned.difference == pytest.approx(-(found.difference or 0))
        assert (turned.ci_low, turned.ci_high) == pytest.approx((-(found.ci_high or 0), -(found.ci_low or 0)))
        assert turned.p == pytest.approx(found.p)


@pytest.mark.parametrize("seed", range(20))
def test_p_value_and_interval_never_disagree(seed: int) -> None:
    control, treatment = scores(seed)
    treatment[:20] = np.clip(treatment[:20] + 0.25, 0, 1)
    found = interaction(*samples(halves(control, treatment, 20)), SETTINGS)
    assert found.p is not None
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert (found.p <= 0.05) == (found.ci_low > 0 or found.ci_high < 0)


def test_an_untestable_interaction_gives_the_reason() -> None:
    control, treatment = scores(5)
    few = interaction(*samples(halves(control, treatment, 5)), SETTINGS)
    assert (few.p, few.reason) == (None, "set0 has 5 clusters; at level 0.05 it needs 6")
    assert few.difference is not None
    still = treatment.copy()
    still[:20] = control[:20]
    assert interaction(*samples(halves(control, still, 20)), SETTINGS).reason == (
        "every cluster of set0 has the same mean difference"
    )
    lost = treatment.copy()
    lost[20:] = NAN
    none = interaction(*samples(halves(control, lost, 20)), SETTINGS)
    assert (none.difference, none.p, none.reason) == (None, None, "no pair in set1")


def test_the_interval_is_cut_at_the_possible_differences_of_effects() -> None:
    control = np.array([0.0] * 5 + [1.0] + [1.0] * 5 + [0.0])
    one, other = samples(halves(control, 1 - control, 6))
    found = interaction(one, other, SETTINGS)
    assert found.difference == pytest.approx(4 / 3)
    assert found.se is not None
    assert 4 / 3 + 2 * found.se > 2
    assert found.ci_high == 2
    assert interaction(other, one, SETTINGS).ci_low == -2


def rejections(sizes: tuple[list[int], list[int]], effect: float, trials: int = 400) -> int:
    """Return in how many trials the effects of two subsets differ significantly; items of a cluster correlate (0.2)."""
    rng = np.random.default_rng(7)
    cluster = np.repeat(np.arange(len(sizes[0]) + len(sizes[1])), [*sizes[0], *sizes[1]])
    first = sum(sizes[0])
    table = halves(np.full(len(cluster), 0.5), np.full(len(cluster), 0.5), first, cluster)
    one, other = samples(table)
    found = 0
    for _ in range(trials):
        latent = math.sqrt(0.2) * rng.normal(size=cluster.max() + 1)[cluster] + math.sqrt(0.8) * rng.normal(
            size=len(cluster)
        )
        drawn = halves(np.full(len(cluster), 0.5), np.clip(0.5 + latent / 10, 0, 1), first, cluster)
        one, other = samples(drawn)
        shifted = replace(one, totals=replace(one.totals, sums=one.totals.sums + effect * one.totals.sizes))
        row = interaction(replace(shifted, difference=one.difference + effect), other, SETTINGS)
        found += row.p is not None and row.p <= 0.05
    return found


@pytest.mark.parametrize(
    "sizes",
    [([5] * 10, [5] * 10), ([20] * 6, [1] * 100), ([*range(1, 41, 4)], [*range(1, 41, 4)])],
    ids=["even", "few", "uneven"],
)
def test_equal_effects_are_called_different_at_most_at_the_level(sizes: tuple[list[int], list[int]]) -> None:
    at_most = stats.binom.ppf(0.999, 400, 0.057)
    assert rejections(sizes, 0.0) <= at_most


def test_different_effects_are_detected() -> None:
    assert rejections(([2] * 40, [2] * 40), 0.08, trials=60) > 50


def table_with_interaction() -> ScoreTable:
    """Return three data sets of 40 items: the treatment helps in the first, harms in the second, does nothing else."""
    rng = np.random.default_rng(11)
    rates = np.repeat([0.9, 0.1, 0.5], 40)
    control = (rng.random(120) < 0.5).astype(float)
    treatment = (rng.random(120) < rates).astype(float)
    return table_of([*control], [*treatment], dataset=[*np.repeat([0, 1, 2], 40)])


def rows_of(table: ScoreTable, settings: StatsSettings = SETTINGS) -> dict[tuple[str, str], Interaction]:
    return {(row.subset, row.other): row for row in analyse(table, settings).interactions}


def test_each_pair_of_data_sets_is_compared_and_corrected_in_its_own_family() -> None:
    document = analyse(table_with_interaction(), SETTINGS)
    rows = {(row.subset, row.other): row for row in document.interactions}
    assert set(rows) == {("set0", "set1"), ("set0", "set2"), ("set1", "set2")}
    assert {row.family for row in rows.values()} == {"interactions/dataset/em/0.0"}
    raw = [row.p if row.p is not None else NAN for row in rows.values()]
    assert [row.p_adjusted for row in rows.values()] == pytest.approx(benjamini_hochberg(raw).tolist())
    assert rows["set0", "set1"].significant
    (family,) = [family for family in document.families if family.name.startswith("interactions/")]
    assert (family.correction, family.size) == ("bh", 3)
    assert family.rejected == sum(bool(row.significant) for row in rows.values())
    assert not [test for test in document.tests if test.family.startswith("interactions/")]


def test_the_effects_compared_are_those_of_the_subsets() -> None:
    document = analyse(table_with_interaction(), SETTINGS)
    effects = {row.subset: row.difference for row in document.endpoints if row.scope == "dataset"}
    for row in document.interactions:
        assert row.difference == pytest.approx((effects[row.subset] or 0) - (effects[row.other] or 0))


def test_one_data_set_has_nothing_to_be_compared_with() -> None:
    assert rows_of(table_of([1, 0] * 10, [0, 1] * 10)) == {}


def test_subsets_that_a_metric_does_not_apply_to_are_not_compared() -> None:
    found = [(row.metric, row.scope, row.subset, row.other) for row in analyse(trial_table(), SETTINGS).interactions]
    assert ("em", "type", "closed", "open") in found
    assert not [row for row in found if row[0] in {"false_answer_rate", "unsupported_rate"}]


def test_missing_answers_follow_the_configured_rule() -> None:
    table = table_with_interaction()
    lossy = table.metrics["em"].copy()
    lossy[:12] = NAN
    gaps = replace(
        table, metrics={"em": lossy}, n_samples=(~np.isnan(lossy)).astype(np.int64), worst={"em": np.zeros(120)}
    )
    assert rows_of(gaps)["set0", "set1"].n_pairs == 28
    assert rows_of(gaps, replace(SETTINGS, missing="failure"))["set0", "set1"].n_pairs == 40
