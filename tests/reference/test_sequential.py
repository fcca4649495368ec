"""Group-sequential bounds against published tables, and e-values against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from promptrial.stats.alpha_spending import SpendingRule, bounds, crossings, spent
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.e_process import EProcess, beta_binomial_log_e, bets

POCOCK_CONSTANTS = {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 6: 2.453, 7: 2.485, 8: 2.512, 9: 2.535, 10: 2.555}
"""Jennison, C., Turnbull, B.W. (2000). Group sequential methods with applications to clinical trials, table 2.1."""
OBRIEN_FLEMING_CONSTANTS = {
    2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 6: 2.053, 7: 2.063, 8: 2.072, 9: 2.080, 10: 2.087,
}  # fmt: skip
"""The same, table 2.3: the bound at look k of K is the constant times the root of K / k."""
SPENT_BOUNDS: dict[SpendingRule, tuple[float, ...]] = {
    "obrien_fleming": (4.8769, 3.3569, 2.6803, 2.2898, 2.0310),
    "pocock": (2.4380, 2.4268, 2.4101, 2.3966, 2.3859),
}
"""Five equal looks, two-sided 0.05. Reboussin, D.M., DeMets, D.L., Kim, K.M., Lan, K.K.G. (2000). Computations for
group sequential boundaries using the Lan-DeMets spending function method. Controlled Clinical Trials 21:190-207."""


def equal_looks(k: int) -> np.ndarray:
    return np.arange(1, k + 1) / k


@pytest.mark.parametrize(("looks", "constant"), POCOCK_CONSTANTS.items())
def test_pococks_published_bounds_are_crossed_in_5_of_100_trials(looks: int, constant: float) -> None:
    times, rounding = equal_looks(looks), 0.0005
    assert crossings(np.full(looks, constant - rounding), times).power > 0.05
    assert crossings(np.full(looks, constant + rounding), times).power < 0.05


@pytest.mark.parametrize(("looks", "constant"), OBRIEN_FLEMING_CONSTANTS.items())
def test_the_published_bounds_of_obrien_and_fleming_are_crossed_in_5_of_100_trials(looks: int, constant: float) -> None:
    times, rounding = equal_looks(looks), 0.00055
    assert crossings((constant - rounding) / np.sqrt(times), times).power > 0.05
    assert crossings((constant + rounding) / np.sqrt(times), times).power < 0.05


@pytest.mark.parametrize("rule", SPENT_BOUNDS)
def test_spending_bounds_equal_the_published_ones(rule: SpendingRule) -> None:
    assert bounds(rule, equal_looks(5)) == pytest.approx(SPENT_BOUNDS[rule], abs=0.0002)


def test_two_looks_agree_with_the_bivariate_normal_distribution() -> None:
    first, second = bounds("pocock", [0.5, 1.0])
    joint = stats.multivariate_normal([0, 0], [[1, math.sqrt(0.5)], [math.sqrt(0.5), 1]])
    inside = joint.cdf([first, second], lower_limit=[-first, -second])
    assert 1 - inside == pytest.approx(0.05, abs=2e-5)
    assert 2 * special.ndtr(-first) == pytest.approx(float(spent("pocock", np.array([0.5]), 0.05)[0]), rel=1e-9)


def test_power_and_the_average_share_agree_with_a_simulation_of_brownian_motion() -> None:
    times, rng, drift = equal_looks(4), np.random.default_rng(3), 2.5
    critical = bounds("obrien_fleming", times)
    steps = rng.normal(drift / 4, 0.5, size=(40_000, 4))
    crossed = np.abs(np.cumsum(steps, axis=1) / np.sqrt(times)) >= critical
    found = crossings(critical, times, drift)
    assert found.power == pytest.approx(crossed.any(axis=1).mean(), abs=0.01)
    ended = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 3)
    assert found.expected_fraction(times) == pytest.approx(times[ended].mean(), abs=0.01)


@pytest.mark.parametrize(("gains", "losses"), [(0, 0), (9, 1), (40, 20), (3, 3), (400, 300)])
def test_the_e_value_of_discordant_pairs_is_2_to_the_number_times_a_beta_function(gains: int, losses: int) -> None:
    """E = 2^(b + c) B(b + 1, c + 1): the likelihood ratio averaged over a uniform share of gains (a mixture).

    Robbins, H. (1970). Statistical methods related to the law of the iterated logarithm. Annals of Mathematical
    Statistics 41:1397-1409. Shafer, G., Shen, A., Vereshchagin, N., Vovk, V. (2011). Test martingales, Bayes factors
    and p-values. Statistical Science 26:84-101.
    """
    expected = (gains + losses) * math.log(2) + special.betaln(gains + 1, losses + 1)
    assert beta_binomial_log_e(gains, losses) == pytest.approx(expected, abs=1e-9)
    mixed, _ = integrate.quad(lambda bet: (1 + bet) ** gains * (1 - bet) ** losses / 2, -1, 1, limit=500)
    assert math.exp(beta_binomial_log_e(gains, losses)) == pytest.approx(mixed, rel=1e-6)


def test_the_bets_on_single_pairs_are_products_of_gains_and_losses() -> None:
    """Capital of a bet g after b gains and c losses against 0: (1 + g)^b (1 - g)^c; half is bet on each side."""
    process = EProcess(cluster_totals(np.repeat([1.0, -1.0, 0.0], [30, 12, 58])), 1.0, 1)
    up, down = (1 + bets()) ** 30 * (1 - bets()) ** 12, (1 - bets()) ** 30 * (1 + bets()) ** 12
    assert math.exp(process.log_e()) == pytest.approx((up.mean() + down.mean()) / 2, rel=1e-9)
    assert math.exp(process.log_greater()) == pytest.approx(up.mean(), rel=1e-9)
    assert math.exp(process.log_less()) == pytest.approx(down.mean(), rel=1e-9)
