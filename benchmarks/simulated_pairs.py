"""Simulated paired differences in clusters: sizes, a set intraclass correlation, and the true mean difference.

Scores come from latent normal variables, so that the truth is known and not estimated. What is done with the simulated
differences is in ``calibration_cells``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import numpy as np
from scipy import optimize, special

from promptrial.stats.pairing import FloatArray

__all__ = [
    "DESIGNS",
    "ArmsModel",
    "DifferenceModel",
    "Model",
    "arms_model",
    "difference_model",
]

_GRID: Final = np.linspace(-8.5, 8.5, 6801)
_WEIGHTS: Final = np.exp(-(_GRID**2) / 2) / np.exp(-(_GRID**2) / 2).sum()
"""A standard normal variable on a grid: the trapezoidal rule, exact to more than 9 digits for smooth functions."""

ITEM_SHARE: Final = 0.3
CLUSTER_SHARE: Final = 0.1
"""Shares of the latent variance that both arms have in common: how hard the item is, and how hard the cluster."""
BASE: Final = 0.6
"""The mean score of the control."""
SMALLEST: Final = 0.2
"""The smallest difference of continuous scores that are not equal."""


# --- designs -------------------------------------------------------------------------------------------------------


def _spread(low: int, high: int, count: int) -> tuple[int, ...]:
    """Return sizes that grow evenly from ``low`` to ``high``."""
    return tuple(int(size) for size in np.rint(np.linspace(low, high, count)))


def _exponential(mean: float, count: int) -> tuple[int, ...]:
    """Return the quantiles of an exponential distribution at the middle of ``count`` equal parts, at least 1."""
    levels = (np.arange(count) + 0.5) / count
    return tuple(int(size) for size in np.maximum(np.rint(-mean * np.log1p(-levels)), 1))


DESIGNS: Final[dict[str, tuple[int, ...]]] = {
    "5 even": (20,) * 5,
    "5 uneven (5 to 60)": (5, 12, 25, 40, 60),
    "6 even": (20,) * 6,
    "6 uneven (5 to 60)": _spread(5, 60, 6),
    "7 even": (20,) * 7,
    "7 uneven (5 to 60)": _spread(5, 60, 7),
    "8 even": (20,) * 8,
    "10 even": (20,) * 10,
    "10 uneven (1 to 40)": _spread(1, 40, 10),
    "15 uneven (1 to 30)": _spread(1, 30, 15),
    "20 even": (10,) * 20,
    "20 uneven (1 to 30)": _spread(1, 30, 20),
    "30 exponential": _exponential(8, 30),
    "39 of 2 and one of 60": (2,) * 39 + (60,),
    "40 even": (5,) * 40,
    "60 uneven (1 to 15)": _spread(1, 15, 60),
    "83 of 1 to 2": (1,) * 42 + (2,) * 41,
    "50 single items": (1,) * 50,
    "120 single items": (1,) * 120,
    "400 single items": (1,) * 400,
}
"""Sizes of the clusters by the name of the design."""


# --- scores of a latent variable -----------------------------------------------------------------------------------


class _Score(Protocol):
    """A score as a function of a standard normal variable."""

    def values(self, latent: FloatArray) -> FloatArray:
        """Return the scores."""

    def mean(self, given: FloatArray, deviation: float) -> FloatArray:
        """Return the expected score of a normal variable with these means and this standard deviation."""


@dataclass(frozen=True, slots=True)
class _Binary:
    """1 with probability ``rate``, else 0: the latent variable is above a threshold."""

    rate: float

    def values(self, latent: FloatArray) -> FloatArray:
        return (latent > -special.ndtri(self.rate)).astype(np.float64)

    def mean(self, given: FloatArray, deviation: float) -> FloatArray:
        result: FloatArray = special.ndtr((special.ndtri(self.rate) + given) / deviation)
        return result


@dataclass(frozen=True, slots=True)
class _Clipped:
    """A continuous score in [0, 1] with many zeros and ones, as token F1 has: a line cut at both ends."""

    centre: float
    slope: float = 1.2

    def values(self, latent: FloatArray) -> FloatArray:
        return np.clip(self.centre + self.slope * latent, 0.0, 1.0)

    def mean(self, given: FloatArray, deviation: float) -> FloatArray:
        middle, spread = self.centre + self.slope * given, self.slope * deviation
        result: FloatArray = _excess(middle, spread) - _excess(middle - 1.0, spread)
        return result


@dataclass(frozen=True, slots=True)
class _Difference:
    """A difference of 0/1 scores: 1 with probability ``gain``, -1 with probability ``loss``, else 0."""

    gain: float
    loss: float

    def values(self, latent: FloatArray) -> FloatArray:
        up, down = latent > -special.ndtri(self.gain), latent < special.ndtri(self.loss)
        return up.astype(np.float64) - down

    def mean(self, given: FloatArray, deviation: float) -> FloatArray:
        up = special.ndtr((special.ndtri(self.gain) + given) / deviation)
        down = special.ndtr((special.ndtri(self.loss) - given) / deviation)
        result: FloatArray = up - down
        return result


def _excess(middle: FloatArray, spread: float) -> FloatArray:
    """Return E max(X, 0) for X normal."""
    ratio = middle / spread
    density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    result: FloatArray = middle * special.ndtr(ratio) + spread * density
    return result


def _product(first: _Score, second: _Score, correlation: float) -> float:
    """Return the expected product of two scores whose latent variables have this correlation, below 1."""
    shared, own = _GRID * np.sqrt(correlation), float(np.sqrt(1 - correlation))
    return float((_WEIGHTS * first.mean(shared, own) * second.mean(shared, own)).sum())


def _expected(score: _Score) -> float:
    return float(score.mean(np.zeros(1), 1.0)[0])


def _square(score: _Score) -> float:
    return float((_WEIGHTS * score.values(_GRID) ** 2).sum())


# --- models --------------------------------------------------------------------------------------------------------


class Model(Protocol):
    """Where differences come from."""

    @property
    def truth(self) -> float:
        """The true mean difference."""

    def sample(self, sizes: tuple[int, ...], trials: int, rng: np.random.Generator) -> FloatArray:
        """Draw differences, shape (trials, items), the items of a cluster side by side."""


@dataclass(frozen=True, slots=True)
class ArmsModel:
    """Two arms whose latent variables share the item and the cluster; each arm has an effect of its own on a cluster.

    ``latent = sqrt(item) U_i + sqrt(cluster) G_c + sqrt(arm) V_ca + sqrt(rest) E_ia``, all standard normal. ``arm`` is
    the share that makes the differences of items of one cluster alike.
    """

    control: _Score
    treatment: _Score
    arm: float

    @property
    def truth(self) -> float:
        """The true mean difference."""
        return _expected(self.treatment) - _expected(self.control)

    @property
    def intraclass(self) -> float:
        """The intraclass correlation of the differences, by quadrature."""
        return _covariance_of_arms(self.control, self.treatment, self.arm) / _variance_of_arms(
            self.control, self.treatment
        )

    def sample(self, sizes: tuple[int, ...], trials: int, rng: np.random.Generator) -> FloatArray:
        """Draw differences, shape (trials, items), the items of a cluster side by side."""
        control, treatment = self.scores(sizes, trials, rng)
        difference: FloatArray = treatment - control
        return difference

    def scores(self, sizes: tuple[int, ...], trials: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw the scores of both arms, each of shape (trials, items)."""
        clusters, items = len(sizes), sum(sizes)
        of = np.repeat(np.arange(clusters), sizes)
        cluster = np.sqrt(CLUSTER_SHARE) * rng.standard_normal((trials, clusters))
        common = np.sqrt(ITEM_SHARE) * rng.standard_normal((trials, items)) + cluster[:, of]
        rest = np.sqrt(1 - ITEM_SHARE - CLUSTER_SHARE - self.arm)
        scores = []
        for score in (self.control, self.treatment):
            effect = np.sqrt(self.arm) * rng.standard_normal((trials, clusters))
            scores.append(score.values(common + effect[:, of] + rest * rng.standard_normal((trials, items))))
        return scores[0], scores[1]


