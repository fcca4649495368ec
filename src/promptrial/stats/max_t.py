"""Sign flips of whole clusters, made in many contrasts at once, and the largest statistic among them (max-T).

One sign is drawn for a cluster and flips its differences in every contrast, so that the joint distribution keeps the
correlation that a shared control brings. Contrasts become comparable by a scale that no flip changes, the root of the
sum of squared cluster sums: ``T_j = sum_c D_cj / sqrt(sum_c D_cj^2)``. What ranks are made of it is in ``ranking``.

What has to hold: the vectors of cluster sums of the contrasts without an effect are as probable as their negatives.
Each contrast alone is symmetric where its two arms are exchangeable within a cluster; that several are so together
holds in large samples, since flips keep means and covariances, and what is left of it in small ones is in the
calibration. The flips of some contrasts do not depend on the others (subset pivotality), so that the error rate over
the contrasts without an effect is kept whatever effects the others have.

0/1 scores that share no cluster are decided by the score test, whose p-value lies between two steps of the flips'
(close to the mid-p-value). Their drawn statistics are therefore spread evenly over the step around each, unless all
flips are looked at, so that a contrast that is left alone has the p-value of its own test.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from promptrial.stats.pairing import BoolArray, FloatArray
from promptrial.stats.resampling import all_joint_sign_sums, joint_sign_sums
from promptrial.stats.sign_flips import FEWEST_FLIPS
from promptrial.stats.streams import stream

__all__ = ["JointFlips", "MaxT", "counted_statistics", "joint_flips", "max_t", "step_down"]

LARGEST_ENUMERATION: Final = 14
"""Up to so many clusters with a difference, every flip is looked at: 8,192 at most."""
_MOST_FLIPS: Final = 16 * FEWEST_FLIPS
_MOST_NUMBERS: Final = 8_000_000
"""Flips times contrasts that are held at most: 64 MB."""
_DECIMALS: Final = 9
_FEWEST_BEYOND: Final = 20
"""Draws beyond a quantile that make it worth taking."""
_STANDARD_ERRORS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class JointFlips:
    """The statistics of several contrasts under the same flips.

    Attributes
    ----------
    rows : ndarray of float, shape (C, q)
        Sums of the differences by cluster and contrast; 0 where a cluster has no pair in a contrast.
    observed : ndarray of float, shape (q,)
        T of each contrast, signed; 0 where a contrast has no difference anywhere.
    draws : ndarray of float, shape (M, q)
        T under each flip; the first is the flip that changes nothing.
    steps : ndarray of float, shape (q,)
        The distance of two values of T where draws are spread over it, else 0.
    enumerated : bool
        Whether all flips were looked at, a flip and its opposite counted as one.
    seed : int
    batches : int
        How many times ``FEWEST_FLIPS`` were drawn.
    """

    rows: FloatArray
    observed: FloatArray
    draws: FloatArray
    steps: FloatArray
    enumerated: bool
    seed: int
    batches: int

    @property
    def flips(self) -> int:
        """How many flips there are, that which changes nothing included."""
        return len(self.draws)

    @property
    def can_grow(self) -> bool:
        """Whether more flips would say more, and memory is bounded with them."""
        most = min(_MOST_FLIPS, _MOST_NUMBERS // max(self.rows.shape[1], 1))
        return not self.enumerated and 2 * self.batches * FEWEST_FLIPS <= most

    def grown(self) -> JointFlips:
        """Return as many flips again: the same as before, and further ones."""
        more = [_drawn(self.rows, self.steps, self.seed, batch) for batch in range(self.batches, 2 * self.batches)]
        return replace(self, draws=np.concatenate([self.draws, *more]), batches=2 * self.batches)

    def standard_error(self, p: float) -> float:
        """Return the Monte Carlo standard error of a p-value; 0 if enumerated."""
        return 0.0 if self.enumerated else math.sqrt(p * (1 - p) / self.flips)

    def close(self, p: FloatArray, level: float) -> bool:
        """Return whether a p-value is within three Monte Carlo standard errors of a level."""
        return any(abs(each - level) <= _STANDARD_ERRORS * self.standard_error(float(each)) for each in p)


@dataclass(frozen=True, slots=True, eq=False)
class MaxT:
    """What max-T says about some contrasts: arrays of shape (q,), in their order.

    Attributes
    ----------
    single_step, step_down : ndarray of float
        Adjusted p-values in (0, 1]; never below the p-value of the contrast alone, and ``step_down`` never above
        ``single_step``.
    levels : ndarray of float
        At which level the interval of a contrast alone has to be taken so that all of them hold together; 0 where none
        can.
    """

    single_step: FloatArray
    step_down: FloatArray
    levels: FloatArray


def joint_flips(rows: FloatArray, spread: BoolArray | None = None, *, seed: int = 0) -> JointFlips:
    """Flip the signs of whole clusters in several contrasts at once: all of them up to 14 clusters, else 9,999.

    Parameters
    ----------
    rows : ndarray of float, shape (C, q)
        Sums of the paired differences by cluster and contrast. An item that is missing in an arm is missing in the
        contrasts of that arm alone.
    spread : ndarray of bool, shape (q,), optional
        Which contrasts are of 0/1 scores that share no cluster, and decided by the score test; none by default.
    seed : int
        Draws depend on it and on the rows, whatever their order.

    Notes
    -----
    Memory is O(C q + M q). Flips are drawn in batches, each with a stream of its own.

    References
    ----------
    Westfall, P.H., Young, S.S. (1993). Resampling-based multiple testing, chapter 2. Wiley. Phipson, B., Smyth, G.K.
    (2010). Permutation p-values should never be zero. Statistical Applications in Genetics and Molecular Biology 9:39.
    """
    leaning = rows[(rows != 0).any(axis=1)]
    leaning = leaning[np.lexsort(leaning.T)]  # sums of numbers in another order differ in their last digits
    scale = np.sqrt((leaning**2).sum(axis=0))
    scaled = leaning / np.where(scale > 0, scale, 1.0)
    observed = np.round(scaled.sum(axis=0), _DECIMALS)
    steps = np.zeros(len(scale)) if spread is None else np.where(spread & (scale > 0), 2 / np.maximum(scale, 1.0), 0.0)
    if len(scaled) <= LARGEST_ENUMERATION:
        every = all_joint_sign_sums(scaled)
        draws = np.round(every[: max(1, len(every) // 2)], _DECIMALS)
        draws[0] = observed
        return JointFlips(scaled, observed, draws, np.zeros_like(steps), enumerated=True, seed=seed, batches=0)
    draws = np.concatenate([observed[None], _drawn(scaled, steps, seed, 0)])
    return JointFlips(scaled, observed, draws, steps, enumerated=False, seed=seed, batches=1)


def _drawn(scaled: FloatArray, steps: FloatArray, seed: int, batch: int) -> FloatArray:
    content = hashlib.sha256(scaled.tobytes()).hexdigest()
    rng = stream(seed, "joint sign flips", content, batch)
    drawn = joint_sign_sums(scaled, FEWEST_FLIPS, rng)
    if steps.any():
        drawn += rng.uniform(-0.5, 0.5, size=drawn.shape) * steps
    return np.round(drawn, _DECIMALS)


def max_t(flips: JointFlips, columns: Sequence[int], p: FloatArray, level: float) -> MaxT:
    """Correct the two-sided tests of some contrasts together by max-T.

    Parameters
    ----------
    flips : JointFlips
    columns : sequence of int
        Which of its contrasts are tested.
    p : ndarray of float, shape (q,)
        What the test that decides says about each contrast alone. Where it says less than the flips do, and where the
        score test decides, a contrast counts with the statistic that the flips reach with that probability.
    level : float
        Of the intervals that hold together, 1 less their confidence.

    Examples
    --------
    >>> flips = joint_flips(np.array([[1.0, 1.0], [2.0, -1.0], [3.0, 1.0], [1.0, 2.0], [1.0, 1.0]]))
    >>> found = max_t(flips, [0, 1], np.array([0.0625, 0.3125]), 0.1)
    >>> found.single_step.tolist(), found.step_down.tolist(), found.levels.tolist()
    ([0.125, 0.5], [0.125, 0.3125], [0.0, 0.0625])
    """
    if not len(columns):
        return MaxT(np.zeros(0), np.zeros(0), np.zeros(0))
    drawn = np.abs(flips.draws[:, columns])
    observed = counted_statistics(flips, columns, p)
    largest = drawn.max(axis=1)
    single = np.array([np.count_nonzero(largest >= each) / len(largest) for each in observed])
    critical = _critical(largest, level)
    levels = (drawn >= critical).mean(axis=0)
    return MaxT(np.maximum(single, p), np.maximum(step_down(observed, [drawn]), p), levels)


def counted_statistics(flips: JointFlips, columns: Sequence[int], p: FloatArray) -> FloatArray:
    """Return the size of the statistic with which each contrast counts, given the p-values of ``max_t``."""
    found = np.abs(flips.observed[list(columns)])
    for place, column in enumerate(columns):
        drawn = np.abs(flips.draws[:, column])
        known = flips.steps[column] > 0 and p[place] * len(drawn) >= _FEWEST_BEYOND
        if known or p[place] > np.count_nonzero(drawn >= found[place]) / len(drawn):
            found[place] = _critical(drawn, float(p[place]))
    return found


def step_down(observed: FloatArray, draws: Sequence[FloatArray]) -> FloatArray:
    """Return step-down adjusted p-values of one-sided statistics: each is compared with those not above it alone.

    ``adj p_(i) = max over j <= i of the share of draws in which max over k >= j of T*_(k) is at least T_(j)``, the
    statistics in descending order.

    Parameters
    ----------
    observed : ndarray of float, shape (q,)
    draws : sequence of ndarrays of float, each of shape (M, q)
        Their rows are draws from the joint distribution.

    References
    ----------
    Westfall and Young (1993), algorithm 2.8. Ge, Y., Dudoit, S., Speed, T.P. (2003). Resampling-based multiple testing
    for microarray data analysis. TEST 12:1-77, section 3.2.
    """
    order = np.argsort(-observed, kind="stable")
    adjusted = np.empty(len(observed))
    largest = [np.full(len(each), -np.inf) for each in draws]
    total = sum(map(len, draws))
    for column in order[::-1]:
        for running, each in zip(largest, draws, strict=True):
            np.maximum(running, each[:, column], out=running)
        adjusted[column] = sum(np.count_nonzero(each >= observed[column]) for each in largest) / total
    adjusted[order] = np.maximum.accumulate(adjusted[order])
    return adjusted


def _critical(values: FloatArray, level: float) -> float:
    """Return the smallest of the values that a share of at most ``level`` of them reaches; infinite without any."""
    reached = math.floor(level * len(values) * (1 + 1e-12) + 1e-9)
    if reached >= len(values):
        return float(values.min())
    place = len(values) - 1 - reached
    above = values[values > np.partition(values, place)[place]]
    return float(above.min()) if len(above) else math.inf
