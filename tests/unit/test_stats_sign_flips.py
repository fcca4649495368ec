"""Sign flips of whole clusters: their inversion against a scan, exact p-values against enumeration, and agreement."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.stats.clusters import ClusterTotals, cluster_totals
from promptrial.stats.fewest import clusters_needed
from promptrial.stats.lattice import exact_sign_flip_p, lattice_steps
from promptrial.stats.mcnemar import mcnemar
from promptrial.stats.resampling import all_sign_flip_sums
from promptrial.stats.sign_flips import sign_flips
from tests.support.processor_time import at_most

KINDS = ("binary", "sparse", "thirds", "continuous", "equal", "zero")


def random_totals(rng: np.random.Generator, clusters: int, kind: str) -> ClusterTotals:
    """Cluster sums of differences of one kind; one cluster in four samples dominates."""
    sizes = rng.integers(1, 6, clusters)
    if rng.random() < 0.25:
        sizes[0] = 40
    n = int(sizes.sum())
    draws: dict[str, Any] = {
        "binary": rng.choice([-1.0, 0.0, 1.0], size=n),
        "sparse": rng.choice([-1.0, 0.0, 1.0], p=[0.01, 0.97, 0.02], size=n),
        "thirds": np.round(rng.integers(-3, 4, n) / 3, 12),
        "continuous": rng.normal(0.1, 1, n),
        "equal": np.full(n, 0.5),
        "zero": np.zeros(n),
    }
    return cluster_totals(draws[kind], np.repeat(np.arange(clusters), sizes))


def scanned_p(totals: ClusterTotals, delta0: float) -> float:
    """The two-sided p by its definition: the share of all 2^C signs with a statistic at least that observed."""
    values = totals.sums - totals.sizes * delta0
    observed = abs(values.sum())
    signs = np.array(list(itertools.product((1, -1), repeat=len(values))))
    return float((np.abs(signs @ values) >= observed - 1e-9).mean())


def scanned_p_greater(totals: ClusterTotals, delta0: float) -> float:
    values = totals.sums - totals.sizes * delta0
    signs = np.array(list(itertools.product((1, -1), repeat=len(values))))
    return float((signs @ values >= values.sum() - 1e-9).mean())


def exchanged(totals: ClusterTotals) -> ClusterTotals:
    """Return the same sums with the arms exchanged."""
    return ClusterTotals(0.0 - totals.sums, totals.sizes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clusters", range(1, 10))
def test_p_values_equal_those_of_a_scan_over_all_signs(kind: str, clusters: int) -> None:
    rng = np.random.default_rng(clusters)
    totals = random_totals(rng, clusters, kind)
    flips = sign_flips(totals)
    for delta0 in (0.0, -0.1, 0.25, 0.5, totals.mean):
        assert flips.p_value(delta0) == pytest.approx(scanned_p(totals, delta0), abs=1e-12)
        assert flips.p_greater(delta0) == pytest.approx(scanned_p_greater(totals, delta0), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clusters", [5, 6, 8, 9])
def test_limits_enclose_exactly_the_values_that_a_scan_does_not_reject(kind: str, clusters: int) -> None:
    totals = random_totals(np.random.default_rng(7 * clusters), clusters, kind)
    flips = sign_flips(totals)
    for alpha in (0.2, 0.1, 0.05, 0.01):
        low, high = flips.limits(1 - alpha)
        if clusters < clusters_needed(alpha):
            assert math.isnan(low)
            assert math.isnan(high)
            continue
        for delta0 in np.concatenate([np.linspace(-1.5, 1.5, 61), [low - 1e-6, low, high, high + 1e-6]]):
            kept = scanned_p(totals, float(delta0)) > alpha
            near = min(abs(delta0 - low), abs(delta0 - high)) < 2e-9  # round-off of the scan itself
            assert near or kept == (low <= delta0 <= high), (alpha, delta0)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 30),
    st.sampled_from(KINDS),
    st.sampled_from([0.2, 0.1, 0.05, 0.01]),
    st.sampled_from([0.0, -0.02, 0.05, -0.3]),
)
@settings(deadline=None, max_examples=150)
def test_a_value_is_within_the_limits_exactly_if_its_p_is_above_the_level(
    seed: int, clusters: int, kind: str, alpha: float, delta0: float
) -> None:
    totals = random_totals(np.random.default_rng(seed), clusters, kind)
    flips, mirrored = (sign_flips(each, draws=999, most=4000) for each in (totals, exchanged(totals)))
    low, high = flips.limits(1 - alpha)
    if not math.isnan(low):
        assert (low <= delta0 <= high) == (flips.p_value(delta0) > alpha)
    for limit, p, side in (
        (flips.lower_limit(alpha), flips.p_greater(delta0), 1),
        (flips.upper_limit(alpha), mirrored.p_greater(-delta0), -1),
    ):
        if not math.isnan(limit):
            assert (side * (limit - delta0) > 0) == (p <= alpha)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(KINDS))
@settings(deadline=None, max_examples=60)
def test_exchanging_the_arms_negates_limits_and_keeps_p_to_the_last_digit(seed: int, clusters: int, kind: str) -> None:
    totals = random_totals(np.random.default_rng(seed), clusters, kind)
    forward = sign_flips(totals, draws=499, most=2000)
    backward = sign_flips(exchanged(totals), draws=499, most=2000)
    assert forward.p_value() == backward.p_value()
    for confidence in (0.95, 0.6):
        low, high = forward.limits(confidence)
        assert np.array_equal(backward.limits(confidence), (-high, -low), equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_in_another_order_give_equal_figures(kind: str) -> None:
    rng = np.random.default_rng(11)
    totals = random_totals(rng, 60, kind)
    order = rng.permutation(60)
    one, other = sign_flips(totals), sign_flips(ClusterTotals(totals.sums[order], totals.sizes[order]))
    assert (one.p_value(), one.limits()) == (other.p_value(), other.limits())


@pytest.mark.parametrize("kind", ["binary", "sparse", "thirds", "zero"])
def test_p_at_0_does_not_depend_on_the_seed_if_sums_are_on_a_lattice(kind: str) -> None:
    totals = random_totals(np.random.default_rng(3), 80, kind)
    assert len({sign_flips(totals, seed=seed).p_value() for seed in range(3)}) == 1
    assert sign_flips(totals).exact_p is not None


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=14))
@settings(deadline=None)
def test_the_exact_p_is_that_of_enumeration(steps: list[int]) -> None:
    sums = all_sign_flip_sums(np.abs(np.array(steps, dtype=np.float64)))
    expected = (np.abs(sums) >= abs(sum(steps)) - 1e-9).mean()
    assert exact_sign_flip_p(np.array(steps)) == pytest.approx(float(expected), rel=2e-9)


@pytest.mark.parametrize(("b", "c"), [(1, 7), (5, 5), (400, 900), (6600, 400), (30_000, 29_000), (40, 0), (5000, 1)])
def test_the_exact_p_of_single_0_1_items_is_mcnemars_exact_p_however_small(b: int, c: int) -> None:
    steps = np.concatenate([np.ones(b, dtype=np.int64), -np.ones(c, dtype=np.int64)])
    assert exact_sign_flip_p(steps) == pytest.approx(mcnemar(b, c).exact, rel=1e-9)


def test_sums_of_thirds_and_halves_are_on_a_lattice_and_others_are_not() -> None:
    sums = np.round([1 / 3, 0.5, -2 / 3, 2.0], 12)
    assert lattice_steps(sums) == pytest.approx([2, 3, -4, 12])
    assert lattice_steps(np.random.default_rng(0).random(30)) is None
    # The sum of many rounded thirds is off by as many roundings.
    assert lattice_steps(np.array([1000 * 0.333333333333])) == pytest.approx([1000])


def test_exact_and_sampled_p_are_close() -> None:
    totals = random_totals(np.random.default_rng(21), 90, "thirds")
    flips = sign_flips(totals, draws=99_999)
    sampled = float(((flips.low <= 0) & (flips.high >= 0)).mean())
    assert flips.exact_p is not None
    assert abs(sampled - flips.exact_p) < 4 * flips.standard_error(flips.exact_p)


def test_limits_follow_the_exact_p_even_if_the_draws_disagree() -> None:
    """With 200 flips the drawn p is often on the other side of the level than the exact one."""
    moved = {True: 0, False: 0}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        totals = cluster_totals(rng.choice([-1.0, 0.0, 1.0], p=[0.2, 0.3, 0.5], size=40))
        flips = sign_flips(totals, draws=199, most=200)
        assert flips.exact_p is not None
        rejects, drawn = flips.exact_p <= 0.05, float(((flips.low <= 0) & (flips.high >= 0)).mean()) <= 0.05
        low, high = flips.limits(0.95)
        assert (low <= 0 <= high) == (not rejects)
        assert low <= flips.mean <= high
        moved[rejects] += rejects != drawn
    assert min(moved.values()) > 0, "both directions have to occur"


def test_drawing_continues_while_p_is_within_three_standard_errors_of_the_level() -> None:
    sums = np.random.default_rng(5).normal(0, 1, 60)
    totals = ClusterTotals(sums, np.ones(60, dtype=np.int64))
    p = sign_flips(totals, decisive=()).p_value()
    undecided = sign_flips(totals, decisive=((0.0, p),), most=50_000)
    assert undecided.flips == 50_000
    assert sign_flips(totals, decisive=((0.0, p + 0.2),)).flips == 10_000
    assert undecided.standard_error(0.5) == pytest.approx(0.5 / math.sqrt(50_000))


@pytest.mark.parametrize(("alpha", "needed"), [(0.1, 5), (0.05, 6), (0.01, 8), (0.5, 2), (0.0625, 5)])
def test_a_small_p_value_needs_the_computed_number_of_clusters(alpha: float, needed: int) -> None:
    assert clusters_needed(alpha) == needed
    for count in (needed - 1, needed):
        totals = ClusterTotals(np.arange(1.0, count + 1), np.ones(count, dtype=np.int64))
        assert (sign_flips(totals).p_value() <= alpha) == (count == needed)


def test_a_hundred_thousand_binary_items_take_well_under_a_second() -> None:
    rng = np.random.default_rng(0)
    sums: Any = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.8, 0.1], size=100_000)
    with at_most(2):
        flips = sign_flips(ClusterTotals(sums, np.ones(100_000, dtype=np.int64)))
    assert flips.exact_p is not None
