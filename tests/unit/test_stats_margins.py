"""Tests of a difference and of margins: what decides, with which limits, and that no p disagrees with its limit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gammaln, xlogy

from promptrial.stats.clusters import cluster_totals
from promptrial.stats.cr2 import cr2, intraclass_correlation
from promptrial.stats.difference import agreeing_limits, binary_difference_test, clustered_difference_test
from promptrial.stats.effective import INTERVAL_SLOPE, density, effective_pairs
from promptrial.stats.fewest import MARGIN_SLOPE
from promptrial.stats.margins import binary_margin_test, clustered_margin_test
from promptrial.stats.paired import paired_difference
from promptrial.stats.risk_difference import score_limit, score_statistic, tango_limits
from promptrial.stats.sign_flips import sign_flips
from promptrial.stats.unconditional import _grid, exact_lower_limit, exact_margin_p, unchanged_pairs_needed

TABLES = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 60)).filter(lambda t: sum(t) > 0)
BOUNDS = st.sampled_from([-0.3, -0.1, -0.05, -0.01, 0.0, 0.02, 0.1])


def summed_margin_p(b: int, c: int, n: int, delta0: float, points: int = 401) -> float:
    """The exact unconditional p by its definition: every table in the tail, over a fine grid of the nuisance."""
    gains, losses = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    scores = score_statistic(gains.astype(float), losses.astype(float), n, delta0)
    reached = float(score_statistic(float(b), float(c), n, delta0)) - 1e-9
    tail = (gains + losses <= n) & (scores >= reached)
    x, y = gains[tail], losses[tail]
    ways = gammaln(n + 1) - gammaln(x + 1) - gammaln(y + 1) - gammaln(n - x - y + 1)
    best = 0.0
    for p10 in np.linspace(max(0.0, delta0), (1 + delta0) / 2, points):
        p01 = max(p10 - delta0, 0.0)
        same = max(1 - p10 - p01, 0.0)
        best = max(best, float(np.exp(ways + xlogy(x, p10) + xlogy(y, p01) + xlogy(n - x - y, same)).sum()))
    return best


@pytest.mark.parametrize("delta0", [-0.3, -0.05, -0.02, 0.0, 0.1])
@pytest.mark.parametrize(
    ("b", "c", "n"), [(0, 0, 20), (1, 2, 5), (3, 1, 37), (13, 3, 28), (7, 7, 60), (0, 4, 4), (22, 15, 37)]
)
def test_the_exact_margin_p_is_the_largest_tail_of_all_tables(b: int, c: int, n: int, delta0: float) -> None:
    ours, theirs = exact_margin_p(b, c, n, delta0), summed_margin_p(b, c, n, delta0)
    assert theirs - 1e-6 <= ours <= theirs * 1.02 + 1e-12  # our search is finer than the grid


@given(TABLES, BOUNDS)
@settings(deadline=None, max_examples=30)
def test_the_exact_margin_limit_and_p_agree_in_both_directions(table: tuple[int, int, int], bound: float) -> None:
    b, c, rest = table
    n = b + c + rest
    above = binary_margin_test(b, c, n, bound)
    below = binary_margin_test(c, b, n, -bound, above=False)
    assert (above.limit > bound) == (above.p <= 0.05)
    assert (below.p, below.limit) == (above.p, -above.limit)
    assert -1 <= exact_lower_limit(b, c, n, 0.05) <= (b - c) / n


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 50), (2, 3, 80), (20, 25, 400), (5, 0, 5)])
def test_the_exact_limit_inverts_the_exact_p(b: int, c: int, n: int) -> None:
    limit = exact_lower_limit(b, c, n, 0.05)
    step = 2e-5 * ((b - c) / n - limit) + 1e-9
    assert exact_margin_p(b, c, n, limit - step) <= 0.05 + 1e-6
    assert exact_margin_p(b, c, n, limit + step) > 0.05 - 1e-6


def test_a_total_drop_has_the_limit_minus_1() -> None:
    assert exact_lower_limit(0, 9, 9, 0.05) == -1
    assert exact_margin_p(0, 9, 9, -1.0) == 1
    assert exact_margin_p(1, 7, 9, -1.0) < 1e-300
    assert exact_margin_p(9, 0, 9, 1.0) == 1


@pytest.mark.parametrize("table", [(-1, 0, 5, -0.1), (3, 3, 5, -0.1), (0, 0, 0, -0.1), (1, 1, 5, -1.1)])
def test_an_invalid_table_or_difference_is_refused(table: tuple[int, int, int, float]) -> None:
    with pytest.raises(ValueError, match="not a table"):
        exact_margin_p(*table)


@pytest.mark.parametrize(
    ("margin", "alpha", "needed"),
    [(0.01, 0.05, 299), (0.02, 0.05, 149), (0.05, 0.05, 59), (0.2, 0.05, 14), (0.05, 0.01, 106), (1, 0.05, 1)],
)
def test_the_computed_number_of_unchanged_pairs_shows_a_margin_and_one_fewer_does_not(
    margin: float, alpha: float, needed: int
) -> None:
    assert unchanged_pairs_needed(margin, alpha) == needed
    assert exact_margin_p(0, 0, needed, -margin) <= alpha
    if needed > 1:
        assert exact_margin_p(0, 0, needed - 1, -margin) > alpha


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.1])
def test_no_number_of_pairs_shows_a_margin_of_zero(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        unchanged_pairs_needed(margin)


def test_a_margin_test_of_a_hundred_thousand_pairs_agrees_with_the_score_test() -> None:
    b, c, n = 3000, 3100, 100_000
    test = binary_margin_test(b, c, n, -0.003)
    assert test.limit == pytest.approx(tango_limits(b, c, n, 0.9)[0], abs=1e-5)
    assert test.p == pytest.approx(stats.norm.sf(float(score_statistic(b, c, n, -0.003))), rel=0.05)


@given(TABLES, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_score_test_of_no_difference_agrees_with_its_interval(table: tuple[int, int, int], level: float) -> None:
    b, c, rest = table
    test = binary_difference_test(b, c, b + c + rest, level)
    turned = binary_difference_test(c, b, b + c + rest, level)
    assert (test.low <= 0 <= test.high) == (test.p > 1 - level + 1e-12)
    assert test.low < test.high
    assert (turned.p, turned.low, turned.high) == (test.p, -test.high, -test.low)


def test_without_discordant_pairs_the_score_test_has_p_1_and_a_width() -> None:
    test = binary_difference_test(0, 0, 20)
    assert (test.p, test.low) == (1.0, -test.high)
    assert test.high > 0.1


def test_limits_are_moved_to_the_side_that_the_test_says() -> None:
    assert agreeing_limits((1e-17, 0.3), 0.1, rejects=False) == (0.0, 0.3)
    low, _ = agreeing_limits((-1e-17, 0.3), 0.1, rejects=True)
    assert low > 0
    _, high = agreeing_limits((-0.3, 1e-17), -0.1, rejects=True)
    assert high < 0


def differences(rng: np.random.Generator, clusters: int, kind: str) -> tuple[Any, Any]:
    """Differences and cluster codes; some samples have one cluster that dominates."""
    sizes = rng.integers(1, 6, clusters)
    if rng.random() < 0.25:
        sizes[0] = 40
    n = int(sizes.sum())
    draws: dict[str, Any] = {
        "dense": rng.choice([-1.0, 0.0, 1.0], p=[0.2, 0.5, 0.3], size=n),
        "sparse": rng.choice([-1.0, 0.0, 1.0], p=[0.01, 0.97, 0.02], size=n),
        "losses": rng.choice([-1.0, 0.0], p=[0.05, 0.95], size=n),
        "zero": np.zeros(n),
        "all": np.ones(n),
        "f1": np.round(rng.choice([-0.5, 0.0, 0.0, 1 / 3, 0.25], size=n), 12),
        "few": np.round(rng.choice([0.0, 1 / 3], p=[0.97, 0.03], size=n), 12),
    }
    return draws[kind], np.repeat(np.arange(clusters), sizes)


KINDS = st.sampled_from(["dense", "sparse", "losses", "zero", "all", "f1", "few"])


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), KINDS, st.sampled_from([0.9, 0.95, 0.99]))
@settings(deadline=None, max_examples=120)
def test_0_is_in_the_interval_exactly_if_p_is_above_the_level(
    seed: int, clusters: int, kind: str, level: float
) -> None:
    d, cluster = differences(np.random.default_rng(seed), clusters, kind)
    binary = kind not in {"f1", "few"}
    test = clustered_difference_test(d, cluster, binary=binary, confidence=level)
    turned = clustered_difference_test(0.0 - d, cluster, binary=binary, confidence=level)
    assert np.array_equal((turned.p, turned.low, turned.high), (test.p, -test.high, -test.low), equal_nan=True)
    if math.isnan(test.low):
        assert test.reason is not None
        return
    assert (test.low <= 0 <= test.high) == (test.p > 1 - level + 1e-12)
    assert test.low < test.high
    assert test.low <= test.estimate + 1e-9
    assert test.estimate - 1e-9 <= test.high


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), KINDS, BOUNDS)
@settings(deadline=None, max_examples=120)
def test_a_margin_is_passed_exactly_if_the_limit_is_beyond_it(
    seed: int, clusters: int, kind: str, bound: float
) -> None:
    d, cluster = differences(np.random.default_rng(seed), clusters, kind)
    binary = kind not in {"f1", "few"}
    above = clustered_margin_test(d, cluster, bound, binary=binary)
    below = clustered_margin_test(0.0 - d, cluster, -bound, binary=binary, above=False)
    assert np.array_equal((above.p, above.limit), (below.p, -below.limit), equal_nan=True)
    if clusters < 6:
        assert math.isnan(above.p)
        assert "at least 6" in (above.reason or "")
        return
    assert (above.limit > bound) == (above.p <= 0.05)


@pytest.mark.parametrize(("level", "needed"), [(0.9, 5), (0.95, 6), (0.99, 8)])
def test_too_few_clusters_have_no_interval_and_say_how_many_are_needed(level: float, needed: int) -> None:
    rng = np.random.default_rng(1)
    for count in (needed - 1, needed):
        d, cluster = rng.choice([0.5, 0.25, -0.1], size=3 * count), np.repeat(np.arange(count), 3)
        test = clustered_difference_test(d, cluster, binary=False, confidence=level)
        assert (test.clusters_needed == needed) == math.isnan(test.low) == (count < needed)
        if count < needed:
            assert test.reason == (
                f"not estimable with {count} clusters: a {100 * level:g}% interval needs at least {needed}"
            )
            assert 0 < test.p <= 1


def test_one_cluster_has_neither_a_p_nor_an_interval() -> None:
    test = clustered_difference_test(np.array([1.0, 0.0]), np.array([3, 3]), binary=True)
    assert (math.isnan(test.p), math.isnan(test.low), test.ci_method) == (True, True, None)
    assert (test.reason or "").startswith("one cluster")


def test_clusters_are_dense_if_many_differ_and_in_both_directions() -> None:
    cluster = np.repeat(np.arange(40), 2)
    d = np.zeros(80)
    d[0:34:2], d[34:40:2] = 1.0, -1.0  # 17 gains, 3 losses: 20 clusters
    assert density(d, cluster).dense
    assert not density(np.where(d < 0, 0.0, d), cluster).dense  # no losses
    two_losses = d.copy()
    two_losses[34:36] = 1.0
    assert not density(two_losses, cluster).dense
    fewer = d.copy()
    fewer[0] = 0.0
    assert not density(fewer, cluster).dense  # 19 of 40
    assert density(fewer[:54], cluster[:54]).dense  # 19 of 27: more than 70%
    balanced = np.tile([1.0, -1.0], 30)  # every cluster has a gain and a loss, and a sum of 0
    assert not density(balanced, np.repeat(np.arange(30), 2)).dense


def test_sparse_clusters_get_the_hull_of_both_intervals_and_the_larger_p() -> None:
    """8 of 60 clusters gain one pair: the flips alone reject and are too sure of it."""
    d, cluster = np.zeros(240), np.repeat(np.arange(60), 4)
    d[0:32:4] = 1.0
    test = clustered_difference_test(d, cluster, binary=True, confidence=0.99, alpha=0.01)
    flips, pairs = sign_flips(cluster_totals(d, cluster)), effective_pairs(d, cluster, INTERVAL_SLOPE)
    assert test.ci_method == "sign_flips_hull"
    assert test.p == max(flips.p_value(), pairs.p_value())
    assert test.low == min(flips.limits(0.99)[0], pairs.limits(0.99)[0])
    assert test.high == max(flips.limits(0.99)[1], pairs.limits(0.99)[1])
    assert test.p_flips == pytest.approx(2**-7)
    assert test.not_shown(0.01) == (test.p > 0.01)


def test_if_sign_flips_reject_but_the_hull_contains_0_nothing_is_shown() -> None:
    d, cluster = np.zeros(400), np.repeat(np.arange(20), 20)
    d[0:120:20] = 1.0  # 6 of 20 clusters: flips 0.03125, and a design effect of at least 1.95
    test = clustered_difference_test(d, cluster, binary=True)
    assert test.p_flips == 0.03125
    assert test.low <= 0 <= test.high
    assert test.p > 0.05
    assert test.not_shown(0.05)


def test_clusters_without_a_discordant_pair_have_an_interval_at_the_floor() -> None:
    d, cluster = np.zeros(300), np.repeat(np.arange(30), 10)
    test = clustered_difference_test(d, cluster, binary=True)
    assert test.effective is not None
    assert test.effective.floored
    assert test.effective.floor == pytest.approx(1 + 0.05 * 9)
    assert test.p == 1
    quantile = float(stats.t.ppf(0.975, 29))
    assert test.low == pytest.approx(-(quantile**2) / (300 / 1.45 + quantile**2))


def test_a_margin_of_sparse_clusters_needs_both_tests() -> None:
    d, cluster = np.zeros(900), np.repeat(np.arange(300), 3)
    d[[0, 30]] = -1.0
    test = clustered_margin_test(d, cluster, -0.02, binary=True)
    pairs = effective_pairs(d, cluster, MARGIN_SLOPE)
    flips = sign_flips(cluster_totals(d, cluster), decisive=((-0.02, 0.1),))
    assert test.method == "sign_flips_score"
    assert test.p == max(flips.p_greater(-0.02), pairs.p_greater(-0.02))
    assert pairs.p_greater(-0.02) == pytest.approx(
        stats.t.sf(float(score_statistic(pairs.b, pairs.c, pairs.n, -0.02)), 299)
    )
    assert pairs.lower_limit(0.05) == score_limit(pairs.b, pairs.c, pairs.n, float(stats.t.ppf(0.95, 299)))
    assert not test.approximate


def test_a_margin_of_dense_clusters_is_decided_only_by_sign_flips() -> None:
    rng = np.random.default_rng(4)
    d, cluster = differences(rng, 60, "dense")
    test = clustered_margin_test(d, cluster, -0.1, binary=True)
    flips = sign_flips(cluster_totals(d, cluster), decisive=((-0.1, 0.1),))
    assert (test.method, test.p, test.limit) == ("sign_flips", flips.p_greater(-0.1), flips.lower_limit(0.05))


def test_margins_of_continuous_scores_are_called_approximate_if_few_differ() -> None:
    d = np.zeros(200)
    d[:4] = [0.5, 0.25, -0.5, -1 / 3]
    few = clustered_margin_test(d, None, -0.05, binary=False)
    assert (few.approximate, few.method) == (True, "sign_flips_score")
    many = clustered_margin_test(np.random.default_rng(0).uniform(-0.5, 0.5, 200), None, -0.2, binary=False)
    assert (many.approximate, many.method) == (False, "sign_flips")


def test_margins_on_another_scale_equal_those_on_the_scale_from_0_to_1() -> None:
    d = np.zeros(200)
    d[:4] = [0.5, 0.25, -0.5, -1.0]
    one = clustered_margin_test(d, None, -0.05, binary=False)
    ten = clustered_margin_test(10 * d, None, -0.5, binary=False, width=10)
    assert ten.p == pytest.approx(one.p)
    assert ten.limit == pytest.approx(10 * one.limit)
    with pytest.raises(ValueError, match="allow no more than 1"):
        clustered_margin_test(10 * d, None, -0.5, binary=False)


def test_effective_pairs_never_exceed_the_pairs() -> None:
    rng = np.random.default_rng(2)
    for kind in ("dense", "sparse", "zero"):
        for _ in range(20):
            d, cluster = differences(rng, 15, kind)
            pairs = effective_pairs(d, cluster, INTERVAL_SLOPE)
            assert pairs.n <= len(d)
            assert pairs.design_effect >= pairs.floor >= 1
    # Gains and losses that cancel within every cluster make the estimated design effect small.
    alternating = np.tile([1.0, -1.0, 0.0, 0.0], 30)
    pairs = effective_pairs(alternating, np.repeat(np.arange(30), 4), INTERVAL_SLOPE)
    assert pairs.floored


def test_a_design_effect_above_the_floor_is_the_estimated_one() -> None:
    """Clusters whose items are all alike: the variance is that of the clusters."""
    d = np.repeat(np.random.default_rng(5).choice([-1.0, 0.0, 1.0], size=50), 6)
    pairs = effective_pairs(d, np.repeat(np.arange(50), 6), MARGIN_SLOPE)
    assert not pairs.floored
    assert pairs.design_effect == paired_difference(d, np.repeat(np.arange(50), 6)).design_effect
    assert pairs.n == pytest.approx(50, rel=0.05)
    assert "above the floor of 1.5" in pairs.said()


def test_effective_pairs_of_single_items_are_the_pairs() -> None:
    d = np.array([1.0, 0.0, -1.0, 1.0, 0.0, 1.0, 1.0])
    pairs = effective_pairs(d, None, MARGIN_SLOPE)
    assert (pairs.b, pairs.c, pairs.n, pairs.df) == (4, 1, 7, 6)
    assert pairs.p_value() == pytest.approx(2 * float(stats.t.sf(3 / math.sqrt(5), 6)))
    with pytest.raises(ValueError, match="one cluster"):
        effective_pairs(d, np.zeros(7, dtype=np.int64), MARGIN_SLOPE)


def cr2_by_matrices(d: Any, cluster: Any) -> tuple[float, float]:
    """CR2 and Satterthwaite's degrees of freedom by their definition, with matrices of all items."""
    n, correlation = len(d), intraclass_correlation(d, cluster)
    covariance = (1 - correlation) * np.eye(n) + correlation * (cluster[:, None] == cluster[None, :])
    residual_maker = np.eye(n) - 1 / n
    columns, variance = [], 0.0
    for code in np.unique(cluster):
        members = np.flatnonzero(cluster == code)
        values, vectors = np.linalg.eigh(np.eye(len(members)) - 1 / n)
        adjustment = vectors @ np.diag(values**-0.5) @ vectors.T
        weights = np.zeros(n)
        weights[members] = adjustment @ np.ones(len(members)) / n
        columns.append(residual_maker @ weights)
        variance += float(weights @ (d - d.mean())) ** 2
    terms = np.array(columns)
    eigenvalues = np.linalg.eigvalsh(terms @ covariance @ terms.T)
    return math.sqrt(variance), float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


