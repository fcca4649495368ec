"""How often tests against a margin pass when the true drop equals it: exact sums over all tables, nothing simulated.

The t column shows why it no longer decides; the figures are those of docs/calibration_margins.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, xlogy

from promptrial.stats.margins import binary_margin_test
from promptrial.stats.risk_difference import score_statistic
from promptrial.stats.unconditional import exact_margin_p

ALPHA = 0.05
Passes = Callable[[int, int, int, float], bool]
CELLS = [(100, 0.03, 0.0, 0.03), (100, 0.05, 0.0, 0.05), (345, 0.02, 0.005, 0.025), (300, 0.02, 0.0, 0.02)]


def t_test(b: int, c: int, n: int, margin: float) -> bool:
    mean = (b - c) / n
    variance = (b + c - (b - c) ** 2 / n) / (n - 1)
    return variance > 0 and float(stats.t.sf((mean + margin) / math.sqrt(variance / n), n - 1)) <= ALPHA


def old_gate(b: int, c: int, n: int, margin: float) -> bool:
    """As the t-test; without variation, by Tango's limit."""
    return t_test(b, c, n, margin) if b + c else tango(b, c, n, margin)


def tango(b: int, c: int, n: int, margin: float) -> bool:
    return float(score_statistic(float(b), float(c), n, -margin)) >= stats.norm.ppf(1 - ALPHA)


def exact(b: int, c: int, n: int, margin: float) -> bool:
    return exact_margin_p(b, c, n, -margin) <= ALPHA


def chance_to_pass(passes: Passes, n: int, margin: float, p10: float, p01: float) -> float:
    """Sum the probabilities of the tables that pass; those below 1e-10 are left out."""
    total = 0.0
    for b in range(n + 1):
        for c in range(n - b + 1):
            ways = gammaln(n + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(n - b - c + 1)
            log = float(ways + xlogy(b, p10) + xlogy(c, p01) + xlogy(n - b - c, 1 - p10 - p01))
            if log < math.log(1e-10):
                if c > n * p01:
                    break
                continue
            if passes(b, c, n, margin):
                total += math.exp(log)
        if b > n * p10 + 12 * math.sqrt(n * p10 + 1):
            break
    return total


@pytest.mark.parametrize(
    ("cell", "of_t", "of_tango"),
    list(zip(CELLS, [0.147, 0.112, 0.081, 0.146], [0.048, 0.037, 0.042, 0.060], strict=True)),
)
def test_the_t_test_passes_far_too_often_and_the_exact_test_does_not(
    cell: tuple[int, float, float, float], of_t: float, of_tango: float
) -> None:
    assert chance_to_pass(t_test, *cell) == pytest.approx(of_t, abs=5e-4)
    assert chance_to_pass(tango, *cell) == pytest.approx(of_tango, abs=5e-4)
    assert chance_to_pass(exact, *cell) <= ALPHA


def test_the_gate_of_earlier_versions_wrongly_passed_in_15_of_100() -> None:
    assert chance_to_pass(old_gate, 300, 0.02, 0.0, 0.02) == pytest.approx(0.149, abs=5e-4)


def last_that_passes(passes: Callable[..., bool], most: int, near: int) -> int:
    """Return the last c up to ``most`` that passes, or -1; those are an interval from 0. Looks from ``near`` on."""
    low, high, step = -1, most + 1, 1
    while high - low > 1:
        c = min(max(near, low + 1), high - 1)
        if passes(c):
            low, near = c, c + step
        else:
            high, near = c, c - step
        step *= 2
        if low >= 0 and high <= most:  # both ends are known: halve what lies between
            near = (low + high) // 2
    return low


@pytest.mark.parametrize(("n", "margin"), [(20, 0.1), (50, 0.05), (100, 0.02), (100, 0.05), (200, 0.03), (268, 0.01)])
def test_the_exact_test_keeps_its_level_over_the_whole_nuisance_range(n: int, margin: float) -> None:
    """Which tables pass does not depend on the nuisance, so they are found once."""
    passing, low = [], -1
    for b in range(n + 1):
        low = last_that_passes(partial(exact, b, n=n, margin=margin), n - b, near=low)
        passing += [(b, c) for c in range(low + 1)]
        if low == n - b:
            passing += [(more, c) for more in range(b + 1, n + 1) for c in range(n - more + 1)]
            break
    b, c = np.array(passing).T
    ways = gammaln(n + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(n - b - c + 1)
    for p10 in np.concatenate([np.linspace(0, (1 - margin) / 2, 150), np.linspace(0, 10 / n, 60)]):
        p01 = p10 + margin
        if p10 + p01 <= 1:
            chance = np.exp(ways + xlogy(b, p10) + xlogy(c, p01) + xlogy(n - b - c, max(1 - p10 - p01, 0.0))).sum()
            assert chance <= ALPHA + 1e-6


@pytest.mark.parametrize(("b", "c", "n", "margin"), [(95, 80, 345, 0.02), (238, 208, 500, 0.01), (122, 107, 500, 0.02)])
def test_no_nuisance_value_gives_a_larger_tail_than_p_even_if_nearly_every_pair_is_discordant(
    b: int, c: int, n: int, margin: float
) -> None:
    b_all, c_all = (each.ravel() for each in np.mgrid[: n + 1, : n + 1])
    kept = b_all + c_all <= n
    b_all, c_all = b_all[kept], c_all[kept]
    reached = float(score_statistic(float(b), float(c), n, -margin)) - 1e-9
    tail = score_statistic(b_all, c_all, n, -margin) >= reached
    b_all, c_all = b_all[tail], c_all[tail]
    ways = gammaln(n + 1) - gammaln(b_all + 1) - gammaln(c_all + 1) - gammaln(n - b_all - c_all + 1)
    p, highest = exact_margin_p(b, c, n, -margin), (1 - margin) / 2
    for p10 in np.concatenate([np.linspace(0, highest, 50), np.linspace(highest - 10 / n, highest, 60)]):
        p01 = p10 + margin
        logs = xlogy(b_all, p10) + xlogy(c_all, p01) + xlogy(n - b_all - c_all, max(1 - p10 - p01, 0.0))
        assert np.exp(ways + logs).sum() <= p + 1e-6


def test_tangos_test_alone_passes_too_often_if_all_discordant_pairs_are_losses() -> None:
    worst = max(chance_to_pass(tango, n, 0.01, 0.0, 0.01) for n in (268, 280, 298))
    assert worst > 0.06
    assert all(chance_to_pass(exact, n, 0.01, 0.0, 0.01) <= ALPHA for n in (268, 280, 298, 299))


def test_publications_of_tangos_test_are_reproduced() -> None:
    """Tango 1998, Stat Med 17:891, table II: 44 pairs, none gained and one lost; a margin of 0.1, one-sided."""
    score = partial(score_statistic, n=44, delta0=-0.1)
    assert float(score(0.0, 1.0)) == pytest.approx(1.709, abs=2e-3)
    assert binary_margin_test(0, 1, 44, -0.1).p == pytest.approx(exact_margin_p(0, 1, 44, -0.1))
