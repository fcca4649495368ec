"""Group-sequential bounds: how large a test statistic has to be at each look so that all looks together err rarely.

The error that may be made is spent look by look, as a function of the share of the information that is in. The bounds
follow from the joint distribution of the statistics, by numerical integration. Nothing here looks at scores.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from promptrial.stats import elementary
from promptrial.stats.score_table import FloatArray

__all__ = ["Crossings", "SpendingRule", "bounds", "crossings", "fractions_of", "nominal_levels", "spent"]

SpendingRule = Literal["obrien_fleming", "pocock"]

_NODES: Final = 400
_FARTHEST: Final = 8.5
"""No bound is above this; beyond it lies less than 2e-17 of a normal distribution."""
_BISECTIONS: Final = 50
_DECIMALS: Final = 10
"""Of a bound: further ones depend on how a processor computes the nodes of the quadrature."""


def spent(rule: SpendingRule, fractions: FloatArray, alpha: float) -> FloatArray:
    """Return how much of a two-sided level is spent once a share of the information is in.

    * ``obrien_fleming``: ``4 (1 - Phi(z / sqrt(t)))`` with z the quantile at ``1 - alpha / 4``: hardly anything early.
    * ``pocock``: ``alpha log(1 + (e - 1) t)``: about as much at each look.

    Parameters
    ----------
    rule : str
    fractions : ndarray of float
        In (0, 1].
    alpha : float
        Two-sided, in (0, 1); half of it is spent on each side.

    References
    ----------
    Lan, K.K.G., DeMets, D.L. (1983). Discrete sequential boundaries for clinical trials. Biometrika 70:659-663.

    Examples
    --------
    >>> spent("obrien_fleming", np.array([0.5, 1.0]), 0.05).round(5).tolist()
    [0.00305, 0.05]
    >>> spent("pocock", np.array([0.5, 1.0]), 0.05).round(4).tolist()
    [0.031, 0.05]
    """
    if rule == "pocock":
        return alpha * elementary.log1p((np.e - 1) * fractions)
    special = elementary.special_functions()
    found: FloatArray = 4 * special.ndtr(special.ndtri(alpha / 4) / np.sqrt(fractions))
    return found


def bounds(rule: SpendingRule, fractions: Sequence[float] | FloatArray, alpha: float = 0.05) -> FloatArray:
    """Return the bound of ``|z|`` at each look: a standardised difference at least as large is significant there.

    Parameters
    ----------
    rule : str
    fractions : sequence of float, shape (n_looks,)
        The share of the information at each look, increasing, in (0, 1]. The last one is 1 at the end of the trial.
    alpha : float
        Two-sided level of all looks together, in (0, 1).

    Returns
    -------
    ndarray, shape (n_looks,)
        At most 8.5.

    Raises
    ------
    ValueError
        If the fractions do not increase, or one lies outside (0, 1].

    References
    ----------
    Lan and DeMets (1983), as above. Armitage, P., McPherson, C.K., Rowe, B.C. (1969). Repeated significance tests on
    accumulating data. JRSS A 132:235-244 (the recursion).

    Examples
    --------
    >>> bounds("obrien_fleming", [0.5, 1.0]).round(3).tolist()
    [2.963, 1.969]
    """
    times = _checked(fractions)
    spending = np.diff(spent(rule, times, alpha), prepend=0.0)
    found, state = [], _State.start()
    for time, level in zip(times, spending, strict=True):
        found.append(state.bound_for(float(time), float(level)))
        state = state.after(float(time), found[-1])
    return np.round(found, _DECIMALS)


def nominal_levels(critical: FloatArray) -> FloatArray:
    """Return the two-sided p-value that each bound stands for: a test whose p is at most this crosses it.

    Examples
    --------
    >>> nominal_levels(np.array([2.963, 1.969])).round(4).tolist()
    [0.003, 0.049]
    """
    found: FloatArray = 2 * elementary.special_functions().ndtr(-critical)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Crossings:
    """The probability of crossing a bound first at each look, upwards and downwards; shape (n_looks,) each."""

    upper: FloatArray
    lower: FloatArray

    @property
    def power(self) -> float:
        """The probability of crossing any bound."""
        return float(self.upper.sum() + self.lower.sum())

    def expected_fraction(self, fractions: Sequence[float] | FloatArray) -> float:
        """Return the share of the information that is collected on average, if crossing a bound ends the trial."""
        times, either = np.asarray(fractions, dtype=np.float64), self.upper + self.lower
        return float((either[:-1] * times[:-1]).sum() + (1 - either[:-1].sum()) * times[-1])


def crossings(critical: FloatArray, fractions: Sequence[float] | FloatArray, drift: float = 0.0) -> Crossings:
    """Return how likely each bound is crossed first.

    Parameters
    ----------
    critical : ndarray, shape (n_looks,)
        Bounds of ``|z|``.
    fractions : sequence of float, shape (n_looks,)
        As for ``bounds``.
    drift : float
        The mean of the standardised difference once all information is in: the true difference over its standard error
        then. 0 where there is no difference.

    Examples
    --------
    >>> found = crossings(bounds("pocock", [0.5, 1.0]), [0.5, 1.0])
    >>> round(found.power, 4)
    0.05
    """
    times = _checked(fractions)
    upper, lower, state = [], [], _State.start(drift)
    for time, bound in zip(times, critical, strict=True):
        above, below = state.beyond(float(time), float(bound))
        upper.append(above)
        lower.append(below)
        state = state.after(float(time), float(bound))
    return Crossings(np.array(upper), np.array(lower))


def fractions_of(counts: Sequence[int]) -> FloatArray:
    """Return the share of the information after each wave, given how many independent units each one has.

    Examples
    --------
    >>> fractions_of([100, 100, 200]).tolist()
    [0.25, 0.5, 1.0]
    """
    return np.cumsum(counts) / sum(counts)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Where the process ``z sqrt(t)`` may be at a time, without a bound crossed so far: its density at some nodes.

    ``mass`` is the density times the weight of the quadrature. Increments are normal with mean ``drift`` and variance 1
    per unit of time.
    """

    time: float
    drift: float
    nodes: FloatArray
    mass: FloatArray

    @classmethod
    def start(cls, drift: float = 0.0) -> _State:
        return cls(0.0, drift, np.zeros(1), np.ones(1))

    def beyond(self, time: float, bound: float) -> tuple[float, float]:
        """Return the probabilities of being above the bound of ``|z|`` at a time, and below its negative."""
        step, edge = np.sqrt(time - self.time), bound * np.sqrt(time)
        moved = self.nodes + self.drift * (time - self.time)
        special = elementary.special_functions()
        above, below = special.ndtr((moved - edge) / step), special.ndtr((-edge - moved) / step)
        return float((self.mass * above).sum()), float((self.mass * below).sum())

    def bound_for(self, time: float, level: float) -> float:
        """Return the bound that is crossed with a probability, by bisection; the farthest one if it is too small."""
        low, high = 0.0, _FARTHEST
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if sum(self.beyond(time, middle)) > level else (low, middle)
        return high

    def after(self, time: float, bound: float) -> _State:
        """Return where the process may be at a time if it has not crossed that bound either."""
        edge, step = bound * np.sqrt(time), np.sqrt(time - self.time)
        places, weights = _nodes()
        nodes, weights = places * edge, weights * edge
        moved = self.nodes + self.drift * (time - self.time)
        away = (nodes[:, None] - moved[None, :]) / step
        density = elementary.weighted_sums(elementary.exp(-0.5 * away * away), self.mass) / (step * np.sqrt(2 * np.pi))
        return _State(time, self.drift, nodes, density * weights)


@functools.cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    """Return places and weights of Gauss and Legendre's quadrature on [-1, 1]."""
    return np.polynomial.legendre.leggauss(_NODES)


def _checked(fractions: Sequence[float] | FloatArray) -> FloatArray:
    times = np.asarray(fractions, dtype=np.float64)
    if not len(times) or times[0] <= 0 or times[-1] > 1 + 1e-12 or (np.diff(times) <= 0).any():
        raise ValueError("the shares of the information have to increase, and to lie in (0, 1]")
    return np.minimum(times, 1.0)
