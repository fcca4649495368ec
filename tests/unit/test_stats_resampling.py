"""The fast resampling draws from the same distributions as the slow one, in bounded memory."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import stats

from promptrial.stats.bootstrap import bca_interval, cluster_bootstrap, jackknife_means
from promptrial.stats.clusters import ClusterTotals, cluster_totals
from promptrial.stats.resampling import (
    _classes,
    all_sign_flip_sums,
    all_subset_sums,
    bootstrap_means,
    subset_sums,
)
from promptrial.stats.sign_flips import LARGEST_ENUMERATION, sign_flips


def few_values(rng: np.random.Generator) -> ClusterTotals:
    return cluster_totals(rng.choice([-1.0, 0.0, 1.0], size=2400, p=[0.1, 0.7, 0.2]), np.repeat(np.arange(1200), 2))


def many_values(rng: np.random.Generator) -> ClusterTotals:
    sizes = rng.integers(1, 5, size=700)
    return ClusterTotals(np.round(rng.exponential(size=700) * sizes, 12), sizes)


def mixed_values(rng: np.random.Generator) -> ClusterTotals:
    one, other = few_values(rng), many_values(rng)
    return ClusterTotals(np.concatenate([one.sums, other.sums]), np.concatenate([one.sizes, other.sizes]))


def direct_means(totals: ClusterTotals, n_resamples: int, rng: np.random.Generator) -> Any:
    drawn = rng.integers(0, totals.n_clusters, size=(n_resamples, totals.n_clusters))
    return totals.sums[drawn].sum(axis=1) / totals.sizes[drawn].sum(axis=1)


@pytest.mark.parametrize("make", [few_values, many_values, mixed_values])
def test_the_bootstrap_by_counts_and_bytes_equals_resampling_indices_in_distribution(make: Any) -> None:
    totals = make(np.random.default_rng(1))
    fast = bootstrap_means(totals, 6000, np.random.default_rng(2))
    slow = direct_means(totals, 6000, np.random.default_rng(3))
    assert stats.ks_2samp(fast, slow).pvalue > 0.01
    assert fast.std() == pytest.approx(slow.std(), rel=0.05)
    assert fast.mean() == pytest.approx(totals.mean, abs=4 * fast.std() / math.sqrt(6000))


@pytest.mark.parametrize("make", [few_values, many_values, mixed_values])
def test_more_replicates_begin_with_those_that_fewer_are(make: Any) -> None:
    totals = make(np.random.default_rng(1))
    fewer, more = (bootstrap_means(totals, n, np.random.default_rng(2)) for n in (400, 600))
    assert more[:400].tolist() == fewer.tolist()


@pytest.mark.parametrize("below", [1, 100, 255, 256, 257, 299])
def test_every_cluster_is_drawn_equally_often(below: int) -> None:
    """A block draws bytes; a mistake there would favour some clusters. Count the draws that fall below each of them."""
    n = 300  # one block of 256 and one of 44, since no two sums are alike
    sums = (np.arange(n) * 1e-7 - (np.arange(n) < below)).astype(np.float64)
    drawn = -np.rint(
        bootstrap_means(ClusterTotals(sums, np.ones(n, dtype=np.int64)), 4000, np.random.default_rng(4)) * n
    )
    share = below / n
    assert drawn.mean() == pytest.approx(below, abs=4 * math.sqrt(n * share * (1 - share) / 4000))
    assert drawn.var() == pytest.approx(n * share * (1 - share), rel=0.12)


@pytest.mark.parametrize("make", [few_values, many_values, mixed_values])
def test_sums_under_random_signs_equal_direct_ones_in_distribution(make: Any) -> None:
    """Those with a positive sign are a random subset, so the sum is twice that of the subset less that of all."""
    magnitudes = np.abs(make(np.random.default_rng(5)).sums)
    positive = subset_sums(magnitudes.astype(np.complex128), 6000, np.random.default_rng(6)).real
    fast = 2 * positive - magnitudes.sum()
    signs = np.random.default_rng(7).choice([-1.0, 1.0], size=(6000, len(magnitudes)))
    assert stats.ks_2samp(fast, (signs * magnitudes).sum(axis=1)).pvalue > 0.01
    assert fast.std() == pytest.approx(math.sqrt((magnitudes**2).sum()), rel=0.05)


def test_all_sign_choices_are_enumerated_once() -> None:
    sums = all_sign_flip_sums(np.array([1.0, 2.0, 4.0]))
    assert sorted(sums) == [-7, -5, -3, -1, 1, 3, 5, 7]


def test_few_clusters_are_enumerated_and_many_are_drawn() -> None:
    values = np.random.default_rng(8).normal(0.3, 1, size=LARGEST_ENUMERATION + 1)
    exact, drawn = sign_flips(cluster_totals(values[:-1])), sign_flips(cluster_totals(values), draws=20_000)
    assert (exact.enumerated, exact.flips) == (True, 2 ** (LARGEST_ENUMERATION - 1))
    assert (drawn.enumerated, drawn.flips) == (False, 20_001)
    brute = np.abs(all_sign_flip_sums(np.abs(values))) >= abs(values.sum()) - 1e-12
    assert drawn.p_value() == pytest.approx(brute.mean(), abs=0.012)


def test_few_nonzero_clusters_among_many_have_an_exact_p_value() -> None:
    flips = sign_flips(cluster_totals(np.concatenate([np.zeros(1000), [1.0, 1.0, math.sqrt(2)]])))
    assert (flips.enumerated, flips.exact_p) == (False, 0.25)


def test_all_subsets_are_enumerated_once_and_equal_the_drawn_ones() -> None:
    values = np.array([1 + 2j, 3 - 1j, 0.5j])
    sums = all_subset_sums(values)
    assert len(set(sums.tolist())) == 8
    assert sums[0] == 0
    drawn = subset_sums(values, 400, np.random.default_rng(2))
    assert set(drawn.tolist()) == set(sums.tolist())


def test_the_jackknife_leaves_out_one_cluster_at_a_time() -> None:
    scores, cluster = np.array([1.0, 0.0, 3.0, 5.0, 2.0, 2.0]), np.array([0, 1, 1, 2, 2, 2])
    means = [scores[cluster != left_out].mean() for left_out in range(3)]
    assert jackknife_means(cluster_totals(scores, cluster)) == pytest.approx(means)


def test_a_bca_interval_equals_that_of_scipy() -> None:
    """SciPy resamples indices: same method, other draws, so equal to within the noise of the resamples."""
    d = np.random.default_rng(9).exponential(size=60) - 0.6
    ours = cluster_bootstrap(cluster_totals(d), 20_000, np.random.default_rng(10))
    theirs = stats.bootstrap(
        (d,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(11)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.1 * ours.se)
    assert ours.high == pytest.approx(theirs.high, abs=0.1 * ours.se)


def test_bca_limits_of_known_replicates_are_their_shifted_quantiles() -> None:
    replicates = np.linspace(0, 1, 1001)
    plain = bca_interval(replicates, 0.5, 0.0, confidence=0.9)
    assert (plain.low, plain.high) == pytest.approx((0.05, 0.95), abs=1e-9)
    assert plain.bias_correction == pytest.approx(0, abs=1e-12)
    shifted = bca_interval(replicates, 0.6, 0.0, confidence=0.9)
    z0, z = stats.norm.ppf(shifted_share := 600.5 / 1001), stats.norm.ppf(0.95)
    assert shifted.bias_correction == pytest.approx(stats.norm.ppf(shifted_share))
    assert (shifted.low, shifted.high) == pytest.approx((stats.norm.cdf(2 * z0 - z), stats.norm.cdf(2 * z0 + z)))


def test_bootstrap_replicates_all_on_one_side_have_no_bca_limits() -> None:
    result = bca_interval(np.array([1.0, 2.0, 3.0]), 0.0, 0.0)
    assert math.isnan(result.low)
    assert math.isnan(result.high)


def test_a_bootstrap_of_one_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        cluster_bootstrap(cluster_totals(np.ones(3), np.zeros(3, dtype=np.int64)), 10, np.random.default_rng(0))


def test_the_cluster_bootstrap_covers_where_the_naive_one_does_not() -> None:
    rng = np.random.default_rng(12)
    covered = {True: 0, False: 0}
    cluster = np.repeat(np.arange(50), 10)
    for _ in range(200):
        d = rng.normal(size=50)[cluster] + rng.normal(size=500)
        for clustered in covered:
            interval = cluster_bootstrap(cluster_totals(d, cluster if clustered else None), 400, rng)
            covered[clustered] += interval.low <= 0 <= interval.high
    assert covered[True] >= 180
    assert covered[False] <= 140


def test_resampling_keeps_to_bounded_memory() -> None:
    sums = np.random.default_rng(13).normal(size=77_000)
    totals = ClusterTotals(np.round(sums, 12), np.ones(77_000, dtype=np.int64))
    rng = np.random.default_rng(14)
    bootstrap_means(totals, 10, rng)
    tracemalloc.start()
    bootstrap_means(totals, 600, rng)
    subset_sums(np.abs(totals.sums).astype(np.complex128), 10_000, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


def test_clusters_are_grouped_only_if_their_sizes_and_sums_are_equal() -> None:
    totals = ClusterTotals(np.array([1.0, 1.0, 1.0, 2.0, 1.0]), np.array([1, 2, 2, 2, 3]))
    sizes, sums, members = _classes(totals)
    assert (sizes.tolist(), sums.tolist(), members.tolist()) == ([1, 2, 2, 3], [1, 1, 2, 1], [1, 2, 1, 1])