@pytest.mark.parametrize("seed", range(8))
def test_cr2_equals_its_matrix_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cluster = np.unique(rng.integers(0, 3 + seed, 50), return_inverse=True)[1]
    d = rng.normal(size=50) + rng.normal(size=50)[cluster]
    result = cr2(d, cluster)
    assert (result.se, result.df) == pytest.approx(cr2_by_matrices(d, cluster), rel=1e-9)
    assert (result.p <= 0.05) == (not result.ci_low <= 0 <= result.ci_high)


def test_cr2_without_clusters_is_students_t_and_one_giant_cluster_costs_degrees_of_freedom() -> None:
    rng = np.random.default_rng(9)
    d = rng.normal(0.3, 1, 40)
    alone, t = cr2(d), paired_difference(d)
    assert (alone.se, alone.df, alone.p) == pytest.approx((t.se, 39, t.p))
    giant = np.where(np.arange(40) < 25, 0, np.arange(40))
    assert cr2(d, giant).df < 6
    assert math.isnan(cr2(np.zeros(4), np.array([0, 0, 1, 1])).se)


def test_the_intraclass_correlation_is_clipped_and_found() -> None:
    cluster = np.repeat(np.arange(400), 5)
    rng = np.random.default_rng(3)
    d = math.sqrt(0.3) * rng.normal(size=400)[cluster] + math.sqrt(0.7) * rng.normal(size=2000)
    assert intraclass_correlation(d, cluster) == pytest.approx(0.3, abs=0.05)
    assert intraclass_correlation(np.tile([1.0, -1.0], 5), np.repeat(np.arange(5), 2)) == 0
    assert intraclass_correlation(np.arange(3.0)) == 0
    assert intraclass_correlation(np.zeros(4), np.array([0, 0, 1, 1])) == 0


def test_the_exact_test_searches_most_finely_near_few_or_nearly_all_discordant_pairs() -> None:
    points, n = _grid(0.2, 0.9, 50), 50
    for near in (0.2 + 0.1 / n, 0.2 + 1.5 / n, 0.9 - 0.1 / n, 0.9 - 0.05 / n, 0.9 - 12 / n):
        assert np.abs(points - near).min() < 1e-9
    assert points[0] == 0.2
    assert points[-1] == 0.9
