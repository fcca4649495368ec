"""Which answers are missing, and how much that could matter: requests by reason, and worst-case bounds on an effect."""

from __future__ import annotations

from collections.abc import Mapping

from promptrial.documents.missing import ArmAttrition, MissingBounds
from promptrial.stats.pairing import ArmScores, PairedSample

__all__ = ["arm_attrition", "missing_bounds"]


def arm_attrition(
    expected: int, answered: int, reasons: Mapping[str, int], empty: int = 0, truncated: int = 0
) -> ArmAttrition:
    """Describe what became of an arm's requests.

    Parameters
    ----------
    expected, answered : int
        Requests planned and answered.
    reasons : mapping
        Why requests were not answered -> how many; need not account for all of them.
    empty : int
        How many of the requests that were not answered got a response without an answer.
    truncated : int
        How many answers were cut off at the token limit.

    Raises
    ------
    ValueError
        If more were answered, or explained, than expected, more are empty than missing, or more truncated than
        answered.

    Examples
    --------
    >>> arm_attrition(10, 7, {"content_filter": 2}).unexplained
    1
    """
    missing = expected - answered
    unexplained = missing - sum(reasons.values())
    if min(missing, unexplained, answered) < 0 or not (0 <= empty <= missing and 0 <= truncated <= answered):
        raise ValueError(f"attrition does not add up: {expected} expected, {answered} answered, {dict(reasons)}")
    return ArmAttrition(
        expected=expected,
        answered=answered,
        missing=missing,
        share_missing=missing / expected if expected else None,
        reasons=dict(sorted(reasons.items())),
        unexplained=unexplained,
        empty=empty,
        truncated=truncated,
    )


def missing_bounds(sample: PairedSample) -> MissingBounds:
    """Bound the effect on everyone by what the missing scores could be at worst and at best.

    The population is every item of the subset that the measure applies to, and of each item every answer that was
    planned. An item with K planned answers, of which k have the mean score s, has a mean between
    ``(k s + (K - k) low) / K`` and ``(k s + (K - k) high) / K``, with the ends of the range that the scorer declares.

    Notes
    -----
    Whether a measure applies to an item that was lost in both arms is unknown where the table has no plan; such an item
    counts, which can only widen the bounds.

    References
    ----------
    Horowitz, J.L., Manski, C.F. (2000). Nonparametric analysis of randomized experiments with missing covariate and
    outcome data. JASA 95:77-84.
    """
    n = sample.counts.items - sample.counts.not_applicable
    first, second = (_ArmTotal(scores, n) for scores in sample.whole_arms)
    least, most = sample.score_range
    return MissingBounds(
        n_items=n,
        n_missing_control=first.items_missing,
        n_missing_treatment=second.items_missing,
        n_answers_missing_control=first.answers_missing,
        n_answers_missing_treatment=second.answers_missing,
        low=second.mean_if(least) - first.mean_if(most) if n else None,
        high=second.mean_if(most) - first.mean_if(least) if n else None,
        reason=None if n else "the metric applies to no item that was answered",
    )


class _ArmTotal:
    """An arm over ``n_items`` items with all their planned answers, answered or not; each item counts the same."""

    def __init__(self, scores: ArmScores, n_items: int) -> None:
        most = int(scores.planned.max(initial=1))
        weight = scores.n_samples * (most / scores.planned)  # of an item with fewer planned, each answer counts more
        self._whole = n_items * most
        self._answered = float((scores.score * weight).sum())
        self._missing = self._whole - float(weight.sum())
        self.items_missing = n_items - len(scores.score)
        self.answers_missing = scores.n_planned - int(scores.n_samples.sum())

    def mean_if(self, score: float) -> float:
        """Return the mean over all planned answers if each missing one had this score."""
        return (self._answered + self._missing * score) / self._whole
