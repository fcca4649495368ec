"""Exact match: whether an answer equals an accepted one after the official normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptrial.scoring.base import Gold, PreparedAnswer, accepted_answers
from promptrial.scoring.contract import Declaration, Scorer
from promptrial.scoring.normalize import EvaluationRules

__all__ = ["ExactMatch", "exact_match"]


def exact_match(prediction: str, answers: Sequence[str], rules: EvaluationRules) -> float:
    """Exact match of a prediction, by the official definition and nothing else (no rule for abstentions).

    Parameters
    ----------
    prediction : str
    answers : sequence of str
        Accepted answers; none for an unanswerable question.
    rules : EvaluationRules

    Returns
    -------
    float
        1.0 if the normalised prediction equals any normalised accepted answer, else 0.0.

    References
    ----------
    ``evaluate-v2.0.py`` (SQuAD 2.0): ``compute_exact``, ``get_raw_scores``; ``triviaqa_evaluation.py`` and ORQA's
    ``eval_utils.py``: ``exact_match_score``, ``metric_max_over_ground_truths``.

    Examples
    --------
    >>> from promptrial.scoring.normalize import SQUAD_V2
    >>> exact_match("the Normans.", ["Normans", "the Norse"], SQUAD_V2)
    1.0
    """
    return float(rules.normalize(prediction) in accepted_answers(answers, rules).normalized)


@dataclass(frozen=True)
class ExactMatch(Scorer):
    """Whether an answer is an accepted one.

    References
    ----------
    ``evaluate-v2.0.py`` (SQuAD 2.0, Rajpurkar et al. 2018) and the official scripts of the other formats.
    """

    declared = Declaration(
        label="Exact match",
        meaning="Is the normalised answer an accepted one or, if the question has no answer, a refusal?",
        scale="binary",
        direction="higher",
        needs=("gold",),
        role="accuracy",
    )

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Exact match; an abstention is right exactly when the item is unanswerable.

        The second rule is explicit, because NQ-open and SQuAD 1.1 accept answers that normalise to nothing (``A+``): by
        the bare definition the null prediction would match those.
        """
        if answer.abstained:
            return float(gold.item.is_unanswerable)
        return float(answer.normalized in gold.accepted.normalized)

    def score_many(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> list[float]:
        """Do what ``score`` does, without a call for each."""
        return [
            float(gold.item.is_unanswerable if answer.abstained else answer.normalized in gold.accepted.normalized)
            for gold, answer in answers
        ]
