"""Who is missing, and how much that could matter: requests by reason, and worst-case bounds on an effect."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from promptrial.significance import ArmAttrition, MissingBounds
from promptrial.stats.pairing import FloatArray, PairedSample

__all__ = ["arm_attrition", "missing_bounds"]


def arm_attrition(expected: int, answered: int, reasons: Mapping[str, int]) -> ArmAttrition:
    """Describe what became of an arm's requests.

    Parameters
    ----------
    expected, answered : int
        Requests planned and answered.
    reasons : mapping
        Why requests were not answered -> how many; need not account for all of them.

    Raises
    ------
    ValueError
        If more were answered, or explained, than expected.

    Examples
    --------
    >>> arm_attrition(10, 7, {"content_filter": 2}).unexplained
    1
    """
    missing = expected - answered
    unexplained = missing - sum(reasons.values())
    if missing < 0 or unexplained < 0 or answered < 0:
        raise ValueError(f"attrition does not add up: {expected} expected, {answered} answered, {dict(reasons)}")
    return ArmAttrition(
        expected=expected,
        answered=answered,
        missing=missing,
        share_missing=missing / expected if expected else None,
        reasons=dict(sorted(reasons.items())),
        unexplained=unexplained,
    )


def missing_bounds(sample: PairedSample) -> MissingBounds:
    """Bound the effect on everyone by what the missing scores could be at worst and at best.

    The population is every item of the subset that has a score in some arm, and every item that has none for want of an
    answer. In each arm its mean lies between ``sum/n`` (all missing scores 0) and ``(sum + missing)/n`` (all 1).

    Notes
    -----
    Whether a metric applies to an item that was lost in both arms may be unknown; such an item counts, which can only
    widen the bounds.

    References
    ----------
    Horowitz, J.L., Manski, C.F. (2000). Nonparametric analysis of randomized experiments with missing covariate and
    outcome data. JASA 95:77-84.
    """
    counts = sample.counts
    n = counts.items - counts.not_applicable if counts.applies else 0
    control, treatment = sample.control_scores.score, sample.treatment_scores.score
    missing_control, missing_treatment = n - len(control), n - len(treatment)
    reason = _why_not(sample, control, treatment)
    low = high = None
    if reason is None:
        low = float(treatment.sum() - control.sum() - missing_control) / n
        high = float(treatment.sum() + missing_treatment - control.sum()) / n
    return MissingBounds(
        n_items=n,
        n_missing_control=missing_control,
        n_missing_treatment=missing_treatment,
        low=low,
        high=high,
        reason=reason,
    )


def _why_not(sample: PairedSample, control: FloatArray, treatment: FloatArray) -> str | None:
    if not sample.counts.applies:
        return "the metric applies to no item that was answered"
    scores = np.concatenate([control, treatment])
    if ((scores < 0) | (scores > 1)).any():
        return "the scores are not rates between 0 and 1"
    return None
