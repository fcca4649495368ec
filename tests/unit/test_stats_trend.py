"""The trend along ordered arms, and effects over several data sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from promptrial.stats.pooling import pool
from promptrial.stats.trend import item_slopes, trend_test


def test_a_slope_is_that_of_the_least_squares_line() -> None:
    rng = np.random.default_rng(4)
    scores = rng.random((10, 5))
    wanted = [np.polyfit(np.arange(5), row, 1)[0] for row in scores]
    assert item_slopes(scores) == pytest.approx(wanted)
    assert math.isnan(item_slopes(np.array([[0.1, math.nan, 0.3]]))[0])


def test_reversing_the_order_negates_the_trend_and_keeps_its_p() -> None:
    scores = np.random.default_rng(1).random((40, 4)) + np.linspace(0, 0.3, 4)
    up, down = trend_test(scores), trend_test(scores[:, ::-1])
    assert up.estimate == pytest.approx(0.1, abs=0.05)
    assert (down.estimate, down.low, down.high) == pytest.approx((-up.estimate, -up.high, -up.low))
    assert down.p == up.p < 0.05


def test_the_trend_test_flips_whole_clusters() -> None:
    scores = np.array([[0.0, 0.5, 1.0]]).repeat(30, axis=0)
    assert trend_test(scores, np.arange(30) // 5).p == 2**-5


KNOWN = [math.inf] * 6


@pytest.mark.parametrize("count", [2, 4])
def test_below_five_data_sets_one_effect_is_assumed(count: int) -> None:
    found = pool([0.1 * at for at in range(count)], [0.02] * count, KNOWN[:count])
    assert (found.method, found.df, found.tau2) == ("inverse_variance", math.inf, 0.0)
    assert found.se == pytest.approx(math.sqrt(0.02 / count))
    assert (found.low, found.high) == pytest.approx(
        (found.estimate - 1.959964 * found.se, found.estimate + 1.959964 * found.se)
    )


def test_estimated_weights_use_meiers_standard_error_and_the_mean_degrees_of_freedom() -> None:
    found = pool([0.0, 0.1], [0.01, 0.03], [5, 20])
    assert found.se == pytest.approx(math.sqrt((1 + 4 * (0.75 * 0.25 / 5 + 0.25 * 0.75 / 20)) / (100 + 100 / 3)))
    assert found.df == pytest.approx(1 / (0.75 / 5 + 0.25 / 20))
    assert found.p == pytest.approx(2 * stats.t.sf(found.estimate / found.se, found.df))


@pytest.mark.parametrize(
    ("spreads", "clusters"),
    [([1.0, 1.0], [6, 6]), ([1.0] * 4, [6] * 4), ([1.0, 3.0, 1.0, 3.0], [6] * 4), ([1.0, 1.0], [6, 100]),
     ([1.0] * 4, [20] * 4), ([1.0] * 5, [6] * 5), ([1.0] * 8, [6] * 8)],
)  # fmt: skip
def test_data_sets_without_an_effect_are_significant_at_most_at_the_level(
    spreads: list[float], clusters: list[int]
) -> None:
    rng, trials, freedoms = np.random.default_rng(3), 1500, [each - 1 for each in clusters]
    effects = rng.normal(0, spreads, (trials, len(spreads)))
    variances = np.array(spreads) ** 2 * rng.chisquare(freedoms, effects.shape) / freedoms
    found = [pool(y, v, freedoms).p for y, v in zip(effects.tolist(), variances.tolist(), strict=True)]
    assert sum(p <= 0.05 for p in found) <= stats.binom.ppf(0.999, trials, 0.057)


def test_effects_that_agree_better_than_chance_do_not_narrow_the_interval() -> None:
    found = pool([0.1] * 6, [0.02] * 6, KNOWN)
    assert found.method == "hartung_knapp"
    assert (found.q, found.i2, found.tau2) == pytest.approx((0.0, 0.0, 0.0))
    assert found.se == pytest.approx(math.sqrt(0.02 / 6))
    assert found.high - found.estimate == pytest.approx(2.570582 * found.se)


def test_a_larger_data_set_has_more_weight() -> None:
    assert pool([0.0, 1.0], [0.01, 0.03], [9, 9]).estimate == pytest.approx(0.25)


@pytest.mark.parametrize(("effects", "variances"), [([0.1], [0.1]), ([0.1, 0.2], [0.1, 0.0]), ([0.1, 0.2], [1, -1])])
def test_effects_that_cannot_be_pooled_are_refused(effects: list[float], variances: list[float]) -> None:
    with pytest.raises(ValueError, match=r"at least two|not above 0"):
        pool(effects, variances, KNOWN[: len(effects)])
