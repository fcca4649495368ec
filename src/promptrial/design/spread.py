"""How much the scores of two arms differ, from those that there are, for the power of a larger sample. Pure.

Nothing here tells which arm is better, or by how much: an effect that is not sealed yet must not show in a plan. The
spread is taken around 0. Taken around the mean difference, its distance from the share of pairs that differ would be
the square of that mean.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["Estimated", "PairOfScores", "estimated"]

_FEWEST_PASSAGES: Final = 10
"""Passages with two scored items or more from which an intraclass correlation is estimated."""
_LEVEL: Final = 0.05


class PairOfScores(NamedTuple):
    """The scores of an item on the two sides of a contrast, and its passage."""

    first: float
    second: float
    passage: Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """What scored items tell of an endpoint; nothing of the direction or the size of the effect.

    Attributes
    ----------
    pairs : int
        Items with a score in both arms.
    answered : float
        Pairs by items that have a score in any arm, in (0, 1].
    sd : float
        Root of the mean square of the differences, a share of the range, above 0.
    discordance : float
        The share of pairs that differ, in (0, 1].
    baseline : float
        The mean score of the first side.
    icc : float, optional
        Intraclass correlation of the differences, in [0, 1]; None where too few items share a passage to tell.
    at_most : bool
        Whether no pair differs, so that ``discordance`` and ``sd`` are upper limits at 95%.
    """

    pairs: int
    answered: float
    sd: float
    discordance: float
    baseline: float
    icc: float | None = None
    at_most: bool = False


def estimated(pairs: Sequence[PairOfScores], scored: int, width: float = 1.0) -> Estimated | None:
    """Return what scored items tell; None where fewer than two have a score in both arms.

    Parameters
    ----------
    pairs : sequence of PairOfScores
    scored : int
        Items with a score in any arm; at least as many as there are pairs.
    width : float
        Of the range of the scores.

    Notes
    -----
    Where no pair differs, as many pairs are taken to differ as would be missed with a probability of 5%.

    Examples
    --------
    >>> found = estimated([PairOfScores(0.0, 1.0, "p"), *[PairOfScores(1.0, 1.0, "q")] * 3], scored=5)
    >>> found.discordance, found.sd, found.answered, found.baseline
    (0.25, 0.5, 0.8, 0.75)
    """
    if len(pairs) < 2:
        return None
    differences = [(pair.second - pair.first) / width for pair in pairs]
    n, differing = len(pairs), sum(difference != 0 for difference in differences)
    share = differing / n if differing else 1 - _LEVEL ** (1 / n)
    square = math.fsum(difference**2 for difference in differences) / n if differing else share
    return Estimated(
        pairs=n,
        answered=n / max(scored, n),
        sd=math.sqrt(square),
        discordance=share,
        baseline=math.fsum(pair.first for pair in pairs) / n,
        icc=_intraclass([pair.passage for pair in pairs], differences),
        at_most=not differing,
    )


def _intraclass(passages: Sequence[Hashable], differences: Sequence[float]) -> float | None:
    """Return ``(design effect - 1) / (m - 1)``, m the items of an average item's passage; see ``paired_difference``."""
    n, mean = len(differences), math.fsum(differences) / len(differences)
    sums, sizes = _by_passage(passages, [difference - mean for difference in differences])
    single = n / (n - 1) * math.fsum((difference - mean) ** 2 for difference in differences)
    if sum(size > 1 for size in sizes.values()) < _FEWEST_PASSAGES or single == 0:
        return None
    count = len(sizes)
    effect = count / (count - 1) * math.fsum(total**2 for total in sums.values()) / single
    return min(max((effect - 1) / (sum(size**2 for size in sizes.values()) / n - 1), 0.0), 1.0)


def _by_passage(
    passages: Sequence[Hashable], values: Sequence[float]
) -> tuple[Mapping[Hashable, float], Mapping[Hashable, int]]:
    sums: dict[Hashable, float] = {}
    sizes: dict[Hashable, int] = {}
    for passage, value in zip(passages, values, strict=True):
        sums[passage] = sums.get(passage, 0.0) + value
        sizes[passage] = sizes.get(passage, 0) + 1
    return sums, sizes
