"""What must hold of the statistics whatever the scores are."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from promptrial.documents.significance import Estimate, Significance, StatsSettings
from promptrial.stats.adjusted_p_values import benjamini_hochberg, benjamini_yekutieli, holm
from promptrial.stats.analysis import analyse
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.effect_size import cliffs_delta, rank_biserial
from promptrial.stats.hodges_lehmann import hodges_lehmann
from promptrial.stats.mcnemar import mcnemar, odds_ratio_interval
from promptrial.stats.paired import clustered_se, paired_difference
from promptrial.stats.pairing import ScoreTable
from promptrial.stats.resampling import subset_sums
from promptrial.stats.risk_difference import PairedTable, newcombe_interval, tango_interval
from promptrial.stats.sign_flips import sign_flips
from promptrial.stats.tost import tost
from promptrial.stats.wilcoxon import signed_rank_sums, wilcoxon_test
from tests.support.score_tables import trial_table

QUICK = StatsSettings(
    bootstrap_samples=400,
    permutation_samples=400,
    tost_margins={"em": 0.1, "f1": 0.05},
    wanted={"em": "higher", "f1": "higher"},
)
SIMULATIONS = 2000
INFINITE = "infinite: the control alone is never right, so there is no upper limit"

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=40)
counts = st.integers(0, 2000)
tables = st.builds(PairedTable, counts, counts, counts, counts).filter(lambda table: table.n > 0)
scores = st.sampled_from([0.0, 1.0, 0.5, 0.25, 1 / 3, 2 / 3, 0.1])
differences = hnp.arrays(
    np.float64, st.integers(1, 60), elements=st.sampled_from([-1.0, 1.0, 0.0, 0.5, -0.5, 1 / 3, -0.2])
)


def exchanged(table: ScoreTable) -> ScoreTable:
    return ScoreTable(
        **{name: getattr(table, name) for name in ScoreTable.__slots__ if name != "arm"},
        arm=1 - table.arm,
    )


def mirrored(row: Estimate) -> Estimate:
    """The row that the analysis of exchanged arms should have instead."""
    if row.quantity == "rank_sum":
        return row
    figures = dict(row.figures)
    for one, other in (("treatment_only", "control_only"), ("p_lower", "p_upper")):
        if one in figures:
            figures[one], figures[other] = figures[other], figures[one]
    for low, high in (
        ("percentile_low", "percentile_high"),
        ("tango_low", "tango_high"),
        ("newcombe_low", "newcombe_high"),
    ):
        if low in figures:
            figures[low], figures[high] = negated(figures[high]), negated(figures[low])
    for name in ("t", "bias_correction", "acceleration"):
        if name in figures:
            figures[name] = negated(figures[name])
    if row.quantity == "odds_ratio" and row.reason != "no discordant pair":
        return msgspec.structs.replace(
            row,
            estimate=inverse(row.estimate),
            ci_low=inverse(row.ci_high),
            ci_high=inverse(row.ci_low),
            reason=INFINITE if row.estimate == 0 else None,
            figures=figures,
        )
    return msgspec.structs.replace(
        row, estimate=negated(row.estimate), ci_low=negated(row.ci_high), ci_high=negated(row.ci_low), figures=figures
    )


def negated(value: float | None) -> float | None:
    return None if value is None else -value


def inverse(ratio: float | None) -> float | None:
    """Null stands for an infinite ratio here."""
    if ratio is None:
        return 0.0
    return 1 / ratio if ratio else None


def assert_same(ours: Any, theirs: Any) -> None:
    """Equal but for the last digits of numbers."""
    if isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-11)
    elif isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert_same(ours[key], value)
    else:
        assert ours == theirs


def rows_by_label(document: Significance) -> dict[tuple[object, ...], Estimate]:
    return {(row.metric, row.temp, row.scope, row.subset, row.method, row.quantity): row for row in document.estimates}


@pytest.mark.parametrize(("n", "seed"), [(160, 0), (96, 1), (96, 2), (96, 3)])
def test_exchanging_the_arms_negates_every_effect_and_keeps_every_two_sided_p(n: int, seed: int) -> None:
    table = trial_table(n, seed=seed, effect=0.2 * seed)
    forward, backward = rows_by_label(analyse(table, QUICK)), rows_by_label(analyse(exchanged(table), QUICK))
    assert forward.keys() == backward.keys()
    for label, row in forward.items():
        if row.quantity == "non_inferiority":  # one-sided: its p belongs to a direction
            continue
        for name, value in msgspec.to_builtins(mirrored(row)).items():
            assert_same(msgspec.to_builtins(backward[label])[name], value)


def test_exchanging_the_arms_exchanges_them_in_the_selective_rows() -> None:
    table = trial_table(96, seed=9)
    forward, backward = analyse(table, QUICK).selective, analyse(exchanged(table), QUICK).selective
    names = {"control": "treatment", "treatment": "control", "difference": "difference"}
    found = {(row.metric, row.scope, row.subset, row.quantity): row for row in backward}
    for row in forward:
        other = found[row.metric, row.scope, row.subset, names[row.quantity]]
        sign = -1 if row.quantity == "difference" else 1
        assert row.estimate is not None
        assert other.estimate == pytest.approx(sign * row.estimate, rel=1e-9, abs=1e-12)


@given(tables)
def test_exchanging_the_arms_mirrors_the_intervals_of_binary_pairs(table: PairedTable) -> None:
    swapped = PairedTable(table.both, table.losses, table.gains, table.neither)
    for interval in (newcombe_interval, tango_interval):
        low, high = interval(table)
        assert interval(swapped) == pytest.approx((-high, -low), abs=1e-12)
        assert -1 <= low <= table.difference + 1e-9
        assert table.difference - 1e-9 <= high <= 1
    if table.gains + table.losses:
        low, high = odds_ratio_interval(table.gains, table.losses)
        mirrored_low, mirrored_high = odds_ratio_interval(table.losses, table.gains)
        assert mirrored_low == pytest.approx(1 / high if math.isfinite(high) else 0)
        assert mirrored_high == pytest.approx(1 / low if low else math.inf)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
@settings(max_examples=8, deadline=None)
def test_duplicating_the_replicates_of_items_changes_no_p(seed: int, copies: int) -> None:
    replicates = np.random.default_rng(seed).choice([0.0, 1.0, 0.3, 2 / 3, 0.1], size=(2, 90, 3))
    base = trial_table(90, seed=1, lost=0)

    def with_replicates(values: Any) -> ScoreTable:
        columns = {name: getattr(base, name) for name in ScoreTable.__slots__}
        columns["metrics"] = {"f1": values.mean(axis=2).reshape(-1)}
        columns["n_samples"] = np.full(180, values.shape[2])
        columns["planned_samples"] = {(arm, 0.0): values.shape[2] for arm in (0, 1)}
        return ScoreTable(**columns)

    once = analyse(with_replicates(replicates), QUICK)
    repeated = analyse(with_replicates(np.concatenate([replicates] * copies, axis=2)), QUICK)
    for ours, theirs in zip(repeated.estimates, once.estimates, strict=True):
        assert_same(ours.p, theirs.p)
    for one, other in zip(repeated.tests, once.tests, strict=True):
        assert_same(one.p_adjusted, other.p_adjusted)


@given(differences, st.integers(1, 6))
def test_duplicating_the_clusters_shrinks_the_standard_error_by_the_root_of_two(d: Any, per_cluster: int) -> None:
    cluster = np.arange(len(d)) // per_cluster
    n = int(cluster.max()) + 1
    if n < 2:
        return
    once = clustered_se(cluster_totals(d, cluster))
    twice = clustered_se(cluster_totals(np.tile(d, 2), np.concatenate([cluster, cluster + n])))
    without_factor = math.sqrt((n - 1) / n), math.sqrt((2 * n - 1) / (2 * n))
    assert twice * without_factor[1] == pytest.approx(once * without_factor[0] / math.sqrt(2), abs=1e-12)


def simulated(rng: np.random.Generator, clusters: int, size: int, shared: float) -> Any:
    """Differences between identical arms; ``shared`` is the variance that the items of a cluster have in common."""
    between = rng.normal(0, math.sqrt(shared), size=(SIMULATIONS, clusters, 1))
    return (between + rng.normal(0, math.sqrt(1 - shared), size=(SIMULATIONS, clusters, size))).reshape(SIMULATIONS, -1)


@pytest.mark.parametrize(("clusters", "size", "shared"), [(120, 1, 0.0), (50, 10, 0.5)], ids=["items", "clusters"])
def test_the_p_value_between_identical_arms_is_uniform(clusters: int, size: int, shared: float) -> None:
    rng = np.random.default_rng(20240501)
    cluster = np.repeat(np.arange(clusters), size)
    of_t, of_flips, of_ranks = [], [], []
    for d in simulated(rng, clusters, size, shared):
        totals = cluster_totals(d, cluster)
        of_t.append(paired_difference(d, cluster).p)
        of_flips.append(sign_flips(totals, draws=399, decisive=()).p_value())
        of_ranks.append(wilcoxon_test(totals.sums / totals.sizes).p)
    for values in (of_t, of_flips, of_ranks):
        assert stats.kstest(values, "uniform").pvalue > 0.01
        assert 0.035 < np.mean(np.array(values) <= 0.05) < 0.065


def test_the_mid_p_value_between_identical_arms_is_uniform_too() -> None:
    b = np.random.default_rng(7).binomial(4000, 0.5, size=SIMULATIONS)
    values = [mcnemar(int(count), 4000 - int(count)).midp for count in b]
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_treating_clustered_items_as_independent_would_reject_far_too_often() -> None:
    draws = simulated(np.random.default_rng(3), 50, 10, 0.5)[:400]
    naive = np.mean([paired_difference(d).p <= 0.05 for d in draws])
    clustered = np.mean([paired_difference(d, np.repeat(np.arange(50), 10)).p <= 0.05 for d in draws])
    assert naive > 0.25
    assert clustered < 0.08


@given(p_values)
def test_adjusted_p_values_are_monotone_and_never_below_the_raw_ones(p: list[float]) -> None:
    order = np.argsort(p, kind="stable")
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli):
        adjusted = adjust(p)
        assert (adjusted >= np.array(p)).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[order]) >= 0).all()


@given(p_values)
def test_step_up_adjustments_equal_those_of_scipy(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p, method="bh"), rel=1e-12)
    assert benjamini_yekutieli(p) == pytest.approx(stats.false_discovery_control(p, method="by"), rel=1e-12)


@given(p_values)
def test_holm_rejects_what_its_definition_rejects(p: list[float]) -> None:
    order = sorted(range(len(p)), key=lambda index: p[index])
    expected, largest = [0.0] * len(p), 0.0
    for place, index in enumerate(order):
        largest = max(largest, (len(p) - place) * p[index])
        expected[index] = min(1.0, largest)
    assert holm(p) == pytest.approx(expected, rel=1e-12)


@given(
    differences.filter(lambda d: len(d) > 1 and d.min() < d.max()),
    st.floats(0.01, 1),
    st.sampled_from([0.05, 0.01, 0.1]),
)
def test_equivalence_is_shown_exactly_if_the_interval_is_inside_the_margin(d: Any, margin: float, alpha: float) -> None:
    test = tost(paired_difference(d), margin, alpha)
    inside = -margin < test.ci_low and test.ci_high < margin
    assert (test.p <= alpha) == inside or math.isclose(test.p, alpha, rel_tol=1e-9)
    assert test.p == max(test.p_lower, test.p_upper)


@given(hnp.arrays(np.float64, st.integers(1, 80), elements=st.floats(-1e3, 1e3, width=32)), st.integers(1, 50))
@settings(deadline=None, max_examples=60)
def test_a_permutation_p_is_never_0(sums: Any, resamples: int) -> None:
    p = sign_flips(cluster_totals(sums), draws=resamples, decisive=()).p_value()
    assert 0 < p <= 1


def test_a_permutation_p_is_not_0_when_no_draw_comes_near() -> None:
    far = np.random.default_rng(1).uniform(0.5, 1, 500)
    assert sign_flips(cluster_totals(far), draws=99, decisive=()).p_value() == 1 / 100
    assert sign_flips(cluster_totals(np.ones(5000))).p_value() > 0


@given(st.integers(0, 10**7), st.integers(0, 10**7))
@settings(deadline=None)
def test_mcnemar_handles_millions_of_discordant_pairs(b: int, c: int) -> None:
    test = mcnemar(b, c)
    assert 0 < test.midp <= test.exact <= 1
    assert -math.inf < test.log10_midp <= test.log10_exact <= 0
    if b + c > 10**6 and test.p_chi2 > 1e-12:
        assert test.midp == pytest.approx(test.p_chi2, rel=2e-3)
        assert test.exact == pytest.approx(test.p_cc, rel=2e-3)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    if b + c == 0:
        return
    test = mcnemar(b, c)
    assert test.exact == pytest.approx(stats.binomtest(b, b + c).pvalue, rel=1e-10)
    point = stats.binom.pmf(b, b + c, 0.5)
    assert test.midp == pytest.approx(test.exact - point if b != c else 1 - point / 2, rel=1e-9)


@given(differences)
def test_the_hodges_lehmann_estimate_is_the_median_of_all_walsh_averages(d: Any) -> None:
    walsh = ((d[:, None] + d[None, :]) / 2)[np.triu_indices(len(d))]
    assert hodges_lehmann(d) == pytest.approx(np.median(walsh), abs=1e-12)


@given(differences)
def test_signed_ranks_equal_those_of_scipy(d: Any) -> None:
    ranks = stats.rankdata(np.abs(d))
    plus, minus = ranks[d > 0].sum(), ranks[d < 0].sum()
    assert signed_rank_sums(d) == (plus, minus)
    r = rank_biserial(d)
    assert r == pytest.approx((plus - minus) / (plus + minus)) if plus + minus else math.isnan(r)


@given(differences, differences)
def test_cliffs_delta_counts_every_pair_and_every_tie(treatment: Any, control: Any) -> None:
    dominance = np.sign(treatment[:, None] - control[None, :])
    assert cliffs_delta(treatment, control) == pytest.approx(dominance.mean(), abs=1e-12)


@given(st.lists(st.floats(0, 10, width=16), max_size=40))
def test_a_random_sign_sum_is_a_possible_sign_sum(values: list[float]) -> None:
    magnitudes = np.array(values)
    positive = subset_sums(magnitudes.astype(np.complex128), 20, np.random.default_rng(1)).real
    sums = 2 * positive - magnitudes.sum()
    assert (np.abs(sums) <= magnitudes.sum() + 1e-9).all()
    # Flipping one sign changes the sum by twice a magnitude, so on a lattice of 1/256ths all sums have one parity.
    steps = np.rint(magnitudes * 2**24).astype(np.int64)
    assert ((np.rint(sums * 2**24).astype(np.int64) - steps.sum()) % 2 == 0).all()
