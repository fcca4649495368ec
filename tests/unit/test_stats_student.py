"""Student's t and the normal distribution in plain Python, against SciPy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from promptrial.stats.student import normal_cdf, normal_quantile, t_cdf, t_quantile

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


@given(st.floats(0.1, 1e7), st.floats(-60, 60))
def test_probabilities_agree_far_in_the_tails_too(df: float, x: float) -> None:
    assert t_cdf(df, x) == pytest.approx(float(special.stdtr(df, x)), abs=1e-8)
    assert t_cdf(df, x) + t_cdf(df, -x) == pytest.approx(1, abs=1e-8)
