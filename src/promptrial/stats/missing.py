"""What missing answers do to an effect: counting them as failures, and whether the arms lost answers unequally."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from msgspec import UNSET

from promptrial.documents.missing import AttritionTest, MissingRule
from promptrial.documents.significance import Estimate
from promptrial.stats.pairing import Arm, FloatArray, IntArray, PairedSample, Pairing, one_each
from promptrial.stats.score_table import is_nothing, nothing

__all__ = ["WORST_UNKNOWN", "answered_shares", "attrition_test", "count_as_failures", "under_rule", "worst_is_known"]

ANSWERED: Final = "answered"
"""The measure of ``answered_shares``."""
WORST_UNKNOWN: Final = "which score counts as a failure is unknown: it depends on the item"


def count_as_failures(pairing: Pairing) -> Pairing:
    """Give every missing answer, and every answer that lacks a score, the worst score of its item.

    An item with K planned answers, of which k have the mean score s, gets ``(k s + (K - k) worst) / K``: each item that
    the measure applies to is then a pair, and whether the measure is binary does not change.

    Notes
    -----
    Which score is the worst is decided by the scorer (``Scorer.worst``): where more is wanted the lowest, where less is
    wanted the highest; for abstention, an abstention where the question has an answer and none where it has none.

    Raises
    ------
    ValueError
        If the worst score of an item with a missing answer is unknown (``worst_is_known``).

    References
    ----------
    National Research Council (2010). The prevention and treatment of missing data in clinical trials, chapter 5
    (missing = failure, as one of several sensitivity analyses).
    """
    if not worst_is_known(pairing):
        raise ValueError(f"{pairing.metric}: {WORST_UNKNOWN}")
    first, second = (
        _filled(arm, planned, pairing.worst) for arm, planned in zip(pairing.arms, pairing.planned, strict=True)
    )
    return replace(pairing, arms=(first, second), filled=pairing.lacking)


def worst_is_known(pairing: Pairing) -> bool:
    """Tell whether the worst score is known of every item that lacks an answer, or the score of one."""
    return not np.isnan(pairing.worst[pairing.applicable & pairing.lacking]).any()


def under_rule(pairing: Pairing, rule: MissingRule) -> Pairing:
    """Return the pairing with its missing answers left out, or counted as failures."""
    return count_as_failures(pairing) if rule == "failure" else pairing


def answered_shares(pairing: Pairing) -> Pairing:
    """Return the share of its planned answers that each item has scores of, as a measure of its own.

    It goes from 0 to 1, and none is missing.
    """
    none = nothing(len(pairing.worst))
    first, second = (
        Arm(np.where(pairing.applicable, arm.n_samples / planned, np.nan), none, arm.n_samples)
        for arm, planned in zip(pairing.arms, pairing.planned, strict=True)
    )
    return replace(
        pairing,
        metric=ANSWERED,
        binary=one_each(*pairing.planned),
        score_range=(0.0, 1.0),
        arms=(first, second),
        worst=none,
    )


def attrition_test(
    shares: PairedSample,
    planned: tuple[IntArray, IntArray],
    alpha: float,
    decide: Callable[[PairedSample], Estimate],
    *,
    of_scores: bool = False,
) -> AttritionTest:
    """Test whether the arms lost different shares of the answers that were planned, or of the scores of these.

    Parameters
    ----------
    shares : PairedSample
        Of ``answered_shares``.
    planned : tuple of ndarray of int, shape (n_items,)
        Answers planned for each item of the trial, in each arm.
    alpha : float
        Level, not corrected for the number of endpoints: the test is a warning and decides on no effect.
    decide : function
        Makes the test that would decide on an endpoint of this scale and design.
    of_scores : bool
        Whether ``shares`` are of the answers that have a score, where some may have none.
    """
    expected = [int(samples[shares.items].sum()) for samples in planned]
    missing = [total - int(arm.n_samples.sum()) for arm, total in zip(shares.arms, expected, strict=True)]
    row = decide(shares) if shares.n_pairs else None
    p = None if row is None else row.p
    return AttritionTest(
        n_planned_control=expected[0],
        n_planned_treatment=expected[1],
        n_missing_control=missing[0],
        n_missing_treatment=missing[1],
        difference=None if row is None else (missing[1] / expected[1] - missing[0] / expected[0]),
        p=p,
        p_method=None if row is None or p is None else row.method,
        differs=None if p is None else p <= alpha,
        reason="the metric applies to no item" if row is None else row.reason,
        of_scores=of_scores or UNSET,
    )


def _filled(arm: Arm, planned: IntArray, worst: FloatArray) -> Arm:
    missing = planned - arm.n_samples
    fill = (missing > 0) & ~np.isnan(worst)
    answered = np.where(arm.n_samples > 0, arm.score, 0.0)
    mean = (arm.n_samples * answered + missing * worst) / planned
    if not one_each(planned):
        squares = (
            np.where(arm.n_samples > 1, (arm.n_samples - 1) * arm.deviation**2, 0.0)
            + arm.n_samples * (answered - mean) ** 2
            + missing * (worst - mean) ** 2
        )
        several = np.where(planned > 1, planned - 1, np.nan)  # one answer has no deviation
        deviation = np.where(fill, np.sqrt(squares / several), arm.deviation)
    else:
        deviation = arm.deviation if is_nothing(arm.deviation) else np.where(fill, np.nan, arm.deviation)
    return Arm(np.where(fill, mean, arm.score), deviation, np.where(fill, planned, arm.n_samples))