@dataclass(frozen=True, slots=True)
class DifferenceModel:
    """Differences with set shares of gains and losses: ``latent = sqrt(r) V_c + sqrt(1 - r) E_i``.

    They are those of 0/1 scores, or, if ``graded``, of continuous ones: each is then multiplied by a uniform variable
    from ``SMALLEST`` to 1. The intraclass correlation is that of the signs.
    """

    score: _Difference
    shared: float
    graded: bool = False

    @property
    def truth(self) -> float:
        """The true mean difference."""
        return (self.score.gain - self.score.loss) * ((SMALLEST + 1) / 2 if self.graded else 1)

    @property
    def intraclass(self) -> float:
        """The intraclass correlation of the differences, by quadrature."""
        return _intraclass(self.score, self.shared)

    def sample(self, sizes: tuple[int, ...], trials: int, rng: np.random.Generator) -> FloatArray:
        """Draw differences, shape (trials, items), the items of a cluster side by side."""
        clusters, items = len(sizes), sum(sizes)
        effect = np.sqrt(self.shared) * rng.standard_normal((trials, clusters))
        latent = np.repeat(effect, sizes, axis=1)
        latent += np.sqrt(1 - self.shared) * rng.standard_normal((trials, items))
        values = self.score.values(latent)
        return values * rng.uniform(SMALLEST, 1, values.shape) if self.graded else values


