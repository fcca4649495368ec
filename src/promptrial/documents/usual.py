"""What planning assumes where nothing else is said: the power, the differences that are looked at, and arms alike."""

from __future__ import annotations

from typing import Final

__all__ = ["DIFFERENCES", "POWER", "WITHIN", "independent_discordance", "largest_discordance"]

POWER: Final = 0.8
"""How probable it is to be that a difference is found."""
DIFFERENCES: Final = (0.01, 0.02, 0.03, 0.05)
"""Differences whose questions are counted, as shares of the range of the scores."""
WITHIN: Final = 0.5
"""The share of the variance that is between replicates of a question, above temperature 0."""


def independent_discordance(baseline: float) -> float:
    """Return the share of questions that one arm alone answers rightly, if both are right as often and independent.

    Parameters
    ----------
    baseline : float
        The share that each answers rightly, in [0, 1].

    Examples
    --------
    >>> round(independent_discordance(0.9), 2)
    0.18
    """
    return 2 * baseline * (1 - baseline)


def largest_discordance(baseline: float) -> float:
    """Return the largest share of questions that one arm alone answers rightly, if both are right as often.

    Examples
    --------
    >>> largest_discordance(0.75)
    0.5
    """
    return 2 * min(baseline, 1 - baseline)
