"""The rule that measures of similarity share: the best over the accepted answers, and what an abstention counts as."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from promptrial.scoring.base import Gold, PreparedAnswer

__all__ = ["closest"]


def as_exact_match(gold: Gold, answer: PreparedAnswer) -> float | None:
    """Return what exact match says where accepted answers do not decide; None where they do.

    An abstention is right (1) exactly when the item is unanswerable, and any other answer to such an item is wrong (0).
    """
    if answer.abstained or gold.item.is_unanswerable:
        return float(answer.abstained and gold.item.is_unanswerable)
    return None


def closest(gold: Gold, answer: PreparedAnswer, similarity: Callable[[str, Sequence[str]], float]) -> float:
    """Return the similarity of an answer to accepted ones, from 0 to 1, with exact match's rule for abstentions.

    Parameters
    ----------
    gold : Gold
    answer : PreparedAnswer
    similarity : callable
        Text of the answer and accepted answers to a number from 0 to 1; what rounding adds above 1 is cut off.
    """
    decided = as_exact_match(gold, answer)
    if decided is not None:
        return decided
    return min(1.0, float(similarity(answer.text, gold.item.answers)))
