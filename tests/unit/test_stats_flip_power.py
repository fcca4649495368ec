"""The power of sign flips of few clusters, against closed forms, simulated flips, and Student's t beyond them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from promptrial.stats.difference import clustered_difference_test
from promptrial.stats.fewest import clusters_needed
from promptrial.stats.flip_power import _kth_mean, distance_found, flip_power, flips_that_reject
from promptrial.stats.planning import Design, detectable, power_at
from promptrial.stats.student import normal_cdf, t_cdf, t_quantile


@pytest.mark.parametrize("clusters", [5, 6, 8, 11])
@pytest.mark.parametrize("distance", [0.0, 1.5, 3.5])
def test_if_all_clusters_must_agree_the_power_is_that_of_equal_signs(clusters: int, distance: float) -> None:
    all_positive = normal_cdf(distance / math.sqrt(clusters)) ** clusters
    assert flip_power(clusters, 1, distance) == pytest.approx(all_positive, abs=0.01)


@pytest.mark.parametrize(("clusters", "alpha"), [(6, 0.05), (7, 0.05), (8, 0.0125), (9, 0.0125), (8, 0.01)])
def test_the_power_of_sign_flips_with_few_clusters_matches_a_simulation(clusters: int, alpha: float) -> None:
    design = Design(sd=0.4, cluster_size=4, icc=0.1, alpha=alpha)
    delta = detectable(design, 4 * clusters)
    assert delta is not None
    assert power_at(design, 4 * clusters, delta) == pytest.approx(0.8, abs=1e-9)
    rng, cluster, found = np.random.default_rng(3), np.repeat(np.arange(clusters), 4), 0
    for _ in range(400):
        shared = np.repeat(rng.normal(size=clusters), 4) * math.sqrt(0.1)
        difference = delta + 0.4 * (shared + rng.normal(size=4 * clusters) * math.sqrt(0.9))
        test = clustered_difference_test(difference, cluster, binary=False, alpha=alpha)
        found += test.p <= alpha and test.estimate > 0
    assert found / 400 == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(("alpha", "off"), [(0.05, 0.02), (0.0125, 0.03), (0.001, 0.06)])
def test_students_t_agrees_with_the_sign_flips_at_the_switch(alpha: float, off: float) -> None:
    last = max(clusters for clusters in range(5, 25) if flips_that_reject(clusters, alpha))
    assert flips_that_reject(last + 1, alpha) is None
    flips, df = flips_that_reject(last, alpha), last - 1
    assert flips is not None
    for power in (0.5, 0.8, 0.9):
        distance = t_quantile(df, 1 - alpha / 2) + t_quantile(df, power)
        assert flip_power(last, flips, distance) == pytest.approx(t_cdf(df, t_quantile(df, power)), abs=off)


def test_too_few_clusters_for_any_p_value_have_no_power() -> None:
    for alpha in (0.05, 0.0125, 0.01):
        fewest = clusters_needed(alpha)
        assert flips_that_reject(fewest, alpha) == 1
        assert flips_that_reject(fewest - 1, alpha) == 0
    assert flip_power(5, 0, 9.0) == 0


def test_the_difference_that_is_found_is_the_inverse_of_the_power() -> None:
    assert flip_power(9, 12, distance_found(9, 12, 0.9)) == pytest.approx(0.9, abs=1e-9)
    assert distance_found(9, 12, 0.9) > distance_found(9, 12, 0.8) > distance_found(9, 25, 0.8)


def test_the_largest_means_of_sets_are_those_of_all_sets() -> None:
    values = sorted(np.random.default_rng(4).normal(size=7).tolist(), reverse=True)
    sets = itertools.chain.from_iterable(itertools.combinations(values, size) for size in range(1, 8))
    means = sorted((math.fsum(each) / len(each) for each in sets), reverse=True)
    assert [_kth_mean(values, k) for k in range(1, 128)] == pytest.approx(means)
