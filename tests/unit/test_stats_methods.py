"""Each method where it could go wrong: edge cases, and the mistakes seen in earlier tools."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats import bootstrap, difference, effect_size, mcnemar, paired_t, permutation, score, wilcoxon
from promptrial.stats import tost as tost_module
from promptrial.stats.attrition import arm_attrition, missing_bounds
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.difference import DifferenceTest, difference_test
from promptrial.stats.hodges_lehmann import hodges_lehmann
from promptrial.stats.intervals import clopper_pearson, wilson
from promptrial.stats.paired import clustered_se, paired_difference, variance_split
from promptrial.stats.pairing import Arm, PairedSample
from promptrial.stats.power import (
    connor_sample_size,
    mcnemar_power,
    miller_sample_size,
    minimum_detectable_effect,
    t_test_power,
    t_test_sample_size,
)
from promptrial.stats.risk_difference import PairedTable, newcombe_interval, tango_interval, tango_limits
from promptrial.stats.sign_flips import sign_flips
from promptrial.stats.statistic import Statistic, floor_p_value
from promptrial.stats.tost import tost
from promptrial.stats.wilcoxon import wilcoxon_test
from tests.support.score_tables import sample_of

SETTINGS = StatsSettings(
    bootstrap_samples=500, permutation_samples=500, tost_margins={"em": 0.2}, wanted={"em": "higher"}
)
NAN = math.nan


def rows_of(statistic: Statistic, sample: PairedSample) -> dict[str, Estimate]:
    return {row.quantity: row for row in statistic.compute(sample, SETTINGS, np.random.default_rng(0))}


def binary_sample(treatment_only: int, control_only: int, both: int = 5, neither: int = 5) -> PairedSample:
    cells = ((0, 1), treatment_only), ((1, 0), control_only), ((1, 1), both), ((0, 0), neither)
    pairs = [pair for pair, count in cells for _ in range(count)]
    return sample_of([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def test_the_test_of_a_sample_is_computed_once_and_does_not_keep_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    make = difference.deciding_test

    def counted(*differences: Any, **kind: Any) -> DifferenceTest:
        made.append(differences[-1].alpha)
        return make(*differences, **kind)

    monkeypatch.setattr(difference, "deciding_test", counted)
    sample = sample_of([0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.5, 1.0])
    first = difference_test(sample, SETTINGS)
    assert difference_test(sample, SETTINGS) is first
    difference_test(sample, StatsSettings(alpha=0.01))
    assert made == [0.05, 0.01]
    gone = weakref.ref(sample)
    del sample
    assert gone() is None


def test_mcnemar_counts_the_discordant_pairs_of_a_sample() -> None:
    rows = rows_of(mcnemar.STATISTIC, binary_sample(treatment_only=7, control_only=1))
    difference, ratio = rows["risk_difference"], rows["odds_ratio"]
    assert difference.estimate == pytest.approx(6 / 18)
    assert difference.p == pytest.approx(0.0390625)
    assert difference.figures["p_exact"] == pytest.approx(0.0703125)
    assert (difference.figures["both"], difference.figures["neither"]) == (5, 5)
    assert (ratio.estimate, ratio.p) == (7, difference.figures["p_exact"])
    assert (difference.ci_low, difference.ci_high) == (None, None)  # no interval is the inversion of mid-p
    limits = difference.figures["newcombe_low"], difference.figures["newcombe_high"]
    assert limits == newcombe_interval(PairedTable(5, 7, 1, 5))


def test_the_score_row_holds_the_test_that_decides_and_its_inversion() -> None:
    row = rows_of(score.STATISTIC, binary_sample(treatment_only=7, control_only=1))["risk_difference"]
    assert row.p == pytest.approx(stats.chi2.sf(36 / 8, 1))
    assert (row.ci_low, row.ci_high) == tango_interval(PairedTable(5, 7, 1, 5))
    clustered = sample_of([0, 1, 0, 1], [1, 1, 0, 1], cluster=[0, 0, 1, 1])
    assert not score.STATISTIC.applies(clustered)


def test_the_odds_ratio_row_holds_1_exactly_when_its_p_is_above_the_level() -> None:
    for b in range(12):
        for c in range(1, 12):
            row = rows_of(mcnemar.STATISTIC, binary_sample(b, c))["odds_ratio"]
            assert row.p is not None
            assert row.ci_low is not None
            assert (row.ci_low <= 1 <= (row.ci_high or math.inf)) == (row.p > 0.05)


def test_the_flips_beside_the_score_test_are_mcnemars_exact_test_without_an_interval() -> None:
    row = rows_of(permutation.STATISTIC, binary_sample(24, 11))["mean_difference"]
    assert row.p == pytest.approx(mcnemar.mcnemar(24, 11).exact, rel=1e-9)
    assert (row.ci_low, row.ci_high, row.figures["monte_carlo_se"]) == (None, None, 0)


def test_without_discordant_pairs_p_is_1_and_the_odds_ratio_is_not_estimable() -> None:
    rows = rows_of(mcnemar.STATISTIC, binary_sample(0, 0))
    assert rows["risk_difference"].p == 1
    assert rows["odds_ratio"].estimate is None
    assert rows["odds_ratio"].reason == "no discordant pair"


@pytest.mark.parametrize(("values", "expected"), [
    ([0.0, 1.0], math.sqrt(0.5)), ([1.0, 3.0], 2 / math.sqrt(2)), ([1.0], NAN), ([], NAN), ([0.5, 0.5], NAN),
])  # fmt: skip
def test_two_differences_that_differ_are_enough_for_d_z(values: list[float], expected: float) -> None:
    assert effect_size.cohens_dz(np.array(values)) == pytest.approx(expected, nan_ok=True)


def test_two_clusters_have_a_standard_error_and_one_has_none() -> None:
    values = np.array([0.0, 1.0])
    assert clustered_se(cluster_totals(values, np.array([0, 1]))) == pytest.approx(values.std(ddof=1) / math.sqrt(2))
    doubled = clustered_se(cluster_totals(np.repeat(values, 2), np.array([0, 0, 1, 1])))
    assert doubled == pytest.approx(0.5), "items of one cluster that are alike count as one"
    assert math.isnan(clustered_se(cluster_totals(values, np.array([0, 0]))))


@pytest.mark.parametrize(("b", "c", "said"), [(0, 0, True), (1, 0, False), (0, 1, False), (1, 1, False)])
def test_a_difference_without_a_discordant_pair_has_a_note_that_says_so(b: int, c: int, *, said: bool) -> None:
    row = rows_of(mcnemar.STATISTIC, binary_sample(b, c))["risk_difference"]
    assert ("no discordant pair" in row.notes) is said


def test_an_infinite_odds_ratio_is_null_with_a_reason_and_keeps_its_lower_limit() -> None:
    row = rows_of(mcnemar.STATISTIC, binary_sample(treatment_only=5, control_only=0))["odds_ratio"]
    assert (row.estimate, row.ci_high) == (None, None)
    assert row.ci_low == pytest.approx(0.9163, abs=1e-4)
    assert row.reason is not None
    assert row.reason.startswith("infinite")


def test_p_values_too_small_for_a_double_are_not_0_and_keep_their_logarithm() -> None:
    test = mcnemar.mcnemar(400, 6600)
    assert 0 < test.exact < 1e-300
    ways = sum(math.comb(7000, k) for k in range(401))
    assert test.log10_exact == pytest.approx(math.log10(2 * ways) - 7000 * math.log10(2), rel=1e-12)
    assert test.log10_midp == pytest.approx(
        math.log10(2 * ways - math.comb(7000, 400)) - 7000 * math.log10(2), rel=1e-12
    )


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="not negative"):
        mcnemar.mcnemar(-1, 3)


def test_obuchowskis_chi_square_is_mcnemars_when_every_item_is_its_own_cluster() -> None:
    sample = binary_sample(16, 6, 50, 28)
    chi2, p = mcnemar.obuchowski(sample.totals)
    assert chi2 == pytest.approx(99 / 100 * mcnemar.mcnemar(16, 6).chi2)
    assert p == pytest.approx(stats.chi2.sf(chi2, 1))


def test_obuchowskis_chi_square_shrinks_when_items_repeat_within_clusters() -> None:
    once = binary_sample(16, 6, 50, 28)
    cluster = np.arange(100)
    four_alike = cluster_totals(np.tile(once.difference, 4), np.tile(cluster, 4))
    assert mcnemar.obuchowski(four_alike)[0] == pytest.approx(mcnemar.obuchowski(once.totals)[0])


def test_mcnemar_says_so_when_items_share_clusters() -> None:
    sample = sample_of([0, 0, 1, 1], [1, 1, 0, 1], cluster=[0, 0, 1, 1])
    rows = rows_of(mcnemar.STATISTIC, sample)
    assert all("independent" in " ".join(row.notes) for row in rows.values())
    assert rows["risk_difference"].figures["p_obuchowski"] is not None


def test_intervals_without_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        tango_interval(PairedTable(0, 0, 0, 0))
    with pytest.raises(ValueError, match="n above 0"):
        newcombe_interval(PairedTable(0, 0, 0, 0))
    for interval in (wilson, clopper_pearson):
        with pytest.raises(ValueError, match="3 successes of 2"):
            interval(3, 2)


def test_the_tango_limits_are_the_differences_that_the_score_test_just_rejects() -> None:
    low, high = tango_interval(PairedTable(43, 0, 1, 0), 0.9)
    assert (low, high) == pytest.approx((-0.096, 0.037), abs=1e-3)  # Tango 1998, section 4


def test_passages_shared_by_questions_widen_the_error() -> None:
    """SQuAD questions share passages: without clustering the error bars are too small."""
    rng = np.random.default_rng(0)
    passage = np.repeat(np.arange(60), 8)
    d = rng.normal(size=60)[passage] + rng.normal(size=480)
    result = paired_difference(d, passage)
    assert result.se > 1.8 * result.se_naive
    assert result.design_effect == pytest.approx((result.se / result.se_naive) ** 2)
    assert result.n_effective == pytest.approx(480 / result.design_effect)
    assert result.df == 59


def test_the_paired_t_test_is_that_of_scipy() -> None:
    d = np.random.default_rng(1).normal(0.2, 1, size=40)
    result, theirs = paired_difference(d), stats.ttest_1samp(d, 0)
    assert (result.t, result.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (result.ci_low, result.ci_high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert result.design_effect == 1


def test_identical_arms_have_p_1_and_no_interval_rather_than_one_without_width() -> None:
    sample = sample_of([1, 0, 1, 1], [1, 0, 1, 1])
    of_t, of_bootstrap, of_flips = (
        rows_of(statistic, sample)["mean_difference"]
        for statistic in (paired_t.STATISTIC, bootstrap.STATISTIC, permutation.STATISTIC)
    )
    assert (of_t.estimate, of_bootstrap.estimate, of_flips.estimate) == (0, 0, 0)
    assert (of_t.p, of_flips.p) == (1, 1)
    assert (of_t.ci_low, of_t.ci_high, of_bootstrap.ci_low, of_bootstrap.ci_high) == (None, None, None, None)
    assert of_t.reason == "all pairs have the same difference: no interval can be computed"
    assert of_bootstrap.reason == "all replicates are equal: no interval can be computed"
    assert of_bootstrap.figures["percentile_low"] is None
    assert of_t.figures["detectable_at_80_percent_power"] is None


@pytest.mark.parametrize(
    ("control", "treatment"),
    [([1, 0] * 6, [1, 0] * 6), ([0] * 12, [1] * 12), ([1, 0] * 6, [0] * 12)],
    ids=["no pair is discordant", "all pairs are", "half of each cluster is"],
)
def test_clusters_that_do_not_differ_have_an_interval_with_a_width(
    control: list[float], treatment: list[float]
) -> None:
    sample = sample_of(control, treatment, cluster=[n // 2 for n in range(12)])
    test = difference_test(sample, SETTINGS)
    assert test.ci_method == "sign_flips_hull"
    assert test.low <= sample.totals.mean <= test.high
    assert test.high - test.low > 0.2


def test_without_discordant_pairs_tangos_limits_have_a_closed_form() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    assert tango_limits(0, 0, 12) == pytest.approx((-z2 / (12 + z2), z2 / (12 + z2)), rel=1e-12)


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        (range(6), "all pairs have the same difference: no interval can be computed"),
        ([0, 1, 2, 3, 4, 5, 5], "every cluster has the same mean difference: no interval can be computed"),
        ([0, 0, 0], "one cluster: no test and no interval can be computed"),
        ([0, 0, 1], "not estimable with 2 clusters: a 95% interval needs at least 6"),
        (range(5), "not estimable with 5 pairs: a 95% interval needs at least 6"),
    ],
)
def test_continuous_pairs_that_all_differ_equally_have_no_interval(cluster: Sequence[int], reason: str) -> None:
    n = len(cluster)
    test = difference_test(sample_of([0.1] * n, [0.4] * n, cluster=list(cluster), continuous=True), SETTINGS)
    assert (math.isnan(test.low), math.isnan(test.high), test.ci_method) == (True, True, None)
    assert test.reason == reason


def test_equal_differences_have_no_t_test_rather_than_a_p_of_0() -> None:
    row = rows_of(paired_t.STATISTIC, sample_of([0, 0, 0], [1, 1, 1]))["mean_difference"]
    assert (row.estimate, row.p, row.ci_low, row.ci_high) == (1, None, None, None)
    assert row.reason == "all pairs have the same difference: neither an interval nor a test can be computed"


def test_unequal_clusters_of_equal_means_are_recognised_as_without_variation() -> None:
    d = np.full(7, 0.1 + 0.2 - 0.2)
    assert paired_difference(d, np.array([0, 0, 0, 1, 1, 2, 2])).degenerate


@pytest.mark.parametrize("statistic", [paired_t.STATISTIC, bootstrap.STATISTIC, permutation.STATISTIC])
def test_one_cluster_is_not_estimable(statistic: Statistic) -> None:
    row = rows_of(statistic, sample_of([0, 1, 0], [1, 1, 1], cluster=[4, 4, 4]))["mean_difference"]
    assert (row.p, row.ci_low, row.ci_high) == (None, None, None)
    assert row.reason is not None
    assert row.reason.startswith("one cluster")


def test_a_mean_of_no_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="no pair"):
        paired_difference(np.array([]))


def test_few_clusters_are_pointed_out() -> None:
    sample = sample_of([0, 1, 0, 1, 0, 1], [1, 1, 0, 1, 1, 0], cluster=[0, 0, 1, 1, 2, 2])
    assert any("fewer than 40" in note for note in rows_of(paired_t.STATISTIC, sample)["mean_difference"].notes)
    assert any("too narrow" in note for note in rows_of(bootstrap.STATISTIC, sample)["mean_difference"].notes)
    assert any("cannot reach 0.05" in note for note in rows_of(permutation.STATISTIC, sample)["mean_difference"].notes)


def test_wilcoxon_is_not_computed_on_0_1_scores() -> None:
    """On such scores it is McNemar's test again, not a second piece of evidence."""
    assert not wilcoxon.STATISTIC.applies(binary_sample(7, 1))
    assert mcnemar.STATISTIC.applies(binary_sample(7, 1))
    graded = sample_of([0, 0.5, 0.2], [1, 0.25, 0.4])
    assert wilcoxon.STATISTIC.applies(graded)
    assert not mcnemar.STATISTIC.applies(graded)


