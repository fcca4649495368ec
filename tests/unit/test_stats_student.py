"""Student's t and the normal distribution in plain Python, against SciPy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from promptrial.stats.student import _expanded, normal_cdf, normal_quantile, t_cdf, t_quantile

DEGREES = [0.5, 1, 2, 3.3, 9, 24, 49.5, 333, 999, 999.5, 1000, 1001, 5000, 1e5, 1e8]
LEVELS = [0.001, 0.0125, 0.025, 0.2, 0.5, 0.8, 0.9, 0.975, 0.99, 0.9999]


@pytest.mark.parametrize("df", DEGREES)
def test_quantiles_and_probabilities_of_t_are_those_of_scipy(df: float) -> None:
    for p in LEVELS:
        expected = float(special.stdtrit(df, p))
        assert t_quantile(df, p) == pytest.approx(expected, rel=1e-9, abs=1e-10)
        assert t_cdf(df, expected) == pytest.approx(p, abs=1e-11)


@pytest.mark.parametrize("p", LEVELS)
def test_infinitely_many_degrees_of_freedom_are_the_normal_distribution(p: float) -> None:
    assert t_quantile(math.inf, p) == normal_quantile(p) == pytest.approx(float(special.ndtri(p)), abs=1e-12)
    assert t_cdf(math.inf, normal_quantile(p)) == pytest.approx(p, abs=1e-13)
    assert normal_cdf(normal_quantile(p)) == pytest.approx(p, abs=1e-13)


@pytest.mark.parametrize("z", [-2.0, 0.5, 1.0, 3.0])
def test_the_expansion_has_the_terms_of_the_handbook(z: float) -> None:
    terms = {  # Abramowitz and Stegun (1964), 26.7.5: coefficients of the odd powers of z, the highest first
        4: (1, 1),
        96: (5, 16, 3),
        384: (3, 19, 17, -15),
        92160: (79, 776, 1482, -1920, -945),
    }
    found = [sum(c * z ** (2 * at + 1) for at, c in enumerate(reversed(of))) / by for by, of in terms.items()]
    for df in (1.0, 2.0, 10.0):
        expected = z + sum(term / df**power for power, term in enumerate(found, 1))
        assert _expanded(df, z) == pytest.approx(expected, rel=1e-12)


@given(st.floats(0.1, 1e7), st.floats(-60, 60))
def test_probabilities_agree_far_in_the_tails_too(df: float, x: float) -> None:
    assert t_cdf(df, x) == pytest.approx(float(special.stdtr(df, x)), abs=1e-8)
    assert t_cdf(df, x) + t_cdf(df, -x) == pytest.approx(1, abs=1e-8)
