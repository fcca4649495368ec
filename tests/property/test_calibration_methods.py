"""The vectorised methods of the calibration are those of the program: same data, same flips, same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from promptrial.stats import sign_flips as program_flips
from promptrial.stats.clusters import ClusterTotals
from promptrial.stats.cr2 import cr2
from promptrial.stats.difference import clustered_difference_test
from promptrial.stats.effective import INTERVAL_SLOPE, density, effective_pairs
from promptrial.stats.fewest import MARGIN_SLOPE
from promptrial.stats.margins import clustered_margin_test
from promptrial.stats.paired import paired_difference
from promptrial.stats.risk_difference import score_statistic

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KINDS = ("em", "sparse", "f1")
DESIGNS = ("6 even", "7 uneven (5 to 60)", "10 uneven (1 to 40)")
TRIALS = 40
FloatArray = npt.NDArray[np.float64]


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The vectorised methods, which are a script's and no package's."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import batch_methods

    return batch_methods


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The simulated pairs."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import simulated_pairs

    return simulated_pairs


def differences(pairs: Any, design: str, kind: str, trials: int = TRIALS) -> FloatArray:
    if kind.startswith("sparse"):
        model = pairs.difference_model(0.02, 0.06, 0.1, graded=kind == "sparse f1")
    else:
        model = pairs.arms_model(kind, 0.1, 0.2)
    drawn: FloatArray = model.sample(pairs.DESIGNS[design], trials, np.random.default_rng(len(design)))
    return np.round(drawn, 12)


def clusters(pairs: Any, design: str) -> npt.NDArray[np.int64]:
    sizes = pairs.DESIGNS[design]
    return np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_p_value_and_limits_of_a_difference_equal_those_of_the_program(
    methods: Any, pairs: Any, design: str, kind: str
) -> None:
    drawn, cluster = differences(pairs, design, kind), clusters(pairs, design)
    batch = methods.batch_of(drawn, pairs.DESIGNS[design])
    flips = methods.flips_of(batch.clusters, np.random.default_rng(0))
    if kind == "f1":
        p, limits = methods.flip_p(batch, 0.0, flips), methods.flip_limits(batch, flips, 0.05)
    else:
        p, limits = methods.difference_p(batch, 0.0, flips), methods.difference_limits(batch, flips, 0.05)
    for trial, difference in enumerate(drawn):
        test = clustered_difference_test(difference, cluster, binary=kind != "f1")
        assert p[trial] == pytest.approx(test.p, rel=1e-9)
        assert [limits[0][trial], limits[1][trial]] == pytest.approx([test.low, test.high], abs=2e-9)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kind", ["em", "sparse"])
def test_the_reported_interval_contains_a_value_exactly_if_its_p_is_above_the_level(
    methods: Any, pairs: Any, design: str, kind: str
) -> None:
    batch = methods.batch_of(differences(pairs, design, kind), pairs.DESIGNS[design])
    flips = methods.flips_of(batch.clusters, np.random.default_rng(0))
    low, high = methods.difference_limits(batch, flips, 0.05)
    for value in (-0.2, -0.04, 0.0, 0.013, 0.1, 0.31):
        clear = (np.abs(low - value) > 1e-8) & (np.abs(high - value) > 1e-8)
        held = (low <= value) & (value <= high)
        assert np.array_equal(held[clear], (methods.difference_p(batch, value, flips) > 0.05)[clear])


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kind", ["em", "sparse", "sparse f1"])
def test_the_p_value_of_a_margin_equals_that_of_the_program(methods: Any, pairs: Any, design: str, kind: str) -> None:
    drawn, cluster = differences(pairs, design, kind), clusters(pairs, design)
    batch = methods.batch_of(drawn, pairs.DESIGNS[design])
    flips = methods.flips_of(batch.clusters, np.random.default_rng(0))
    for bound in (-0.1, 0.0):
        p = methods.margin_p(batch, bound, flips)
        for trial in np.flatnonzero(batch.mean > bound):
            test = clustered_margin_test(drawn[trial], cluster, bound, binary=kind != "sparse f1")
            assert p[trial] == pytest.approx(test.p, rel=1e-9)
            assert (p[trial] <= 0.05) == (test.limit > bound)
        assert all(p[batch.mean <= bound] == 1)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_sign_flips_give_the_p_value_and_limits_of_the_program(
    methods: Any, pairs: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    design, count = "30 exponential", 999
    drawn = differences(pairs, design, kind)
    flips = methods.random_flips(30, count, np.random.default_rng(3))
    monkeypatch.setattr(program_flips, "subset_sums", lambda values, *_: flips @ values)
    totals_of_all = methods.batch_of(drawn, pairs.DESIGNS[design]).sums
    for trial in totals_of_all[totals_of_all.sum(axis=1) != 0]:
        # The program sorts clusters, and turns them so that their mean is positive.
        sizes, sums = np.array(pairs.DESIGNS[design]), trial if trial.sum() > 0 else -trial
        order = np.lexsort((sums, sizes))
        totals = ClusterTotals(sums[order] + 0.0, sizes[order])
        found = program_flips.sign_flips(totals, draws=count, decisive=())
        one = np.zeros((1, 30), dtype=np.int64)
        batch = methods.Batch(totals.sizes, totals.sums[None, :], one, one, np.ones(1), np.ones(1), np.ones(1))
        for value in (-0.07, 0.013, 0.21):
            assert methods.flip_p(batch, value, flips)[0] == pytest.approx(found.p_value(value), rel=1e-9)
            if totals.mean > value:
                assert methods.one_sided_p(batch, value, flips)[0] == pytest.approx(found.p_greater(value), rel=1e-9)
        assert methods.flip_limits(batch, flips, 0.05)[1][0] == pytest.approx(found.upper_limit(0.025), abs=2e-9)
        # On a lattice p at 0 is exact, and the program moves the limit next to 0 to agree with it.
        if found.exact_p is None:
            assert methods.flip_limits(batch, flips, 0.05)[0][0] == pytest.approx(found.lower_limit(0.025), abs=2e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_counting_by_halves_gives_the_p_value_of_all_sign_flips(methods: Any, pairs: Any, kind: str) -> None:
    sizes = pairs.DESIGNS["10 uneven (1 to 40)"] + (3, 9)
    model = pairs.difference_model(0.02, 0.06, 0.1) if kind == "sparse" else pairs.arms_model(kind, 0.1, 0.2)
    batch = methods.batch_of(model.sample(sizes, TRIALS, np.random.default_rng(2)), sizes)
    flips = methods.flips_of(12, np.random.default_rng(0))
    assert len(flips) == 2**11 - 1
    for value in (-0.05, 0.0, 0.1):
        assert methods.flip_p(batch, value, None) == pytest.approx(methods.flip_p(batch, value, flips), rel=1e-12)


@pytest.mark.parametrize("design", [*DESIGNS, "39 of 2 and one of 60", "83 of 1 to 2"])
@pytest.mark.parametrize("kind", KINDS)
def test_density_effective_counts_and_standard_errors_are_those_of_the_program(
    methods: Any, pairs: Any, design: str, kind: str
) -> None:
    drawn, cluster = differences(pairs, design, kind), clusters(pairs, design)
    batch = methods.batch_of(drawn, pairs.DESIGNS[design])
    dense, t, bell = methods.is_dense(batch), methods.clustered_t_limits(batch, 0.95), methods.cr2_limits(batch, 0.95)
    for trial, difference in enumerate(drawn):
        assert dense[trial] == density(difference, cluster).dense
        program, sensitivity = paired_difference(difference, cluster), cr2(difference, cluster)
        if program.se > 0:
            assert [each[trial] for each in t] == pytest.approx([program.ci_low, program.ci_high], abs=1e-10)
            assert [each[trial] for each in bell] == pytest.approx([sensitivity.ci_low, sensitivity.ci_high], abs=1e-9)
        for floor in (INTERVAL_SLOPE, MARGIN_SLOPE):
            counts = methods.effective_counts(batch, floor)
            effective = effective_pairs(difference, cluster, floor)
            expected = [effective.b, effective.c, effective.n]
            assert [each[trial] for each in counts] == pytest.approx(expected, rel=1e-9)


def test_the_score_statistic_is_that_of_the_program(methods: Any) -> None:
    rng = np.random.default_rng(0)
    gains, losses, even = (rng.integers(0, 30, 300) * rng.integers(0, 2, 300) / 1.7 for _ in range(3))
    n = gains + losses + even + 1
    for at in (-0.3, -0.02, 0.0, 0.1):
        found = methods.tango_z(gains, losses, n, at)
        expected = [float(score_statistic(*each, at)) for each in zip(gains, losses, n, strict=True)]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_without_ties_the_attainable_level_is_the_largest_whole_number_of_flips(methods: Any, pairs: Any) -> None:
    batch = methods.batch_of(differences(pairs, "8 even", "f1"), pairs.DESIGNS["8 even"])
    flips = methods.flips_of(8, np.random.default_rng(0))
    levels = methods.attainable_levels(batch, flips, 0.0123, 0.05)
    assert np.median(levels) == pytest.approx(6 / 128)
    assert levels.max() <= 0.05