def test_wilcoxon_rounds_before_it_ranks() -> None:
    noisy = np.array([0.3 - 0.2, 0.9 - 0.8, 0.1 - 0.2, 0.7 - 0.6, 0.4 - 0.3, 0.2 - 0.3])
    assert len(np.unique(np.abs(noisy))) > 1  # round-off has split the ties
    ours = wilcoxon_test(noisy)
    assert ours == wilcoxon_test(np.array([0.1, 0.1, -0.1, 0.1, 0.1, -0.1]))
    assert ours.p != pytest.approx(stats.wilcoxon(noisy, method="asymptotic", correction=False).pvalue)  # type: ignore[call-overload]


@pytest.mark.parametrize("n", [1, 2, 5, 20, 51, 500, 20_000])
@pytest.mark.parametrize("grid", [2, 10, 1_000_000])
def test_wilcoxon_equals_scipy_to_the_bit(n: int, grid: int) -> None:
    rng = np.random.default_rng(n * grid)
    for _ in range(20 if n < 1000 else 3):
        d = np.round(rng.integers(-grid, grid + 1, n) / grid + (rng.random() - 0.5) * (grid > 2), 6)
        if not d.any():
            continue
        theirs = stats.wilcoxon(d, zero_method="pratt", correction=False, method="asymptotic")  # type: ignore[call-overload]
        ours = wilcoxon_test(d, exact=False)
        assert (ours.p, ours.statistic) == (floor_p_value(float(theirs.pvalue)), float(theirs.statistic))


