"""Cells of the calibration tables: many simulated trials of one design, and the share of them that cover or reject.

A cell has a design, a model with a known true effect, and a method. The methods are those of ``batch_methods``; what a
good share is, ``calibration_tables`` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from batch_methods import (
    Batch,
    attainable_levels,
    batch_of,
    clustered_t_limits,
    counted_by_halves,
    cr2_limits,
    difference_limits,
    difference_p,
    flip_limits,
    flip_p,
    flips_of,
    is_dense,
    margin_p,
    one_sided_p,
)
from simulated_pairs import DESIGNS, DifferenceModel, Model, arms_model, difference_model

from promptrial.stats.analysis import stream
from promptrial.stats.pairing import BoolArray, FloatArray

__all__ = [
    "ALPHA",
    "IntervalCell",
    "IntervalShares",
    "MarginShares",
    "PairCell",
    "SparseShares",
    "interval_shares",
    "margin_power",
    "margin_shares",
    "sparse_shares",
]

ALPHA: Final = 0.05
SEED: Final = 20_000
_AT_ONCE: Final = 250
_SOME: Final = 250
"""Of how many trials the limits and the attainable level are computed, for their average: so many, or fewer where the
list of all flips is long, but 5."""
_LISTED: Final = 2_600_000


class IntervalCell(NamedTuple):
    """Two arms: ``kind`` is em or f1, ``effect`` the true difference."""

    design: str
    kind: str
    effect: float
    intraclass: float
    trials: int


class IntervalShares(NamedTuple):
    """Shares of the trials, in [0, 1]; NaN where nothing can be estimated.

    ``covers`` and ``rejects`` are of the reported interval and of the p-value against 0; ``t`` and ``cr2`` are the
    coverage of the two intervals by standard errors; ``dense`` the share of trials that are dense.
    """

    covers: float
    rejects: float
    attainable: float
    width: float
    dense: float
    t: float
    cr2: float


class PairCell(NamedTuple):
    """Differences with these shares of gains and losses: of 0/1 scores, or of continuous ones if ``graded``."""

    design: str
    gain: float
    loss: float
    intraclass: float
    trials: int
    graded: bool = False


class SparseShares(NamedTuple):
    """Coverage of three intervals, and the share of trials that are dense.

    ``flips`` are sign flips alone; ``normal`` is the reported interval with a normal quantile in its score test.
    """

    flips: float
    reported: float
    normal: float
    dense: float


class MarginShares(NamedTuple):
    """Shares of the trials in which the difference is shown to lie above the bound, by each method."""

    reported: float
    flips: float
    t: float
    dense: float


def interval_shares(cell: IntervalCell) -> IntervalShares:
    """Simulate a cell of two arms and return the shares."""
    model = arms_model(cell.kind, cell.effect, cell.intraclass)
    rng = stream(SEED, *cell[:-1])
    outcomes = [
        _interval_outcome(batch, model.truth, cell.kind, flips, first=number == 0)
        for number, (batch, flips) in enumerate(_batches(model, DESIGNS[cell.design], cell.trials, rng))
    ]
    return IntervalShares(*(_mean([outcome[place] for outcome in outcomes]) for place in range(len(outcomes[0]))))


def _interval_outcome(
    batch: Batch, truth: float, kind: str, flips: FloatArray, *, first: bool
) -> tuple[FloatArray | BoolArray, ...]:
    listed = None if counted_by_halves(batch.clusters) else flips
    binary = kind == "em"
    p_of, limits_of = (difference_p, difference_limits) if binary else (flip_p, flip_limits)
    some = batch.take(slice(max(5, min(_SOME, _LISTED // len(flips))) if first else 0))
    low, high = limits_of(some, flips, ALPHA)
    p_of_truth = p_of(batch, truth, listed)
    p_of_zero = p_of_truth if truth == 0 else p_of(batch, 0.0, listed)
    return (
        p_of_truth > ALPHA,
        p_of_zero <= ALPHA,
        attainable_levels(some, flips, truth, ALPHA),
        high - low,
        is_dense(batch) if binary else np.ones(len(batch.sums), dtype=np.bool_),
        _within(clustered_t_limits(batch, 1 - ALPHA), truth),
        _within(cr2_limits(batch, 1 - ALPHA), truth),
    )


def sparse_shares(cell: PairCell) -> SparseShares:
    """Simulate a cell of 0/1 differences and return the coverage of flips alone and of the reported interval."""
    model, rng = _model(cell), stream(SEED, "interval", *cell[:4])
    outcomes = []
    for batch, flips in _batches(model, DESIGNS[cell.design], cell.trials, rng):
        listed = None if counted_by_halves(batch.clusters) else flips
        covers, normal = (difference_p(batch, model.truth, listed, normal=each) > ALPHA for each in (False, True))
        outcomes.append((flip_p(batch, model.truth, listed) > ALPHA, covers, normal, is_dense(batch)))
    return SparseShares(*(_mean(each) for each in zip(*outcomes, strict=True)))


def margin_shares(cell: PairCell) -> MarginShares:
    """Simulate a cell of differences whose true value is the bound."""
    return margin_power((cell, _model(cell).truth))


def margin_power(of: tuple[PairCell, float]) -> MarginShares:
    """Simulate a cell of differences and return how often they are shown to lie above a bound."""
    cell, bound = of
    model, rng = _model(cell), stream(SEED, "margin", *cell[:4], *["graded"] * cell.graded)
    outcomes = []
    for batch, flips in _batches(model, DESIGNS[cell.design], cell.trials, rng):
        listed = None if counted_by_halves(batch.clusters) else flips
        by_t = (clustered_t_limits(batch, 1 - 2 * ALPHA)[0] >= bound) & (batch.variance > 0)
        passes, by_flips = (method(batch, bound, listed) <= ALPHA for method in (margin_p, one_sided_p))
        outcomes.append((passes, by_flips, by_t, is_dense(batch)))
    return MarginShares(*(_mean(each) for each in zip(*outcomes, strict=True)))


def _model(cell: PairCell) -> DifferenceModel:
    return difference_model(cell.gain, cell.loss, cell.intraclass, graded=cell.graded)


def _batches(
    model: Model, sizes: tuple[int, ...], trials: int, rng: np.random.Generator
) -> Iterator[tuple[Batch, FloatArray]]:
    """Simulate trials, some at once, with flips for each lot of them."""
    flips = flips_of(len(sizes), rng)
    for start in range(0, trials, _AT_ONCE):
        batch = batch_of(model.sample(sizes, min(_AT_ONCE, trials - start), rng), sizes)
        yield batch, flips
        if len(sizes) > 20:
            flips = flips_of(len(sizes), rng)


def _within(limits: tuple[FloatArray, FloatArray], value: float) -> BoolArray:
    result: BoolArray = (limits[0] <= value) & (value <= limits[1])
    return result


def _mean(parts: Sequence[FloatArray | BoolArray]) -> float:
    return float(np.concatenate(parts).mean())
