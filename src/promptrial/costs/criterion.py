"""Which answers costs count as good: those that meet a criterion on one score. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from promptrial.config.costs import CriterionConfig
from promptrial.documents.scorers import Declaration, with_role

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["default_criterion", "in_words", "share_meeting"]


def default_criterion(declared: Mapping[str, Declaration]) -> CriterionConfig | None:
    """Return the criterion where the configuration gives none: the best score of what says that an answer is right.

    None if no scorer says that.
    """
    name = with_role(declared, "accuracy")
    return None if name is None else CriterionConfig(scorer=name, at_least=declared[name].range[1])


def in_words(criterion: CriterionConfig, declared: Declaration) -> str:
    """Return ``Politeness of at least 7``."""
    bound = f"at least {criterion.at_least:g}" if criterion.at_least is not None else f"at most {criterion.at_most:g}"
    return f"{declared.label} of {bound}"


def share_meeting(
    criterion: CriterionConfig, declared: Declaration, score: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return for each item the share of its answers that meet the criterion.

    Parameters
    ----------
    criterion : CriterionConfig
    declared : Declaration
        Of the criterion's scorer.
    score : ndarray of float, shape (n_items,)
        Mean over the answers to an item; NaN without a score.

    Returns
    -------
    ndarray of float, shape (n_items,)
        From 0 to 1; NaN without a score.

    Notes
    -----
    The mean of a binary score tells how many answers have the higher one. Of a continuous score it does not tell
    single answers apart: either all answers to an item meet the criterion or none, as their mean does.
    """
    import numpy as np

    low, high = declared.range
    if declared.scale == "binary":
        higher = score if (low, high) == (0.0, 1.0) else (score - low) / (high - low)
        if criterion.is_met(high):
            return np.where(np.isnan(score), np.nan, 1.0) if criterion.is_met(low) else higher
        return 1 - higher if criterion.is_met(low) else higher * 0
    met = np.array([criterion.is_met(value) for value in score], dtype=np.float64)
    return np.where(np.isnan(score), np.nan, met)