def test_wilcoxon_treats_zeros_as_pratt_did() -> None:
    d = np.array([0.0, 0.0, 0.0, 0.5, -0.2, 0.9, 0.7, -0.1])
    pratt, dropped = (stats.wilcoxon(d, zero_method=name, method="asymptotic").pvalue for name in ("pratt", "wilcox"))  # type: ignore[call-overload]
    assert wilcoxon_test(d).p == pytest.approx(pratt)
    assert wilcoxon_test(d).p != pytest.approx(dropped)


def test_wilcoxon_keeps_zeros_and_takes_clusters_as_units() -> None:
    assert wilcoxon_test(np.array([0.0, 0.0, 0.5, -0.2])).zeros == 2
    assert wilcoxon_test(np.zeros(4)).p == 1
    row = rows_of(wilcoxon.STATISTIC, sample_of([0.1] * 6, [0.2, 0.3, 0.5, 0.1, 0.2, 0.7], cluster=[0, 0, 1, 1, 2, 2]))
    assert row["rank_sum"].figures["units"] == 3


def test_the_hodges_lehmann_estimate_of_many_differences_is_not_their_median() -> None:
    d = np.concatenate([np.zeros(60_000), np.random.default_rng(2).exponential(size=60_000)])
    assert np.median(d) < 1e-3
    estimate = hodges_lehmann(d)
    # Half of the 7.2e9 Walsh averages lie below it; count them by distinct means of a sample of the pairs.
    i, j = np.random.default_rng(3).integers(0, len(d), size=(2, 400_000))
    assert ((d[i] + d[j]) / 2 <= estimate).mean() == pytest.approx(0.5, abs=0.005)
    assert estimate > 0.2


