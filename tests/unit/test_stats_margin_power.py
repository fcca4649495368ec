"""The power of margins where the arms are alike: the sum against every table, and its limits against the sum."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from promptrial.stats.margin_power import MANY_DISCORDANT, MOST_SUMMED, AlikePairs, _exact_power
from promptrial.stats.margins import clustered_margin_test
from promptrial.stats.unconditional import exact_margin_p


@pytest.mark.parametrize(
    ("n", "discordance", "margin"), [(40, 0.1, 0.1), (30, 0.03, 0.1), (15, 0.5, 0.4), (9, 0.9, 0.9)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_power_is_that_of_all_tables_that_the_exact_test_rejects(
    n: int, discordance: float, margin: float, alpha: float
) -> None:
    expected, half = 0.0, discordance / 2
    for gains, losses in itertools.product(range(min(n, 16) + 1), repeat=2):
        if gains + losses <= n and exact_margin_p(gains, losses, n, -margin) <= alpha:
            ways = math.comb(n, gains) * math.comb(n - gains, losses)
            expected += ways * half ** (gains + losses) * (1 - discordance) ** (n - gains - losses)
    assert AlikePairs(discordance, margin, alpha).power(n) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("discordance", "margin"), [(0.05, 0.02), (0.2, 0.1), (0.1, 0.03), (0.3, 0.05)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_normal_formula_agrees_with_the_exact_sum_at_the_switch(
    discordance: float, margin: float, alpha: float
) -> None:
    n = math.ceil(MANY_DISCORDANT / discordance)
    normal = AlikePairs(discordance, margin, alpha).power(n)
    assert normal == pytest.approx(_exact_power(n, discordance, margin, alpha), abs=0.02)


def test_many_rarely_changing_pairs_have_the_power_of_fewer_pairs_with_as_many_changes() -> None:
    n = 3 * MOST_SUMMED
    scaled = AlikePairs(0.003, 0.0015, 0.05).power(n)
    assert scaled == pytest.approx(_exact_power(n, 0.003, 0.0015, 0.05), abs=0.01)
    assert AlikePairs(1e-6, 0.5, 0.05).power(n) == pytest.approx(1)
    assert AlikePairs(0.0, 0.5, 0.05).power(n) == 1


@pytest.mark.parametrize(("discordance", "margin"), [(0.003, 0.01), (0.02, 0.05), (0.1, 0.05), (0.2, 0.02)])
def test_the_computed_number_of_pairs_has_the_requested_power_and_one_fewer_does_not(
    discordance: float, margin: float
) -> None:
    pairs = AlikePairs(discordance, margin, 0.05)
    n = pairs.needed(0.8)
    assert pairs.power(n) >= 0.8 > pairs.power(n - 1)


@pytest.mark.parametrize(
    ("clusters", "size", "discordance", "margin", "icc"), [(60, 4, 0.02, 0.03, 0.1), (100, 4, 0.05, 0.03, 0.2)]
)
def test_the_margin_power_with_few_differing_passages_matches_a_simulation(
    clusters: int, size: int, discordance: float, margin: float, icc: float
) -> None:
    rng, n, cluster = np.random.default_rng(1), clusters * size, np.repeat(np.arange(clusters), size)
    shares, passed = [discordance / 2, discordance / 2, 1 - discordance], 0
    for _ in range(150):
        own, shared = (rng.choice([1.0, -1.0, 0.0], p=shares, size=count) for count in (n, clusters))
        difference = np.where(rng.random(n) < math.sqrt(icc), shared[cluster], own)
        passed += clustered_margin_test(difference, cluster, -margin, binary=True).p <= 0.05
    pairs = AlikePairs(discordance, margin, 0.05, size, 1 + (size - 1) * icc, 1 + (size - 1) * 0.1)
    assert passed / 150 == pytest.approx(pairs.power(n), abs=0.1)
