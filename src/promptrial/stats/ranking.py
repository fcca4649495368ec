"""Which arms are shown to be better than which, and the ranks that this leaves each arm: sets, and no bare order.

All pairs of arms are compared under the same joint sign flips (``max_t``). An arm may have every rank from one more
than the number of arms shown to be better, up to the number of arms less those shown to be worse; all these sets hold
together, with the confidence of the comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptrial.stats.max_t import JointFlips, counted_statistics, step_down
from promptrial.stats.pairing import BoolArray, FloatArray, IntArray

__all__ = ["RankSets", "directed_p", "rank_sets"]


@dataclass(frozen=True, slots=True, eq=False)
class RankSets:
    """The ranks that each of k arms may have, from 1 for the best: arrays of shape (k,).

    Attributes
    ----------
    lowest, highest : ndarray of int
        From 1 to k, ``lowest`` at most ``highest``.
    """

    lowest: IntArray
    highest: IntArray

    @property
    def best(self) -> tuple[int, ...]:
        """The arms that may be the best, by their places."""
        return tuple(int(place) for place in np.flatnonzero(self.lowest == 1))


def directed_p(flips: JointFlips, columns: Sequence[int], p: FloatArray) -> FloatArray:
    """Correct the tests of both directions of some contrasts together, by step-down max-T.

    Each contrast stands for two one-sided hypotheses: that the effect is not above 0, and that it is not below. So the
    error rate counts a wrong direction as an error too, which it need not in a step-down procedure of two-sided tests.

    Parameters
    ----------
    flips, columns, p
        As for ``max_t``.

    Returns
    -------
    ndarray of float, shape (q,)
        Adjusted p-values of the direction that each contrast has, not below ``p``.

    References
    ----------
    Mogstad, M., Romano, J.P., Shaikh, A.M., Wilhelm, D. (2024). Inference for ranks with applications to mobility
    across neighbourhoods and academic achievement across countries. Review of Economic Studies 91:476-518, section 3.
    """
    signs = np.where(flips.observed[list(columns)] < 0, -1.0, 1.0)
    towards = counted_statistics(flips, columns, p)
    drawn = flips.draws[:, columns] * signs
    both = np.concatenate([drawn, -drawn], axis=1)
    adjusted = step_down(np.concatenate([towards, -towards]), [both, -both])
    return np.maximum(adjusted[: len(towards)], p)


def rank_sets(better: BoolArray | npt.ArrayLike) -> RankSets:
    """Return the ranks that are left to each arm.

    Parameters
    ----------
    better : array_like of bool, shape (k, k)
        Whether the arm of the row is shown to be better than that of the column.

    Raises
    ------
    ValueError
        If it is not square, or says about two arms that each is better than the other.

    References
    ----------
    Mogstad et al. (2024), theorem 3.1.

    Examples
    --------
    >>> sets = rank_sets([[False, False, True], [False, False, True], [False, False, False]])
    >>> sets.lowest.tolist(), sets.highest.tolist(), sets.best
    ([1, 1, 3], [2, 2, 3], (0, 1))
    """
    shown = np.asarray(better, dtype=np.bool_)
    if shown.ndim != 2 or shown.shape[0] != shown.shape[1]:
        raise ValueError(f"which arm is better than which has shape {shown.shape}; it must be square")
    if (shown & shown.T).any():
        raise ValueError("two arms are each said to be better than the other")
    return RankSets(1 + shown.sum(axis=0), len(shown) - shown.sum(axis=1))
