"""The exact power in plain Python, against the sum that SciPy makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.stats.fewest import unchanged_pairs
from promptrial.stats.power import mcnemar_power
from promptrial.stats.score_power import score_test_power
from promptrial.stats.unconditional import exact_margin_p

SHARES = [(0.1, 0.1), (0.5, 0.0), (0.0, 0.5), (0.2, 0.1), (1.0, 0.0), (0.6, 0.4), (1e-4, 2e-4)]


@pytest.mark.parametrize("n", [0, 1, 3, 4, 10, 57, 200, 1000, 15_703, 200_000])
def test_the_score_test_power_equals_the_exact_sum(n: int) -> None:
    for gain, loss in SHARES:
        for alpha in (0.2, 0.05, 0.0125, 0.001):
            expected = mcnemar_power(n, gain, loss, alpha=alpha, method="score")
            assert score_test_power(n, gain, loss, alpha) == pytest.approx(expected, abs=1e-9)


@given(n=st.integers(0, 400), psi=st.floats(1e-6, 1.0), lean=st.floats(0, 1), alpha=st.floats(1e-4, 0.4))
def test_the_score_test_power_equals_the_exact_sum_over_a_grid(n: int, psi: float, lean: float, alpha: float) -> None:
    gain, loss = psi * lean, psi * (1 - lean)
    expected = mcnemar_power(n, gain, loss, alpha=alpha, method="score")
    assert score_test_power(n, gain, loss, alpha) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05])
def test_the_score_test_needs_the_computed_number_of_unchanged_pairs(margin: float) -> None:
    n = unchanged_pairs(margin, 0.05)
    assert exact_margin_p(0, 0, n, -margin) <= 0.05 < exact_margin_p(0, 0, n - 1, -margin)
