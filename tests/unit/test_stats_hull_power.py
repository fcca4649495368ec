"""The power of 0/1 scores in clusters of which few differ, against simulated trials and enumerated counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from promptrial.documents.density import Density
from promptrial.stats.difference import clustered_difference_test
from promptrial.stats.effective import INTERVAL_SLOPE, effective_pairs
from promptrial.stats.hull_power import probability_dense, score_power
from promptrial.stats.planning import Design, power_at
from promptrial.stats.student import t_quantile


@pytest.mark.parametrize(
    ("clusters", "size", "discordance", "delta"), [(20, 10, 0.1, 0.065), (60, 4, 0.05, 0.04), (8, 10, 0.3, 0.193)]
)
def test_the_power_with_few_differing_clusters_matches_a_simulation(
    clusters: int, size: int, discordance: float, delta: float
) -> None:
    rng, cluster, found = np.random.default_rng(2), np.repeat(np.arange(clusters), size), 0
    shares = [(discordance + delta) / 2, (discordance - delta) / 2, 1 - discordance]
    for _ in range(200):
        difference = rng.choice([1.0, -1.0, 0.0], p=shares, size=len(cluster))
        test = clustered_difference_test(difference, cluster, binary=True)
        found += test.p <= 0.05 and test.estimate > 0
    said = power_at(Design(discordance=discordance, cluster_size=size), clusters * size, delta)
    assert said < 0.77, "Student's t says 0.8"
    assert found / 200 == pytest.approx(said, abs=0.1)


@pytest.mark.parametrize(("clusters", "gain", "loss"), [(15, 0.1, 0.05), (40, 0.05, 0.02), (100, 0.03, 0.03)])
def test_the_stated_probability_of_enough_differing_clusters_holds(clusters: int, gain: float, loss: float) -> None:
    draws = np.random.default_rng(1).choice([1, -1, 0], p=[gain, loss, 1 - gain - loss], size=(2000, clusters, 4))
    gains, losses = (draws > 0).any(axis=2), (draws < 0).any(axis=2)
    counts = zip((gains | losses).sum(axis=1), gains.sum(axis=1), losses.sum(axis=1), strict=True)
    share = np.mean([Density(clusters, int(d), int(g), int(s), True).dense for d, g, s in counts])
    assert probability_dense(clusters, 4, gain, loss) == pytest.approx(share, abs=0.08)


def test_with_many_differing_clusters_the_power_is_that_of_the_sign_flips() -> None:
    assert probability_dense(10_000, 4, 0.1, 0.1) == 1
    assert probability_dense(50, 4, 0.1, 0.0) == 0
    wide = Design(discordance=0.2, cluster_size=10)
    plain = Design(sd=math.sqrt(0.2 - 0.05**2), cluster_size=10)
    assert power_at(wide, 2000, 0.05) == pytest.approx(power_at(plain, 2000, 0.05), abs=1e-6)


def test_the_score_test_has_half_a_chance_where_its_score_is_expected_to_be_critical() -> None:
    pairs = effective_pairs(np.repeat([1.0, -1.0, 0.0], [20, 4, 176]), np.repeat(np.arange(20), 10), INTERVAL_SLOPE)
    score = (pairs.b - pairs.c) / math.sqrt(pairs.b + pairs.c)
    power = score_power(200, 0.12, 0.08, effect=1.0, reckoned=pairs.design_effect, critical=score)
    assert power == pytest.approx(0.5)
    few = score_power(200, 0.12, 0.08, effect=1.0, reckoned=1.45, critical=t_quantile(19, 0.975))
    assert few < score_power(200, 0.12, 0.08, effect=1.0, reckoned=1.0, critical=t_quantile(19, 0.975))
    assert score_power(200, 1.0, 1.0, effect=1.0, reckoned=1.0, critical=2.0) == 1
