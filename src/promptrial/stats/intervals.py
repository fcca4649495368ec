"""Confidence intervals of one proportion, and the normal quantile that they and others need."""

from __future__ import annotations

from scipy import special

__all__ = ["clopper_pearson", "level_text", "two_sided_z", "wilson"]


def two_sided_z(confidence: float) -> float:
    """Return the normal quantile of a two-sided interval: 1.96 for 0.95."""
    return float(special.ndtri(0.5 + confidence / 2))


def level_text(confidence: float) -> str:
    """Return a level in words: ``95%``."""
    return f"{100 * confidence:g}%"


def wilson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's score interval of a binomial proportion, without continuity correction.

    Parameters
    ----------
    successes : float
        In [0, n].
    n : float
        Above 0; an effective sample size need not be whole.
    confidence : float
        In (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper limit, in [0, 1]; exactly 0 or 1 at the ends.

    Raises
    ------
    ValueError
        If ``n`` is 0 or ``successes`` is outside [0, n].

    References
    ----------
    Newcombe, R.G. (1998). Two-sided confidence intervals for the single proportion. Statistics in Medicine 17:857-872,
    method 3.

    Examples
    --------
    >>> low, high = wilson(15, 148)
    >>> f"{low:.4f} {high:.4f}"
    '0.0624 0.1605'
    """
    _check(successes, n)
    z2 = two_sided_z(confidence) ** 2
    share = successes / n
    centre = share + z2 / (2 * n)
    half = (z2 * (share * (1 - share) + z2 / (4 * n)) / n) ** 0.5
    low = 0.0 if successes == 0 else (centre - half) / (1 + z2 / n)
    high = 1.0 if successes == n else (centre + half) / (1 + z2 / n)
    return low, high


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the exact (Clopper-Pearson) interval of a binomial proportion.

    Parameters, Returns and Raises are those of ``wilson``.

    References
    ----------
    Clopper, C.J., Pearson, E.S. (1934). The use of confidence or fiducial limits. Biometrika 26:404-413.

    Examples
    --------
    >>> low, high = clopper_pearson(0, 20)
    >>> f"{low:.4f} {high:.4f}"
    '0.0000 0.1684'
    """
    _check(successes, n)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def _check(successes: float, n: float) -> None:
    if not n > 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: a proportion needs 0 <= successes <= n and n above 0")
