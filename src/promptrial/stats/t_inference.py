"""Interval and p-value of an estimate with a standard error, by Student's t. Scalars; loads SciPy."""

from __future__ import annotations

from scipy import special

from promptrial.stats.statistic import floor_p_value

__all__ = ["t_inference"]


def t_inference(estimate: float, se: float, df: float, confidence: float) -> tuple[float, float, float]:
    """Return the lower limit, the upper limit and the two-sided p-value of an estimate against 0.

    Parameters
    ----------
    estimate, se : float
        ``se`` is above 0.
    df : float
        Degrees of freedom, above 0; may be a fraction.
    confidence : float
        In (0, 1).

    Examples
    --------
    >>> [round(each, 4) for each in t_inference(2.5, 0.6454972243679028, 3, 0.95)]
    [0.4457, 4.5543, 0.0305]
    """
    half = float(special.stdtrit(df, 0.5 + confidence / 2)) * se
    return estimate - half, estimate + half, floor_p_value(2 * float(special.stdtr(df, -abs(estimate / se))))