@cache
def arms_model(kind: str, effect: float, intraclass: float) -> ArmsModel:
    """Return the model of two arms with a true difference and a set intraclass correlation of the differences.

    Parameters
    ----------
    kind : str
        ``em`` for 0/1 scores, ``f1`` for continuous ones.
    effect : float
        The true mean difference.
    intraclass : float
        From 0 to about 0.4.

    Raises
    ------
    ValueError
        If no arm-by-cluster effect gives this correlation.
    """
    control, treatment = (_score_with_mean(kind, mean) for mean in (BASE, BASE + effect))
    variance = _variance_of_arms(control, treatment)

    def excess(arm: float) -> float:
        return _covariance_of_arms(control, treatment, arm) / variance - intraclass

    # Unequal arms have a small correlation of their own, since a hard cluster takes more from one of them.
    lowest, highest = 0.0, 1 - ITEM_SHARE - CLUSTER_SHARE
    arm = lowest if excess(lowest) >= 0 else float(optimize.brentq(excess, lowest, highest, xtol=1e-12))
    return ArmsModel(control, treatment, arm)


@cache
def difference_model(gain: float, loss: float, intraclass: float, *, graded: bool = False) -> DifferenceModel:
    """Return the model with these shares of gains and losses and this intraclass correlation."""
    score = _Difference(gain, loss)
    if intraclass == 0:
        return DifferenceModel(score, 0.0, graded)
    shared = optimize.brentq(lambda r: _intraclass(score, r) - intraclass, 0.0, 0.999, xtol=1e-12)
    return DifferenceModel(score, float(shared), graded)


def _score_with_mean(kind: str, mean: float) -> _Score:
    if kind == "em":
        return _Binary(mean)
    centre = optimize.brentq(lambda centre: _expected(_Clipped(centre)) - mean, -4.0, 5.0, xtol=1e-14)
    return _Clipped(float(centre))


def _covariance_of_arms(control: _Score, treatment: _Score, arm: float) -> float:
    """Return the covariance of the differences of two items of one cluster."""
    within, across = CLUSTER_SHARE + arm, CLUSTER_SHARE
    products = sum(_product(score, score, within) for score in (control, treatment))
    truth = _expected(treatment) - _expected(control)
    return products - 2 * _product(control, treatment, across) - truth**2


def _variance_of_arms(control: _Score, treatment: _Score) -> float:
    squares = _square(control) + _square(treatment)
    truth = _expected(treatment) - _expected(control)
    return squares - 2 * _product(control, treatment, ITEM_SHARE + CLUSTER_SHARE) - truth**2


def _intraclass(score: _Difference, shared: float) -> float:
    truth = score.gain - score.loss
    variance = score.gain + score.loss - truth**2
    return (_product(score, score, shared) - truth**2) / variance