def test_the_hodges_lehmann_estimate_takes_large_and_no_values() -> None:
    assert hodges_lehmann(np.array([1e9, 3e9])) == 2e9
    assert hodges_lehmann(np.zeros(3)) == 0
    with pytest.raises(ValueError, match="at least one"):
        hodges_lehmann(np.array([]))


def test_cliffs_delta_is_not_the_share_of_signs() -> None:
    control, treatment = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])
    assert effect_size.cliffs_delta(treatment, control) == pytest.approx((4 - 1) / 9)  # the pairs' signs would give 1/3
    control, treatment = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.5, 3.5])
    assert effect_size.cliffs_delta(treatment, control) == pytest.approx((6 - 3) / 9)  # the pairs' signs would give 1


def test_effect_sizes_start_with_the_risk_difference_and_its_interval() -> None:
    rows = effect_size.STATISTIC.compute(binary_sample(7, 1), SETTINGS, np.random.default_rng(0))
    assert [row.quantity for row in rows] == ["risk_difference", "d_z", "rank_biserial", "cohens_h"]
    assert (rows[0].ci_low, rows[0].ci_high) == tango_interval(PairedTable(5, 7, 1, 5))
    assert rows[2].estimate == pytest.approx(6 / 8)


def test_effect_sizes_of_clustered_items_use_the_inversion_of_the_flips() -> None:
    rng = np.random.default_rng(6)
    control, treatment = (rng.choice([0.0, 0.5, 1.0], size=60).tolist() for _ in range(2))
    sample = sample_of(control, treatment, cluster=[n // 3 for n in range(60)], continuous=True)
    row = rows_of(effect_size.STATISTIC, sample)["mean_difference"]
    assert (row.ci_low, row.ci_high) == sign_flips(sample.totals, seed=SETTINGS.random_seed).limits(0.95)
    [flips] = permutation.STATISTIC.compute(sample, SETTINGS, np.random.default_rng(0))
    assert (flips.ci_low, flips.ci_high) == (row.ci_low, row.ci_high)


def test_effect_sizes_that_cannot_be_computed_are_null_with_a_reason() -> None:
    rows = rows_of(effect_size.STATISTIC, sample_of([1, 0.5], [1, 0.5]))
    assert (rows["d_z"].estimate, rows["rank_biserial"].estimate) == (None, None)
    assert rows["rank_biserial"].reason == "all differences are 0"
    assert rows["hodges_lehmann"].estimate == 0


def test_equivalence_uses_the_worse_of_its_two_tests() -> None:
    d = np.random.default_rng(4).normal(0.15, 0.1, size=50)
    test = tost(paired_difference(d), 0.15)
    assert test.p_lower < 1e-6
    assert test.p == test.p_upper > 0.05


def test_non_inferiority_is_the_test_in_the_relevant_direction() -> None:
    sample = binary_sample(12, 10, 40, 40)
    rows = rows_of(tost_module.STATISTIC, sample)
    assert rows["non_inferiority"].p == rows["equivalence"].figures["p_lower"]
    assert rows["equivalence"].confidence == pytest.approx(0.9)
    assert rows["equivalence"].p == max(rows["equivalence"].figures[name] or 0 for name in ("p_lower", "p_upper"))
    fewer = StatsSettings(tost_margins={"em": 0.2}, wanted={"em": "lower"})
    turned = {row.quantity: row for row in tost_module.STATISTIC.compute(sample, fewer, np.random.default_rng(0))}
    assert turned["non_inferiority"].p == rows["equivalence"].figures["p_upper"]


def test_non_inferiority_is_not_tested_if_the_better_direction_is_unknown() -> None:
    either = StatsSettings(tost_margins={"em": 0.2})
    rows = tost_module.STATISTIC.compute(binary_sample(12, 10, 40, 40), either, np.random.default_rng(0))
    assert [row.quantity for row in rows] == ["equivalence"]


def test_equivalence_is_only_tested_where_a_margin_was_declared() -> None:
    sample = sample_of([0.1, 0.2, 0.4], [0.2, 0.2, 0.3], metric="f1")
    assert rows_of(tost_module.STATISTIC, sample) == {}


def test_equivalence_of_identical_arms_is_shown_by_enough_pairs_and_otherwise_says_how_many() -> None:
    few = rows_of(tost_module.STATISTIC, sample_of([1, 0], [1, 0]))["equivalence"]
    assert few.p is not None
    assert few.p > 0.05
    assert few.figures["unchanged_pairs_needed"] == 14
    assert "a margin of 0.2 needs at least 14 pairs, all unchanged" in few.notes
    enough = rows_of(tost_module.STATISTIC, sample_of([1, 0] * 7, [1, 0] * 7))["equivalence"]
    assert enough.p is not None
    assert enough.p <= 0.05
    assert "unchanged_pairs_needed" not in enough.figures


def test_equivalence_plans_for_both_sides_and_non_inferiority_for_one() -> None:
    """To pass both tests with a power of 80% takes a power of 90% in each, if the arms are alike (Julious 2004)."""
    rng = np.random.default_rng(4)
    scores = rng.random((2, 60)).tolist()
    settings = StatsSettings(tost_margins={"f1": 0.05}, wanted={"f1": "higher"})
    sample = sample_of(*scores, metric="f1", continuous=True)
    rows = {row.quantity: row for row in tost_module.STATISTIC.compute(sample, settings, rng)}
    variance = float((sample.difference**2).mean()) / 0.05**2
    for quantity, power in (("equivalence", 0.9), ("non_inferiority", 0.8)):
        quantiles = float(stats.norm.ppf(0.95) + stats.norm.ppf(power))
        assert rows[quantity].figures["pairs_needed"] == math.ceil(variance * quantiles**2)


def test_one_cluster_gives_no_number_of_pairs_for_a_margin() -> None:
    row = rows_of(tost_module.STATISTIC, sample_of([1, 0, 1, 0], [1, 0, 0, 0], cluster=[0] * 4))["equivalence"]
    assert row.reason == "not estimable with 1 cluster: a margin at level 0.05 needs at least 6"
    assert "pairs_needed" not in row.figures


def test_equivalence_of_too_few_clusters_is_not_estimable() -> None:
    rows = rows_of(tost_module.STATISTIC, sample_of([1, 0, 1, 0], [1, 0, 0, 0], cluster=[0, 0, 1, 1]))
    assert (rows["equivalence"].p, rows["equivalence"].ci_low) == (None, None)
    assert rows["equivalence"].reason == "not estimable with 2 clusters: a margin at level 0.05 needs at least 6"


def test_a_margin_row_agrees_with_its_interval_whatever_the_design() -> None:
    rng = np.random.default_rng(13)
    for graded in (False, True):
        for cluster in (None, [n // 4 for n in range(80)]):
            for effect in (0.0, 0.1, 0.3):
                scores = rng.random((2, 80)) + np.array([[0.0], [effect]])
                control, treatment = (scores / 1.3 if graded else (scores > 0.6).astype(float)).tolist()
                rows = rows_of(tost_module.STATISTIC, sample_of(control, treatment, cluster=cluster, continuous=graded))
                for row in rows.values():
                    assert row.ci_low is not None
                    assert row.ci_high is not None
                    assert row.p is not None
                both = rows["equivalence"]
                assert (both.ci_low > -0.2 and both.ci_high < 0.2) == (both.p <= 0.05)  # type: ignore[operator]
                one = rows["non_inferiority"]
                assert (one.ci_low > -0.2) == (one.p <= 0.05)  # type: ignore[operator]


def test_a_margin_must_be_above_0() -> None:
    with pytest.raises(ValueError, match="above 0"):
        tost(paired_difference(np.array([0.0, 1.0])), 0)


def test_the_variance_of_a_difference_splits_into_items_and_replicates() -> None:
    rng = np.random.default_rng(5)
    items, replicates = 4000, 5
    effect = rng.normal(0.1, 0.3, size=items)
    draws = [rng.normal(mean[:, None], sd, size=(items, replicates)) for mean, sd in ((effect * 0, 0.5), (effect, 0.2))]
    control, treatment = (Arm(x.mean(axis=1), x.std(axis=1, ddof=1), np.full(items, replicates)) for x in draws)
    split = variance_split(treatment.score - control.score, (control, treatment))
    assert split is not None
    assert split.between == pytest.approx(0.09, rel=0.1)
    assert split.within == pytest.approx((0.25, 0.04), rel=0.05)
    assert split.replicates == pytest.approx((5, 5))


def test_the_variance_does_not_split_without_replicates() -> None:
    arm = Arm(np.ones(3), np.full(3, NAN), np.ones(3, dtype=np.int64))
    assert variance_split(np.zeros(3), (arm, arm)) is None


def test_sample_size_and_detectable_effect_invert_each_other() -> None:
    n = miller_sample_size(0.03, 0.1, 0.05, 0.02, replicates_control=2, replicates_treatment=4, design_effect=1.7)
    se = math.sqrt(1.7 * (0.1 + 0.05 / 2 + 0.02 / 4) / n)
    assert minimum_detectable_effect(se, math.inf) == pytest.approx(0.03)


def test_the_exact_power_of_mcnemar_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(6)
    cells = rng.multinomial(120, [0.18, 0.08, 0.74], size=4000)
    rejected = np.mean([mcnemar.mcnemar(int(b), int(c)).midp <= 0.05 for b, c, _ in cells])
    assert mcnemar_power(120, 0.18, 0.08) == pytest.approx(rejected, abs=0.025)
    assert mcnemar_power(120, 0.18, 0.08, method="exact") < mcnemar_power(120, 0.18, 0.08)


def test_connors_sample_size_gives_about_the_requested_power() -> None:
    n = math.ceil(connor_sample_size(0.05, 0.2))
    assert mcnemar_power(n, 0.125, 0.075) == pytest.approx(0.8, abs=0.015)
    with pytest.raises(ValueError, match="cannot hold"):
        connor_sample_size(0.3, 0.2)


def test_t_test_power_and_size_invert_each_other() -> None:
    n = t_test_sample_size(0.2, 1.1, power=0.85)
    assert t_test_power(n, 0.2, 1.1) == pytest.approx(0.85)
    with pytest.raises(ValueError, match="more than a billion"):
        t_test_sample_size(0.0, 1.0)


def test_attrition_adds_up_by_reason() -> None:
    arm = arm_attrition(100, 90, {"timeout": 3, "content_filter": 5})
    assert (arm.missing, arm.unexplained, arm.share_missing) == (10, 2, 0.1)
    assert list(arm.reasons) == ["content_filter", "timeout"]
    assert arm_attrition(0, 0, {}).share_missing is None
    assert (arm.empty, arm.truncated) == (0, 0)
    counted = arm_attrition(100, 90, {"length": 4}, empty=4, truncated=7)
    assert (counted.empty, counted.truncated, counted.unexplained) == (4, 7, 6)
    for expected, answered, reasons in ((10, 11, {}), (10, 8, {"timeout": 3})):
        with pytest.raises(ValueError, match="does not add up"):
            arm_attrition(expected, answered, reasons)


def test_worst_case_bounds_fill_every_gap_with_the_worst_and_the_best() -> None:
    sample = sample_of([1, 1, NAN, 0, NAN], [1, NAN, 1, 1, NAN])
    bounds = missing_bounds(sample)
    assert (bounds.n_items, bounds.n_missing_control, bounds.n_missing_treatment) == (5, 2, 2)
    assert bounds.low == pytest.approx((3 + 0) / 5 - (2 + 2) / 5)
    assert bounds.high == pytest.approx((3 + 2) / 5 - (2 + 0) / 5)


def test_worst_case_bounds_close_on_the_effect_when_nothing_is_missing() -> None:
    sample = sample_of([1, 1, 0, 0], [1, 0, 1, 1])
    bounds = missing_bounds(sample)
    assert bounds.low == bounds.high == pytest.approx(sample.totals.mean)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 0.5}, "alpha is 0.5"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"bootstrap_samples": 0}, "bootstrap_samples is 0"),
        ({"tost_margins": {"em": 0.0}}, "margin of em is 0.0"),
        ({"ranges": {"em": (1.0, 1.0)}}, "range of em is 1.0 to 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StatsSettings(**changes)  # type: ignore[arg-type]
