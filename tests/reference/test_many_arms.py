"""Several arms and several data sets against published numbers."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from promptrial.stats.max_t import joint_flips
from promptrial.stats.pooling import pool

DUNNETT: Final = {1: 1.96, 2: 2.21, 3: 2.35, 4: 2.44, 5: 2.51, 6: 2.57, 8: 2.65}
"""Dunnett (1964), New tables for multiple comparisons with a control, Biometrics 20:482-491, table II (two-sided, 95%),
infinite degrees of freedom: critical values by the number of treatments; all correlations are 1/2."""
TUKEY: Final = {3: 3.31, 4: 3.63, 5: 3.86}
"""The studentised range, 95%, infinite degrees of freedom, by the number of arms: Pearson and Hartley, Biometrika
tables for statisticians, table 29. Divided by the root of 2 it is the critical value of all pairs."""
KACKER: Final = (
    [61.0, 61.4, 62.21, 62.3, 62.34, 62.6, 62.7, 62.84, 65.9],
    [0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225],
)
"""Nine laboratories: Kacker (2004), Combining information from interlaboratory evaluations using a random effects
model, Metrologia 41:132-136."""
KNOWN: Final = [np.inf] * 9
"""Degrees of freedom of variances that are taken as known."""
FLEISS: Final = (
    [18, 22, 21, 14, 42, 80, 13, 37, 23, 19, 106, 170, 34, 18, 13, 12, 42],
    [19, 34, 72, 22, 70, 183, 26, 61, 36, 45, 246, 386, 59, 45, 14, 26, 74],
    [12, 12, 15, 5, 13, 33, 18, 30, 12, 14, 76, 46, 17, 3, 14, 10, 40],
    [22, 35, 68, 20, 32, 94, 50, 55, 25, 35, 208, 141, 32, 15, 18, 19, 75],
)
"""Survivors and patients, treated and not, at 24 months in 17 trials of malignant gliomas: Fine et al. (1993), Cancer
71:2585-2597; but for the first trial as the example of R's package ``meta`` has it."""


def iid_arms(k: int, n: int = 4000) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(n, k))


def critical(rows: np.ndarray) -> float:
    flips = joint_flips(rows)
    flips = flips.grown().grown()
    return float(np.quantile(np.abs(flips.draws).max(axis=1), 0.95))


@pytest.mark.parametrize("treatments", DUNNETT)
def test_many_to_one_contrasts_have_dunnetts_critical_values(treatments: int) -> None:
    arms = iid_arms(treatments + 1)
    assert critical(arms[:, 1:] - arms[:, :1]) == pytest.approx(DUNNETT[treatments], abs=0.035)


@pytest.mark.parametrize("arms", TUKEY)
def test_all_pairs_have_tukeys_critical_values(arms: int) -> None:
    scores = iid_arms(arms)
    first, second = np.triu_indices(arms, 1)
    assert critical(scores[:, first] - scores[:, second]) == pytest.approx(TUKEY[arms] / np.sqrt(2), abs=0.035)


def test_hartung_and_knapp_on_nine_laboratories_agree_with_metafor() -> None:
    """``rma(y, v, method="DL", test="knha")`` of metafor, as statsmodels has it (results_meta.py, exk1_dl_hksj)."""
    found = pool(*KACKER, KNOWN)
    assert (found.estimate, found.se) == pytest.approx((62.3901386044504, 0.29477605699879), rel=1e-9)
    assert (found.low, found.high) == pytest.approx((61.710383798052, 63.0698934108488), rel=1e-9)
    assert (found.tau2, found.q, found.i2) == pytest.approx(
        (0.288049246973751, 24.801897741835, 0.67744403741711), rel=1e-9
    )
    assert found.q_p == pytest.approx(0.00167935146372742, rel=1e-9)
    assert found.df == 8


def test_one_effect_for_all_agrees_with_inverse_variance_by_hand() -> None:
    """Kacker's first four laboratories: sum of y/v over sum of 1/v, and Q, as exact fractions."""
    found = pool(KACKER[0][:4], KACKER[1][:4], KNOWN[:4])
    w = [1 / each for each in KACKER[1][:4]]
    mean = sum(a * b for a, b in zip(w, KACKER[0], strict=False)) / sum(w)
    assert found.estimate == pytest.approx(mean, rel=1e-12)
    assert found.q == pytest.approx(sum(a * (b - mean) ** 2 for a, b in zip(w, KACKER[0], strict=False)), rel=1e-9)


def test_random_effects_of_seventeen_trials_agree_with_rs_package_meta() -> None:
    """``metabin(sm="OR", method="Inverse", method.tau="DL", hakn=TRUE)`` of meta 4.11, as statsmodels has it.

    In its results_meta.py, results_or_dl_hk.
    """
    a, n1, c, n2 = (np.array(each, dtype=np.float64) for each in FLEISS)
    log_odds = np.log(a * (n2 - c) / (c * (n1 - a)))
    variance = 1 / a + 1 / (n1 - a) + 1 / c + 1 / (n2 - c)
    found = pool(log_odds.tolist(), variance.tolist(), [np.inf] * 17)
    assert found.estimate == pytest.approx(0.429520368698268, rel=1e-9)
    assert (found.q, found.tau2) == pytest.approx((16.181374262823, 0.0016783981912744), rel=1e-8)
    assert found.i2 == pytest.approx(0.0112088293538659, rel=1e-7)
