"""The detectable difference: by quantiles of t, and only where a test could detect anything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.stats import paired_t
from promptrial.stats.analysis import analyse
from promptrial.stats.detectable import smallest_p_value
from promptrial.stats.pairing import PairedSample
from promptrial.stats.power import minimum_detectable_effect, t_test_power
from tests.support.score_tables import sample_of, table_of

SETTINGS = StatsSettings(bootstrap_samples=300, permutation_samples=300)


def row_of(sample: PairedSample) -> Estimate:
    return paired_t.STATISTIC.compute(sample, SETTINGS, np.random.default_rng(0))[0]


def detectable(sample: PairedSample) -> float | int | None:
    return row_of(sample).figures["detectable_at_80_percent_power"]


def one_sided(n: int, discordant: int, *, per_cluster: int = 1) -> PairedSample:
    """Return 0/1 pairs of which the treatment alone has the first ones right."""
    treatment = [1.0] * discordant + [0.0] * (n - discordant)
    return sample_of([0.0] * n, treatment, cluster=[item // per_cluster for item in range(n)])


@pytest.mark.parametrize("clusters", [7, 12, 40])
def test_the_detectable_difference_is_found_with_the_stated_power(clusters: int) -> None:
    """By the noncentral t distribution; the sum of two quantiles is close to it even with few clusters."""
    effect = minimum_detectable_effect(1 / math.sqrt(clusters), clusters - 1)
    assert t_test_power(clusters, effect, 1.0) == pytest.approx(0.8, abs=0.02)


def test_the_detectable_difference_uses_the_degrees_of_freedom_of_the_clusters() -> None:
    rng = np.random.default_rng(1)
    sample = sample_of([*rng.random(48)], [*rng.random(48)], cluster=[item // 3 for item in range(48)])
    row = row_of(sample)
    assert row.figures["se"] is not None
    assert detectable(sample) == pytest.approx((stats.t.ppf(0.975, 15) + stats.t.ppf(0.8, 15)) * row.figures["se"])


@pytest.mark.parametrize(("discordant", "given"), [(0, False), (3, False), (4, True), (20, True)])
def test_without_clusters_four_discordant_pairs_are_needed(discordant: int, given: bool) -> None:
    sample = one_sided(100, discordant)
    assert (detectable(sample) is not None) == given
    assert (smallest_p_value(sample) <= 0.05) == given


@pytest.mark.parametrize(("leaning", "given"), [(5, False), (6, True)])
def test_with_clusters_six_clusters_in_one_direction_are_needed(leaning: int, given: bool) -> None:
    sample = one_sided(200, 2 * leaning, per_cluster=2)
    assert sample.clustered
    assert smallest_p_value(sample) == 2.0 ** (1 - leaning)
    assert (detectable(sample) is not None) == given


@pytest.mark.parametrize(("per_cluster", "given"), [(2, True), (30, False)])
def test_in_sparse_clusters_the_effective_counts_must_suffice_too(per_cluster: int, given: bool) -> None:
    """Six discordant pairs in as many of ten clusters: in clusters of 30 they count as two and a half."""
    treatment = [float(item % per_cluster == 0 and item < 6 * per_cluster) for item in range(10 * per_cluster)]
    cluster = [item // per_cluster for item in range(10 * per_cluster)]
    sample = sample_of([0.0] * len(treatment), treatment, cluster=cluster)
    assert (smallest_p_value(sample) <= 0.05) == given
    assert (detectable(sample) is not None) == given
    decided = analyse(table_of([0.0] * len(treatment), treatment, cluster=cluster), SETTINGS).endpoints[0]
    assert decided.p == pytest.approx(smallest_p_value(sample)), "all of its pairs favour one arm already"


def test_a_detectable_difference_is_never_larger_than_possible_differences() -> None:
    sample = sample_of([0.0, 1, 0, 1, 0, 1, 0], [1.0, 0, 1, 0, 1, 0, 0.5])
    assert smallest_p_value(sample) <= 0.05
    assert detectable(sample) is None
    wider = sample_of([0.0, 1, 0, 1, 0, 1, 0], [1.0, 0, 1, 0, 1, 0, 0.5], score_range=(0.0, 10.0))
    assert detectable(wider) is not None


def test_the_interval_beside_the_detectable_difference_is_cut_at_the_largest_difference() -> None:
    sample = sample_of([0.0, 0, 0, 0], [1.0, 1, 1, 0.2])
    row = row_of(sample)
    assert row.ci_high == 1
    wide = row_of(sample_of([0.0, 0, 0, 0], [1.0, 1, 1, 0.2], score_range=(0.0, 10.0)))
    assert wide.ci_high is not None
    assert wide.ci_high > 1


def test_every_detectable_difference_of_a_document_could_be_detected() -> None:
    document = analyse(
        table_of([0.0] * 60, [1.0] * 3 + [0.0] * 57, cluster=[item // 2 for item in range(60)]), SETTINGS
    )
    (row,) = [row for row in document.estimates if row.method == "paired_difference"]
    assert row.figures["detectable_at_80_percent_power"] is None


def test_with_the_fewest_clusters_the_detectable_difference_is_that_of_their_sign_flips() -> None:
    rng = np.random.default_rng(1)
    sample = sample_of([*rng.random(48)], [*rng.random(48)], cluster=[item // 8 for item in range(48)])
    se = row_of(sample).figures["se"]
    assert se is not None
    # All six cluster means have to be positive: each with a probability of 0.8^(1/6).
    assert detectable(sample) == pytest.approx(math.sqrt(6) * stats.norm.ppf(0.8 ** (1 / 6)) * se, rel=0.02)
