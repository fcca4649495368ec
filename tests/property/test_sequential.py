"""What must hold of looks at a running trial whatever the scores are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.stats.alpha_spending import SpendingRule, bounds, crossings, nominal_levels, spent
from promptrial.stats.clusters import ClusterTotals, cluster_totals
from promptrial.stats.e_process import EProcess, bets

rules = st.sampled_from(["obrien_fleming", "pocock"])
waves = st.lists(st.integers(1, 50), min_size=1, max_size=8)
clusters = st.lists(st.lists(st.sampled_from([-1.0, -0.4, 0.0, 0.3, 1.0]), min_size=1, max_size=5), min_size=1,
                    max_size=30)  # fmt: skip
means = st.floats(-0.95, 0.95)


def process_of(groups: list[list[float]], largest: int = 5, bound: float = 1.0) -> EProcess:
    sums, sizes = [sum(group) for group in groups], [len(group) for group in groups]
    return EProcess(ClusterTotals(np.array(sums), np.array(sizes)), bound, largest)


@settings(deadline=None, max_examples=15)
@given(rules, waves, st.floats(0.005, 0.2))
def test_bounds_spend_the_level_exactly_and_no_more_at_any_look(
    rule: SpendingRule, units: list[int], alpha: float
) -> None:
    times = np.cumsum(units) / sum(units)
    critical = bounds(rule, times, alpha)
    found = crossings(critical, times)
    assert np.cumsum(found.upper + found.lower) == pytest.approx(spent(rule, times, alpha), abs=1e-7)
    assert found.upper == pytest.approx(found.lower, abs=1e-12)
    assert (nominal_levels(critical) <= alpha + 1e-9).all()


@pytest.mark.parametrize("times", [[], [0.0, 1.0], [0.5, 0.5], [0.6, 0.4], [0.5, 1.1]])
def test_shares_of_the_information_that_do_not_increase_are_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="have to increase"):
        bounds("pocock", times)


@settings(deadline=None)
@given(clusters, means)
def test_no_bet_gains_on_average_against_the_truth(groups: list[list[float]], mean: float) -> None:
    """Over clusters drawn evenly from these, whose mean over items is the one bet against."""
    truth = sum(map(sum, groups)) / sum(map(len, groups))
    assert math.isfinite(process_of(groups).log_e(mean))
    if abs(truth) == 1:
        return  # nothing can be bet against the end of the range
    assert process_of(groups).log_e(truth) <= 1e-9
    factors = [math.exp(process_of([group]).log_e(truth)) for group in groups]
    assert np.mean(factors) == pytest.approx(1.0, abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(clusters, st.randoms(use_true_random=False))
def test_the_order_of_the_clusters_changes_nothing(groups: list[list[float]], random: object) -> None:
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert process_of(groups).log_e() == process_of(shuffled).log_e()
    assert process_of(groups).limits(0.05) == process_of(shuffled).limits(0.05)


@settings(deadline=None, max_examples=20)
@given(clusters)
def test_exchanging_the_arms_mirrors_bets_and_limits(groups: list[list[float]]) -> None:
    one, other = process_of(groups), process_of([[-value for value in group] for group in groups])
    assert one.log_greater(0.2) == pytest.approx(other.log_less(-0.2), abs=1e-9)
    low, high = one.limits(0.05)
    assert other.limits(0.05) == pytest.approx((-high, -low), abs=1e-8)


@settings(deadline=None, max_examples=20)
@given(clusters, st.sampled_from([0.2, 0.05, 0.001]))
def test_the_interval_excludes_0_exactly_if_the_e_value_is_large_enough(
    groups: list[list[float]], alpha: float
) -> None:
    process = process_of(groups)
    low, high = process.limits(alpha)
    assert (low <= 0 <= high) == (process.log_e() < -math.log(alpha))
    assert -1 <= low <= process.totals.mean <= high <= 1


@settings(deadline=None, max_examples=15)
@given(clusters)
def test_the_means_that_are_not_rejected_form_one_interval(groups: list[list[float]]) -> None:
    process = process_of(groups * 20)
    low, high = process.limits(0.05)
    for mean in np.linspace(-0.99, 0.99, 67):
        assert (process.log_e(float(mean)) < -math.log(0.05)) == (low < mean < high)


@settings(deadline=None, max_examples=15)
@given(clusters)
def test_other_units_give_the_same_evidence(groups: list[list[float]]) -> None:
    wide = EProcess(process_of(groups).totals, 1.0, 5)
    tenfold = EProcess(ClusterTotals(wide.totals.sums * 10, wide.totals.sizes), 10.0, 5)
    assert tenfold.log_e() == pytest.approx(wide.log_e(), abs=1e-9)
    assert tenfold.limits(0.05) == pytest.approx([10 * limit for limit in wide.limits(0.05)], abs=1e-6)


def test_a_difference_or_a_cluster_beyond_what_was_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        process_of([[1.2]])
    with pytest.raises(ValueError, match="more than the largest"):
        process_of([[0.1] * 6])


def test_the_average_capital_over_all_possible_trials_is_1() -> None:
    """Every sequence of five clusters that are +1 or -1 with the same probability."""
    capitals = [
        math.exp(EProcess(cluster_totals(np.array(signs)), 1.0, 1).log_e())
        for signs in itertools.product([1.0, -1.0], repeat=5)
    ]
    assert np.mean(capitals) == pytest.approx(1.0, abs=1e-12)


def test_every_bet_is_between_0_and_1() -> None:
    assert (bets() > 0).all()
    assert (bets() < 1).all()
