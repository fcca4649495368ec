"""The exact null distribution of a sum under random signs, where the summands lie on a lattice. No random numbers.

Sums of 0/1 scores are whole numbers, and means of K replicates are multiples of 1/K. Equal sums then form classes: m
values of size a contribute ``a (2 B - m)``, B ~ Bin(m, 1/2), so that the sum is a convolution of one binomial a class.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from promptrial.stats.clusters import DECIMALS
from promptrial.stats.pairing import FloatArray, IntArray

__all__ = ["exact_sign_flip_p", "lattice_steps"]

_LARGEST_DENOMINATOR: Final = 1000
_LARGEST_WORK: Final = 20_000_000
_NEWTON_STEPS: Final = 200


def lattice_steps(sums: FloatArray) -> IntArray | None:
    """Write sums as whole multiples of one step 1/q, q up to 1,000, the smallest that fits.

    Parameters
    ----------
    sums : ndarray of float, shape (C,)
        Rounded to ``DECIMALS``, or sums of values that were.

    Returns
    -------
    ndarray of int, shape (C,), or None
        None where no such step exists.

    Examples
    --------
    >>> lattice_steps(np.array([1.0, -0.5, 1 / 3]))
    array([ 6, -3,  2])
    >>> lattice_steps(np.array([1.0, math.sqrt(2)])) is None
    True
    """
    denominators = np.arange(1, _LARGEST_DENOMINATOR + 1)
    rounding = 1e-9 + len(sums) * 10.0**-DECIMALS
    for value in np.unique(np.abs(sums)):
        multiples = denominators * value
        denominators = denominators[np.abs(multiples - np.rint(multiples)) <= denominators * rounding]
        if not len(denominators):
            return None
    steps: IntArray = np.rint(sums * denominators[0]).astype(np.int64)
    return steps


def exact_sign_flip_p(steps: IntArray) -> float | None:
    """Compute ``P(|sum of s_i x_i| >= |sum of x_i|)`` under independent fair signs ``s_i``.

    Parameters
    ----------
    steps : ndarray of int, shape (C,)
        The values x_i, in steps of their lattice.

    Returns
    -------
    float or None
        In (0, 1]; None where the distribution has so many points and classes that sampling is cheaper.

    Notes
    -----
    The characteristic function is a product of one power a class; a discrete Fourier transform inverts it. The
    distribution is tilted exponentially so that its mean is the observed sum (Esscher 1932): the tail then keeps ten
    digits however small it is. The transform spans ten standard deviations of the sum without tilt; by Hoeffding's
    inequality less than 1e-21 of the tilted distribution lies outside.

    References
    ----------
    Esscher, F. (1932). On the probability function in the collective theory of risk. Skandinavisk Aktuarietidskrift
    15:175-195. Hoeffding, W. (1963). Probability inequalities for sums of bounded random variables. JASA 58:13-30.

    Examples
    --------
    >>> exact_sign_flip_p(np.array([1] * 7 + [-1]))
    0.0703125
    """
    observed = abs(int(steps.sum()))
    sizes, members = np.unique(np.abs(steps[steps != 0]), return_counts=True)
    if observed == 0:
        return 1.0
    divisor = int(np.gcd.reduce(sizes))
    sizes, observed = sizes // divisor, observed // divisor
    highest = int((sizes * members).sum())
    if observed == highest:
        return max(math.exp2(1 - int(members.sum())), 5e-324)
    variance = float((members * sizes.astype(np.float64) ** 2).sum())
    length = 2 ** math.ceil(math.log2(2 * min(highest + 1.0, 5 * math.sqrt(variance))))
    if length * len(sizes) > _LARGEST_WORK:
        return None
    # In G = (highest + sum) / 2, the sum of the positive values: P(sum >= observed) = P(G >= reached).
    tail = _log_upper_tail(sizes, members, (highest + observed) // 2, length)
    return min(1.0, max(_rounded(2 * math.exp(tail)), 5e-324))


def _log_upper_tail(sizes: IntArray, members: IntArray, reached: int, length: int) -> float:
    """Return ``log P(G >= reached)``, G the sum of binomials Bin(m, 1/2) times their sizes."""
    tilt = _tilt(sizes, members, reached)
    share = 1 / (1 + np.exp(-tilt * sizes))
    angles = 2 * np.pi * np.arange(length // 2 + 1) / length
    transform = np.exp(-1j * ((angles * reached) % (2 * np.pi)))
    for size, count, positive in zip(sizes, members, share, strict=True):
        transform *= (1 - positive + positive * np.exp(1j * ((angles * size) % (2 * np.pi)))) ** int(count)
    # The transform of the reversed sequence is the conjugate; `irfft` wants exp(-i t x).
    tilted = np.fft.irfft(np.conj(transform), length)
    steps = np.arange(length // 2)
    tail = float((np.maximum(tilted[: length // 2], 0.0) * np.exp(-tilt * steps)).sum())
    normaliser = float((members * (np.logaddexp(0.0, tilt * sizes) - math.log(2))).sum())
    return normaliser - tilt * reached + math.log(tail)


def _tilt(sizes: IntArray, members: IntArray, reached: int) -> float:
    """Return the tilt at which the mean of the tilted sum is ``reached``; found by bisection."""
    low, high = 0.0, 1.0
    while float((sizes * members / (1 + np.exp(-high * sizes))).sum()) < reached:
        high *= 2
    for _ in range(_NEWTON_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        mean = float((sizes * members / (1 + np.exp(-middle * sizes))).sum())
        low, high = (middle, high) if mean < reached else (low, middle)
    return low


def _rounded(p: float) -> float:
    """Return p without the last digits, which the transform leaves to chance."""
    return float(f"{p:.10g}")
