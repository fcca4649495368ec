"""BLEU of one answer: how many of its sequences of words are in the accepted ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal

from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.closest import closest
from promptrial.scoring.contract import Declaration, Scorer

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

__all__ = ["Bleu"]


@dataclass(frozen=True)
class Bleu(Scorer):
    """Sentence BLEU of an answer with all accepted ones as its references, from 0 to 1.

    Attributes
    ----------
    tokenize : {"13a", "intl", "zh", "char", "none"}
        How sacrebleu cuts texts: ``13a`` is that of mteval-v13a, ``zh`` is for Chinese, ``char`` for any script.
    lowercase : bool
        Whether both texts are first put into lower case.
    smooth : {"exp", "floor", "add-k", "none"}
        What stands for n-grams without a match.
    smooth_value : float or None
        Of ``floor`` and ``add-k``; sacrebleu's own (0.1 and 1) if null.
    max_order : int
        The longest n-grams that count, 1 to 8.

    Notes
    -----
    sacrebleu's score from 0 to 100, divided by 100. The effective order is on: an answer shorter than ``max_order``
    words is judged by the n-grams that it can have. All accepted answers are references together, as BLEU defines it;
    this is not the best over them. An abstention counts as for exact match. The mean of sentence scores is not the BLEU
    of a corpus.

    References
    ----------
    Papineni et al. (2002), BLEU: a Method for Automatic Evaluation of Machine Translation; Post (2018), A Call for
    Clarity in Reporting BLEU Scores; ``sacrebleu.metrics.BLEU.sentence_score``.
    """

    libraries: ClassVar = {"sacrebleu": "sacrebleu"}
    declared = Declaration(
        label="BLEU",
        meaning="How many of the answer's word sequences occur in the accepted answers?",
        scale="continuous",
        direction="higher",
        needs=("gold",),
    )

    tokenize: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    lowercase: bool = False
    smooth: Literal["exp", "floor", "add-k", "none"] = "exp"
    smooth_value: float | None = None
    max_order: int = 4

    def __post_init__(self) -> None:
        """Refuse what the library cannot compute, and what has no effect."""
        if not 1 <= self.max_order <= 8:
            raise ValueError(f"`max_order` must be from 1 to 8; given: {self.max_order}")
        if self.smooth_value is not None:
            if self.smooth not in {"floor", "add-k"}:
                raise ValueError("`smooth_value` is for `smooth: floor` and `smooth: add-k`")
            if not 0 < self.smooth_value <= 1:
                raise ValueError(f"`smooth_value` must be above 0 and at most 1; given: {self.smooth_value:g}")

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return the sentence BLEU."""
        return closest(gold, answer, self.sentence_bleu)

    def sentence_bleu(self, answer: str, golds: Sequence[str]) -> float:
        """Return the sentence BLEU of a text with references, from 0 to 1."""
        return float(_library(self).sentence_score(answer, list(golds)).score) / 100


@lru_cache(maxsize=8)
def _library(settings: Bleu) -> BLEU:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(
        lowercase=settings.lowercase,
        tokenize=settings.tokenize,
        smooth_method=settings.smooth,
        smooth_value=settings.smooth_value,
        max_ngram_order=settings.max_order,
        effective_order=True,
    )
