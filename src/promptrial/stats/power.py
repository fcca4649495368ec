"""How many items a comparison needs, and what it could detect: Miller, Connor, exact McNemar, and the t-test.

The program itself calls ``minimum_detectable_effect`` alone: ``design.power`` plans with the tests that will decide.
The other functions are for plans of your own in Python. They are published formulas that results of the program are
compared with in tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from scipy import special

from promptrial.documents.usual import POWER
from promptrial.stats.binomial import half_binomial_critical_values
from promptrial.stats.pairing import IntArray

__all__ = [
    "connor_sample_size",
    "mcnemar_power",
    "miller_sample_size",
    "minimum_detectable_effect",
    "t_test_power",
    "t_test_sample_size",
]

_LARGEST_N: Final = 1e9


def miller_sample_size(
    delta: float,
    between: float,
    within_control: float = 0.0,
    within_treatment: float = 0.0,
    *,
    replicates_control: int = 1,
    replicates_treatment: int = 1,
    design_effect: float = 1.0,
    alpha: float = 0.05,
    power: float = POWER,
) -> float:
    """Compute the items needed to detect a paired difference ``delta``, two-sided.

    ``n = (z_(1-alpha/2) + z_power)^2 (omega^2 + sigma_A^2/K_A + sigma_B^2/K_B) / delta^2``, times the design effect.

    Parameters
    ----------
    delta : float
        Not 0.
    between : float
        omega^2, the variance over items of the expected difference.
    within_control, within_treatment : float
        sigma^2, the mean variance of replicates within an item.
    replicates_control, replicates_treatment : int
        K, at least 1.

    Returns
    -------
    float
        Not rounded; take the next integer.

    References
    ----------
    Miller, E. (2024). Adding error bars to evals. arXiv:2411.00640, section 5.

    Examples
    --------
    >>> math.ceil(miller_sample_size(0.03, 1 / 9))
    969
    """
    variance = between + within_control / replicates_control + within_treatment / replicates_treatment
    return design_effect * variance * (_z(alpha / 2) + _z(1 - power)) ** 2 / delta**2


def minimum_detectable_effect(se: float, df: float, *, alpha: float = 0.05, power: float = POWER) -> float:
    """Return the difference that a two-sided test detects with this power, given the standard error of the difference.

    ``(t_(1-alpha/2) + t_power) SE``, with quantiles of Student's t. With infinitely many degrees of freedom it inverts
    ``miller_sample_size``, the clustered standard error carrying the design effect.

    Parameters
    ----------
    se : float
        Above 0.
    df : float
        Degrees of freedom of the standard error: clusters less one. Above 0, may be infinite.

    References
    ----------
    Bloom, H.S. (1995). Minimum detectable effects: a simple way to report the statistical power of experimental
    designs. Evaluation Review 19:547-556.

    Examples
    --------
    >>> round(minimum_detectable_effect(0.1, 9), 4), round(minimum_detectable_effect(0.1, math.inf), 4)
    (0.3146, 0.2802)
    """
    return float(special.stdtrit(df, 1 - alpha / 2) + special.stdtrit(df, power)) * se


def connor_sample_size(delta: float, discordance: float, *, alpha: float = 0.05, power: float = POWER) -> float:
    """Compute the pairs that McNemar's test needs to detect a risk difference, two-sided.

    ``n = (z_(1-alpha/2) sqrt(psi) + z_power sqrt(psi - delta^2))^2 / delta^2`` with psi the share of discordant pairs.

    Raises
    ------
    ValueError
        If ``discordance`` is below ``|delta|``, which is impossible.

    References
    ----------
    Connor, R.J. (1987). Sample size for testing differences in proportions for the paired-sample design. Biometrics
    43:207-211.

    Examples
    --------
    >>> round(connor_sample_size(0.02, 0.05951818611242324), 2)
    1165.52
    """
    if discordance < abs(delta):
        raise ValueError(f"a discordance of {discordance} cannot hold a difference of {delta}")
    root = _z(alpha / 2) * math.sqrt(discordance) + _z(1 - power) * math.sqrt(discordance - delta**2)
    return root**2 / delta**2


def mcnemar_power(
    n: int,
    treatment_only: float,
    control_only: float,
    *,
    alpha: float = 0.05,
    method: Literal["exact", "midp", "score"] = "midp",
) -> float:
    """Compute the exact unconditional power of McNemar's test, two-sided.

    The power given D discordant pairs, summed over D ~ Bin(n, psi).

    Parameters
    ----------
    n : int
        Pairs.
    treatment_only, control_only : float
        Probabilities of the two kinds of discordant pairs; psi is their sum, in (0, 1].
    method : {"exact", "midp", "score"}
        Which p-value is compared with ``alpha``; "score" is the test without correction, whose statistic
        ``(b - c)^2 / (b + c)`` is referred to chi-square with one degree of freedom.

    Notes
    -----
    O(n) memory. Under the null (equal probabilities) this is the size of the test.

    References
    ----------
    McNemar, Q. (1947). Note on the sampling error of the difference between correlated proportions or percentages.
    Psychometrika 12:153-157.

    Examples
    --------
    >>> mcnemar_power(100, 0.1, 0.1, method="exact") < mcnemar_power(100, 0.1, 0.1) < 0.05
    True
    >>> round(mcnemar_power(20, 0.5, 0.0, method="score"), 4)  # at least 4 of one kind, and none of the other
    0.9987
    """
    psi = treatment_only + control_only
    discordant = np.arange(n + 1)
    weight = special.bdtr(discordant, n, psi) - np.where(discordant, special.bdtr(discordant - 1, n, psi), 0.0)
    if method == "score":
        critical = _score_critical_values(discordant, alpha)
    else:
        critical = half_binomial_critical_values(n, alpha, midp=method == "midp")
    lower = np.where(critical >= 0, special.bdtr(critical, discordant, treatment_only / psi), 0.0)
    upper = np.where(critical >= 0, special.bdtr(critical, discordant, control_only / psi), 0.0)
    return float((weight * (lower + upper)).sum())


def _score_critical_values(discordant: IntArray, alpha: float) -> IntArray:
    """Return the most pairs of the rarer kind with which the test without correction rejects; -1 where it cannot."""
    most = np.floor((discordant - _z(alpha / 2) * np.sqrt(discordant)) / 2 + 1e-9).astype(np.int64)
    return np.where((most >= 0) & (discordant > 0), most, -1)


def t_test_power(
    n: float,
    delta: float,
    sd: float,
    *,
    alpha: float = 0.05,
    design: Literal["two_sample", "paired"] = "paired",
    sides: int = 2,
) -> float:
    """Compute the power of Student's t-test to find a difference in the direction of ``delta``.

    Parameters
    ----------
    n : float
        Pairs, or subjects in each of two groups; above 1.
    delta, sd : float
        True difference, and standard deviation of the differences (paired) or within a group (two-sample).
    sides : {1, 2}
        Rejections in the wrong direction are not counted, as in R's ``power.t.test`` with ``strict = FALSE``.

    Examples
    --------
    >>> round(t_test_power(20, 1, 1, design="two_sample"), 7)
    0.8689528
    """
    groups = 2 if design == "two_sample" else 1
    df = groups * (n - 1)
    noncentrality = math.sqrt(n / groups) * abs(delta) / sd
    return float(1 - special.nctdtr(df, noncentrality, special.stdtrit(df, 1 - alpha / sides)))


def t_test_sample_size(
    delta: float,
    sd: float,
    *,
    power: float = POWER,
    alpha: float = 0.05,
    design: Literal["two_sample", "paired"] = "paired",
    sides: int = 2,
) -> float:
    """Compute the pairs (or subjects a group) that Student's t-test needs; the inverse of ``t_test_power``.

    Raises
    ------
    ValueError
        If it would take more than a billion, for example because ``delta`` is 0.

    Examples
    --------
    >>> round(t_test_sample_size(1, 1, power=0.9, design="two_sample"), 3)
    22.021
    """

    def falls_short(n: float) -> bool:
        return t_test_power(n, delta, sd, alpha=alpha, design=design, sides=sides) < power

    return _least(falls_short)


def _least(falls_short: Callable[[float], bool]) -> float:
    low, high = 1.0, 2.0
    while falls_short(high):
        low, high = high, high * 2
        if high > _LARGEST_N:
            raise ValueError("more than a billion items: the effect is too small to plan for")
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if falls_short(middle) else (low, middle)
    return high


def _z(tail: float) -> float:
    return float(-special.ndtri(tail))
